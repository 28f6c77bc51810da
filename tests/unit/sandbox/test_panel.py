"""The panel without sockets: rate limits, time, faults, changes, and the state that it keeps over restarts."""

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


def create_client(sandbox: Sandbox, key: str = Sandbox.key, *, attempt_timeout: float = 1.0) -> AsyncClient:
    """Return a client without retries."""
    return AsyncClient(key, url=sandbox.url, http=sandbox.http(), retry=None, attempt_timeout=attempt_timeout)


class ManualClock:
    """A clock that the test moves."""

    def __init__(self, now: float = 1e9) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


# --- rate limits


@pytest.mark.parametrize("says", ["header", "status", "text"])
async def test_a_quota_limits_the_requests_of_each_key(says: Any) -> None:
    """A request that exceeds it is rejected as ``says`` has it."""
    manual = ManualClock()
    async with (
        Sandbox(quota=Quota(requests=2, per=10.0, says=says), clock=manual) as sandbox,
        create_client(sandbox) as panel,
        create_client(sandbox, "sandbox-two") as other,
    ):
        await panel.balance()
        manual.now += 4.5
        await panel.balance()
        with pytest.raises(RateLimitedError) as refused:
            await panel.balance()
        assert refused.value.retry_after == (6.0 if says == "header" else None)
        assert refused.value.http_status == (200 if says == "text" else 429)
        await other.balance()
        manual.now += 5.5
        await panel.balance()
        assert [row["status"] for row in sandbox.log()] == [200, 200, 200 if says == "text" else 429, 200, 200]


async def test_a_quota_with_headers_counts_down() -> None:
    """In every response."""
    quota = Quota(requests=2, per=60.0)
    form = {"key": Sandbox.key, "action": "balance"}
    async with Sandbox(quota=quota, clock=ManualClock()) as sandbox, sandbox.http() as http:
        replies = [await http.post(sandbox.url, data=form) for _ in range(3)]
    limits = [(reply.headers["x-ratelimit-limit"], reply.headers["x-ratelimit-remaining"]) for reply in replies]
    assert limits == [("2", "1"), ("2", "0"), ("2", "0")]
    assert [reply.headers.get("retry-after") for reply in replies] == [None, None, "60"]


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"requests": 1, "per": 0.0}, {"requests": 1, "says": "nothing"}])
def test_an_invalid_quota_is_an_error(wrong: dict[str, Any]) -> None:
    """When it is created."""
    with pytest.raises(ValueError, match=r"^a quota "):
        Quota(**wrong)


# --- time


async def test_orders_move_when_the_time_is_advanced() -> None:
    """With speed 0 nothing else moves them."""
    manual = ManualClock()
    async with Sandbox(speed=0, clock=manual) as sandbox, create_client(sandbox) as panel:
        order = (await panel.add(ORDER)).order
        manual.now += 1e6
        assert (await panel.status(order)).state is OrderState.PENDING
        sandbox.advance(40)
        assert (await panel.status(order)).state is OrderState.IN_PROGRESS
        sandbox.advance(3600 * 24)
        assert (await panel.status(order)).is_final
        assert sandbox.now == 1e9 + 40 + 3600 * 24


async def test_the_time_runs_at_the_given_speed() -> None:
    """Two real seconds are two hours of the sandbox."""
    manual = ManualClock()
    async with Sandbox(speed=3600, clock=manual) as sandbox, create_client(sandbox) as panel:
        order = (await panel.add(ORDER)).order
        manual.now += 2
        assert (await panel.status(order)).is_final


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "60", True, None])
def test_the_time_can_only_be_advanced_by_a_number_of_seconds(seconds: Any) -> None:
    """Not moved back."""
    with pytest.raises(ValueError, match=r"^time moves on by 0 to "):
        Sandbox().advance(seconds)


@pytest.mark.parametrize("speed", [-1.0, float("nan"), 1e12])
def test_an_invalid_speed_is_an_error(speed: float) -> None:
    """The message says what is valid."""
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
async def test_a_fault_decides_whether_an_order_is_taken(
    fault: dict[str, Any], error: type[FollowersDataError], taken: bool
) -> None:
    """``orders`` shows what the client cannot know, and the next order succeeds."""
    # A slow response is waited for in vain, so that wait is short. The order is taken before it begins.
    attempt_timeout = 0.05 if "seconds" in fault else 1.0
    async with (
        Sandbox(faults=[fault]) as sandbox,
        create_client(sandbox, attempt_timeout=attempt_timeout) as first,
        create_client(sandbox) as panel,
    ):
        with pytest.raises(error) as raised:
            await first.add(ORDER)
        assert type(raised.value) is error
        assert len(sandbox.orders()) == taken
        await panel.add(ORDER)
        assert len(sandbox.orders()) == taken + 1
        assert sandbox.log()[0]["fault"] == fault["fault"]


@pytest.mark.parametrize(("fault", "error"), [("broken", PanelUnavailableError), ("dropped", PanelUnavailableError)])
async def test_a_fault_for_one_action_fails_its_reads(fault: str, error: type[FollowersDataError]) -> None:
    """As often as it says; other actions succeed."""
    async with Sandbox(past=3) as sandbox, create_client(sandbox) as panel:
        sandbox.next(fault, action="balance", times=2)
        assert (await panel.multi_status([1, 2, 3])).errors == {}
        for _ in range(2):
            with pytest.raises(error):
                await panel.balance()
        await panel.balance()


async def test_a_late_response_to_a_read_is_a_timeout() -> None:
    """A delay of 0 seconds is not."""
    async with (
        Sandbox() as sandbox,
        create_client(sandbox, attempt_timeout=0.05) as first,
        create_client(sandbox) as panel,
    ):
        sandbox.next("late", seconds=60)
        with pytest.raises(RequestTimeoutError):
            await first.balance()
        sandbox.next("late", seconds=0)
        sandbox.next("dripping", seconds=0)
        assert await panel.balance() == await panel.balance()


async def test_ids_with_a_wrong_or_missing_row_are_unreported() -> None:
    """Neither ok nor failed."""
    async with Sandbox(past=3, faults=["wrong_ids", "missing_ids"]) as sandbox, create_client(sandbox) as panel:
        wrong, missing = [await panel.multi_status([1, 2, 3]) for _ in range(2)]
        assert list(map(type, wrong.values())) == [Unreported] * 3
        assert list(map(type, missing.values())) == [Unreported, Ok, Unreported]


async def test_faults_can_be_listed_and_cleared() -> None:
    """Before they apply."""
    async with Sandbox() as sandbox, create_client(sandbox) as panel:
        sandbox.next("empty", times=None, action="balance")
        assert sandbox.faults() == [{"fault": "empty", "times": None, "action": "balance"}]
        sandbox.clear()
        assert sandbox.faults() == []
        await panel.balance()


# --- changes


async def test_the_catalogue_and_balances_can_be_changed_while_it_runs() -> None:
    """The next request sees the change."""
    async with Sandbox(balances={"sandbox-key": "5"}) as sandbox, create_client(sandbox) as panel:
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
    ("service", "terms", "error"),
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
def test_an_invalid_change_is_an_error(service: Any, terms: dict[str, object], error: str) -> None:
    """It changes nothing."""
    sandbox = Sandbox()
    with pytest.raises(ValueError, match=error):
        sandbox.change(service, **terms)


def test_a_real_key_is_never_accepted() -> None:
    """Not even to set its balance, and no message contains it."""
    with pytest.raises(ValueError, match=r"^a sandbox's keys start with 'sandbox-'") as first:
        Sandbox(balances={"3f9c0e": 5})
    with pytest.raises(ValueError, match=r"^a sandbox's keys start with 'sandbox-'") as second:
        Sandbox().set_balance(5, key="3f9c0e")
    with pytest.raises(ValueError, match=r"^balance is 'much', but must be an exact amount"):
        Sandbox().set_balance("much")
    assert "3f9c0e" not in f"{first.value}{second.value}"


@pytest.mark.parametrize("services", [0, 100_001])
def test_a_catalogue_that_is_too_small_or_too_large_is_an_error(services: int) -> None:
    """Before it is created."""
    with pytest.raises(ValueError, match=r"but must be from 1 to 100000$"):
        Sandbox(services=services)


async def test_a_reset_panel_is_new_except_for_its_time() -> None:
    """It has no orders, faults or log, and the initial balances and prices."""
    async with Sandbox(speed=0) as sandbox, create_client(sandbox) as panel:
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
