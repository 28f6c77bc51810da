"""A process that is killed at each step of placing an order: none twice, none lost, and unknown where it must be."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from followersdata_async import AsyncClient, orders
from followersdata_async.ledger import Ledger, ReceiptState
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ORDER = orders.Package(service=3, link="https://example.com/p/1")

DYING = """
import asyncio, os, signal, sys
from sqlalchemy import event
from followersdata_async import AsyncClient, orders
from followersdata_async.ledger import Ledger
from followersdata_async.ledger.database import create_engine

database_url, url, step = sys.argv[1:]
reached = []

def pass_by(name):
    reached.append(name)
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)

class Panel:
    def __init__(self, client):
        self.panel = client

    async def add(self, order):
        pass_by("intent is committed")
        placed = await self.panel.add(order)
        pass_by("panel has answered")
        return placed

async def main():
    engine = create_engine(database_url)
    async with Ledger(engine) as ledger, AsyncClient("sandbox-key", url=url) as client:
        commits = iter(["intent is to be committed", "receipt is to be committed"])
        event.listen(engine.sync_engine, "commit", lambda _: pass_by(next(commits)))
        order = orders.Package(service=3, link="https://example.com/p/1")
        await ledger.place(Panel(client), order, ref="cart-81")
        pass_by("receipt is committed")

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("step", "state", "taken"),
    [
        ("intent is to be committed", None, 0),
        ("intent is committed", ReceiptState.UNKNOWN, 0),
        ("panel has answered", ReceiptState.UNKNOWN, 1),
        ("receipt is to be committed", ReceiptState.UNKNOWN, 1),
        ("receipt is committed", ReceiptState.PLACED, 1),
    ],
)
async def test_a_process_killed_while_it_places_an_order(
    database_url: str, step: str, state: ReceiptState | None, taken: int, tmp_path: Path
) -> None:
    """What was never intended is placed afterwards; what was on its way is unknown, and never sent again."""
    script = tmp_path / "dying.py"
    script.write_text(DYING, encoding="utf-8")
    async with Sandbox(serve=True) as sandbox, AsyncClient(sandbox.key, url=sandbox.url) as client:
        died = subprocess.run([sys.executable, script, database_url, sandbox.url, step], check=False)  # noqa: ASYNC221
        assert died.returncode == -signal.SIGKILL
        assert len(sandbox.orders()) == taken
        async with Ledger(database_url) as ledger:
            unknown = [receipt.ref async for receipt in ledger.unknown()]
            assert unknown == (["cart-81"] if state is ReceiptState.UNKNOWN else [])
            again = await ledger.place(client, ORDER, ref="cart-81")
        assert again.state is (state or ReceiptState.PLACED)
        assert len(sandbox.orders()) == (1 if state is None else taken)
