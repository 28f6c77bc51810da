"""The panel without sockets: quotas, its own time, what it can be told, and what it keeps over restarts."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from followersdata_async import (
    AsyncClient,
    FollowersDataError,
    InsufficientFundsError,
    Ok,
    OrderState,
    OutcomeUnknownError,
    PanelUnavailableError,
    RateLimitedError,
    RequestTimeoutError,
    Unreported,
    orders,
)
from followersdata_async.sandbox import Quota, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ORDER = orders.Default(service=1, link="https://example.com/p/1", quantity=1000)


def client(sandbox: Sandbox, key: str = Sandbox.key) -> AsyncClient:
    """One that tries nothing again."""
    return AsyncClient(key, url=sandbox.url, http=sandbox.http(), retry=None, attempt_timeout=1.0)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self, now: float = 1e9) -> None:
        self.now = now

    def __call__(self) -> float:
        """What time it is."""
        return self.now


# --- quotas


@pytest.mark.parametrize("says", ["header", "status", "text"])
async def test_a_quota_is_kept_for_each_key(says: Any) -> None:
    """So many requests in any such time; what is too much says so as the panel does."""
    hand = Hand()
    async with (
        Sandbox(quota=Quota(requests=2, per=10.0, says=says), clock=hand) as sandbox,
        client(sandbox) as panel,
        client(sandbox, "sandbox-two") as other,
    ):
        await panel.balance()
        hand.now += 4.5
        await panel.balance()
        with pytest.raises(RateLimitedError) as refused:
            await panel.balance()
        assert refused.value.retry_after == (6.0 if says == "header" else None)
        assert refused.value.http_status == (200 if says == "text" else 429)
        await other.balance()
        hand.now += 5.5
        await panel.balance()
        assert [row["status"] for row in sandbox.log()] == [200, 200, 200 if says == "text" else 429, 200, 200]


async def test_a_quota_that_speaks_in_headers_counts_down() -> None:
    """In every answer."""
    quota = Quota(requests=2, per=60.0)
    form = {"key": Sandbox.key, "action": "balance"}
    async with Sandbox(quota=quota, clock=Hand()) as sandbox, sandbox.http() as http:
        replies = [await http.post(sandbox.url, data=form) for _ in range(3)]
    told = [(reply.headers["x-ratelimit-limit"], reply.headers["x-ratelimit-remaining"]) for reply in replies]
    assert told == [("2", "1"), ("2", "0"), ("2", "0")]
    assert [reply.headers.get("retry-after") for reply in replies] == [None, None, "60"]


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"requests": 1, "per": 0.0}, {"requests": 1, "says": "nothing"}])
def test_a_quota_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """Before it is used."""
    with pytest.raises(ValueError, match=r"^a quota "):
        Quota(**wrong)


# --- time


async def test_orders_move_when_time_is_moved_by_hand() -> None:
    """With speed 0 nothing else moves them."""
    hand = Hand()
    async with Sandbox(speed=0, clock=hand) as sandbox, client(sandbox) as panel:
        order = (await panel.add(ORDER)).order
        hand.now += 1e6
        assert (await panel.status(order)).state is OrderState.PENDING
        sandbox.advance(40)
        assert (await panel.status(order)).state is OrderState.IN_PROGRESS
        sandbox.advance(3600 * 24)
        assert (await panel.status(order)).is_final
        assert sandbox.now == 1e9 + 40 + 3600 * 24


async def test_time_goes_as_fast_as_it_is_told() -> None:
    """A second of ours is many of the sandbox's."""
    hand = Hand()
    async with Sandbox(speed=3600, clock=hand) as sandbox, client(sandbox) as panel:
        order = (await panel.add(ORDER)).order
        hand.now += 2
        assert (await panel.status(order)).is_final


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "60", True, None])
def test_time_moves_forward_only(seconds: Any) -> None:
    """By a number of seconds."""
    with pytest.raises(ValueError, match=r"^time moves on by 0 to "):
        Sandbox().advance(seconds)


@pytest.mark.parametrize("speed", [-1.0, float("nan"), 1e12])
def test_a_speed_that_makes_no_sense_is_refused(speed: float) -> None:
    """With what would."""
    with pytest.raises(ValueError, match=r"^speed is .*, but must be from 0 to 1000000000"):
        Sandbox(speed=speed)


# --- faults, as a client sees them in process


@pytest.mark.parametrize(
    ("fault", "error", "taken"),
    [
        ({"fault": "late", "seconds": 5}, OutcomeUnknownError, True),
        ({"fault": "limited"}, RateLimitedError, False),
        ({"fault": "broken"}, OutcomeUnknownError, False),
        ({"fault": "broken", "taken": True}, OutcomeUnknownError, True),
        ({"fault": "maintenance"}, OutcomeUnknownError, False),
        ({"fault": "refused", "message": "Not enough funds on balance"}, InsufficientFundsError, False),
        ({"fault": "empty"}, OutcomeUnknownError, True),
        ({"fault": "empty", "taken": False}, OutcomeUnknownError, False),
        ({"fault": "cut"}, OutcomeUnknownError, True),
        ({"fault": "garbage"}, OutcomeUnknownError, True),
        ({"fault": "unread"}, OutcomeUnknownError, False),
        ({"fault": "dropped"}, OutcomeUnknownError, True),
        ({"fault": "dropped", "taken": False}, OutcomeUnknownError, False),
        ({"fault": "redirected"}, OutcomeUnknownError, False),
        ({"fault": "dripping", "seconds": 5}, OutcomeUnknownError, True),
    ],
)
async def test_an_order_under_a_fault_is_taken_or_not(
    fault: dict[str, Any], error: type[FollowersDataError], taken: bool
) -> None:
    """The ledger tells what the client cannot know; the next order is well again."""
    async with Sandbox(faults=[fault]) as sandbox, client(sandbox) as panel:
        with pytest.raises(error) as raised:
            await panel.add(ORDER)
        assert type(raised.value) is error
        assert len(sandbox.orders()) == taken
        await panel.add(ORDER)
        assert len(sandbox.orders()) == taken + 1
        assert sandbox.log()[0]["fault"] == fault["fault"]


@pytest.mark.parametrize(("fault", "error"), [("broken", PanelUnavailableError), ("dropped", PanelUnavailableError)])
async def test_a_read_under_a_fault(fault: str, error: type[FollowersDataError]) -> None:
    """Of one action alone, so many times."""
    async with Sandbox(past=3) as sandbox, client(sandbox) as panel:
        sandbox.next(fault, action="balance", times=2)
        assert (await panel.multi_status([1, 2, 3])).errors == {}
        for _ in range(2):
            with pytest.raises(error):
                await panel.balance()
        await panel.balance()


async def test_a_late_answer_to_a_read_is_a_timeout() -> None:
    """Within the client's patience."""
    async with Sandbox() as sandbox, client(sandbox) as panel:
        sandbox.next("late", seconds=60)
        with pytest.raises(RequestTimeoutError):
            await panel.balance()
        sandbox.next("late", seconds=0)
        sandbox.next("dripping", seconds=0)
        assert await panel.balance() == await panel.balance()


async def test_wrong_and_missing_rows_are_no_answers() -> None:
    """Neither a wrong value nor an error."""
    async with Sandbox(past=3, faults=["wrong_ids", "missing_ids"]) as sandbox, client(sandbox) as panel:
        wrong, missing = [await panel.multi_status([1, 2, 3]) for _ in range(2)]
        assert list(map(type, wrong.values())) == [Unreported] * 3
        assert list(map(type, missing.values())) == [Unreported, Ok, Unreported]


async def test_faults_can_be_seen_and_cleared() -> None:
    """Before they happen."""
    async with Sandbox() as sandbox, client(sandbox) as panel:
        sandbox.next("empty", times=None, action="balance")
        assert sandbox.faults() == [{"fault": "empty", "times": None, "action": "balance"}]
        sandbox.clear()
        assert sandbox.faults() == []
        await panel.balance()


# --- what it can be told


async def test_the_catalogue_and_balances_change_while_it_runs() -> None:
    """The next order costs, or finds, what is there then."""
    async with Sandbox(balances={"sandbox-key": "5"}) as sandbox, client(sandbox) as panel:
        sandbox.change(1, rate="4.00")
        await panel.add(ORDER)
        assert (await panel.balance()).balance == Decimal(1)
        with pytest.raises(InsufficientFundsError):
            await panel.add(ORDER)
        sandbox.set_balance(Decimal("100.00"))
        await panel.add(ORDER)
        sandbox.change(1, enabled=False)
        assert 1 not in {service.service for service in await panel.services()}


@pytest.mark.parametrize(
    ("service", "terms", "words"),
    [
        (99, {"rate": "1"}, r"^there is no service 99"),
        ("1", {"rate": "1"}, r"^there is no service '1'"),
        (1, {"price": "1"}, r"^a service has no 'price' to change: it has rate, min"),
        (1, {"rate": "cheap"}, r"^rate is 'cheap', but must be an exact amount"),
        (1, {"rate": 0.9}, r"^rate is 0.9"),
        (1, {"rate": "-1"}, r"^rate is '-1'"),
        (1, {"rate": "1e99"}, r"^rate is '1e99'"),
        (1, {"rate": "9" * 40}, r"^rate is '999"),
        (1, {"min": 0}, r"^min is 0, but must be a whole number from 1"),
        (1, {"max": True}, r"^max is True"),
        (1, {"enabled": "no"}, r"^enabled is 'no', but must be true or false"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(service: Any, terms: dict[str, object], words: str) -> None:
    """And changes nothing."""
    sandbox = Sandbox()
    with pytest.raises(ValueError, match=words):
        sandbox.change(service, **terms)


def test_a_real_key_is_never_taken() -> None:
    """Not even to give it a balance, and it is not repeated."""
    with pytest.raises(ValueError, match=r"^a sandbox's keys start with 'sandbox-'") as first:
        Sandbox(balances={"3f9c0e": 5})
    with pytest.raises(ValueError, match=r"^a sandbox's keys start with 'sandbox-'") as second:
        Sandbox().set_balance(5, key="3f9c0e")
    with pytest.raises(ValueError, match=r"^balance is 'much', but must be an exact amount"):
        Sandbox().set_balance("much")
    assert "3f9c0e" not in f"{first.value}{second.value}"


@pytest.mark.parametrize("services", [0, 100_001])
def test_a_catalogue_that_is_too_small_or_too_large_is_refused(services: int) -> None:
    """Before anything is made."""
    with pytest.raises(ValueError, match=r"but must be from 1 to 100000$"):
        Sandbox(services=services)


async def test_a_reset_panel_is_new_but_for_its_time() -> None:
    """No orders, no faults, no log, the old balances and prices."""
    async with Sandbox(speed=0) as sandbox, client(sandbox) as panel:
        await panel.add(ORDER)
        sandbox.change(1, enabled=False)
        sandbox.next("empty")
        sandbox.advance(60)
        now = sandbox.now
        sandbox.reset()
        assert (sandbox.orders(), sandbox.log(), sandbox.faults(), sandbox.requests) == ([], [], [], 0)
        assert sandbox.now == now
        assert (await panel.add(ORDER)).order == 1


# --- state


async def everything(sandbox: Sandbox) -> object:
    """All that a client and a person can see of what was done."""
    async with client(sandbox) as panel:
        statuses = await panel.multi_status(range(1, 60))
        refills = await panel.multi_refill_status([1, 2, 3])
        seen = {id_: outcome.value for id_, outcome in {**statuses, **refills}.items() if isinstance(outcome, Ok)}
        return seen, await panel.balance(), await panel.services(), sandbox.orders()


async def test_a_state_file_keeps_everything_over_a_restart(tmp_path: Path) -> None:
    """Orders, children, refills, cancellations, balances, prices and the time; also without a goodbye."""
    state, hand = tmp_path / "sandbox.db", Hand()
    settings: dict[str, Any] = {"state": state, "clock": hand, "past": 50, "balances": {"sandbox-key": "500"}}
    async with Sandbox(**settings) as sandbox, client(sandbox) as panel:
        await panel.add(ORDER)
        await panel.add(orders.Default(service=1, link="a.b", quantity=100, runs=3, interval=60))
        hand.now += 100
        await panel.multi_refill(range(1, 51))
        await panel.cancel([51, *range(1, 51)])
        sandbox.advance(7200)
        sandbox.change(2, rate="9.99", enabled=False)
        sandbox.set_balance("77.5")
        await panel.add(orders.Package(service=3, link="a.b"))
        hand.now += 1000
        before = await everything(sandbox), sandbox.now
    async with Sandbox(**settings) as sandbox:
        assert (await everything(sandbox), sandbox.now) == before
        hand.now += 3600
        assert sandbox.now == before[1] + 3600


async def test_a_fast_panel_goes_on_where_it_would_be_now(tmp_path: Path) -> None:
    """Its time went on while it was away, as fast as it used to; then as fast as it is told to."""
    state, hand = tmp_path / "sandbox.db", Hand()
    async with Sandbox(state=state, clock=hand, speed=10) as sandbox:
        began = sandbox.now
    hand.now += 5
    async with Sandbox(state=state, clock=hand, speed=0) as sandbox:
        assert sandbox.now == began + 50
    hand.now += 5
    async with Sandbox(state=state, clock=hand) as sandbox:
        assert sandbox.now == began + 50


async def test_a_reset_state_is_empty_after_a_restart_too(tmp_path: Path) -> None:
    """The file has nothing of before."""
    async with Sandbox(state=tmp_path / "sandbox.db") as sandbox, client(sandbox) as panel:
        await panel.add(ORDER)
        sandbox.reset()
    async with Sandbox(state=tmp_path / "sandbox.db") as sandbox:
        assert sandbox.orders() == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": 2}, r"was made with seed 1, not 2: say the same, or take another file"),
        ({"past": 7}, r"was made with past 0, not 7"),
        ({"services": 5}, r"was made with services 24, not 5"),
        ({"one_per_link": True}, r"was made with one_per_link false, not true"),
        ({"balances": {"sandbox-a": 1}}, r'was made with balances \{\}, not \{"sandbox-a": "1"\}'),
    ],
)
async def test_a_state_of_other_settings_is_refused(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    """What happened there would not happen here."""
    state = tmp_path / "sandbox.db"
    async with Sandbox(state=state):
        pass
    with pytest.raises(ValueError, match=words):
        Sandbox(state=state, **settings)
    async with Sandbox(state=state):
        pass


async def test_a_state_is_used_by_one_sandbox_at_a_time(tmp_path: Path) -> None:
    """The second says so at once."""
    state = tmp_path / "sandbox.db"
    async with Sandbox(state=state):
        with pytest.raises(ValueError, match="is in use by another sandbox: end that one, or take another file"):
            Sandbox(state=state)


def test_what_is_no_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A text, another program's database, one of a newer version, a folder that is not there."""
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
