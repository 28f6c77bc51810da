"""The state file, which keeps a sandbox over restarts."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from followersdata_async import Ok, orders
from followersdata_async.sandbox import Sandbox
from tests.helpers.sandbox import ORDER, ManualClock, create_client

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def read_everything(sandbox: Sandbox) -> object:
    """Return all orders, refills, balances and services as a client and an administrator see them."""
    async with create_client(sandbox) as panel:
        statuses = await panel.multi_status(range(1, 60))
        refills = await panel.multi_refill_status([1, 2, 3])
        seen = {id_: outcome.value for id_, outcome in {**statuses, **refills}.items() if isinstance(outcome, Ok)}
        return seen, await panel.balance(), await panel.services(), sandbox.orders()


async def test_a_state_file_keeps_everything_over_a_restart(tmp_path: Path) -> None:
    """Orders, children, refills, cancellations, balances, prices and the time."""
    state, manual = tmp_path / "sandbox.db", ManualClock()
    settings: dict[str, Any] = {"state": state, "clock": manual, "past": 50, "balances": {"sandbox-key": "500"}}
    async with Sandbox(**settings) as sandbox, create_client(sandbox) as panel:
        await panel.add(ORDER)
        await panel.add(orders.Default(service=1, link="a.b", quantity=100, runs=3, interval=60))
        manual.now += 100
        await panel.multi_refill(range(1, 51))
        await panel.cancel([51, *range(1, 51)])
        sandbox.advance(7200)
        sandbox.change(2, rate="9.99", enabled=False)
        sandbox.set_balance("77.5")
        await panel.add(orders.Package(service=3, link="a.b"))
        manual.now += 1000
        before = await read_everything(sandbox), sandbox.now
    async with Sandbox(**settings) as sandbox:
        assert (await read_everything(sandbox), sandbox.now) == before
        manual.now += 3600
        assert sandbox.now == before[1] + 3600


async def test_the_time_of_a_state_file_runs_on_while_no_sandbox_has_it_open(tmp_path: Path) -> None:
    """At the speed that the last one had, then at the speed of the new one."""
    state, manual = tmp_path / "sandbox.db", ManualClock()
    async with Sandbox(state=state, clock=manual, speed=10) as sandbox:
        began = sandbox.now
    manual.now += 5
    async with Sandbox(state=state, clock=manual, speed=0) as sandbox:
        assert sandbox.now == began + 50
    manual.now += 5
    async with Sandbox(state=state, clock=manual) as sandbox:
        assert sandbox.now == began + 50


async def test_a_reset_state_is_empty_after_a_restart_too(tmp_path: Path) -> None:
    """The file keeps nothing from before."""
    async with Sandbox(state=tmp_path / "sandbox.db") as sandbox, create_client(sandbox) as panel:
        await panel.add(ORDER)
        sandbox.reset()
    async with Sandbox(state=tmp_path / "sandbox.db") as sandbox:
        assert sandbox.orders() == []


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"seed": 2}, r"was made with seed 1, not 2: say the same, or take another file"),
        ({"past": 7}, r"was made with past 0, not 7"),
        ({"services": 5}, r"was made with services 24, not 5"),
        ({"one_per_link": True}, r"was made with one_per_link false, not true"),
        ({"balances": {"sandbox-a": 1}}, r'was made with balances \{\}, not \{"sandbox-a": "1"\}'),
    ],
)
async def test_a_state_file_of_other_settings_is_rejected(tmp_path: Path, settings: dict[str, Any], error: str) -> None:
    """Its events would have other results."""
    state = tmp_path / "sandbox.db"
    async with Sandbox(state=state):
        pass
    with pytest.raises(ValueError, match=error):
        Sandbox(state=state, **settings)
    async with Sandbox(state=state):
        pass


async def test_a_state_file_is_used_by_one_sandbox_at_a_time(tmp_path: Path) -> None:
    """The second fails at once."""
    state = tmp_path / "sandbox.db"
    async with Sandbox(state=state):
        with pytest.raises(ValueError, match="is in use by another sandbox: end that one, or take another file"):
            Sandbox(state=state)


def test_a_file_that_is_not_a_state_is_rejected_and_not_changed(tmp_path: Path) -> None:
    """A text file, a database of another program, a newer version, and a folder that does not exist."""
    text = tmp_path / "text"
    text.write_text("not a database at all, but long enough to be looked at as one " * 20)
    other = tmp_path / "other.db"
    newer = tmp_path / "newer.db"
    for path, statement in ((other, "CREATE TABLE mine (x)"), (newer, "PRAGMA user_version=99")):
        file = sqlite3.connect(path)
        file.execute(statement)
        file.close()
    before = text.read_bytes(), other.read_bytes()
    with pytest.raises(ValueError, match="is no sandbox's state: take another file"):
        Sandbox(state=text)
    with pytest.raises(ValueError, match="is no sandbox's state: take another file"):
        Sandbox(state=other)
    with pytest.raises(ValueError, match="is of a newer version"):
        Sandbox(state=newer)
    with pytest.raises(OSError, match="cannot be opened: unable to open database file; is its folder there"):
        Sandbox(state=tmp_path / "nowhere" / "sandbox.db")
    assert (text.read_bytes(), other.read_bytes()) == before
