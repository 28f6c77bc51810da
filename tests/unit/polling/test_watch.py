"""Watching orders until they are final, on a clock that only waiting moves."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from followersdata_async._batch.stream import OpenStreams
from followersdata_async._polling.policy import PollPolicy
from followersdata_async._polling.watch import Changes, wait_until_final
from followersdata_async.errors import (
    AuthenticationError,
    ConfigurationError,
    OrderNotFoundError,
    PanelUnavailableError,
    PollTimeoutError,
    RequestTimeoutError,
)
from followersdata_async.models import Change, Failed, Ok, OrderState, Refused, Unreported
from tests.helpers.fakes import FakeTransport, answer, ids_in, make_pipeline, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from followersdata_async._wire.messages import Request, Response
    from followersdata_async.models import Id

pytestmark = pytest.mark.anyio

STEADY = PollPolicy(min_delay=10.0, max_delay=10.0)
_TURNS = 30
"""Of the event loop: more than a fake request and its reader take."""


class Clock:
    """Time that passes when there is nothing to do but wait."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now

    async def wait(self, event: anyio.Event, delay: float) -> None:
        """Until the event is set, or else the delay is over at once."""
        for _ in range(_TURNS):
            if event.is_set():
                return
            await anyio.lowlevel.checkpoint()
        if delay == math.inf:
            await event.wait()
        self.now += delay


class Panel(FakeTransport):
    """Orders whose words change with each look, the last one for good; ``None`` is left out of the answer."""

    def __init__(self, words: Mapping[str, list[str | None]], clock: Clock) -> None:
        super().__init__(self.told)
        self.words = {id_: list(left) for id_, left in words.items()}
        self.clock = clock
        self.looks: list[tuple[float, list[str]]] = []

    def told(self, request: Request) -> Response:
        """The next word of each order."""
        ids = ids_in(request)
        self.looks.append((self.clock.now, ids))
        said = {id_: self.word(id_) for id_ in ids}
        return answer({id_: row(word) for id_, word in said.items() if word is not None})

    def word(self, id_: str) -> str | None:
        """What is said of one order."""
        left = self.words[id_]
        return left.pop(0) if len(left) > 1 else left[0]


def watch(
    panel: FakeTransport,
    orders: Iterable[Id],
    clock: Clock,
    *,
    poll_policy: PollPolicy = STEADY,
    failures: bool = False,
    chunk_size: int = 100,
) -> Changes[Any]:
    """A watch on the clock."""
    event_types = (Change, Refused, Unreported, Failed) if failures else (Change,)
    pipeline = make_pipeline(panel, chunk_size=chunk_size, concurrency=4)
    return Changes(pipeline, orders, poll_policy, event_types=event_types, clock=clock, wait=clock.wait)


async def told_of(changes: Changes[Any]) -> list[tuple[Id, str | None, str]]:
    """All changes, to the end."""
    async with changes:
        return [(change.order, change.before and change.before.status, change.after.status) async for change in changes]


# --- changes


async def test_changes_are_told_until_every_order_is_final() -> None:
    """The first sighting included; what is the same is not told again, and what is final is not asked again."""
    clock = Clock()
    panel = Panel({"1": ["Pending", "Pending", "Completed"], "2": ["Partial"]}, clock)
    changes = watch(panel, ["1", 2], clock)
    assert await told_of(changes) == [
        ("1", None, "Pending"),
        (2, None, "Partial"),
        ("1", "Pending", "Completed"),
    ]
    assert panel.looks == [(0.0, ["1", "2"]), (10.0, ["1"]), (20.0, ["1"])]
    assert changes.requests == 3
    assert list(changes.known) == ["1", 2]
    assert [outcome.value.status for outcome in changes.known.values()] == ["Completed", "Partial"]  # type: ignore[union-attr]


async def test_every_field_that_is_documented_makes_a_change() -> None:
    """And no other: some panels add the time of day."""
    clock = Clock()
    answers = [
        {"1": row("In progress") | {"server_time": "10:00"}},
        {"1": row("In progress") | {"server_time": "10:01"}},
        {"1": row("In progress") | {"remains": "100"}},
        {"1": row("In progress") | {"charge": "0.3", "remains": "100"}},
        {"1": row("Completed")},
    ]
    panel = FakeTransport(lambda _: answer(answers.pop(0)))
    changes = watch(panel, [1], clock)
    async with changes:
        seen = [(change.after.remains, str(change.after.charge)) async for change in changes]
    assert seen == [(157, "0.27819"), (100, "0.27819"), (100, "0.3"), (157, "0.27819")]


async def test_no_orders_are_no_requests() -> None:
    """And the end comes at once."""
    clock = Clock()
    panel = Panel({}, clock)
    assert await told_of(watch(panel, [], clock)) == []
    assert panel.looks == []


async def test_orders_that_are_due_share_full_requests() -> None:
    """Each once, however often it was given."""
    clock = Clock()
    ids = list(map(str, range(250)))
    panel = Panel({id_: ["Pending", "Completed"] for id_ in ids}, clock)
    told = await told_of(watch(panel, ids + ids, clock))
    assert len(told) == 500
    assert [len(asked) for _, asked in panel.looks] == [100, 100, 50] * 2
    assert sorted(id_ for _, asked in panel.looks[:3] for id_ in asked) == sorted(ids)


async def test_old_orders_are_looked_at_seldom_and_often_again_when_something_moves() -> None:
    """Half of the time for which the status has been the same, within the bounds."""
    clock = Clock()
    panel = Panel({"1": ["Pending"] * 8 + ["In progress"] * 3 + ["Completed"]}, clock)
    policy = PollPolicy(min_delay=4.0, max_delay=20.0, age_factor=0.5)
    await told_of(watch(panel, [1], clock, poll_policy=policy))
    times = [at for at, _ in panel.looks]
    delays = [later - earlier for earlier, later in pairwise(times)]
    assert delays == [4.0, 4.0, 4.0, 6.0, 9.0, 13.5, 20.0, 20.0, 4.0, 4.0, 4.0]


async def test_an_order_that_is_being_delivered_is_looked_at_by_its_pace() -> None:
    """A half of the rest of its time, so that few looks reach its end."""
    clock = Clock()

    def reply(_: Request) -> Response:
        remains = max(0, 1000 - int(clock.now))
        looks.append(clock.now)
        return answer({"1": row("In progress" if remains else "Completed") | {"remains": remains}})

    looks: list[float] = []
    policy = PollPolicy(min_delay=10.0, max_delay=500.0, eta_factor=0.5)
    await told_of(watch(FakeTransport(reply), [1], clock, poll_policy=policy))
    assert looks[:2] == [0.0, 10.0]
    for at, later in pairwise(looks[1:]):
        assert later - at == pytest.approx(max(10.0, (1000 - at) / 2), abs=2.0)
    assert len(looks) == 10


# --- what comes to nothing


async def test_dead_requests_and_missing_rows_are_survived() -> None:
    """Their orders are looked at again, after twice the delay each time."""
    clock = Clock()
    looks: list[float] = []

    def reply(_: Request) -> Response:
        looks.append(clock.now)
        if len(looks) == 1:
            raise PanelUnavailableError("down")
        if len(looks) == 2:
            return answer({})
        if len(looks) == 3:
            return answer({"error": "Too many requests"}, status=429)
        return answer({"1": row("Completed")})

    changes = watch(FakeTransport(reply), [1], clock, poll_policy=PollPolicy(min_delay=10.0))
    assert await told_of(changes) == [(1, None, "Completed")]
    assert looks == [0.0, 10.0, 30.0, 70.0]


async def test_failures_are_told_to_whom_asks_for_them() -> None:
    """As the outcomes that they are."""
    clock = Clock()
    answers = [answer(b"<html>"), answer({}), answer({"1": {"error": "Incorrect order ID"}}), answer({"1": row()})]
    changes = watch(FakeTransport(lambda _: answers.pop(0)), [1], clock, failures=True)
    async with changes:
        assert [type(event) async for event in changes] == [Failed, Unreported, Refused, Change]


@pytest.mark.parametrize(("asked", "given"), [("30", 30.0), ("1700000000", 60.0)])
async def test_a_panel_that_asks_to_wait_is_given_the_time(asked: str, given: float) -> None:
    """Also more than the longest delay, up to a minute."""
    clock = Clock()
    looks: list[float] = []

    def reply(_: Request) -> Response:
        looks.append(clock.now)
        if len(looks) == 1:
            return answer({"error": "Too many requests"}, status=429, retry_after=asked)
        return answer({"1": row()})

    await told_of(watch(FakeTransport(reply), [1], clock))
    assert looks == [0.0, given]


async def test_an_order_that_the_panel_does_not_know_is_given_up() -> None:
    """After a few looks, as it may be too young; the others are watched on."""
    clock = Clock()
    looks = 0

    def reply(_: Request) -> Response:
        nonlocal looks
        looks += 1
        return answer({"1": {"error": "Incorrect order ID"}, "2": row("Completed" if looks > 4 else "Pending")})

    changes = watch(FakeTransport(reply), [1, 2], clock)
    assert await told_of(changes) == [(2, None, "Pending"), (2, "Pending", "Completed")]
    assert isinstance(changes.known.errors[1], OrderNotFoundError)
    assert looks == 5


async def test_an_order_that_is_unknown_for_a_moment_is_watched_on() -> None:
    """Some panels know an order only a moment after they took it, and then forget their trouble."""
    clock = Clock()
    unknown = {"1": {"error": "Incorrect order ID"}}
    answers = [unknown, unknown, {"1": row("Pending")}, unknown, unknown, {}, unknown, {"1": row()}]
    changes = watch(FakeTransport(lambda _: answer(answers.pop(0))), [1], clock)
    assert await told_of(changes) == [(1, None, "Pending"), (1, "Pending", "Completed")]


async def test_a_refused_key_ends_the_watch() -> None:
    """With what is known."""
    clock = Clock()
    answers = [answer({"1": row("Pending"), "2": row()}), answer({"error": "Invalid API key"})]
    async with watch(FakeTransport(lambda _: answers.pop(0)), [1, 2], clock) as changes:
        with pytest.raises(AuthenticationError) as caught:
            _ = [change async for change in changes]
    assert caught.value.result is not None
    assert [type(outcome) for outcome in caught.value.result.values()] == [Ok, Ok]


# --- the reader


async def test_nothing_is_asked_ahead_of_a_reader_that_does_not_read() -> None:
    """So memory stays bounded: as many requests as may be in flight."""
    clock = Clock()
    panel = Panel({str(id_): ["Pending"] for id_ in range(1000)}, clock)
    async with watch(panel, range(1000), clock, chunk_size=10) as changes:
        await anext(changes)
        for _ in range(300):
            await anyio.lowlevel.checkpoint()
        assert len(panel.looks) <= 6
    for _ in range(100):
        await anyio.lowlevel.checkpoint()
    assert len(panel.looks) <= 6
    assert panel.in_flight == 0


async def test_leaving_early_drops_what_is_on_its_way() -> None:
    """They are reads."""
    clock = Clock()
    panel = Panel({"1": ["Pending"]}, clock)
    panel.gate = anyio.Event()
    async with watch(panel, [1], clock):
        while not panel.requests:
            await anyio.lowlevel.checkpoint()
    assert (panel.in_flight, panel.answered) == (0, 0)


async def test_a_reader_may_put_each_change_under_a_deadline_of_its_own() -> None:
    """No scope is left open between two changes."""
    clock = Clock()
    panel = Panel({"1": ["Pending", "Completed"]}, clock)
    async with watch(panel, [1], clock) as changes:
        for expected in ("Pending", "Completed"):
            with anyio.fail_after(60):
                assert (await anext(changes)).after.status == expected
        with pytest.raises(StopAsyncIteration):
            await anext(changes)


async def test_it_must_be_entered() -> None:
    """And says how."""
    clock = Clock()
    with pytest.raises(ConfigurationError, match=r"^use it as: async with .* panel\.watch\(ids\) as changes$"):
        await anext(watch(Panel({}, clock), [1], clock))


async def test_it_is_entered_once_and_read_until_it_is_left() -> None:
    """What is known stays known."""
    clock = Clock()
    changes = watch(Panel({"1": ["Pending", "Completed"]}, clock), [1], clock)
    async with changes:
        await anext(changes)
        with pytest.raises(ConfigurationError, match=r"^a stream can be entered once"):
            await changes.__aenter__()
        await anext(changes)
    with pytest.raises(ConfigurationError, match=r"^this stream was left"):
        await anext(changes)
    with pytest.raises(ConfigurationError, match=r"^a stream can be entered once"):
        await changes.__aenter__()
    assert changes.known.ok[1].is_final


async def test_its_requests_are_counted_as_they_are_sent() -> None:
    """Before anything is read."""
    clock = Clock()
    panel = Panel({str(id_): ["Pending"] for id_ in range(1000)}, clock)
    async with watch(panel, range(1000), clock, chunk_size=10) as changes:
        await anext(changes)
        for _ in range(300):
            await anyio.lowlevel.checkpoint()
        assert changes.requests == changes.known.requests == len(panel.requests) > 1


# --- a client that is closed meanwhile


@pytest.mark.parametrize("failures", [False, True])
async def test_a_watch_of_a_closed_client_ends(failures: bool) -> None:
    """Instead of failures for ever; what is known stays known."""
    clock = Clock()
    panel = Panel({"1": ["Pending"], "2": ["Pending"]}, clock)
    async with watch(panel, [1, 2], clock, failures=failures) as changes:
        await anext(changes)
        changes._stream._pipeline.mark_closed()
        with pytest.raises(ConfigurationError, match=r"^the client is closed"):
            for _ in range(100):
                await anext(changes)
        assert [outcome.status for outcome in changes.known.ok.values()] == ["Pending"] * 2


async def test_closing_the_client_ends_a_watch_that_waits_for_its_next_poll() -> None:
    """At once: it can be minutes until then."""
    panel = FakeTransport(lambda request: answer({id_: row("Pending") for id_ in ids_in(request)}))
    pipeline, streams = make_pipeline(panel), OpenStreams()
    policy = PollPolicy(min_delay=3600.0, max_delay=3600.0)
    raised = []

    async def wait() -> None:
        with pytest.raises(ConfigurationError, match=r"^the client is closed") as caught:
            await wait_until_final(pipeline, [1, 2], policy, timeout=None, streams=streams)
        raised.append(caught.value)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            pipeline.mark_closed()
            await streams.end_all()
    assert len(panel.requests) == 2
    assert len(set(map(id, raised))) == 2


@pytest.mark.parametrize("orders", ["123", 7, b"1"])
async def test_what_is_no_list_of_orders_is_refused(orders: object) -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError):
        watch(Panel({}, Clock()), orders, Clock())  # type: ignore[arg-type]


async def test_a_pace_is_a_policy() -> None:
    """And nothing else."""
    with pytest.raises(TypeError, match=r"^poll_policy must be a PollPolicy, got 5$"):
        watch(Panel({}, Clock()), [1], Clock(), poll_policy=5)  # type: ignore[arg-type]


# --- waiting for the end


async def final_of(reply: Callable[[Request], Response], orders: Iterable[Id], limit: float | None) -> object:
    """What waiting comes to, with looks that follow each other at once."""
    policy = PollPolicy(min_delay=0.001, max_delay=0.001)
    transport = FakeTransport(reply)
    return await wait_until_final(make_pipeline(transport), orders, policy, timeout=limit)


async def test_waiting_ends_with_the_states_that_the_policy_calls_final() -> None:
    """Here a partial order is not final, and a paused one is."""
    states = (PollPolicy().final_states | {OrderState.PAUSED}) - {OrderState.PARTIAL}
    words = {1: ["Partial", "Partial", "Canceled"], 2: ["Paused"]}
    transport = FakeTransport(
        lambda _: answer({str(id_): row(left.pop(0) if len(left) > 1 else left[0]) for id_, left in words.items()})
    )
    pipeline = make_pipeline(transport)
    with pytest.raises(PollTimeoutError) as caught:
        await wait_until_final(pipeline, [1, 2], PollPolicy(final_states=states), timeout=0)
    assert "1 of 2 orders were not final" in str(caught.value)
    policy = PollPolicy(min_delay=0.001, max_delay=0.001, final_states=states)
    result = await wait_until_final(pipeline, [1, 2], policy, timeout=None)
    assert [result.ok[id_].state for id_ in (1, 2)] == [OrderState.CANCELED, OrderState.PAUSED]


async def test_the_final_status_of_every_order_in_the_order_asked() -> None:
    """Of one that the panel does not know, its refusal."""
    looks = 0

    def reply(_: Request) -> Response:
        nonlocal looks
        looks += 1
        word = "Completed" if looks > 3 else "Pending"
        return answer({"1": row(word), "2": row("Canceled"), "3": {"error": "Incorrect order ID"}})

    result = await final_of(reply, [3, "2", 1], None)
    assert [(id_, type(outcome).__name__) for id_, outcome in result.items()] == [  # type: ignore[attr-defined]
        (3, "Refused"),
        ("2", "Ok"),
        (1, "Ok"),
    ]
    assert result.ok[1].is_final  # type: ignore[attr-defined]


async def test_orders_that_never_end_are_a_time_out_that_says_what_is_known() -> None:
    """Statuses, and for those without one what their last look came to."""
    reply = lambda _: answer({"1": row("Pending"), "2": row(), "3": {"error": "Database error"}})  # noqa: E731
    with pytest.raises(
        PollTimeoutError, match=r"^3 of 4 orders were not final within 0\.3 s, among them 1, 3, 4; "
    ) as caught:
        await final_of(reply, [1, 2, 3, 4], 0.3)
    result = caught.value.result
    assert result is not None
    assert [type(outcome) for outcome in result.values()] == [Ok, Ok, Refused, Unreported]
    assert result.ok[1].status == "Pending"


async def test_a_panel_that_does_not_answer_is_a_time_out_too() -> None:
    """Nothing is known of any order."""
    transport = FakeTransport()
    transport.gate = anyio.Event()
    with pytest.raises(PollTimeoutError) as caught:
        await wait_until_final(make_pipeline(transport), [1], PollPolicy(), timeout=0.01)
    assert caught.value.result is not None
    assert isinstance(caught.value.result.errors[1], RequestTimeoutError)
    assert transport.in_flight == 0


async def test_a_time_out_of_zero_looks_once() -> None:
    """And waits for nothing."""
    asked: list[list[str]] = []

    def reply(request: Request) -> Response:
        asked.append(ids_in(request))
        return answer({"1": row("Pending"), "2": row()})

    with pytest.raises(PollTimeoutError, match=r"^1 of 2 orders were not final at one look, among them 1; "):
        await final_of(reply, [1, 2], 0)
    result = await final_of(reply, [2], 0)
    assert result.ok[2].is_final  # type: ignore[attr-defined]
    assert asked == [["1", "2"], ["2"]]


@pytest.mark.parametrize("limit", [None, 0, 5.0])
async def test_to_wait_for_no_orders_takes_no_time(limit: float | None) -> None:
    """Nothing is sent."""
    assert len(await final_of(lambda _: answer({}), [], limit)) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(("limit", "error"), [(-1, ValueError), (math.nan, ValueError), ("1", TypeError)])
async def test_a_time_out_is_seconds(limit: Any, error: type[Exception]) -> None:
    """Not less than none."""
    with pytest.raises(error, match=r"^timeout is "):
        await final_of(lambda _: answer({}), [1], limit)
