"""Many single calls at once: the fewest requests, an answer for every caller, nobody's cancellation hurts another."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from sniffio import current_async_library

from followersdata_async._batch.coalesce import Coalescer
from followersdata_async._batch.operations import REFILL_STATUS, STATUS
from followersdata_async._pipeline import BatchSupport
from followersdata_async._retry import RetryPolicy
from followersdata_async.errors import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    FollowersDataError,
    OrderNotFoundError,
    PanelUnavailableError,
)
from tests.helpers.fakes import FakeTransport, Naps, answer, ids_in, make_pipeline, row

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    pipeline.key.is_accepted = True
    transport.gate = anyio.Event()

    async def open_gate() -> None:
        await anyio.wait_all_tasks_blocked()
        transport.gate.set()

    async with anyio.create_task_group() as group:
        group.start_soon(open_gate)
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


async def test_a_fault_of_ours_reaches_every_caller() -> None:
    """As itself, each its own, and nothing is sent again: a second try would break in the same way."""
    transport = FakeTransport(lambda _: answer(1 // 0))
    raised: list[ZeroDivisionError] = []

    async def call(id_: int) -> None:
        try:
            await single.get(id_)
        except ZeroDivisionError as error:
            raised.append(error)

    single = coalescing(transport)
    async with anyio.create_task_group() as group:
        for id_ in range(3):
            group.start_soon(call, id_)
    assert len({id(error) for error in raised}) == 3
    assert all(error.__traceback__ is not None for error in raised)
    assert len(transport.requests) == 1


class _UncopyableError(Exception):
    """What a limiter of the user's own may raise."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


async def test_a_fault_that_cannot_be_copied_reaches_every_caller_too() -> None:
    """Then it is the same one."""

    def reply(_: Request) -> Response:
        raise _UncopyableError("a", "b")

    raised = []

    async def call(id_: int) -> None:
        try:
            await single.get(id_)
        except _UncopyableError as error:
            raised.append(str(error))

    single = coalescing(FakeTransport(reply))
    async with anyio.create_task_group() as group:
        for id_ in range(3):
            group.start_soon(call, id_)
    assert raised == ["ab"] * 3


# --- each caller's own deadline


async def leaving(leavers: Iterable[int]) -> tuple[FakeTransport, dict[int, str]]:
    """Ten callers share a request; when it is under way some leave, and then its response arrives."""
    transport = FakeTransport(told)
    transport.gate = anyio.Event()
    single = coalescing(transport)
    found: dict[int, str] = {}
    scopes = [anyio.CancelScope() for _ in range(10)]

    async def call(number: int) -> None:
        with scopes[number]:
            found[number] = notes([await single.get(number)])[0]  # type: ignore[assignment]
        if scopes[number].cancelled_caught:
            found[number] = "left"

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(call, number)
        await anyio.wait_all_tasks_blocked()
        assert len(transport.requests) == 1
        for number in leavers:
            scopes[number].cancel()
        await anyio.wait_all_tasks_blocked()
        # They have left, and did not wait for the response.
        assert found == dict.fromkeys(leavers, "left")
        transport.gate.set()
    return transport, found


@pytest.mark.parametrize("leavers", [{0}, {9}, {4}, {0, 9}, set(range(9))], ids=str)
async def test_a_caller_that_gives_up_hurts_no_other(leavers: set[int]) -> None:
    """The request is neither sent again nor cut off, whoever began it; whoever gives up leaves at once."""
    transport, found = await leaving(leavers)
    assert len(transport.requests) == transport.answered == 1
    assert found == {number: "left" if number in leavers else str(number) for number in range(10)}


async def test_a_request_that_nobody_waits_for_is_cancelled() -> None:
    """Before its last caller has left: nothing of it is left behind."""
    transport = FakeTransport(told)
    transport.gate = anyio.Event()
    single = coalescing(transport)
    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(single.get, number)
        await anyio.wait_all_tasks_blocked()
        assert transport.in_flight == 1
        group.cancel_scope.cancel()
    assert (transport.in_flight, transport.answered) == (0, 0)
    transport.gate.set()
    assert notes(await all_of(single, [1, 2])) == ["1", "2"]


async def test_the_deadline_of_a_caller_is_not_that_of_the_request() -> None:
    """Whether the request is sent again is decided by the client's time limit, not by the first caller's."""
    replies = [answer({"error": "Too many requests"}, status=429, retry_after="50")]
    transport = FakeTransport(lambda request: replies.pop() if replies else told(request))
    naps = Naps()
    single = coalescing(transport, pipeline=make_pipeline(transport, naps=naps, retry=RetryPolicy()))
    started: list[int] = []
    found = []

    async def call(number: int) -> None:
        # The first one's is over before the pause that the panel asks for, which takes no time here.
        started.append(number)
        with anyio.move_on_after(20 if started == [number] else 100):
            found.append(await single.get(number))

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(call, number)
    assert len(found) == 10
    assert (len(transport.requests), naps.taken) == (2, [50.0])


async def test_a_shared_request_runs_in_the_context_of_its_first_caller() -> None:
    """Whoever traces requests finds the span that they belong to."""
    current: ContextVar[int] = ContextVar("current")
    seen = []

    def reply(request: Request) -> Response:
        seen.append(current.get())
        return told(request)

    single = coalescing(FakeTransport(reply))
    order = []

    async def call(number: int) -> None:
        current.set(number)
        order.append(number)
        await single.get(number)
        assert current.get() == number

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(call, number)
    assert seen == order[:1]


async def test_a_call_without_company_is_sent_in_its_own_task() -> None:
    """It needs no other."""
    tasks = []

    def reply(request: Request) -> Response:
        tasks.append(anyio.get_current_task())
        return told(request)

    await coalescing(FakeTransport(reply)).get(1)
    assert tasks == [anyio.get_current_task()]


async def test_an_id_without_a_row_is_asked_alone_for_all_of_its_callers() -> None:
    """One of them gives up, and the others have their answer from the same request."""

    def reply(request: Request) -> Response:
        if "orders" not in dict(request.fields):
            return told(request)
        transport.gate = anyio.Event()
        return answer({})

    transport = FakeTransport(reply)
    pipeline = make_pipeline(transport)
    pipeline.key.is_accepted = True
    single = coalescing(transport, pipeline=pipeline)
    found = []
    scopes = [anyio.CancelScope() for _ in range(3)]

    async def call(number: int) -> None:
        with scopes[number]:
            found.append(notes([await single.get(5)]))

    async def other() -> None:
        with suppress(FollowersDataError):
            await single.get(6)

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(call, number)
        group.start_soon(other)
        await anyio.wait_all_tasks_blocked()
        assert transport.in_flight == 2
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        assert transport.gate is not None
        transport.gate.set()
    assert found == [["5"]] * 2
    assert [request.fields for request in transport.requests].count((("order", "5"),)) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("kind", ["task", "wait_for", "timeout"])
async def test_a_caller_that_gives_up_by_asyncios_own_ways_hurts_no_other(kind: str) -> None:
    """They know no scopes."""
    transport = FakeTransport(told)
    transport.gate = anyio.Event()
    single = coalescing(transport)

    async def impatient() -> OrderStatus:
        if kind == "wait_for":
            return await asyncio.wait_for(single.get(0), 0.01)
        if kind == "timeout":
            async with asyncio.timeout(0.01):
                return await single.get(0)
        return await single.get(0)

    first = asyncio.create_task(impatient())
    others = [asyncio.create_task(single.get(number)) for number in range(1, 10)]
    await anyio.wait_all_tasks_blocked()
    if kind == "task":
        first.cancel()
    with pytest.raises((TimeoutError, asyncio.CancelledError)):
        await first
    transport.gate.set()
    assert notes(await asyncio.gather(*others)) == [str(number) for number in range(1, 10)]
    assert len(transport.requests) == transport.answered == 1


# --- closing


async def test_closing_ends_shared_requests_with_an_error_that_says_why() -> None:
    """Each caller has its own, and nothing is left running."""
    transport = FakeTransport(told)
    transport.gate = anyio.Event()
    pipeline = make_pipeline(transport)
    single = coalescing(transport, pipeline=pipeline)
    raised = []

    async def call(number: int) -> None:
        try:
            await single.get(number)
        except ConfigurationError as error:
            raised.append(error)

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(call, number)
        await anyio.wait_all_tasks_blocked()
        pipeline.mark_closed()
        await single.aclose()
        assert transport.in_flight == 0
    assert len({id(error) for error in raised}) == 10
    assert {str(error).partition(":")[0] for error in raised} == {"the client is closed"}


async def test_calls_that_still_wait_for_company_are_refused_when_the_client_is_closed() -> None:
    """At the end of their window, and nothing is sent."""
    transport, timer = FakeTransport(told), Timer()
    pipeline = make_pipeline(transport, coalesce_window=5.0)
    single = coalescing(transport, timer=timer, pipeline=pipeline)
    found: list[object] = []

    async def calls() -> None:
        found.extend(await all_of(single, [1, 2]))

    async with anyio.create_task_group() as group:
        group.start_soon(calls)
        await anyio.wait_all_tasks_blocked()
        pipeline.mark_closed()
        await single.aclose()
        timer.over.set()
    assert [type(error) for error in found] == [ConfigurationError] * 2
    assert transport.requests == []


async def test_an_event_loop_that_stops_takes_shared_requests_with_it() -> None:
    """A program that is interrupted leaves no task behind, and no warning."""
    backend = current_async_library()

    async def main() -> None:
        transport = FakeTransport(told)
        transport.gate = anyio.Event()
        single = coalescing(transport)
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(single.get, number)
            await anyio.wait_all_tasks_blocked()
            raise KeyError

    with pytest.raises(ExceptionGroup) as caught:
        await anyio.to_thread.run_sync(partial(anyio.run, main, backend=backend))
    assert caught.group_contains(KeyError)
    gc.collect()
