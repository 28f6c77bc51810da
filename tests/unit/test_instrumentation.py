"""What a client tells of its doings: from each beginning to its end, exact counts, and nothing lost for a listener."""

from __future__ import annotations

import logging
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest

from followersdata_async import (
    AsyncClient,
    AuthenticationError,
    OutcomeUnknownError,
    PanelError,
    PollPolicy,
    RateLimit,
    RetryPolicy,
    orders,
)
from followersdata_async._batch.coalesce import Coalescer
from followersdata_async._batch.operations import REFILL_STATUS, STATUS
from followersdata_async._instrumentation import Listeners
from followersdata_async._wire.encoding import encode_add
from followersdata_async.events import (
    CallEnded,
    CallStarted,
    ClientEvent,
    Coalesced,
    PollStarted,
    RequestEnded,
    RequestStarted,
    RetryPlanned,
)
from followersdata_async.sandbox import Sandbox
from tests.helpers.fakes import FakeTransport, answer, make_pipeline, row
from tests.helpers.requests import encode_many, encode_one

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.anyio

E = TypeVar("E")
ORDER = orders.Package(service=3, link="https://example.com/p/1")
NOW = RetryPolicy(initial_delay=0)


def of(kind: type[E], told: list[ClientEvent]) -> list[E]:
    """What was told of this kind."""
    return [event for event in told if isinstance(event, kind)]


@pytest.fixture(name="told")
def _told() -> list[ClientEvent]:
    return []


def client_of(sandbox: Sandbox, told: list[ClientEvent], **settings: Any) -> AsyncClient:
    """A client whose events are kept."""
    return AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http(), on_event=told.append, **settings)


async def streamed(panel: AsyncClient) -> None:
    """A stream, read to its end."""
    async with panel.stream_status(range(1, 251)) as outcomes:
        async for _ in outcomes:
            pass


CALLS: dict[str, tuple[Callable[[AsyncClient], Awaitable[object]], int, int, dict[str, int]]] = {
    "services": (lambda panel: panel.services(), 0, 1, {"ok": 1}),
    "balance": (lambda panel: panel.balance(), 0, 1, {"ok": 1}),
    "add": (lambda panel: panel.add(ORDER), 0, 1, {"ok": 1}),
    "status": (lambda panel: panel.status(1), 1, 1, {"ok": 1}),
    "refill_status": (lambda panel: panel.refill_status(10**9), 1, 1, {"refused": 1}),
    "refill": (lambda panel: panel.refill(10**9), 1, 1, {"refused": 1}),
    "multi_status": (lambda panel: panel.multi_status([*range(1, 250), 10**9]), 250, 3, {"ok": 249, "refused": 1}),
    "multi_refill": (lambda panel: panel.multi_refill([10**9]), 1, 1, {"refused": 1}),
    "multi_refill_status": (lambda panel: panel.multi_refill_status([10**9]), 1, 1, {"refused": 1}),
    "cancel": (lambda panel: panel.cancel([10**9]), 1, 1, {"refused": 1}),
    "stream_status": (streamed, 250, 3, {"ok": 250}),
    "wait_until_final": (
        lambda panel: panel.wait_until_final([10**9], poll_policy=PollPolicy(max_not_found=1)),
        1,
        1,
        {"refused": 1},
    ),
}


@pytest.mark.parametrize("method", CALLS)
async def test_each_call_is_told_from_its_beginning_to_its_end(method: str, told: list[ClientEvent]) -> None:
    """With what was asked, in how many requests, and what came."""
    call, ids, requests, outcomes = CALLS[method]
    sandbox = Sandbox(past=300)
    async with client_of(sandbox, told) as panel:
        with suppress(PanelError):  # Single calls raise what is told of them.
            await call(panel)
    (started,), (ended,) = of(CallStarted, told), of(CallEnded, told)
    assert (started.method, started.call) == (method, ended.call)
    assert (ended.method, ended.action) == (method, started.action)
    assert (ids, requests, requests, outcomes) == (ended.ids, ended.requests, ended.attempts, ended.outcomes)
    sent = of(RequestStarted, told)
    assert [event.call for event in sent] == [started.call] * requests
    assert sum(event.ids for event in sent) == ids
    assert len(of(RequestEnded, told)) == requests
    assert ended.duration >= 0


@pytest.mark.parametrize(
    ("request_", "ids"),
    [
        (encode_many(STATUS, [1, 2, 3]), 3),
        (encode_one(REFILL_STATUS, 7), 1),
        (encode_add({"service": "1", "order": "1,2"}), 0),
    ],
)
def test_a_request_knows_how_many_ids_it_asks_about(request_: Any, ids: int) -> None:
    """Those of the panel's, not fields of an order that look like them."""
    assert len(request_.ids) == ids


async def test_retries_are_told_with_why_and_when(told: list[ClientEvent]) -> None:
    """Each attempt has its number, and the budget is what is left."""
    sandbox = Sandbox(past=10)
    sandbox.next("broken", times=2)
    async with client_of(sandbox, told, retry=NOW) as panel:
        await panel.multi_status([1, 2])
    retries, ended = of(RetryPlanned, told), of(RequestEnded, told)
    assert [(event.attempt, event.delay, type(event.error).__name__) for event in retries] == [
        (2, 0.0, "PanelUnavailableError"),
        (3, 0.0, "PanelUnavailableError"),
    ]
    assert [(event.attempt, event.error is None, event.budget) for event in ended] == [
        (1, False, 500),
        (2, False, 486),
        (3, True, 472),
    ]
    (call,) = of(CallEnded, told)
    assert (call.requests, call.attempts) == (1, 3)


async def test_a_write_of_which_nobody_knows_is_told_as_unknown(told: list[ClientEvent]) -> None:
    """Of one order, and of many ids."""
    sandbox = Sandbox(past=10)
    sandbox.next("dropped", times=2)
    async with client_of(sandbox, told) as panel:
        with pytest.raises(OutcomeUnknownError) as raised:
            await panel.add(ORDER)
        await panel.cancel([1, 2, 3])
    of_add, of_cancel = of(CallEnded, told)
    assert (of_add.outcomes, of_add.error) == ({"unknown": 1}, raised.value)
    assert (of_cancel.outcomes, of_cancel.error) == ({"unknown": 3}, None)


async def test_a_read_that_fails_is_told_as_failed(told: list[ClientEvent]) -> None:
    """It may be asked again."""
    sandbox = Sandbox()
    sandbox.next("broken")
    async with client_of(sandbox, told, retry=None) as panel:
        with pytest.raises(Exception, match="balance"):
            await panel.balance()
    assert of(CallEnded, told)[0].outcomes == {"failed": 1}


async def test_calls_that_share_a_request_are_told(told: list[ClientEvent]) -> None:
    """And the request is that of one of them."""
    sandbox = Sandbox(past=50)
    async with client_of(sandbox, told) as panel, anyio.create_task_group() as group:
        for order in [*range(1, 51), 50]:
            group.start_soon(panel.status, order)
    assert of(Coalesced, told) == [Coalesced(action="status", calls=51, ids=50)]
    ended = of(CallEnded, told)
    assert (len(ended), sum(event.requests for event in ended)) == (51, 1)
    assert {tuple(event.outcomes.items()) for event in ended} == {(("ok", 1),)}


async def test_a_limiters_wait_is_told() -> None:
    """In seconds, before the attempt."""
    times = iter([0.0, 1.5, 2.0])
    told: list[ClientEvent] = []
    events = Listeners(lambda: next(times))
    events.add(told.append)
    transport = FakeTransport(lambda _: answer(row()))
    pipeline = make_pipeline(transport, rate_limit=RateLimit(1), events=events)
    await Coalescer(pipeline, STATUS).get(1)
    started, ended = told
    assert isinstance(started, RequestStarted)
    assert isinstance(ended, RequestEnded)
    assert (started.rate_limit_wait, ended.duration, started.call) == (1.5, 0.5, None)


async def test_a_stream_that_is_left_early_is_told_to_its_end(told: list[ClientEvent]) -> None:
    """Every attempt that began has ended, also where it was cancelled; the body's own error is what ended the call."""
    sandbox = Sandbox(past=5000)
    async with client_of(sandbox, told, concurrency=4) as panel:
        with pytest.raises(LookupError):
            async with panel.stream_status(range(1, 5001)) as outcomes:
                async for _ in outcomes:
                    raise LookupError
    (ended,) = of(CallEnded, told)
    assert isinstance(ended.error, LookupError)
    assert 100 <= ended.ids <= 800
    assert len(of(RequestStarted, told)) == len(of(RequestEnded, told)) == ended.attempts


async def test_a_call_that_is_cancelled_is_told_to_its_end(told: list[ClientEvent]) -> None:
    """With no outcome: there is none."""
    sandbox = Sandbox(latency=3600)
    async with client_of(sandbox, told) as panel:
        with anyio.CancelScope() as scope:
            panel.events.add(lambda event: scope.cancel() if isinstance(event, RequestStarted) else None)
            await panel.balance()
    (request,), (ended,) = of(RequestEnded, told), of(CallEnded, told)
    assert isinstance(request.error, anyio.get_cancelled_exc_class())
    assert (ended.outcomes, ended.attempts) == ({}, 1)


async def test_a_refused_key_is_what_ends_a_call(told: list[ClientEvent]) -> None:
    """After one request."""
    sandbox = Sandbox()
    client = AsyncClient("wrong-key", url=sandbox.url, http=sandbox.http(), on_event=told.append)
    async with client as panel:
        with pytest.raises(AuthenticationError) as raised:
            await panel.multi_status(range(1, 501))
    (ended,) = of(CallEnded, told)
    assert (ended.error, ended.requests, ended.outcomes) == (raised.value, 1, {"refused": 100})


async def test_orders_that_are_watched_tell_how_late_they_are_looked_at(told: list[ClientEvent]) -> None:
    """The first look is due at once."""
    sandbox = Sandbox(past=10)
    async with (
        client_of(sandbox, told) as panel,
        panel.watch([1, 2, 10**9], poll_policy=PollPolicy(min_delay=0.01)) as changes,
    ):
        async for _ in changes:
            break
    look = of(PollStarted, told)[0]
    assert look.orders == 3
    assert 0 <= look.lag < 20


async def test_a_listener_that_fails_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An order's answer least of all; the others are told, and the log says what went wrong."""
    sandbox = Sandbox()
    told: list[ClientEvent] = []

    def broken(_: ClientEvent) -> None:
        raise RuntimeError("the metrics are gone")

    async with AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http(), on_event=broken) as panel:
        panel.events.add(told.append)
        placed = await panel.add(ORDER)
    assert [entry["order"] for entry in sandbox.orders()] == [placed.order]
    assert [type(event) for event in told] == [CallStarted, RequestStarted, RequestEnded, CallEnded]
    assert [record.levelno for record in caplog.records if record.name.endswith("_instrumentation")] == [
        logging.ERROR
    ] * 4
    assert "the metrics are gone" in caplog.text


async def test_a_listener_that_comes_in_the_middle_is_told_of_what_begins_after() -> None:
    """And of no end without a beginning."""
    told: list[ClientEvent] = []

    def reply(_: Any) -> Any:
        pipeline.events.add(told.append)
        return answer(row())

    pipeline = make_pipeline(FakeTransport(reply))
    await Coalescer(pipeline, STATUS).get(1)
    assert told == []


async def coroutine(event: object) -> None:
    """What nobody would await."""


@pytest.mark.parametrize("wrong", ["print", 7, object(), coroutine])
def test_what_cannot_listen_is_refused(wrong: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError, match="on_event"):
        AsyncClient("k", on_event=wrong)


async def test_the_callers_ids_are_read_in_the_callers_context() -> None:
    """Although the call's tasks have a context of their own."""
    shop: ContextVar[str] = ContextVar("shop")
    shop.set("mine")
    seen: list[str] = []

    def ids() -> Iterator[int]:
        seen.append(shop.get())
        yield 1

    sandbox = Sandbox(past=1)
    async with client_of(sandbox, []) as panel, panel.stream_status(ids()) as outcomes:
        async for _ in outcomes:
            pass
    assert seen == ["mine"]
