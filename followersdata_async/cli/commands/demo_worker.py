"""The program that ``demo --durable`` kills: it places orders, each under a ref of its own.

``python -m followersdata_async.cli.commands.demo_worker DATABASE COUNT``; key and address are those of the environment.
"""

from __future__ import annotations

import sys

import anyio

from ...client import AsyncClient
from ...ledger import Ledger
from ...orders import Package

_AT_ONCE = 8


def ref_of(number: int) -> str:
    """The name of an order."""
    return f"demo-{number}"


def link_of(number: int) -> str:
    """What it is for: different for each, so that the panel's list tells them apart."""
    return f"https://example.com/p/{number}"


async def place_all(where: str, count: int) -> None:
    """Place orders from the first to the last; those that are on record already send nothing."""
    numbers = iter(range(1, count + 1))
    async with AsyncClient() as panel, Ledger(where) as ledger:

        async def place() -> None:
            for number in numbers:
                await ledger.place(panel, Package(service=3, link=link_of(number)), ref=ref_of(number))

        async with anyio.create_task_group() as group:
            for _ in range(_AT_ONCE):
                group.start_soon(place)


if __name__ == "__main__":
    anyio.run(place_all, sys.argv[1], int(sys.argv[2]))
