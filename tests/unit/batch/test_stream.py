"""Chunks to outcomes: the laws, on both event loops."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followersdata_async._batch import sources
from followersdata_async._batch.operations import CANCEL, STATUS
from followersdata_async._batch.outcomes import Outcomes, collect_outcomes
from followersdata_async._batch.sources import AsyncIterableSource, IterableSource, make_source
from followersdata_async._batch.stream import ChunkStream, OpenStreams
from followersdata_async._retry import RetryPolicy
from followersdata_async.errors import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    NotSentError,
    OrderNotFoundError,
    OutcomeUnknownError,
    PanelUnavailableError,
    RateLimitedError,
)
from followersdata_async.models import Failed, Ok, Refused, Unreported, format_id
from followersdata_async.rate_limit import RateLimit
from tests.helpers.fakes import FakeTransport, Naps, answer, ids_in, make_pipeline, row, rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from followersdata_async._batch.operations import Operation
    from followersdata_async._wire.messages import Request, Response
    from followersdata_async.models import BatchResult, Id, OrderStatus


anyio_test = pytest.mark.anyio


def stream(
    transport: FakeTransport, ids: object, *, chunk_size: int = 10, concurrency: int = 4
) -> Outcomes[OrderStatus]:
    """A stream of statuses."""
    pipeline = make_pipeline(transport, concurrency=concurrency)
    source = make_source(ids, chunk_size)  # type: ignore[arg-type]
    return Outcomes(ChunkStream(pipeline, STATUS, source, method="stream_status"))


async def collect(
    transport: FakeTransport, ids: Iterable[Id], operation: Operation[Any] = STATUS, **settings: Any
) -> BatchResult[Any]:
    """The outcome of every id."""
    return await collect_outcomes(make_pipeline(transport, **settings), operation, ids, method="multi_status")


# --- the laws

FATES = st.sampled_from(["ok", "refused", "missing", "unreadable", "foreign"])
CHUNK_FATES = st.sampled_from(["answers"] * 6 + ["dead", "html", "cut", "refused", "unmatchable", "rate"])
IDS = st.lists(st.one_of(st.integers(1, 60), st.integers(1, 60).map(str), st.from_regex(r"\A[a-z]{3}\Z")), max_size=60)


def panel_of(fates: dict[str, str], chunk_fates: list[str], replied: list[list[str]]) -> Callable[[Request], Response]:
    """Return a panel that does to each id, and to each request in turn, what was drawn; it records their ids."""
    left = list(chunk_fates)

    def reply(request: Request) -> Response:
        replied.append(ids_in(request))
        fate = left.pop(0) if left else "answers"
        if fate == "dead":
            raise PanelUnavailableError("the connection broke")
        if fate == "unmatchable":
            return answer([row()] * (len(ids_in(request)) + 1))
        return WHOLE.get(fate) or answer(
            {key: value for id_ in ids_in(request) for key, value in told(id_, fates.get(id_, "ok")).items()}
        )

    return reply


WHOLE = {
    "html": answer(b"<html>", status=502),
    "cut": answer(b'{"1": {"sta'),
    "refused": answer({"error": "Ordering is disabled"}),
    "rate": answer({"error": "Too many requests"}, status=429),
}


def told(id_: str, fate: str) -> dict[str, object]:
    """What the answer says of one id."""
    return {
        "ok": {id_: {**row(), "note": id_}},
        "refused": {id_: {"error": "Incorrect order ID"}},
        "unreadable": {id_: 7},
        "foreign": {f"{id_}0000": row()},
        "missing": {},
    }[fate]


KINDS: dict[str, type] = {
    "ok": Ok,
    "refused": Refused,
    "missing": Unreported,
    "unreadable": Failed,
    "foreign": Unreported,
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=150)
@given(
    asked=IDS,
    fates=st.dictionaries(st.integers(1, 60).map(str), FATES),
    chunk_fates=st.lists(CHUNK_FATES, max_size=8),
    chunk_size=st.integers(1, 9),
    concurrency=st.integers(1, 5),
)
def test_every_id_has_exactly_one_outcome_and_failures_stay_small(
    backend: str,
    asked: list[Id],
    fates: dict[str, str],
    chunk_fates: list[str],
    chunk_size: int,
    concurrency: int,
) -> None:
    """Laws 1 and 2: in the order asked; what befell a chunk is true of its ids, and of no others."""
    sent: list[list[str]] = []
    transport = FakeTransport(panel_of(fates, chunk_fates, sent))

    async def main() -> BatchResult[OrderStatus]:
        pipeline = make_pipeline(transport, chunk_size=chunk_size, concurrency=concurrency)
        return await collect_outcomes(pipeline, STATUS, asked, method="multi_status")

    result = anyio.run(main, backend=backend)
    texts = list(dict.fromkeys(map(format_id, asked)))
    assert [format_id(id_) for id_ in result] == texts
    assert all(outcome.id == id_ for id_, outcome in result.items())
    assert sorted(id_ for chunk in sent for id_ in chunk) == sorted(texts)
    assert result.requests == len(sent) == -(-len(texts) // chunk_size)
    assert transport.most_in_flight <= concurrency
    for number, chunk in enumerate(sent):
        fate = chunk_fates[number] if number < len(chunk_fates) else "answers"
        for id_ in chunk:
            assert isinstance(result[id_], expected_kind(fate, fates.get(id_, "ok")))
            outcome = result[id_]
            if isinstance(outcome, Ok):
                assert outcome.value.extra == {"note": id_}


def expected_kind(chunk_fate: str, fate: str) -> type:
    """The kind of outcome that an id must have."""
    if chunk_fate == "answers":
        return KINDS[fate]
    return Refused if chunk_fate in {"refused", "rate"} else Failed


# --- a batch


@anyio_test
async def test_nothing_asked_is_nothing_sent() -> None:
    """An empty batch is whole."""
    transport = FakeTransport()
    result = await collect(transport, [])
    assert (dict(result), result.requests, transport.requests) == ({}, 0, [])


@anyio_test
async def test_duplicates_are_asked_once() -> None:
    """``7`` and ``"7"`` are one order; the first mention names it."""
    transport = FakeTransport()
    result = await collect(transport, [7, "8", "7", 8, 7])
    assert list(result) == [7, "8"]
    assert [ids_in(request) for request in transport.requests] == [["7", "8"]]


@anyio_test
async def test_a_dead_chunk_fails_its_hundred_ids_and_no_others() -> None:
    """Law 2; its error is said once for all of them."""

    def reply(request: Request) -> Response:
        if "150" in ids_in(request):
            raise PanelUnavailableError("the connection broke")
        return rows(request)

    result = await collect(FakeTransport(reply), range(1, 301))
    assert list(result.failed) == list(range(101, 201))
    assert len(set(map(id, result.failed.values()))) == 1
    assert len(result.ok) == 200


@anyio_test
async def test_a_refused_key_is_raised_after_one_request() -> None:
    """No further chunk is sent; the result says that of the others nothing was sent."""
    transport = FakeTransport(lambda _: answer({"error": "Invalid API key"}))
    with pytest.raises(AuthenticationError) as caught:
        await collect(transport, range(1, 1001))
    assert len(transport.requests) == 1
    result = caught.value.result
    assert result is not None
    assert (len(result), result.requests) == (1000, 1)
    assert list(result.refused) == list(range(1, 101))
    assert {type(error) for error in result.failed.values()} == {NotSentError}


@anyio_test
async def test_a_key_refused_later_stops_the_rest() -> None:
    """What came before is kept."""

    def reply(request: Request) -> Response:
        return rows(request) if "1" in ids_in(request) else answer({"error": "Invalid API key"})

    transport = FakeTransport(reply)
    with pytest.raises(AuthenticationError) as caught:
        await collect(transport, range(1, 1001), concurrency=2)
    assert caught.value.result is not None
    assert list(caught.value.result.ok) == list(range(1, 101))
    assert len(transport.requests) <= 4


@anyio_test
async def test_a_refusal_of_the_whole_answer_holds_for_its_ids() -> None:
    """Every id of the chunk was refused."""
    transport = FakeTransport(lambda _: answer({"error": "Incorrect order ID"}))
    result = await collect(transport, [1, 2], concurrency=1)
    assert {type(error) for error in result.refused.values()} == {OrderNotFoundError}


@anyio_test
async def test_retries_are_counted_as_requests() -> None:
    """``requests`` is what the panel saw."""
    replies = [answer({"error": "Too many requests"}, status=429), answer({"1": row()})]
    transport = FakeTransport(lambda _: replies.pop(0))
    result = await collect(transport, [1], retry=RetryPolicy(), concurrency=1)
    assert (list(result.ok), result.requests) == ([1], 2)


@anyio_test
async def test_a_lost_cancellation_is_unknown_for_its_ids_alone_and_never_sent_again() -> None:
    """Law 3."""

    def reply(request: Request) -> Response:
        ids = ids_in(request)
        return answer(b"") if "1" in ids else answer([{"order": int(id_), "cancel": 1} for id_ in ids])

    transport = FakeTransport(reply)
    result = await collect(transport, range(1, 201), CANCEL, retry=RetryPolicy(), concurrency=2)
    assert {type(error) for error in result.failed.values()} == {OutcomeUnknownError}
    assert (list(result.failed), len(result.ok)) == (list(range(1, 101)), 100)
    assert len(transport.requests) == 2


# --- a stream


@anyio_test
async def test_a_stream_reads_ids_no_faster_than_outcomes_are_taken() -> None:
    """Law 7: memory is bounded by what is in flight."""
    read = 0

    def ids() -> Iterator[int]:
        nonlocal read
        for id_ in range(1, 100_001):
            read = id_
            yield id_

    async with stream(FakeTransport(), ids(), chunk_size=10, concurrency=2) as outcomes:
        for _ in range(100):
            await anext(outcomes)
        await anyio.wait_all_tasks_blocked()
        assert read <= 100 + 10 * (2 + 2)


@anyio_test
async def test_a_stream_takes_an_asynchronous_iterable() -> None:
    """Ids that come from elsewhere."""

    async def ids() -> AsyncIterator[int]:
        for id_ in (1, 2, 3, 2):
            await anyio.lowlevel.checkpoint()
            yield id_

    async with stream(FakeTransport(), ids()) as outcomes:
        assert [outcome.id async for outcome in outcomes] == [1, 2, 3]
    assert outcomes.requests == 1


@anyio_test
async def test_an_id_that_comes_again_in_flight_is_asked_once() -> None:
    """And again when it has landed: a stream of millions does not remember them all."""
    transport = FakeTransport()
    async with stream(transport, [1, 1, 2, 1], chunk_size=2, concurrency=1) as outcomes:
        found = [outcome.id async for outcome in outcomes]
    assert found == [1, 2, 1]
    assert [ids_in(request) for request in transport.requests] == [["1", "2"], ["1"]]


@anyio_test
async def test_leaving_early_drops_reads_and_sends_no_more() -> None:
    """The reader has seen enough."""
    transport = FakeTransport()
    async with stream(transport, range(1, 10_001), chunk_size=10, concurrency=4) as outcomes:
        await anext(outcomes)
    sent = len(transport.requests)
    await anyio.wait_all_tasks_blocked()
    assert (len(transport.requests), transport.in_flight) == (sent, 0)
    assert sent < 20


@anyio_test
async def test_leaving_early_finishes_writes_that_are_on_their_way() -> None:
    """A write that is cut off is one whose outcome nobody knows."""
    transport = FakeTransport(lambda request: answer([{"order": id_, "cancel": 1} for id_ in ids_in(request)]))
    pipeline = make_pipeline(transport, concurrency=3)
    pipeline.key.is_accepted = True
    transport.gate = anyio.Event()
    async with Outcomes(ChunkStream(pipeline, CANCEL, IterableSource(range(1, 1001), 10), method="stream_cancel")):
        await anyio.wait_all_tasks_blocked()
        assert transport.in_flight == 3
        transport.gate.set()
    assert (transport.in_flight, len(transport.requests), transport.answered) == (0, 3, 3)


class _Stalling:
    """A source that gives some ids, and then nothing more."""

    def __init__(self, ids: int) -> None:
        self._left = ids

    def __aiter__(self) -> _Stalling:
        return self

    async def __anext__(self) -> int:
        if not self._left:
            await anyio.sleep_forever()
        self._left -= 1
        return self._left


@anyio_test
async def test_leaving_a_stream_of_writes_sends_nothing_more() -> None:
    """Neither what waits for a limiter's turn, nor what a source has not given yet: it may never come."""
    transport = FakeTransport(lambda request: answer([{"order": id_, "cancel": 1} for id_ in ids_in(request)]))
    pipeline = make_pipeline(transport, concurrency=4, rate_limit=RateLimit(1, per=3600.0))
    with anyio.fail_after(10):
        async with Outcomes(
            ChunkStream(pipeline, CANCEL, make_source(_Stalling(7), 1), method="stream_cancel")
        ) as outcomes:
            await anext(outcomes)
            await anyio.wait_all_tasks_blocked()
        source = make_source(_Stalling(7), 100, max_chunk_wait=3600)
        async with Outcomes(ChunkStream(pipeline, CANCEL, source, method="stream_cancel")):
            await anyio.wait_all_tasks_blocked()
    assert len(transport.requests) == 1


class _Letters(list[int]):
    """Ids, and an iterator over them that is false at its end."""

    def __iter__(self) -> _Letters:  # type: ignore[override]  # it is its own iterator
        return self

    def __next__(self) -> int:
        if not self:
            raise StopIteration
        return self.pop(0)


@anyio_test
async def test_an_iterator_that_is_false_at_its_end_is_read_once() -> None:
    """Else it would be asked, and refilled, for ever."""
    transport = FakeTransport()
    async with stream(transport, _Letters([1, 2, 3]), chunk_size=2) as outcomes:
        assert sorted([outcome.id async for outcome in outcomes]) == [1, 2, 3]
    assert [ids_in(request) for request in transport.requests] == [["1", "2"], ["3"]]


@anyio_test
async def test_an_error_in_the_body_comes_out_as_itself() -> None:
    """Never as a group."""
    with pytest.raises(ZeroDivisionError):
        async with stream(FakeTransport(), range(1, 1001)) as outcomes:
            await anext(outcomes)
            _ = 1 / 0


@anyio_test
@pytest.mark.parametrize("given", [0, 1, 10, 13, 25])
@pytest.mark.parametrize("width", [1, 4])
async def test_an_error_of_the_users_iterable_comes_out_as_itself(given: int, width: int) -> None:
    """After the outcomes of all that it had given."""

    def ids() -> Iterator[int]:
        yield from range(1, given + 1)
        msg = "the database is gone"
        raise LookupError(msg)

    found = []
    async with stream(FakeTransport(), ids(), chunk_size=10, concurrency=width) as outcomes:
        with pytest.raises(LookupError, match=r"^the database is gone$"):
            async for outcome in outcomes:
                found.append(outcome.id)  # noqa: PERF401 - what came before the error counts
    assert sorted(found, key=int) == list(range(1, given + 1))


@anyio_test
async def test_an_error_of_the_users_asynchronous_iterable_comes_out_as_itself() -> None:
    """After the outcomes of all that it had given."""

    async def ids() -> AsyncIterator[int]:
        yield 1
        yield 2
        msg = "the database is gone"
        raise LookupError(msg)

    async with stream(FakeTransport(), ids()) as outcomes:
        assert [(await anext(outcomes)).id, (await anext(outcomes)).id] == [1, 2]
        with pytest.raises(LookupError, match=r"^the database is gone$"):
            await anext(outcomes)


@anyio_test
@pytest.mark.parametrize(
    ("bad", "error"), [("", ValueError), ("1,2", ValueError), ("a\x00", ValueError), (None, TypeError)]
)
async def test_a_bad_id_in_a_stream_is_an_error_and_is_not_sent(bad: object, error: type[Exception]) -> None:
    """What came before it is asked."""
    transport = FakeTransport()
    async with stream(transport, [1, bad]) as outcomes:
        assert (await anext(outcomes)).id == 1
        with pytest.raises(error):
            await anext(outcomes)
    assert [ids_in(request) for request in transport.requests] == [["1"]]


@anyio_test
async def test_a_refused_key_ends_a_stream_after_what_is_known() -> None:
    """One request, its ids refused, then the error."""
    transport = FakeTransport(lambda _: answer({"error": "Invalid API key"}))
    found = []
    async with stream(transport, range(1, 1001)) as outcomes:
        with pytest.raises(AuthenticationError):
            async for outcome in outcomes:
                found.append(outcome)  # noqa: PERF401 - what came before the error counts
    assert [type(outcome) for outcome in found] == [Refused] * 10
    assert len(transport.requests) == 1


@anyio_test
async def test_a_stream_is_used_inside_async_with() -> None:
    """And says so."""
    outcomes = stream(FakeTransport(), [1])
    with pytest.raises(ConfigurationError, match=r"^use it as: async with panel\.stream_…\(ids\) as outcomes"):
        await anext(outcomes)
    await outcomes.__aexit__(None, None, None)


@anyio_test
async def test_a_stream_that_was_left_is_read_no_more() -> None:
    """Also not what had arrived, so that it does not depend on luck what a late reader gets."""
    async with stream(FakeTransport(), range(1, 1001)) as outcomes:
        await anext(outcomes)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"^this stream was left"):
            await anext(outcomes)
    await outcomes.__aexit__(None, None, None)


@anyio_test
async def test_a_stream_is_entered_once() -> None:
    """Neither while it is read, which goes on, nor after it was left."""
    transport = FakeTransport()
    outcomes = stream(transport, range(1, 21))
    async with outcomes:
        await anext(outcomes)
        with pytest.raises(ConfigurationError, match=r"^a stream can be entered once"):
            await outcomes.__aenter__()
        assert len([outcome async for outcome in outcomes]) == 19
    with pytest.raises(ConfigurationError, match=r"^a stream can be entered once"):
        await outcomes.__aenter__()
    assert len(transport.requests) == 2


def test_a_stream_is_entered_on_the_event_loop_of_its_client() -> None:
    """Elsewhere it would wait for ever."""

    async def make() -> Outcomes[OrderStatus]:
        return stream(FakeTransport(), [1])

    outcomes = anyio.run(make)
    with pytest.raises(ConfigurationError, match=r"^the client was opened on another event loop"):
        anyio.run(outcomes.__aenter__)


@anyio_test
async def test_a_reader_in_another_task_is_told_that_the_stream_was_left() -> None:
    """It would wait for ever."""
    transport = FakeTransport()
    transport.gate = anyio.Event()
    raised = []

    async def read() -> None:
        with pytest.raises(ConfigurationError, match=r"^this stream was left") as caught:
            await anext(outcomes)
        raised.append(caught.value)

    async with anyio.create_task_group() as group, stream(transport, [1]) as outcomes:
        group.start_soon(read)
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
    assert len(raised) == 2


@anyio_test
async def test_requests_are_counted_as_they_are_sent() -> None:
    """Whether their outcomes were read or not, and those that were cut off too."""
    transport = FakeTransport()
    pipeline = make_pipeline(transport, concurrency=4)
    pipeline.key.is_accepted = True
    source = IterableSource(range(1, 1001), 10)
    async with Outcomes(ChunkStream(pipeline, STATUS, source, method="stream_status", max_waiting=4)) as outcomes:
        await anyio.wait_all_tasks_blocked()
        assert outcomes.requests == len(transport.requests) == 8
        transport.gate = anyio.Event()
        for _ in range(31):
            await anext(outcomes)
        await anyio.wait_all_tasks_blocked()
        assert (outcomes.requests, transport.answered) == (12, 8)
    assert outcomes.requests == len(transport.requests) == 12


@anyio_test
async def test_retries_are_counted_as_they_are_sent() -> None:
    """Before anything of their chunk is known."""
    transport = FakeTransport(lambda _: answer({"error": "Too many requests"}, status=429))
    counted = []

    class Counting(Naps):
        async def __call__(self, delay: float) -> None:
            counted.append(outcomes.requests)
            await super().__call__(delay)

    pipeline = make_pipeline(transport, naps=Counting(), retry=RetryPolicy(max_attempts=3))
    async with Outcomes(ChunkStream(pipeline, STATUS, IterableSource([1], 10), method="stream_status")) as outcomes:
        assert [type(outcome) async for outcome in outcomes] == [Refused]
    assert (counted, outcomes.requests) == ([1, 2], 3)


# --- a client that is closed meanwhile


@anyio_test
async def test_a_stream_of_a_closed_client_ends_after_what_is_known() -> None:
    """It is not read to its end for ids that cannot be sent."""
    transport = FakeTransport()
    pipeline = make_pipeline(transport, concurrency=2)
    source = IterableSource(count(1), 10)
    found = []
    async with Outcomes(ChunkStream(pipeline, STATUS, source, method="stream_status", max_waiting=2)) as outcomes:
        await anyio.wait_all_tasks_blocked()
        pipeline.mark_closed()
        with pytest.raises(ConfigurationError, match=r"^the client is closed") as caught:
            async for outcome in outcomes:
                found.append(outcome)  # noqa: PERF401 - what came before the error counts
        with pytest.raises(ConfigurationError, match=r"^the client is closed"):
            await anext(outcomes)
    assert caught.value.__context__ is None
    assert len([outcome for outcome in found if isinstance(outcome, Ok)]) == 10 * len(transport.requests)
    assert len(found) <= 10 * (len(transport.requests) + 2)


@anyio_test
async def test_closing_the_client_ends_its_streams_at_once() -> None:
    """Reads in flight are cut off, those that wait for ids too, and what has arrived can be read."""
    transport = FakeTransport()
    pipeline = make_pipeline(transport, concurrency=4)
    pipeline.key.is_accepted = True
    streams = OpenStreams()
    source = IterableSource(range(1, 1001), 10)
    stream_ = ChunkStream(pipeline, STATUS, source, method="stream_status", max_waiting=2, streams=streams)
    async with Outcomes(stream_) as outcomes:
        await anyio.wait_all_tasks_blocked()
        transport.gate = anyio.Event()
        for _ in range(31):
            await anext(outcomes)
        await anyio.wait_all_tasks_blocked()
        assert transport.in_flight == 4
        pipeline.mark_closed()
        await streams.end_all()
        assert transport.in_flight == 0
        found = []
        with pytest.raises(ConfigurationError, match=r"^the client is closed"):
            async for outcome in outcomes:
                found.append(outcome)  # noqa: PERF401 - what came before the error counts
    assert {type(outcome) for outcome in found} == {Ok}
    assert len(found) == 10 * transport.answered - 31
    await streams.end_all()


@anyio_test
async def test_closing_the_client_keeps_the_outcomes_of_writes_in_flight() -> None:
    """They were sent, so they are awaited, and told; what waits for its turn is not sent."""
    transport = FakeTransport(lambda request: answer([{"order": id_, "cancel": 1} for id_ in ids_in(request)]))
    pipeline = make_pipeline(transport, concurrency=2)
    pipeline.key.is_accepted = True
    transport.gate = anyio.Event()
    streams = OpenStreams()
    stream_ = ChunkStream(pipeline, CANCEL, IterableSource(range(1, 101), 10), method="stream_cancel", streams=streams)
    found = []

    async def close() -> None:
        pipeline.mark_closed()
        await streams.end_all()

    async with Outcomes(stream_) as outcomes, anyio.create_task_group() as group:
        await anyio.wait_all_tasks_blocked()
        group.start_soon(close)
        await anyio.wait_all_tasks_blocked()
        transport.gate.set()
        with pytest.raises(ConfigurationError, match=r"^the client is closed"):
            async for outcome in outcomes:
                found.append(outcome)  # noqa: PERF401 - what came before the error counts
    assert len(transport.requests) == 2
    assert [type(outcome) for outcome in found] == [Ok] * 20


@anyio_test
@pytest.mark.parametrize("operation", [STATUS, CANCEL])
async def test_a_batch_whose_client_is_closed_has_an_outcome_for_each_id(operation: Operation[Any]) -> None:
    """Those that were not sent have failed, with the reason."""

    def reply(request: Request) -> Response:
        pipeline.mark_closed()
        return rows(request) if operation is STATUS else answer([{"order": i, "cancel": 1} for i in ids_in(request)])

    transport = FakeTransport(reply)
    pipeline = make_pipeline(transport, concurrency=2)
    result = await collect_outcomes(pipeline, operation, range(1, 1001), method="batch")
    assert (len(result.ok), len(transport.requests)) == (100, 1)
    assert {type(error) for error in result.failed.values()} == {ConfigurationError}
    assert len(result) == 1000


@anyio_test
async def test_a_refused_key_ends_a_stream_whose_source_has_stalled() -> None:
    """Nobody waits for ids that could not be sent anyway."""

    def reply(request: Request) -> Response:
        return rows(request) if "6" in ids_in(request) else answer({"error": "Invalid API key"})

    transport = FakeTransport(reply)
    found = []
    with anyio.fail_after(10):
        async with stream(transport, _Stalling(7), chunk_size=1) as outcomes:
            with pytest.raises(AuthenticationError):
                async for outcome in outcomes:
                    found.append(outcome)  # noqa: PERF401 - what came before the error counts
    assert {type(outcome) for outcome in found} == {Ok, Refused}


@anyio_test
async def test_cancelling_a_batch_leaves_nothing_in_flight() -> None:
    """Law 6."""
    transport = FakeTransport()
    transport.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        pipeline = make_pipeline(transport, concurrency=4)
        pipeline.key.is_accepted = True
        group.start_soon(partial(collect_outcomes, pipeline, STATUS, range(1, 1001), method="multi_status"))
        await anyio.wait_all_tasks_blocked()
        assert transport.in_flight == 4
        group.cancel_scope.cancel()
    assert transport.in_flight == 0


@anyio_test
async def test_failed_answers_keep_the_class_that_tells_why() -> None:
    """A rate limit, an unreadable answer."""
    for reply, error in (
        (answer({"error": "Too many requests"}), RateLimitedError),
        (answer([row(), row()]), DecodeError),
    ):
        transport = FakeTransport(lambda _, reply=reply: reply)
        result = await collect(transport, [1], concurrency=1)
        assert type(result.errors[1]) is error


@pytest.mark.asyncio
async def test_on_plain_asyncio_too() -> None:
    """Without anyio's own runner."""
    result = await collect(FakeTransport(), range(1, 251))
    assert (len(result.ok), result.requests) == (250, 3)


@pytest.mark.anyio
@pytest.mark.parametrize(("ids", "started"), [(0, 1), (3, 1), (10, 2), (11, 2), (1000, 4)])
async def test_stream_starts_as_many_tasks_as_it_has_chunks(
    ids: int, started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to ``concurrency``. A full chunk needs another task, to find out that it was the last one."""
    tasks: list[object] = []
    work = ChunkStream._work

    async def count_work(stream: ChunkStream[OrderStatus], *arguments: Any) -> None:
        tasks.append(stream)
        await work(stream, *arguments)

    monkeypatch.setattr(ChunkStream, "_work", count_work)
    pipeline = make_pipeline(FakeTransport(), chunk_size=10, concurrency=4)
    async with ChunkStream(pipeline, STATUS, IterableSource(range(ids), 10), method="stream_status") as stream:
        outcomes = 0
        while (chunk := await stream.next_chunk()) is not None:
            outcomes += len(chunk.outcomes)
    assert (outcomes, len(tasks)) == (ids, started)


@pytest.mark.anyio
async def test_batch_of_one_chunk_starts_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request is sent in the task of the caller."""
    monkeypatch.setattr(anyio, "create_task_group", None)
    pipeline = make_pipeline(FakeTransport(), chunk_size=10)
    result = await collect_outcomes(pipeline, STATUS, range(10), method="multi_status")
    assert (len(result.ok), result.requests) == (10, 1)


class Cursor:
    """What an iterable may return: an iterator that can't be iterated over itself."""

    def __init__(self, ids: int) -> None:
        self._left = iter(range(ids))

    def __next__(self) -> int:
        return next(self._left)

    async def __anext__(self) -> int:
        for id_ in self._left:
            return id_
        raise StopAsyncIteration


class Table:
    """An iterable whose iterator is a cursor."""

    def __iter__(self) -> Cursor:
        return Cursor(25)


class AsyncTable:
    """The same for ``async for``."""

    def __aiter__(self) -> Cursor:
        return Cursor(25)


@pytest.mark.anyio
@pytest.mark.parametrize("ids", [Table(), AsyncTable()], ids=["iterable", "async iterable"])
async def test_iterator_needs_nothing_but_its_next(ids: Any) -> None:
    """As in a ``for`` loop: it is read in chunks, but never asked for an iterator of its own."""
    pipeline = make_pipeline(FakeTransport(), chunk_size=10)
    source = make_source(ids, 10)
    async with ChunkStream(pipeline, STATUS, source, method="stream_status") as stream:
        sizes = []
        while (chunk := await stream.next_chunk()) is not None:
            sizes.append(len(chunk.outcomes))
    assert sorted(sizes) == [5, 10, 10]


# --- generators of the user's


@anyio_test
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_an_async_generator_runs_in_one_task_and_one_context(concurrency: int) -> None:
    """So its cancel scopes, task groups and context variables work as in a loop."""
    current: ContextVar[int] = ContextVar("current", default=0)
    tasks = set()

    async def ids() -> AsyncIterator[int]:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.lowlevel.checkpoint)
            with anyio.fail_after(3600):
                for id_ in range(1, 101):
                    tasks.add(anyio.get_current_task().id)
                    assert current.get() == id_ - 1
                    current.set(id_)
                    await anyio.lowlevel.checkpoint()
                    yield id_

    transport = FakeTransport()
    async with stream(transport, ids(), concurrency=concurrency) as outcomes:
        assert sorted([outcome.id async for outcome in outcomes], key=int) == list(range(1, 101))
    assert (len(tasks), len(transport.requests), current.get()) == (1, 10, 0)


@anyio_test
async def test_an_async_generator_is_read_no_further_than_is_needed() -> None:
    """A chunk is read when somebody is free to send it."""
    read = 0

    async def ids() -> AsyncIterator[int]:
        nonlocal read
        for id_ in range(1, 100_001):
            read = id_
            yield id_

    transport = FakeTransport()
    transport.gate = anyio.Event()
    async with stream(transport, ids(), chunk_size=10, concurrency=2) as outcomes:
        await anyio.wait_all_tasks_blocked()
        assert read == 10
        transport.gate.set()
        for _ in range(100):
            await anext(outcomes)
        await anyio.wait_all_tasks_blocked()
        assert read <= 100 + 10 * (2 + 2)


@anyio_test
@pytest.mark.parametrize("way", ["left", "error", "stalled", "cancelled", "not read"])
async def test_an_async_generator_is_closed_when_its_stream_is_left(way: str) -> None:
    """Where it is, in the task that ran it, and it can still await something: a cursor that it has to close."""
    told: list[object] = []

    async def ids() -> AsyncIterator[int]:
        task = anyio.get_current_task()
        try:
            with anyio.CancelScope():
                for id_ in range(1, 1001):
                    yield id_
                    if way == "stalled" and id_ == 100:
                        await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=way == "stalled"):
                await anyio.lowlevel.checkpoint()
            told.append(anyio.get_current_task() == task)

    async def read() -> None:
        async with stream(FakeTransport(), ids(), concurrency=2) as outcomes:
            if way != "not read":
                await anext(outcomes)
            await anyio.wait_all_tasks_blocked()
            if way == "error":
                raise LookupError
            if way == "cancelled":
                scope.cancel()
                await anyio.sleep_forever()

    with anyio.CancelScope() as scope, suppress(LookupError):
        await read()
    assert told == [True]


@anyio_test
async def test_a_generator_is_closed_when_its_stream_is_left() -> None:
    """It may hold a file."""
    told = []

    def ids() -> Iterator[int]:
        try:
            yield from range(1, 1001)
        finally:
            told.append("closed")

    async with stream(FakeTransport(), ids()) as outcomes:
        await anext(outcomes)
        assert told == []
        kept = iter(range(1, 1001))
        async with stream(FakeTransport(), kept) as others:
            await anext(others)
    assert told == ["closed"]


@anyio_test
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_error_of_closing_a_generator_is_raised_by_leaving(kind: str) -> None:
    """As itself. An error of the body counts more."""

    def ids() -> Iterator[int]:
        try:
            yield from range(1, 1001)
        finally:
            raise LookupError

    async def async_ids() -> AsyncIterator[int]:
        try:
            for id_ in range(1, 1001):
                yield id_
        finally:
            raise LookupError

    make = ids if kind == "sync" else async_ids
    with pytest.raises(LookupError):
        async with stream(FakeTransport(), make()) as outcomes:
            await anext(outcomes)
    with pytest.raises(ZeroDivisionError):
        async with stream(FakeTransport(), make()) as outcomes:
            await anext(outcomes)
            _ = 1 / 0


@anyio_test
async def test_a_time_limit_inside_a_generator_is_the_generators_own() -> None:
    """It is over while the generator waits to be asked for more: it hears of it there, and may go on."""
    scopes = []

    async def ids() -> AsyncIterator[int]:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            for id_ in range(1, 1001):
                yield id_
        assert scope.cancelled_caught
        yield 1001
        msg = "too late"
        raise TimeoutError(msg)

    transport = FakeTransport()
    transport.gate = anyio.Event()
    found = []
    async with stream(transport, ids(), concurrency=1) as outcomes:
        await anyio.wait_all_tasks_blocked()
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        transport.gate.set()
        with pytest.raises(TimeoutError, match=r"^too late$"):
            async for outcome in outcomes:
                found.append(outcome.id)  # noqa: PERF401 - what came before the error counts
    assert found == [*range(1, 11), 1001]


@anyio_test
async def test_a_time_limit_inside_a_generator_can_be_its_end() -> None:
    """What it gave before is sent."""
    scopes = []

    async def ids() -> AsyncIterator[int]:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            for id_ in range(1, 1001):
                yield id_

    transport = FakeTransport()
    transport.gate = anyio.Event()
    async with stream(transport, ids(), concurrency=1) as outcomes:
        await anyio.wait_all_tasks_blocked()
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        transport.gate.set()
        assert [outcome.id async for outcome in outcomes] == list(range(1, 11))


@anyio_test
async def test_a_generator_that_never_ends_its_closing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving takes no longer than that."""
    monkeypatch.setattr(sources, "_CLOSING_TIME", 0.0)

    async def ids() -> AsyncIterator[int]:
        try:
            for id_ in range(1, 1001):
                yield id_
        finally:
            await anyio.sleep_forever()

    with anyio.fail_after(30):
        async with stream(FakeTransport(), ids()) as outcomes:
            await anext(outcomes)


@anyio_test
async def test_an_iterable_that_cannot_be_iterated_over_says_why() -> None:
    """Instead of waiting for it."""

    class Broken:
        def __aiter__(self) -> AsyncIterator[int]:
            raise LookupError

    async with stream(FakeTransport(), Broken()) as outcomes:
        with pytest.raises(LookupError):
            await anext(outcomes)


# --- a source that pauses


class _Time:
    """Waiting for ids whose end a test decides."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delays: list[float] = []
        self._passed = anyio.Event()

    def clock(self) -> float:
        """The time."""
        return self.now

    async def wait(self, event: anyio.Event, delay: float) -> None:
        """Until the event is set, or the test lets time pass."""
        self.delays.append(delay)
        until = self.now + delay
        while not event.is_set() and self.now < until:
            async with anyio.create_task_group() as group:

                async def first(event: anyio.Event) -> None:
                    await event.wait()
                    group.cancel_scope.cancel()

                group.start_soon(first, event)
                group.start_soon(first, self._passed)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and everybody do what there is to do."""
        self.now += seconds
        self._passed.set()
        self._passed = anyio.Event()
        await anyio.wait_all_tasks_blocked()


@anyio_test
@pytest.mark.parametrize("operation", [STATUS, CANCEL])
async def test_ids_wait_for_a_source_that_pauses_no_longer_than_they_may(operation: Operation[Any]) -> None:
    """Counted from the first of them; writes too."""

    def reply(request: Request) -> Response:
        ids = ids_in(request)
        return rows(request) if operation is STATUS else answer([{"order": id_, "cancel": 1} for id_ in ids])

    time, transport = _Time(), FakeTransport(reply)
    sending, receiving = anyio.create_memory_object_stream[int](100)
    source = AsyncIterableSource(receiving, 10, max_chunk_wait=5.0, clock=time.clock, wait=time.wait)
    pipeline = make_pipeline(transport)
    with sending, receiving:
        async with Outcomes(ChunkStream(pipeline, operation, source, method="stream", max_waiting=4)) as outcomes:
            await anyio.wait_all_tasks_blocked()
            await time.advance(100.0)
            sending.send_nowait(1)
            await time.advance(0.0)
            await time.advance(3.0)
            sending.send_nowait(2)
            await time.advance(1.5)
            assert transport.requests == []
            await time.advance(0.5)
            assert [ids_in(request) for request in transport.requests] == [["1", "2"]]
            assert [(await anext(outcomes)).id, (await anext(outcomes)).id] == [1, 2]
            for id_ in range(3, 14):
                sending.send_nowait(id_)
            await time.advance(0.0)
            # A full chunk does not wait, and the next one has a time of its own.
            assert [len(ids_in(request)) for request in transport.requests] == [2, 10]
            await time.advance(5.0)
            assert [len(ids_in(request)) for request in transport.requests] == [2, 10, 1]
            sending.send_nowait(14)
            await time.advance(0.0)
            sending.close()
            found = [outcome.id async for outcome in outcomes]
    # Nor does the last one, when the source ends.
    assert found == list(range(3, 15))
    assert [len(ids_in(request)) for request in transport.requests] == [2, 10, 1, 1]


@anyio_test
async def test_ids_that_may_not_wait_are_sent_with_what_is_there() -> None:
    """Those that come without a pause share a chunk all the same."""

    async def ids() -> AsyncIterator[int]:
        for id_ in range(1, 26):
            yield id_
        await anyio.sleep_forever()

    transport = FakeTransport()
    pipeline = make_pipeline(transport)
    pipeline.key_accepted = True
    source = make_source(ids(), 10, max_chunk_wait=0.0)
    async with Outcomes(ChunkStream(pipeline, STATUS, source, method="stream_status")) as outcomes:
        assert sorted([(await anext(outcomes)).id for _ in range(25)], key=int) == list(range(1, 26))
    assert sorted(len(ids_in(request)) for request in transport.requests) == [5, 10, 10]
