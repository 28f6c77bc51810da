"""The program that ``demo --durable`` kills. It places orders, each under its own ref.

``python -m followersdata_async.cli.commands.demo_worker DATABASE COUNT``; the key and the address of the panel come
from the environment.
"""

from __future__ import annotations

import sys

import anyio

from ...client import AsyncClient
from ...ledger import Ledger
from ...orders import Package

_CONCURRENCY = 8


def make_ref(number: int) -> str:
    """Return the ref of an order."""
    return f"demo-{number}"


def make_link(number: int) -> str:
    """Return the link of an order. Each is different, so that orders can be found in the panel's list."""
    return f"https://example.com/p/{number}"


async def place_all(url: str, count: int) -> None:
    """Place orders 1 to ``count``. Orders that are already on record are not sent again."""
    numbers = iter(range(1, count + 1))
    async with AsyncClient() as client, Ledger(url) as ledger:

        async def place() -> None:
            for number in numbers:
                await ledger.place(client, Package(service=3, link=make_link(number)), ref=make_ref(number))

        async with anyio.create_task_group() as group:
            for _ in range(_CONCURRENCY):
                group.start_soon(place)


if __name__ == "__main__":
    anyio.run(place_all, sys.argv[1], int(sys.argv[2]))
