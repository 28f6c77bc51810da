"""One chunk that is refused as a whole: narrowed down to the ids that are to blame, with few requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from followersdata_async._batch.chunk import send_chunk
from followersdata_async._batch.ids import format_ids
from followersdata_async._batch.operations import CANCEL, REFILL, STATUS
from followersdata_async._batch.outcomes import collect_outcomes
from followersdata_async._pipeline import BatchSupport
from followersdata_async.errors import (
    AuthenticationError,
    InsufficientFundsError,
    InvalidRequestError,
    OrderNotFoundError,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    RateLimitedError,
    TemporaryPanelError,
)
from followersdata_async.models import Failed, Ok, Refused
from tests.helpers.fakes import FakeTransport, answer, ids_in, make_pipeline, row, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from followersdata_async._batch.chunk import ChunkResult
    from followersdata_async._batch.operations import Operation
    from followersdata_async._pipeline import Pipeline
    from followersdata_async._wire.messages import Request, Response
    from followersdata_async.models import OrderStatus

HUNDRED = list(range(1, 101))

anyio_test = pytest.mark.anyio


def strict(bad: set[int]) -> Callable[[Request], Response]:
    """A panel that refuses a whole request for one bad id."""

    def reply(request: Request) -> Response:
        form = dict(request.fields)
        ids = form.get("orders", form.get("order", "")).split(",")
        if bad.intersection(map(int, ids)):
            return answer({"error": "Incorrect order IDs"})
        return answer({id_: row() for id_ in ids} if "orders" in form else row())

    return reply


async def send(pipeline: Pipeline, operation: Operation[Any], ids: Iterable[int]) -> ChunkResult[Any]:
    """Send one chunk."""
    return await send_chunk(pipeline, operation, format_ids(ids))


async def send_statuses(transport: FakeTransport, ids: list[int]) -> ChunkResult[OrderStatus]:
    """Send one chunk of statuses."""
    return await send(make_pipeline(transport), STATUS, ids)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(st.integers(1, 100), st.integers(2, 100))
@example(1, 100)
@example(100, 100)
def test_one_bad_id_costs_thirteen_more_requests_at_the_most(backend: str, bad: int, size: int) -> None:
    """2·log₂(100); it alone is refused, in its own request, and all others are answered."""
    bad = 1 + bad % size
    transport = FakeTransport(strict({bad}))
    result = anyio.run(send_statuses, transport, list(range(1, size + 1)), backend=backend)
    assert [outcome.id for outcome in result.outcomes.values()] == list(range(1, size + 1))
    assert [outcome.id for outcome in result.outcomes.values() if not isinstance(outcome, Ok)] == [bad]
    assert str(bad) in {value for request in transport.requests for _, value in request.fields}
    assert result.requests == len(transport.requests) <= 1 + 13


@anyio_test
async def test_bad_ids_of_a_small_chunk_do_not_end_the_search_for_good_ones() -> None:
    """A bad id in each half of the next hundred costs these two ids."""
    pipeline = make_pipeline(FakeTransport(strict({1, 2, 110, 190})), concurrency=1)
    await collect_outcomes(pipeline, STATUS, [1, 2], method="multi_status")
    result = await collect_outcomes(pipeline, STATUS, range(101, 201), method="multi_status")
    assert set(result.refused) == {110, 190}


@anyio_test
async def test_ids_that_were_not_looked_at_alone_say_so() -> None:
    """After a hundred bad ids, nine rejected hundreds are not searched, and the tenth is."""
    bad = {*range(1, 101), *range(110, 1201, 40)}
    pipeline = make_pipeline(FakeTransport(strict(bad)), concurrency=1)
    result = await collect_outcomes(pipeline, STATUS, range(1, 1201), method="multi_status")
    refused = [outcome for outcome in result.outcomes if isinstance(outcome, Refused)]
    assert {outcome.id for outcome in refused if outcome.is_shared} == set(range(101, 1001))
    assert {outcome.id for outcome in refused if not outcome.is_shared} == {
        *range(1, 101),
        1030,
        1070,
        1110,
        1150,
        1190,
    }


@pytest.mark.slow
@given(st.sets(st.integers(1, 100)), st.integers(1, 100))
def test_any_number_of_bad_ids_is_found(bad: set[int], size: int) -> None:
    """Exactly they are refused."""
    transport = FakeTransport(strict(bad))
    result = anyio.run(send_statuses, transport, list(range(1, size + 1)))
    refused = {outcome.id for outcome in result.outcomes.values() if isinstance(outcome, Refused)}
    assert refused == {id_ for id_ in bad if id_ <= size}
    assert sum(isinstance(outcome, Ok) for outcome in result.outcomes.values()) == size - len(refused)


def single_only(request: Request) -> Response:
    """A panel that knows ``order`` alone, and says of ``orders`` that there is no order."""
    return answer(row()) if "order" in dict(request.fields) else answer({"error": "Order not found.", "status": "104"})


@anyio_test
async def test_a_panel_that_ignores_many_ids_is_asked_one_by_one() -> None:
    """Once that is known, no request is wasted any more."""
    transport = FakeTransport(single_only)
    pipeline = make_pipeline(transport)
    first = await send(pipeline, STATUS, HUNDRED)
    assert all(isinstance(outcome, Ok) for outcome in first.outcomes.values())
    assert pipeline.batch_knowledge["status"].support is BatchSupport.SINGLE_ONLY
    assert first.requests <= 1 + 13 + 100
    second = await send(pipeline, STATUS, list(range(101, 201)))
    assert all(isinstance(outcome, Ok) for outcome in second.outcomes.values())
    assert second.requests == 100


@anyio_test
async def test_single_ids_have_errors_of_their_own() -> None:
    """A bad id, a dead request: each is true of one id."""

    def reply(request: Request) -> Response:
        match dict(request.fields).get("order"):
            case "3":
                return answer({"error": "Order not found."})
            case "4":
                raise PanelUnavailableError("the connection broke")
            case _:
                return single_only(request)

    result = await send_statuses(FakeTransport(reply), [1, 2, 3, 4, 5])
    assert [type(outcome) for outcome in result.outcomes.values()] == [Ok, Ok, Refused, Failed, Ok]


@anyio_test
async def test_a_panel_that_takes_neither_is_not_asked_again_and_again() -> None:
    """It does not support the action: one request for each further chunk."""
    transport = FakeTransport(lambda _: answer({"error": "Incorrect request"}))
    pipeline = make_pipeline(transport)
    first = await send(pipeline, STATUS, HUNDRED)
    assert {type(outcome.error) for outcome in first.outcomes.values()} == {InvalidRequestError}  # type: ignore[union-attr]
    assert first.requests <= 1 + 13 + 1
    second = await send(pipeline, STATUS, HUNDRED)
    assert {type(outcome.error) for outcome in second.outcomes.values()} == {InvalidRequestError}  # type: ignore[union-attr]
    assert second.requests == 1


@anyio_test
@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Too many requests", RateLimitedError),
        ("Not enough funds on balance", InsufficientFundsError),
        ("Try again later", TemporaryPanelError),
        ("Something else", PanelError),
    ],
)
async def test_what_is_not_about_ids_is_never_narrowed_down(words: str, error: type[PanelError]) -> None:
    """It would be said again of every half."""
    transport = FakeTransport(lambda _: answer({"error": words}))
    result = await send_statuses(transport, HUNDRED)
    assert {type(outcome.error) for outcome in result.outcomes.values()} == {error}  # type: ignore[union-attr]
    assert result.requests == 1


@anyio_test
async def test_a_refused_key_is_never_narrowed_down() -> None:
    """Not at first, and not in the middle."""
    transport = FakeTransport(lambda _: answer({"error": "Invalid API key"}))
    result = await send_statuses(transport, HUNDRED)
    assert (type(result.fatal), result.requests) == (AuthenticationError, 1)
    replies = [answer({"error": "Incorrect order IDs"}), answer({"error": "Invalid API key"})]
    result = await send_statuses(FakeTransport(lambda _: replies.pop(0)), HUNDRED)
    assert (type(result.fatal), result.requests) == (AuthenticationError, 2)


@anyio_test
@pytest.mark.parametrize("operation", [CANCEL, REFILL])
async def test_a_write_is_never_narrowed_down(operation: Operation[object]) -> None:
    """Law 3: half of it may have been done."""
    transport = FakeTransport(lambda _: answer({"error": "Incorrect order ID"}))
    result = await send(make_pipeline(transport), operation, HUNDRED)
    assert {type(outcome.error) for outcome in result.outcomes.values()} == {OrderNotFoundError}  # type: ignore[union-attr]
    assert result.requests == 1
    transport = FakeTransport(lambda _: answer(b""))
    result = await send(make_pipeline(transport), operation, HUNDRED)
    assert {type(outcome.error) for outcome in result.outcomes.values()} == {OutcomeUnknownError}  # type: ignore[union-attr]
    assert result.requests == 1


@anyio_test
async def test_a_half_that_dies_fails_alone() -> None:
    """Law 2."""

    def reply(request: Request) -> Response:
        ids = ids_in(request)
        if len(ids) == 100:
            return answer({"error": "Incorrect order IDs"})
        if "1" in ids:
            raise PanelUnavailableError("the connection broke")
        return answer({id_: row() for id_ in ids})

    result = await send_statuses(FakeTransport(reply), HUNDRED)
    assert [type(outcome) for outcome in result.outcomes.values()] == [Failed] * 50 + [Ok] * 50


@anyio_test
async def test_a_bad_moment_of_a_single_order_teaches_nothing() -> None:
    """A very young order is unknown to one of a panel's machines, and known to the next."""
    lagging = [True]

    def reply(request: Request) -> Response:
        return answer({"error": "Incorrect order ID"}) if lagging and lagging.pop() else rows_of(request)

    def rows_of(request: Request) -> Response:
        fields = dict(request.fields)
        return answer(row()) if "order" in fields else answer({id_: row() for id_ in fields["orders"].split(",")})

    pipeline = make_pipeline(FakeTransport(reply))
    assert isinstance((await send(pipeline, STATUS, [1])).outcomes["1"], Ok)
    assert (await send(pipeline, STATUS, HUNDRED)).requests == 1


@anyio_test
async def test_whether_many_are_taken_is_tried_anew_now_and_then() -> None:
    """A panel that once took single ids only need not be asked one by one for ever."""
    transport = FakeTransport(single_only)
    pipeline = make_pipeline(transport)
    await send(pipeline, STATUS, HUNDRED)
    transport.reply = lambda request: answer(row()) if "order" in dict(request.fields) else rows(request)
    requests = [(await send(pipeline, STATUS, HUNDRED)).requests for _ in range(40)]
    assert requests[0] == 100
    assert requests[-1] == 1
    assert sum(requests) < 2_300


@pytest.mark.slow
@anyio_test
async def test_it_is_tried_anew_beside_others_too() -> None:
    """What others are still asking one by one does not undo it."""
    transport = FakeTransport(single_only)
    pipeline = make_pipeline(transport, concurrency=8)
    await collect_outcomes(pipeline, STATUS, range(1, 501), method="multi_status")
    transport.reply = lambda request: answer(row()) if "order" in dict(request.fields) else rows(request)
    result = await collect_outcomes(pipeline, STATUS, range(1, 10_001), method="multi_status")
    assert len(result.ok) == 10_000
    assert result.requests < 4_000
    assert pipeline.batch_knowledge["status"].support is BatchSupport.SUPPORTED


# --- how much it costs at most


@anyio_test
@pytest.mark.parametrize("concurrency", [1, 16])
async def test_a_thousand_unknown_ids_cost_few_more_requests(concurrency: int) -> None:
    """Once a whole hundred was bad, a rejected hundred is looked at with two requests only."""
    transport = FakeTransport(strict(set(range(1, 1001))))
    pipeline = make_pipeline(transport, concurrency=concurrency)
    result = await collect_outcomes(pipeline, STATUS, range(1, 1001), method="multi_status")
    assert set(result.refused) == set(range(1, 1001))
    assert result.requests == len(transport.requests) <= 10 + 130


@anyio_test
async def test_few_bad_ids_are_still_found_after_a_whole_bad_hundred() -> None:
    """One in each hundred: of two halves, one is good."""
    bad = {*range(1, 101), *range(150, 1001, 100)}
    pipeline = make_pipeline(FakeTransport(strict(bad)), concurrency=1)
    result = await collect_outcomes(pipeline, STATUS, range(1, 1001), method="multi_status")
    assert set(result.refused) == bad
    assert result.requests <= 10 + 106 + 9 * 13


@pytest.mark.slow
@given(st.sets(st.integers(1, 100)), st.integers(1, 100))
def test_finding_bad_ids_costs_a_hundred_and_thirty_requests_at_the_most(bad: set[int], size: int) -> None:
    """However many there are in a chunk, and wherever they stand."""
    transport = FakeTransport(strict(bad))
    result = anyio.run(send_statuses, transport, list(range(1, size + 1)))
    assert result.requests == len(transport.requests) <= 1 + 130


# --- panels that take single ids only

SAYS_ID_IS_MISSING = [
    "Order ID required",
    "Missing order ID",
    "Order ID is required parameter. Please check your API Manual",
    "Missing order or orders parameter",
    "The order field is required.",
    "Missing required parameter: order",
    "Sipariş numarası gerekli parametre. Lütfen API Kılavuzunuzu kontrol edin",
    "ID do pedido é obrigatório",
    "Не указан ID заказа",  # noqa: RUF001 - Russian
    "Thiếu mã đơn hàng",
]


@anyio_test
async def test_a_mishap_of_the_first_request_does_not_make_a_panel_take_single_ids_only() -> None:
    """Many are tried once more before that is believed."""
    mishaps = iter([answer({"error": "Order ID is required"})])
    transport = FakeTransport(lambda request: next(mishaps, None) or strict(set())(request))
    result = await collect_outcomes(make_pipeline(transport), STATUS, range(1, 301), method="multi_status")
    assert len(result.ok) == 300
    assert result.requests <= 6


def knowing_order(message: str, bad: Collection[str] = ()) -> Callable[[Request], Response]:
    """A panel that reads ``order`` alone."""

    def reply(request: Request) -> Response:
        order = dict(request.fields).get("order")
        if order is None:
            return answer({"error": message})
        if order in bad:
            return answer({"error": "Incorrect order ID"})
        return answer({"status": row(), "refill": {"refill": 7}, "cancel": {"cancel": 1}}[request.action])

    return reply


@anyio_test
@pytest.mark.parametrize(
    "message",
    [*SAYS_ID_IS_MISSING, "Order parameter is invalid", "Incorrect request", "No order was placed with this ORDER ID"],
)
async def test_a_panel_that_takes_single_ids_only_is_found_out(message: str) -> None:
    """By any of its messages, also if the first id is bad; then no request is wasted any more."""
    for bad in ({"1"}, set[str]()):
        transport = FakeTransport(knowing_order(message, bad))
        pipeline = make_pipeline(transport)
        result = await send(pipeline, STATUS, HUNDRED)
        refused = {text for text, outcome in result.outcomes.items() if not isinstance(outcome, Ok)}
        assert refused == bad
        assert result.requests <= 1 + 110
        assert pipeline.batch_knowledge["status"].support is BatchSupport.SINGLE_ONLY
        assert (await send(pipeline, STATUS, range(101, 201))).requests == 100


@anyio_test
@pytest.mark.parametrize("operation", [CANCEL, REFILL])
@pytest.mark.parametrize("message", SAYS_ID_IS_MISSING)
async def test_a_write_that_names_no_order_was_not_carried_out(operation: Operation[object], message: str) -> None:
    """So its ids are sent one by one, each of them once."""
    transport = FakeTransport(knowing_order(message, {"3"}))
    pipeline = make_pipeline(transport)
    result = await send(pipeline, operation, HUNDRED)
    assert [text for text, outcome in result.outcomes.items() if not isinstance(outcome, Ok)] == ["3"]
    assert result.requests == 101
    sent = [value for request in transport.requests for name, value in request.fields if name == "order"]
    assert sent == list(map(str, HUNDRED))
    assert (await send(pipeline, operation, [101, 102])).requests == 2


@anyio_test
@pytest.mark.parametrize("operation", [CANCEL, REFILL])
async def test_a_write_that_may_have_been_carried_out_is_not_sent_in_parts(operation: Operation[object]) -> None:
    """Law 3: "Incorrect request" can be about one id of the hundred."""
    for message in ("Incorrect request", "No order was placed with this ORDER ID", "Incorrect order ID"):
        transport = FakeTransport(knowing_order(message))
        assert (await send(make_pipeline(transport), operation, HUNDRED)).requests == 1


@anyio_test
async def test_a_key_that_is_revoked_in_the_middle_costs_no_known_outcome() -> None:
    """What came before stands."""

    def reply(request: Request) -> Response:
        if len(request.ids) == 100:
            return answer({"error": "Incorrect order IDs"})
        if "1" in request.ids:
            return rows(request)
        return answer({"error": "Invalid API key"})

    result = await send_statuses(FakeTransport(reply), HUNDRED)
    assert isinstance(result.fatal, AuthenticationError)
    assert [type(outcome) for outcome in result.outcomes.values()] == [Ok] * 50 + [Refused] * 50


@anyio_test
async def test_an_odd_id_does_not_make_a_panel_look_as_if_it_took_none() -> None:
    """One that the panel cannot even read, and that comes first."""

    def reply(request: Request) -> Response:
        form = dict(request.fields)
        if "odd" in form.get("orders", form.get("order", "")).split(","):
            return answer({"error": "Incorrect request"})
        return answer(row()) if "order" in form else rows(request)

    pipeline = make_pipeline(FakeTransport(reply))
    result = await send_chunk(pipeline, STATUS, format_ids(["odd", *HUNDRED[1:]]))
    assert [text for text, outcome in result.outcomes.items() if not isinstance(outcome, Ok)] == ["odd"]
    assert pipeline.batch_knowledge["status"].support is BatchSupport.SUPPORTED


@anyio_test
@pytest.mark.parametrize("operation", [STATUS, CANCEL, REFILL])
async def test_a_probe_without_an_answer_teaches_nothing(operation: Operation[object]) -> None:
    """Its id has failed, or is not reported. The others were refused: the panel has said that nothing was done."""
    for single in (answer({}), answer(b"")):
        transport = FakeTransport(
            lambda request, single=single: (  # type: ignore[misc]
                single if "order" in dict(request.fields) else answer({"error": "Missing order ID"})
            )
        )
        pipeline = make_pipeline(transport)
        result = await send(pipeline, operation, [1, 2, 3])
        assert pipeline.batch_knowledge[operation.action].support is not BatchSupport.SINGLE_ONLY
        assert len(result.outcomes) == 3
        if operation.is_write:
            assert [type(outcome) for outcome in result.outcomes.values()] == [Failed, Refused, Refused]
            assert result.requests == 2


@anyio_test
async def test_a_check_that_fails_costs_no_known_outcome() -> None:
    """Whether ids are accepted together is tried with ids whose outcomes are known."""

    def reply(request: Request) -> Response:
        if "order" in dict(request.fields):
            return answer(row())
        if transport.requests.count(request) > 1 or len(transport.requests) > 10:
            raise PanelUnavailableError("the connection broke")
        return answer({"error": "Incorrect order ID"})

    transport = FakeTransport(reply)
    result = await send_statuses(transport, HUNDRED)
    assert {type(outcome) for outcome in result.outcomes.values()} == {Ok}


@anyio_test
async def test_rejections_that_are_not_about_ids_do_not_make_a_chunk_all_bad() -> None:
    """A rate limit in the middle says nothing about the ids."""
    replies = [answer({"error": "Incorrect order ID"})]
    transport = FakeTransport(lambda _: replies.pop() if replies else answer({"error": "Too many requests"}))
    pipeline = make_pipeline(transport)
    await send(pipeline, STATUS, HUNDRED)
    assert not pipeline.batch_knowledge["status"].batches_to_skip


@anyio_test
async def test_no_write_is_sent_twice_after_a_batch_was_accepted() -> None:
    """Law 3: the panel stops at a bad id in the middle, after it has refilled those before."""
    refilled: list[str] = []

    def reply(request: Request) -> Response:
        ids = ids_in(request)
        if len(ids) == 100:
            return answer({"error": "Order id is required"})
        for id_ in ids:
            if id_ == "157":
                return answer({"error": "Incorrect order ID"})
            refilled.append(id_)
        return answer([{"order": id_, "refill": id_} for id_ in ids])

    pipeline = make_pipeline(FakeTransport(reply))
    await send(pipeline, REFILL, [1, 2])
    await send(pipeline, REFILL, range(101, 201))
    assert len(refilled) == len(set(refilled))
