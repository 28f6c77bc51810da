"""Many single calls at once: the fewest requests, an answer for every caller, nobody's cancellation hurts another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async._batch.coalesce import Coalescer
from followersdata_async._batch.operations import REFILL_STATUS, STATUS
from followersdata_async._pipeline import BatchSupport
from followersdata_async.errors import (
    AuthenticationError,
    DecodeError,
    FollowersDataError,
    OrderNotFoundError,
    PanelUnavailableError,
)
from tests.helpers.fakes import FakeTransport, answer, ids_in, make_pipeline, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from followersdata_async._pipeline import Pipeline
    from followersdata_async._wire.messages import Request, Response
    from followersdata_async.models import Id, OrderStatus

pytestmark = pytest.mark.anyio


def told(request: Request) -> Response:
    """A good answer: a row for each id that says which it is, or for the only one."""
    form = dict(request.fields)
    if "order" in form:
        return answer({**row(), "note": form["order"]})
    return answer({id_: {**row(), "note": id_} for id_ in ids_in(request)})


class Timer:
    """Waiting for company whose end a test decides."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delays: list[float] = []
        self.waiting = anyio.Event()
        self.over = anyio.Event()

    async def wait(self, event: anyio.Event, delay: float) -> None:
        """Until the event is set, or the test says that time is over."""
        self.delays.append(delay)
        self.waiting.set()
        self.waiting = anyio.Event()
        async with anyio.create_task_group() as group:

            async def first(event: anyio.Event) -> None:
                await event.wait()
                group.cancel_scope.cancel()

            group.start_soon(first, event)
            group.start_soon(first, self.over)


def coalescing(
    transport: FakeTransport,
    *,
    size: int = 100,
    window: float = 0.0,
    timer: Timer | None = None,
    pipeline: Pipeline | None = None,
) -> Coalescer[OrderStatus]:
    """Single statuses over a fake transport."""
    timer = timer or Timer()
    pipeline = pipeline or make_pipeline(transport, chunk_size=size, coalesce_window=window)
    return Coalescer(pipeline, STATUS, clock=lambda: timer.now, wait=timer.wait)


async def all_of(single: Coalescer[OrderStatus], ids: Iterable[Id]) -> list[OrderStatus | FollowersDataError]:
    """What all callers get who ask in the same tick, in their order."""
    asked = list(ids)
    found: dict[int, OrderStatus | FollowersDataError] = {}

    async def call(index: int, id_: Id) -> None:
        try:
            found[index] = await single.get(id_)
        except FollowersDataError as error:
            found[index] = error

    async with anyio.create_task_group() as group:
        for index, id_ in enumerate(asked):
            group.start_soon(call, index, id_)
    return [found[index] for index in range(len(asked))]


def notes(found: Iterable[object]) -> list[object]:
    """Whose status each caller got."""
    return [status.extra["note"] for status in found]  # type: ignore[attr-defined]


# --- how many requests


@pytest.mark.slow
async def test_fifty_thousand_awaits_in_one_tick_are_five_hundred_requests() -> None:
    """And everyone gets the status of its own order."""
    transport = FakeTransport(told)
    found = await all_of(coalescing(transport), range(1, 50_001))
    assert notes(found) == [str(id_) for id_ in range(1, 50_001)]
    assert len(transport.requests) == 500


async def test_a_thousand_callers_of_one_id_are_one_request() -> None:
    """In the single form, as there is only one id; 7 and "7" are the same."""
    transport = FakeTransport(told)
    found = await all_of(coalescing(transport), [7, "7"] * 500)
    assert notes(found) == ["7"] * 1000
    assert [request.fields for request in transport.requests] == [(("order", "7"),)]


async def test_an_id_is_asked_once_in_a_tick_also_in_another_group() -> None:
    """The group that asks for it may be full."""
    transport = FakeTransport(told)
    await all_of(coalescing(transport, size=3), [1, 2, 3, 4, 1, 2, 5, 4])
    asked = [ids_in(request) for request in transport.requests]  # trio runs a tick's tasks in an order of its own
    assert sorted(id_ for ids in asked for id_ in ids) == ["1", "2", "3", "4", "5"]
    assert sorted(map(len, asked)) == [2, 3]


async def test_one_caller_alone_sends_the_single_form() -> None:
    """One after the other, each is alone."""
    transport = FakeTransport(told)
    single = coalescing(transport)
    assert notes([await single.get(1), await single.get("2")]) == ["1", "2"]
    assert [request.fields for request in transport.requests] == [(("order", "1"),), (("order", "2"),)]


async def test_ids_are_sent_in_ascending_order() -> None:
    """Some panels answer without ids, in that order."""
    transport = FakeTransport(told)
    await all_of(coalescing(transport), [100, 9, "x", 20])
    assert sorted(ids_in(transport.requests[0])) == sorted(["9", "20", "100", "x"])
    assert [id_ for id_ in ids_in(transport.requests[0]) if id_ != "x"] == ["9", "20", "100"]


async def test_a_call_does_not_join_a_request_that_has_left() -> None:
    """Its answer could be older than the call."""
    transport = FakeTransport(told)
    transport.gate = anyio.Event()
    single = coalescing(transport)
    async with anyio.create_task_group() as group:
        group.start_soon(single.get, 1)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(single.get, 1)
        await anyio.wait_all_tasks_blocked()
        transport.gate.set()
    assert len(transport.requests) == 2


async def test_a_window_waits_for_company() -> None:
    """Until its time is over, counted from the first call."""
    transport, timer = FakeTransport(told), Timer()
    single = coalescing(transport, window=5.0, timer=timer)
    async with anyio.create_task_group() as group:
        group.start_soon(single.get, 1)
        await anyio.wait_all_tasks_blocked()
        timer.now = 2.0
        group.start_soon(single.get, 2)
        await anyio.wait_all_tasks_blocked()
        assert transport.requests == []
        timer.over.set()
    assert timer.delays == [5.0]
    assert [ids_in(request) for request in transport.requests] == [["1", "2"]]


async def test_a_full_group_does_not_wait_for_its_window() -> None:
    """Nobody else could join."""
    transport = FakeTransport(told)
    await all_of(coalescing(transport, size=2, window=5.0), [1, 2, 3, 4])
    assert [len(ids_in(request)) for request in transport.requests] == [2, 2]


async def test_a_panel_that_takes_single_ids_only_is_asked_for_each_at_once() -> None:
    """And not for one after the other, in one caller's task."""
    transport = FakeTransport(told)
    pipeline = make_pipeline(transport)
    pipeline.batch_knowledge["status"].support = BatchSupport.SINGLE_ONLY
    found = await all_of(coalescing(transport, pipeline=pipeline), [1, 2, 1, 3])
    assert notes(found) == ["1", "2", "1", "3"]
    assert transport.most_in_flight == len(transport.requests) == 3


async def test_refill_statuses_share_requests_too() -> None:
    """By the refills' ids."""
    transport = FakeTransport(
        lambda request: answer([{"refill": id_, "status": "Completed"} for id_ in ids_in(request)])
    )
    single = Coalescer(make_pipeline(transport), REFILL_STATUS)
    async with anyio.create_task_group() as group:
        for id_ in range(1, 4):
            group.start_soon(single.get, id_)
    assert [request.fields for request in transport.requests] == [(("refills", "1,2,3"),)]


# --- errors


async def test_every_caller_has_its_own_exception() -> None:
    """Of the same class, with the same facts and cause, and nobody else's traceback."""
    cause = ValueError("inside")

    def reply(_: Request) -> Response:
        raise PanelUnavailableError("down", action="status", http_status=503) from cause

    errors = await all_of(coalescing(FakeTransport(reply)), [1, 2, 2])
    assert {type(error) for error in errors} == {PanelUnavailableError}
    assert len({id(error) for error in errors}) == 3
    for error in errors:
        assert isinstance(error, PanelUnavailableError)
        assert (str(error), error.action, error.http_status, error.__cause__) == ("down", "status", 503, cause)


async def test_one_bad_id_harms_no_other() -> None:
    """Each caller has what the panel says of its own id."""

    def reply(request: Request) -> Response:
        rows = {id_: {**row(), "note": id_} for id_ in ids_in(request)}
        return answer(rows | {"2": {"error": "Incorrect order ID"}, "3": 7})

    one, two, three = await all_of(coalescing(FakeTransport(reply)), [1, 2, 3])
    assert notes([one]) == ["1"]
    assert (type(two), type(three)) == (OrderNotFoundError, DecodeError)


async def test_a_refused_key_is_everybodys() -> None:
    """It is true of all."""
    transport = FakeTransport(lambda _: answer({"error": "Invalid API key"}))
    assert [type(error) for error in await all_of(coalescing(transport), [1, 2, 3])] == [AuthenticationError] * 3
    assert len(transport.requests) == 1


async def test_an_id_that_an_answer_leaves_out_is_asked_alone() -> None:
    """So a call means the same with company and without; several callers of it ask once."""

    def reply(request: Request) -> Response:
        form = dict(request.fields)
        if form.get("order") == "2":
            return answer({"error": "Incorrect order ID"})
        if form.get("order") == "3":
            return answer({})
        return answer({"1": row()})

    transport = FakeTransport(reply)
    found = await all_of(coalescing(transport), [1, 2, 2, 3])
    assert [type(value).__name__ for value in found] == [
        "OrderStatus",
        "OrderNotFoundError",
        "OrderNotFoundError",
        "DecodeError",
    ]
    assert len(transport.requests) == 3


@pytest.mark.parametrize("id_", ["", "1,2", None, 1.5])
async def test_what_is_no_id_is_refused_before_anybody_waits(id_: object) -> None:
    """And joins no group."""
    transport = FakeTransport(told)
    with pytest.raises((TypeError, ValueError)):
        await coalescing(transport).get(id_)  # type: ignore[arg-type]
    assert transport.requests == []


# --- cancellation


async def cancelled_at(depth: int, victims: set[int], *, window: float) -> tuple[FakeTransport, dict[int, str]]:
    """Ten callers in one tick, some of them cancelled after ``depth`` turns of the event loop; who got what."""
    transport, timer = FakeTransport(told), Timer()
    transport.gate = anyio.Event()
    single = coalescing(transport, window=window, timer=timer)
    scopes = {number: anyio.CancelScope() for number in range(10)}
    found: dict[int, str] = {}

    async def call(number: int) -> None:
        with scopes[number]:
            found[number] = str((await single.get(number)).extra["note"])

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(call, number)
        for _ in range(depth):
            await anyio.lowlevel.checkpoint()
        for number in victims:
            scopes[number].cancel()
        await anyio.wait_all_tasks_blocked()
        timer.over.set()
        await anyio.wait_all_tasks_blocked()
        transport.gate.set()
    assert single._forming is None
    assert single._unsent == {}
    return transport, found


@pytest.mark.slow
@pytest.mark.parametrize("window", [0.0, 5.0])
@pytest.mark.parametrize("depth", range(12))
async def test_the_leader_may_be_cancelled_at_any_moment(depth: int, window: float) -> None:
    """Everyone else is answered; the first leads, and on trio that may be the last."""
    for leader in (0, 9):
        _, found = await cancelled_at(depth, {leader}, window=window)
        assert found == {number: str(number) for number in range(10) if number != leader or number in found}


@pytest.mark.slow
@pytest.mark.parametrize("depth", range(1, 12))
async def test_half_of_all_may_be_cancelled(depth: int) -> None:
    """No caller is lost, and of those who left before the request nobody is asked for."""
    transport, found = await cancelled_at(depth, {0, 2, 4, 6, 8}, window=5.0)
    assert {number: str(number) for number in (1, 3, 5, 7, 9)}.items() <= found.items()
    assert len(transport.requests) <= 2


async def test_when_all_are_cancelled_nothing_is_sent() -> None:
    """Not even by the last of them."""
    transport, found = await cancelled_at(3, set(range(10)), window=5.0)
    assert (transport.requests, found) == ([], {})


async def test_who_comes_after_all_were_cancelled_starts_afresh() -> None:
    """With a window of its own."""
    transport, timer = FakeTransport(told), Timer()
    single = coalescing(transport, window=5.0, timer=timer)
    async with anyio.create_task_group() as group:
        group.start_soon(single.get, 1)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    timer.now = 100.0
    timer.over.set()
    assert notes([await single.get(2)]) == ["2"]
    assert timer.delays == [5.0, 5.0]


async def test_a_new_leader_waits_for_the_rest_of_the_window() -> None:
    """Not for another whole one."""
    transport, timer = FakeTransport(told), Timer()
    single = coalescing(transport, window=5.0, timer=timer)
    first = anyio.CancelScope()

    async def leader() -> None:
        with first:
            await single.get(1)

    async with anyio.create_task_group() as group:
        group.start_soon(leader)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(single.get, 2)
        await anyio.wait_all_tasks_blocked()
        timer.now = 3.0
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        timer.over.set()
    assert timer.delays == [5.0, 2.0]
    assert [request.fields for request in transport.requests] == [(("order", "2"),)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
async def test_random_cancellations_lose_nobody(seed: int) -> None:
    """Two thousand calls in waves, a third of them cancelled at some moment."""
    random_value = random.Random(seed)  # noqa: S311 - a seed, not a secret
    transport = FakeTransport(told)
    single = coalescing(transport, size=7)
    kept: dict[int, OrderStatus | None] = {}

    async def call(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            kept[number] = await single.get(random_value.randint(1, 50))

    async def cancel_later(scope: anyio.CancelScope, turns: int) -> None:
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    patient = set()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for number in range(2000):
                scope = anyio.CancelScope()
                group.start_soon(call, number, scope)
                if random_value.random() < 1 / 3:
                    group.start_soon(cancel_later, scope, random_value.randrange(8))
                else:
                    patient.add(number)
                if random_value.random() < 0.05:
                    await anyio.lowlevel.checkpoint()
    assert patient <= kept.keys()
    assert single._forming is None
    assert single._unsent == {}


async def test_a_fault_of_ours_reaches_its_caller_and_the_others_go_on() -> None:
    """A leader that breaks is like one that is cancelled."""
    broken = True

    def reply(request: Request) -> Response:
        nonlocal broken
        if broken:
            broken = False
            raise ZeroDivisionError
        return told(request)

    single = coalescing(FakeTransport(reply))
    raised: list[str] = []
    found: list[object] = []

    async def call(id_: int, note: Callable[[object], None]) -> None:
        try:
            note(await single.get(id_))
        except ZeroDivisionError as error:
            raised.append(type(error).__name__)

    async with anyio.create_task_group() as group:
        for id_ in range(3):
            group.start_soon(call, id_, found.append)
    assert (raised, len(found)) == (["ZeroDivisionError"], 2)
