"""The balance: looked at once, watched, and said when it is low."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async import AuthenticationError, Balance, NotSentError
from followersdata_async.cli import main
from followersdata_async.cli.commands.balance import watch_balance

if TYPE_CHECKING:
    from followersdata_async import FollowersDataError
    from followersdata_async.sandbox import Sandbox

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", sandbox.key)
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", sandbox.url)


@pytest.mark.parametrize(("least", "code", "says"), [("1000", 0, ""), ("1000.00001", 7, ", below 1000.00001: pay in")])
def test_a_low_balance_is_an_exit_code_and_a_line(capsys: Captured, least: str, code: int, says: str) -> None:
    """Exactly that much is not low; the balance is written in any case."""
    assert main(["balance", "--alert-below", least, "--format", "json"]) == code
    captured = capsys.readouterr()
    assert json.loads(captured.out)["balance"] == "1000.00000"
    assert says in captured.err
    assert "\a" not in captured.err


class Account:
    """A client of which only the balance is asked; each look finds the next one."""

    def __init__(self, *looks: str | FollowersDataError) -> None:
        self._looks = iter(looks)

    async def balance(self) -> Balance:
        """The next one; at the end the watch is over."""
        look = next(self._looks, AuthenticationError("Invalid API key"))
        if isinstance(look, str):
            return Balance(balance=Decimal(look), currency="USD")
        raise look


def watch_until_refused(monkeypatch: pytest.MonkeyPatch, account: Account, least: str | None = None) -> list[float]:
    """Watch until the key is refused, and return the seconds that it slept."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr("followersdata_async.cli.commands.balance.anyio.sleep", sleep)
    with pytest.raises(AuthenticationError):
        anyio.run(watch_balance, account, 60.0, None if least is None else Decimal(least))
    return slept


def test_watch_writes_each_change(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """As lines of JSON with a time. A failed request is printed, and the next one follows."""
    account = Account("10", "10", NotSentError("gone"), "10", "9.5")
    assert watch_until_refused(monkeypatch, account) == [60.0] * 5
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [(line["balance"], line["currency"]) for line in lines] == [("10", "USD"), ("9.5", "USD")]
    assert all(line["at"].endswith("Z") for line in lines)
    assert captured.err.startswith("followersdata: gone")


def test_watch_alerts_each_time_the_balance_falls_below(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Once for each fall, and also for a balance that is low from the start."""
    watch_until_refused(monkeypatch, Account("40", "30", "60", "50", "49"), "50")
    assert capsys.readouterr().err.splitlines() == [
        "the balance is 40 USD, below 50: pay in soon",
        "the balance is 49 USD, below 50: pay in soon",
    ]


def test_amounts_have_no_exponent(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """However small they are."""
    watch_until_refused(monkeypatch, Account("1E-7"), "1E-6")
    captured = capsys.readouterr()
    assert json.loads(captured.out)["balance"] == "0.0000001"
    assert captured.err == "the balance is 0.0000001 USD, below 0.000001: pay in soon\n"


def test_alert_rings_the_bell_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """And nowhere else."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    watch_until_refused(monkeypatch, Account("40"), "50")
    assert capsys.readouterr().err == "\athe balance is 40 USD, below 50: pay in soon\n"


@pytest.mark.parametrize("every", ["0", "-1", "nan"])
def test_a_pace_that_is_none_is_exit_2(capsys: Captured, sandbox: Sandbox, every: str) -> None:
    """Before anything is asked."""
    before = sandbox.requests
    assert main(["balance", "--watch", "--every", every]) == 2
    assert "--every is " in capsys.readouterr().err
    assert sandbox.requests == before
