"""Orders on record, on the command line: placed once, looked up, and settled."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async import NotSentError, OutcomeUnknownError, orders
from followersdata_async.cli import main
from followersdata_async.ledger import Ledger

if TYPE_CHECKING:
    from followersdata_async.sandbox import Sandbox

Captured = pytest.CaptureFixture[str]
PLACE = ["place", "--service", "3", "--link", "https://example.com/p", "--yes", "--format", "json"]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path) -> None:
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", sandbox.key)
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", sandbox.url)
    monkeypatch.setenv("FOLLOWERSDATA_LEDGER_URL", f"sqlite:///{tmp_path}/orders.db")


def lose(where: str, ref: str, cost: str | None) -> None:
    """Leave an unknown order on record."""

    class Lost:
        async def add(self, _: object) -> None:
            raise OutcomeUnknownError("cut off", action="add")

    async def run() -> None:
        async with Ledger(where) as ledger:
            order = orders.Package(service=3, link="https://example.com/p")
            await ledger.place(Lost(), order, ref=ref, cost=cost)  # type: ignore[arg-type]

    anyio.run(run)


def test_an_order_is_placed_once_under_its_ref(capsys: Captured, sandbox: Sandbox) -> None:
    """With its price on record; the same again sends nothing."""
    before = len(sandbox.orders())
    for _ in range(2):
        assert main([*PLACE, "--ref", "cart-81"]) == 0
        receipt = json.loads(capsys.readouterr().out)
        assert (receipt["ref"], receipt["state"], receipt["order"]) == ("cart-81", "placed", 30_001 + before)
        assert receipt["cost"] is not None
    assert main(["ledger", "show", "cart-81", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == receipt
    assert len(sandbox.orders()) == before + 1


def test_an_order_that_is_on_record_is_not_asked_about(capsys: Captured, sandbox: Sandbox) -> None:
    """No price, no question; another order under its ref is a mistake."""
    before = len(sandbox.orders())
    assert main([*PLACE, "--ref", "cart-7"]) == 0
    capsys.readouterr()
    plain = [option for option in PLACE if option != "--yes"]
    assert main([*plain, "--ref", "cart-7", "--dry-run"]) == 0
    written = capsys.readouterr()
    assert written.err == "cart-7 is on record as placed, and nothing was sent\n"
    assert json.loads(written.out)["state"] == "placed"
    other = [option.replace("/p", "/other") for option in PLACE]
    assert main([*other, "--ref", "cart-7"]) == 2
    assert "the ref 'cart-7' was used for another order" in capsys.readouterr().err
    assert len(sandbox.orders()) == before + 1


def test_unknown_orders_are_listed_and_settled(capsys: Captured, tmp_path: Path) -> None:
    """The exit code says to look, and then that all is well."""
    where = f"sqlite:///{tmp_path}/orders.db"
    for ref, cost in (("cart-1", "0.90"), ("cart-2", "1.10"), ("cart-3", None)):
        lose(where, ref, cost)
    assert main(["ledger", "unknown", "--format", "json"]) == 5
    written = capsys.readouterr()
    assert [receipt["ref"] for receipt in json.loads(written.out)] == ["cart-1", "cart-2", "cart-3"]
    assert written.err == "3 unknown, 2.00 at risk; settle them with `followersdata ledger reconcile`\n"
    assert main([*PLACE, "--ref", "cart-1"]) == 5
    assert "followersdata ledger resolve cart-1" in capsys.readouterr().err
    assert main(["ledger", "resolve", "cart-1", "--order", "77", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["order"] == 77
    for ref in ("cart-2", "cart-3"):
        assert main(["ledger", "resolve", ref, "--not-placed"]) == 0
    capsys.readouterr()
    assert main(["ledger", "unknown"]) == 0
    assert capsys.readouterr().err == "0 unknown\n"


def test_orders_of_elsewhere_are_followed_and_polled(capsys: Captured) -> None:
    """What changed is written, and counted."""
    assert main(["track", "1", "2", "3", "99999999"]) == 0
    assert main(["track", "1"]) == 0
    assert capsys.readouterr().err == "4 of 4 are new\n0 of 1 are new\n"
    assert main(["poll", "--once", "--format", "json"]) == 6
    written = capsys.readouterr()
    rows = json.loads(written.out)
    assert [(row["order"], row["before"]) for row in sorted(rows, key=lambda row: row["order"])] == [
        (1, None),
        (2, None),
        (3, None),
    ]
    assert written.err.startswith("4 orders: 3 changed, ")
    assert written.err.endswith(" 1 failed; 1 requests\n")
    assert main(["poll", "--once"]) == 0


def test_polling_goes_on_until_it_is_interrupted(sandbox: Sandbox) -> None:
    """A line of JSON for each change, as it is seen."""
    assert main(["track", "1", "2"]) == 0
    command = [sys.executable, "-m", "followersdata_async", "poll"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        orders_seen = {json.loads(process.stdout.readline())["order"] for _ in range(2)}
        process.terminate()
    assert orders_seen == {1, 2}
    assert sandbox.requests > 0


def test_each_profile_has_orders_of_its_own(
    capsys: Captured, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was placed at one panel is never asked of another: there, its number is a stranger's order."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{sandbox.key}\n"))
    assert main(["profile", "add", "spare", "--url", sandbox.url]) == 0
    assert main([*PLACE, "--ref", "cart-81", "--profile", "spare"]) == 0
    assert main(["track", "7", "--profile", "spare"]) == 0
    capsys.readouterr()
    assert main(["poll", "--once", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["poll", "--once", "--profile", "spare", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert main(["ledger", "show", "cart-81", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["panel"] == "spare"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ledger", "show", "nowhere"], 2, "nothing is on record for the ref 'nowhere'"),
        (["ledger", "resolve", "nowhere", "--order", "1"], 2, "nothing is on record for the ref 'nowhere'"),
        (["ledger", "resolve", "nowhere"], 2, "say what you found: --order with its id at the panel, or --not-placed"),
        (["ledger", "unknown", "--db", "mysql://x"], 3, "a ledger's address is"),
        (["ledger", "prune", "--older-than", "0.5"], 2, "--older-than must be at least 1 day, got 0.5"),
        (["ledger", "prune", "--older-than", "nan"], 2, "--older-than must be at least 1 day, got nan"),
        (["ledger", "prune", "--older-than", "inf"], 2, "--older-than must be at least 1 day, got inf"),
        (["ledger", "prune"], 2, "--older-than"),
        (["ledger", "prune", "--older-than", "1", "--db", "sqlite:///typo.db"], 2, "/typo.db: go to its folder"),
        (["ledger", "upgrade", "--db", "sqlite:////nowhere/at/all.db"], 4, "unable to open database file"),
        (["ledger", "unknown", "--db", "sqlite:////nowhere/at/all.db"], 2, "there is no ledger in /nowhere/at/all.db"),
        (["poll", "--once", "--db", "foo"], 3, "a ledger's address is"),
        (["poll", "--once", "--db", "sqlite:///typo.db"], 2, "/typo.db: go to its folder, or name it with --db"),
        (["track"], 2, "no ids"),
        (["poll", "--once", "--max-requests", "0"], 2, "max_requests is 0"),
        ([*PLACE, "--ref", "x" * 10_000], 2, "ref has 10000 characters"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(arguments: list[str], code: int, said: str, capsys: Captured) -> None:
    """With the exit code that it stands for; looking makes no file."""
    assert main(["ledger", "upgrade"]) == 0
    assert main(arguments) == code
    assert said in capsys.readouterr().err
    assert not Path("typo.db").exists()


def test_what_is_old_and_settled_is_pruned(capsys: Captured, tmp_path: Path) -> None:
    """Without a question; the ref stays refused, and what is younger, open or unknown stays on record."""
    where = f"sqlite:///{tmp_path}/orders.db"
    now = time.time()

    class Away:
        async def add(self, _: object) -> None:
            raise NotSentError("away")

    async def run() -> None:
        order = orders.Package(service=3, link="https://example.com/p")
        for ref, age in (("cart-1", 2), ("cart-2", 1.5), ("cart-3", 0)):
            async with Ledger(where, clock=lambda age=age: now - age * 86_400) as ledger:  # type: ignore[misc]
                await ledger.place(Away(), order, ref=ref)  # type: ignore[arg-type]

    anyio.run(run)
    lose(where, "cart-4", "0.90")
    assert main(["ledger", "prune", "--older-than", "1.75"]) == 0
    assert capsys.readouterr() == ("", "1 receipts, 0 orders and 0 changes deleted\n")
    assert main(["ledger", "prune", "--older-than", "1"]) == 0
    assert capsys.readouterr() == ("", "1 receipts, 0 orders and 0 changes deleted\n")
    for ref in ("cart-1", "cart-2"):
        assert main(["ledger", "show", ref]) == 2
        assert main([*PLACE, "--ref", ref]) == 2
        assert "was used for an order whose receipt was pruned" in capsys.readouterr().err
    for ref in ("cart-3", "cart-4"):
        assert main(["ledger", "show", ref]) == 0


def test_a_ledger_is_upgraded(capsys: Captured) -> None:
    """Also a new one."""
    assert main(["ledger", "upgrade"]) == 0
    assert capsys.readouterr().err == "the ledger has the schema 0003\n"


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Type lines on a terminal."""
    stdin = io.StringIO("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_unknown_orders_are_reconciled_one_by_one(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    """An id is looked up before it is accepted, and what is not decided remains."""
    assert main([*PLACE, "--ref", "cart-0"]) == 0
    order = sandbox.orders()[-1]["order"]
    for ref in ("cart-1", "cart-2", "cart-3"):
        lose(f"sqlite:///{tmp_path}/orders.db", ref, "0.90")
    assert main(["ledger", "resolve", "cart-1", "--order", str(order)]) == 2
    assert "is on record for the ref 'cart-0'" in capsys.readouterr().err
    assert main([*PLACE[:-1], "json", "--ref", "cart-9"]) == 0
    other = sandbox.orders()[-1]["order"]
    capsys.readouterr()
    # Not an order, an order of another ref, one that is not it, nothing, and then none.
    answer(monkeypatch, "999999999", str(other), "y", str(other), "n", "1", "y", "n", "n", "n", "y")
    assert main(["ledger", "reconcile"]) == 5
    err = capsys.readouterr().err
    assert "1 of 3: cart-1\n" in err
    assert "cost: 0.90\n" in err
    assert "undecided: it was sent less than two minutes ago" in err
    assert "is on record for the ref 'cart-9'" in err
    assert err.endswith("2 settled, 1 remain unknown\n")
    assert main(["ledger", "reconcile", "--format", "json"]) == 5
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["ref"], row["suggestion"]) == ("cart-3", "undecided")
    assert main(["ledger", "show", "cart-1", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["order"] == 1
    assert main(["ledger", "show", "cart-2", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "not_sent"
