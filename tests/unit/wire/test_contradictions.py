"""A response to a write that says two things leaves the outcome unknown, wherever in it the two stand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followersdata_async._batch.operations import CANCEL, REFILL
from followersdata_async._wire.panel_words import PanelWords
from followersdata_async.errors import (
    FollowersDataError,
    InsufficientFundsError,
    InvalidOrderError,
    OutcomeUnknownError,
    PanelError,
    ServiceNotFoundError,
    is_unknown,
)
from followersdata_async.models import Cancellation, Failed, Ok, PlacedOrder, Refill, Refused
from tests.helpers.fakes import answer
from tests.helpers.requests import encode_many, encode_one
from tests.unit.wire.test_writes import add, refill

PHRASES = PanelWords()


def cancel(payload: object) -> object:
    """Return what a response says of a cancellation."""
    try:
        return CANCEL.decode_one(encode_one(CANCEL, 1), answer(payload), PHRASES)
    except FollowersDataError as error:
        return error


@pytest.mark.parametrize(
    "payload",
    [
        {"status": "rejected", "data": {"order": 5}},
        {"status": "Denied", "data": {"order": 5}},
        {"status": "Canceled", "data": {"order": 5}},
        {"status": 500, "data": {"order": 5}},
        {"status": 400, "message": "Not enough funds", "data": {"order": 5}},
        {"code": 500, "message": "Server error", "data": {"order": 5}},
        {"code": 500, "data": {"order": 5}},
        b'{"data": {"order": 5}, "status": "success", "status": "error"}',
        b'{"order": 5, "success": true, "success": false}',
        {"order": 5, "success": "denied"},
        {"order": 5, "success": "Not enough funds"},
        {"order": 5, "success": "no way"},
        {"order": 5, "success": -1},
        {"order": 5, "success": "2"},
        {"order": 5, "status": 104},
        {"order": 5, "status": -1},
        {"order": 5, "message": "Not enough funds"},
        {"order": 5, "msg": "Not enough funds"},
        {"order": 5, "detail": "Server error"},
        {"order": 5, "error_message": "Bad link"},
        {"order": 5, "errorMessage": "whatever"},
        {"order": 5, "exception": "Whatever"},
        {"order": None, "id": 5, "message": "Server error"},
        {"Error": "Bad link", "Order": 5},
        {"error": "Bad link", "result": {"data": [{"order": 5}]}},
        {"error": "Bad link", "existing": {"order": 5}},
        {"error": "Bad link", "order": [5]},
        {"error": "Bad link", "orders": [5]},
        {"error": "Bad link", "data": 5},
        {"error": "Bad link", "data": "ord_5", "order_id": 5},
        ["Bad link", {"order": 5}],
        {"1": {"error": {"message": {"text": ["Bad link"]}}}, "order": 5},
    ],
    ids=repr,
)
def test_an_id_with_anything_against_it_makes_an_order_unknown(payload: object) -> None:
    """The error has the id, so that it can be looked up."""
    error = add(payload)
    assert type(error) is OutcomeUnknownError
    assert error.reported_id == 5


@pytest.mark.parametrize(
    "payload",
    [
        {"error": "Bad link", "success": True},
        {"error": "Bad link", "status": "success"},
        {"error": "success"},
        {"error": "OK"},
        {"error": "Order placed successfully"},
        {"error": "Order 12345 created"},
        {"error": "Bad link", "message": "Your order was placed"},
        {"error": True, "message": "Thank you, your order has been received"},
        {"order": 5, "order_id": 6},
        {"order": 5, "data": {"order": 6}},
        [{"order": 5}, {"order": 6}],
        b'{"error": "Bad link", "order": 5, "order": 6}',
        {"error": "Bad link", "message": "SQLSTATE[23000]: Integrity constraint violation"},
        {"error": "Bad link", "exception": "RuntimeException"},
        {"error": "Bad link", "exception": "Illuminate\\Database\\QueryException", "message": "Bad link"},
        {"error": "Server crashed", "status": 105},
        {"status": "rejected"},
        {"status": "whatever"},
        {"success": []},
        {"order": {"order": {"order": {"order": {"order": {"order": {"order": {"order": {"order": 5}}}}}}}}},
    ],
    ids=repr,
)
def test_an_order_that_nothing_decides_is_unknown(payload: object) -> None:
    """And no id is reported, as there is none, or more than one."""
    error = add(payload)
    assert type(error) is OutcomeUnknownError
    assert error.reported_id is None


@pytest.mark.parametrize(
    "payload",
    [
        {"error": "Bad link", "request": {"id": "x9"}},
        {"error": "Bad link", "order": {"link": "x.y", "service": 7}},
        {"error": "Bad link", "service": {"id": 7}, "user": {"id": 3}},
        {"error": "Bad link", "status": 200},
        {"error": "Bad link", "order": None, "id": 0},
        {"error": "Bad link", "data": []},
        {"message": "Bad link"},
        ["Bad link"],
        {"order": {"error": "Bad link"}},
        {"status": "error", "data": "Bad link"},
        {"status": "rejected", "message": "Bad link"},
        {"status": 400, "message": "Bad link"},
        {"code": 422, "message": "Bad link"},
        {"success": "Bad link"},
        {"error_message": "Bad link"},
        {"success": False, "reason": "Bad link"},
        {"error": {"code": 107}},
        {"error": {"code": "109", "text": "whatever"}},
        {"Error": "Bad link"},
        {"statusCode": 400, "message": ["link must be a URL address"], "error": "Bad Request"},
        {"error": "Minimum order is 100"},
    ],
    ids=repr,
)
def test_a_refusal_in_any_envelope_is_a_refusal(payload: object) -> None:
    """The panel gives the reason, and nothing says that there is an order."""
    error = add(payload)
    assert type(error) is InvalidOrderError


@pytest.mark.parametrize(
    "payload",
    [
        {"order": 5, "status": "Order placed"},
        {"order": 5, "status": "Success!"},
        {"order": 5, "status": "Beklemede"},
        {"order": 5, "status": "Pendente"},
        {"order": 5, "status": "confirmed"},
        {"order": 5, "status": "In queue"},
        {"order": 5, "status": "added"},
        {"order": 5, "status": 202},
        {"order": 5, "code": 0},
        {"order": 5, "error": "no error"},
        {"order": 5, "error": "-"},
        {"order": 5, "error": [None]},
        {"order": 5, "errors": {"link": []}},
        {"order": 5, "message": "Order placed. A refill will be available in 24 hours."},
        {"order": 5, "message": "whatever"},
        {"order": 5, "message": "Your order is being processed. Quantity: 100"},
        {"order": 5, "message": "Order placed. Please wait until the order is completed before you order again."},
        {"success": True, "data": {"order_id": 5, "status": "PENDING"}},
        {"order": 5, "success": "Order has been created"},
        {"order": 5, "service": {"id": 7, "description": "minimum quantity 100"}},
        {"order": 5, "order_id": "5"},
        {"order": 5, "id": 77},
        {"Order": 5},
        {"result": {"order": 5}},
        {"status": "success", "data": [{"order_id": 5}]},
    ],
    ids=repr,
)
def test_an_id_with_nothing_against_it_is_an_order(payload: object) -> None:
    """Whatever else the panel has to say."""
    placed = add(payload)
    assert isinstance(placed, PlacedOrder), placed
    assert placed.order == 5


@pytest.mark.parametrize(
    ("payload", "id_"),
    [
        ({"data": {"refill": 5}, "status": "rejected"}, 5),
        ({"order": 1, "refill": {"id": 5, "error": "Refill pending"}}, 5),
        ({"order": 1, "refill": 5, "refill_id": 6}, None),
        ({"order": 1, "success": "denied"}, None),
        ({"refill": "0", "success": "no way"}, None),
        ({"refill": False, "success": True}, None),
        ({"order": 1, "refill": 5, "message": "Refill is not allowed"}, 5),
        ({"error": "Refill pending", "success": True}, None),
        ({"error": "Refill pending", "refills": [5]}, 5),
    ],
)
def test_a_refill_that_nothing_decides_is_unknown(payload: object, id_: int | None) -> None:
    """Alone, and as a row of many."""
    error = refill(payload)
    assert type(error) is OutcomeUnknownError
    assert error.reported_id == id_
    if "data" in payload:  # type: ignore[operator]
        return
    rows = {"1": payload, "2": {"refill": 9}}
    found = REFILL.decode(encode_many(REFILL, [1, 2]), answer(rows), PHRASES)
    assert isinstance(found["1"], Failed)
    assert is_unknown(found["1"].error)
    assert isinstance(found["2"], Ok)


@pytest.mark.parametrize(
    "payload",
    [
        {"cancel": 1, "status": 104},
        {"cancel": 1, "status": 404},
        {"cancel": 1, "status": 500},
        {"cancel": {"success": True, "status": "failed"}},
        {"cancel": "E404"},
        {"cancel": "err_104"},
        {"cancel": "HTTP500"},
        {"cancel": "min50"},
        {"cancel": "Completed"},
        {"cancel": "active"},
        {"cancel": "new"},
        {"cancel": ""},
        {"order": 1, "cancel": 0, "status": "success"},
        {"order": 1, "status": "Completed"},
        {"canceled": [1], "errors": {"1": "Cannot cancel"}},
        {"canceled": [1], "error": "Cannot cancel"},
    ],
    ids=repr,
)
def test_a_cancellation_that_nothing_decides_is_unknown(payload: object) -> None:
    """The words and values that accept one are a closed set, and so are those that refuse it."""
    error = cancel(payload)
    assert type(error) is OutcomeUnknownError


@pytest.mark.parametrize(
    "payload",
    [
        {"cancel": "Cancellation requested"},
        {"cancel": "Accepted."},
        {"cancel": "İptal edildi"},
        {"cancel": "cancelado"},
        {"cancelled": [1]},
        {"canceled": [1]},
        {"canceled": 1},
        {"canceled": True},
        {"order": 1, "canceled": True},
        {"cancel": {"pending": True}},
        {"cancel": 77},
        {"cancel": 1, "status": "Canceled"},
        {"cancel": 1, "status": "In progress"},
    ],
    ids=repr,
)
def test_a_cancellation_is_accepted_by_flags_numbers_and_known_words(payload: object) -> None:
    """In the spellings and languages of panels."""
    accepted = cancel(payload)
    assert isinstance(accepted, Cancellation), accepted


def test_texts_under_the_names_of_fields_are_a_refusal_with_http_4xx() -> None:
    """As Django sends them; with HTTP 200, nobody can tell them from other fields."""
    payload = {"quantity": ["Ensure this quantity is at least 50."]}
    assert type(add(payload, status=400)) is InvalidOrderError
    assert type(add(payload)) is OutcomeUnknownError
    assert type(add({"non_field_errors": ["Insufficient balance"]}, status=400)) is InsufficientFundsError


@pytest.mark.parametrize(
    ("payload", "id_"),
    [
        ({"success": True, "data": {"refill_id": 5}}, 5),
        ({"success": True, "data": {"refill": "5"}}, 5),
        ({"status": "success", "data": [{"refill": 5}]}, 5),
        ({"status": "success", "data": [{"order": 1, "refill": 5}]}, 5),
        ({"success": True, "data": []}, None),
        ({"success": "Refill requested", "refill": 5}, 5),
        ({"refill": 5, "message": "Refill started. You can request another refill after 24 hours."}, 5),
    ],
)
def test_a_refill_in_any_envelope_is_a_refill(payload: object, id_: int | None) -> None:
    """Some panels confirm without an id."""
    accepted = refill(payload)
    assert isinstance(accepted, Refill), accepted
    assert accepted.refill == id_


def test_ids_under_canceled_next_to_an_error_are_accepted() -> None:
    """The error is about the others."""
    for name in ("canceled", "cancelled"):
        payload = {"error": "Some orders cannot be canceled", name: [1]}
        found = CANCEL.decode(encode_many(CANCEL, [1, 2]), answer(payload), PHRASES)
        assert isinstance(found["1"], Ok)
        assert not isinstance(found.get("2"), (Ok, Refused))


@pytest.mark.parametrize(
    "value",
    [
        "N/A", "NA", "TBD", "Array", "Object", "false.", "Success!", "OK!", "Completed.", "order_placed", "OrderPlaced",
        "notfound", "NotEnoughFunds", "InsufficientFunds", "bad_link", "low_balance", "no_funds", "servererror",
        "try_again", "link", "balance", "HATALI", "GEÇERSİZ", "BAŞARISIZ", "yok", "hayır", "não", "нет", "không",
        "Pendente", "Beklemede", "00000000-0000-0000-0000-000000000000", "%s", "{{order_id}}", "$order_id",
        "http://x.y", "<b>5</b>", "\u22121", "E404", "err_104", "HTTP500", "min50", "status-500",
        "undefined-5", "failed_5",
    ],
)  # fmt: skip
def test_a_message_is_no_id(value: str) -> None:
    """Only a token with a digit is one, or a hexadecimal one, and none with a word of a status."""
    assert type(add({"order": value})) is OutcomeUnknownError
    assert not isinstance(refill({"refill": value}), Refill)


@pytest.mark.parametrize(
    "value",
    [
        "ord_9", "ref_abc123", "prov_55555", "65f000000000000000000001", "deadbeef", "AB12CD34", "007",
        "0f8fad5b-d9cb-469f-a165-70867728950e", "V1StGXR8_Z5jdHi6B-myT", "+18",
    ],
)  # fmt: skip
def test_a_token_with_a_digit_is_an_id(value: str) -> None:
    """As panels number their orders in many ways."""
    assert isinstance(add({"order": value}), PlacedOrder)
    assert isinstance(refill({"refill": value}), Refill)


@pytest.mark.parametrize(
    "payload",
    [
        {"error": "é" * 1_000_000},
        {"error": " a" * 500_000},
        {"errors": ["Bad link"] * 100_000},
        [["Bad link"] * 100] * 100,
        {"order": "9" * 100_000},
        {"order": "a1_" * 100_000},
        {"status": "x" * 1_000_000, "order": 5},
        {f"key {number}": number for number in range(10_000)},
    ],
    ids=lambda payload: str(payload)[:20],
)
def test_a_huge_response_ends_in_a_short_error(payload: object) -> None:
    """It has the beginning of the message, and its length."""
    error = add(payload)
    assert isinstance(error, (PanelError, OutcomeUnknownError))
    assert len(str(error)) < 2_500


def test_an_error_keeps_the_length_of_a_long_message() -> None:
    """And two thousand characters of it."""
    error = add({"error": "Bad link " + "x" * 10_000})
    assert isinstance(error, InvalidOrderError)
    assert error.message_length == 10_009
    assert error.message.startswith("Bad link xxx")
    assert error.message.endswith("xxx… (10,009 characters)")
    assert len(error.message) < 2_050


def test_a_batch_that_is_unknown_as_a_whole_reports_no_id_of_a_single_row() -> None:
    """It is the refill of one of the orders only."""
    rows = [{"order": 1, "refill": 5}, {"order": 2, "refill": {"error": "Refill pending"}}]
    with pytest.raises(OutcomeUnknownError) as raised:
        REFILL.decode(encode_many(REFILL, [1, 2]), answer(rows, status=500), PHRASES)
    assert raised.value.reported_id is None


def test_an_error_of_an_id_that_was_not_requested_refuses_nobody() -> None:
    """It is a row, of somebody else's order."""
    for name in ("order", "order_id", "orderId"):
        rows = [{name: 99, "error": "Refill pending"}]
        assert REFILL.decode(encode_many(REFILL, [1, 2]), answer(rows), PHRASES) == {}


def test_a_fault_in_any_message_outweighs_a_reason() -> None:
    """And a reason outweighs a message that only asks to try again."""
    assert type(add({"error": "Bad link", "message": "Database error"})) is OutcomeUnknownError
    assert type(add({"message": "Please try again", "error": "Not enough funds"})) is InsufficientFundsError
    assert type(add({"error": "Please try again", "message": "Not enough funds"})) is InsufficientFundsError
    assert type(add({"error": "whatever", "status": 105})) is ServiceNotFoundError


@pytest.mark.parametrize("prefix", ["PHP Fatal error:  Uncaught", "<b>Fatal error</b>:  Uncaught"])
def test_what_follows_a_fatal_error_proves_nothing(prefix: str) -> None:
    """The program that reports it has ended early."""
    for json in ('{"order": 5}', '{"error": "Bad link"}'):
        body = f"{prefix} Error in /a.php on line 5\n{json}".encode()
        assert type(add(body)) is OutcomeUnknownError


def test_an_unknown_reason_is_marked_as_not_recognised() -> None:
    """It is a refusal all the same, if nothing contradicts it."""
    error = add({"error": "Bla bla"})
    assert type(error) is PanelError
    assert not error.is_recognized


# --- rows of every truth in every shape

REASONS = ["Incorrect order ID", "Refill is not available", "Cannot cancel", "Refill pending"]
CRASHES = ["Server error", "Database error", "SQLSTATE[23000]: 1062", "Provider error"]


@st.composite
def batches(draw: st.DrawFn) -> tuple[Any, dict[int, str], object, int]:
    """Draw an operation, what became of each id, and a response that says so."""
    operation = draw(st.sampled_from([REFILL, CANCEL]))
    truths = draw(st.dictionaries(st.integers(1, 9), st.sampled_from(["accepted", "refused", "crashed"]), min_size=1))
    name = draw(st.sampled_from(["order", "order_id", "orderId", "Order", ""]))
    rows: dict[int, dict[str, object]] = {}
    for id_, truth in truths.items():
        main = operation.action
        if truth == "accepted":
            yes = 1000 + id_ if operation is REFILL else draw(st.sampled_from([1, True, "requested"]))
            row: dict[str, object] = {main: yes}
        else:
            text = draw(st.sampled_from(REASONS if truth == "refused" else CRASHES))
            errors: list[dict[str, object]] = [
                {main: {"error": text}},
                {"error": text},
                {"errors": [text]},
                {"status": "error", "message": text},
                {"success": False, "message": text},
                {main: {"error": text}, "status": "failed"},
            ]
            row = draw(st.sampled_from(errors))
        rows[id_] = {name: id_, **row} if name else row
    items = draw(st.permutations(list(rows.items())))
    shapes: list[object] = [{str(id_): row for id_, row in items}]
    if name:
        shapes += [[row for _, row in items], {str(index): row for index, (_, row) in enumerate(items)}]
    payload = draw(st.sampled_from(shapes))
    wrapper = draw(st.sampled_from(["", "data", "orders", "result"]))
    if wrapper:
        envelopes: list[dict[str, object]] = [{}, {"status": "success"}, {"success": True}, {"message": "ok"}]
        envelopes += [
            {"success": False, "message": "Some failed"},
            {"status": "error", "message": "Some orders failed"},
        ]
        payload = {**draw(st.sampled_from(envelopes)), wrapper: payload}
    return operation, truths, payload, draw(st.sampled_from([200, 201, 207, 400, 422, 500, 503]))


@settings(max_examples=1000)
@given(batches())
def test_no_row_is_better_than_what_it_says(batch: tuple[Any, dict[int, str], object, int]) -> None:
    """What is accepted or refused can be unknown, never the contrary; a crash is, or refused with HTTP 4xx."""
    operation, truths, payload, status = batch
    request = encode_many(operation, list(truths))
    try:
        found = dict(operation.decode(request, answer(payload, status=status), PHRASES))
    except FollowersDataError as error:
        make = Refused if isinstance(error, PanelError) else Failed
        found = {str(id_): make(id_, error) for id_ in truths}  # type: ignore[arg-type]
    for id_, truth in truths.items():
        outcome = found.get(str(id_))
        if isinstance(outcome, Ok):
            assert truth == "accepted"
            assert operation is CANCEL or outcome.value.refill == 1000 + id_
        elif isinstance(outcome, Refused):
            assert truth == "refused" or (truth == "crashed" and 400 <= status < 500)
        else:
            assert outcome is not None
            assert is_unknown(outcome.error)
        if status < 400 and len(truths) > 1:
            assert isinstance(outcome, {"accepted": Ok, "refused": Refused, "crashed": Failed}[truth])


# --- what a second reader found


@pytest.mark.parametrize(
    "message",
    [
        "Order failed", "Order rejected by provider", "Order not placed", "Payment declined", "Order canceled",
        "Could not charge your balance", "Duplicate", "Siparişiniz reddedildi", "Sipariş iptal edildi",
        "İşlem başarısız", "Pedido recusado", "Заказ отклонен", "Đơn hàng bị từ chối",
    ],
)  # fmt: skip
def test_a_message_of_failure_next_to_an_id_makes_an_order_unknown(message: str) -> None:
    """Also one that no phrase of the table is in."""
    for payload in ({"order": 5, "message": message}, {"order": 5, "success": True, "msg": message}):
        error = add(payload)
        assert type(error) is OutcomeUnknownError
        assert error.reported_id == 5


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "iptal edildi"}, {"status": "Order canceled successfully"}, {"status": "Refund sent"},
        {"success": "Order canceled, refund sent"}, {"error_code": 104}, {"errorCode": "E_FUNDS"}, {"errcode": 40001},
        {"errmsg": "Bad link"}, {"errorMessages": ["Bad link"]}, {"validation_errors": {"link": ["Bad link"]}},
        {"isSuccess": False}, {"succeeded": False}, {"accepted": False}, {"placed": False}, {"isError": True},
        {"hasError": True}, {"failed": True}, {"rejected": True}, {"refunded": True}, {"result": False},
        {"result": "error"}, {"state": "failed"}, {"order_status": "Canceled"}, {"statusText": "error"},
        {"type": "error"}, {"http_code": 500}, {"httpStatus": 422}, {"messages": ["Not enough funds"]},
        {"mesaj": "Bakiye yetersiz"}, {"hata": "Yetersiz bakiye"}, {"service": {"error": "Bad link"}},
        {"status": {"code": 500, "message": "x"}}, {"status": ["error"]},
    ],
    ids=repr,
)  # fmt: skip
def test_any_field_of_failure_next_to_an_id_makes_an_order_unknown(fields: dict[str, object]) -> None:
    """By whatever name."""
    error = add({"order": 5, **fields})
    assert type(error) is OutcomeUnknownError, error
    assert error.reported_id == 5


@pytest.mark.parametrize(
    "payload",
    [
        {"error": "Your order was created but could not be sent to provider"},
        {"error": "Order created, but something failed"},
        {"error": "Funds were deducted but the order was rejected"},
        {"error": "Your balance was charged, contact support"},
        {"error": "Order queued; supplier has low balance"},
        {"error": "Заказ создан, но не отправлен"},
        {"error": "Bad link", "order": "ok"},
        {"error": "Bad link", "order": True},
        {"error": "Bad link", "orders": {"5": {"status": "Pending"}}},
        {"error": "Bad link", "order_number": 5},
        {"error": "Bad link", "order_ids": [5]},
        {"error": "Bad link", "newOrderId": 5},
        {"error": "Bad link", "existing_order": {"id": 5}},
        {"error": "Bad link", "status": "Pending"},
        {"error": "Bad link", "result": True},
        {"error": "Bad link", "created": True},
        {"error": "Failed to send order to supplier: not enough funds"},
        {"error": "Invalid API key for provider"},
        {"jsonrpc": "2.0", "id": 1, "result": "x"},
    ],
    ids=repr,
)
def test_an_error_with_a_sign_of_success_makes_an_order_unknown(payload: object) -> None:
    """In a word, a field or an id."""
    assert type(add(payload)) is OutcomeUnknownError


@pytest.mark.parametrize(
    "payload",
    [
        {"order": 5, "status": "running"}, {"order": 5, "status": "Em progresso"},
        {"order": 5, "status": "Выполняется"},
        {"order": 5, "status": "Đang chạy"}, {"order": 5, "status": "on hold"}, {"order": 5, "status": "Hazırlanıyor"},
        {"order": 5, "message": "Thank you! Your order will start within 24 hours. No refill."},
        {"order": 5, "message": "Order added. Cancel is not available for this service."},
        {"errorCode": 0, "errorMessage": "OK", "order": 5}, {"error": {"code": 0, "message": "OK"}, "order": 5},
        {"error_msg": "Success", "order": 5}, {"order": 5, "provider": {"id": 3, "status": 0}},
        {"order": 5, "refill": {"status": False}}, {"jsonrpc": "2.0", "result": {"order": 5}, "id": 1},
        {"order": 5, "error_count": 0},
    ],
    ids=repr,
)  # fmt: skip
def test_an_order_with_harmless_fields_is_an_order(payload: object) -> None:
    """Of its state, of what follows, and of other objects."""
    placed = add(payload)
    assert isinstance(placed, PlacedOrder), placed
    assert placed.order == 5


@pytest.mark.parametrize(
    "payload",
    [
        {"canceled": [1, 2], "errors": {"1": "Cannot cancel"}},
        {"canceled": [1, 2], "errors": [{"order": 1, "error": "Cannot cancel"}]},
        {"1": {"cancel": 1}, "2": {"cancel": 1}, "errors": {"1": "Server error"}},
        {"data": {"1": {"cancel": 1}, "2": {"cancel": 1}}, "errors": {"1": "Cannot cancel"}},
        {"canceled": [1, 2], "failed": [1, 3]},
        {"canceled": [1, 2], "not_canceled": [1]},
        {"canceled": [1, 2], "1": {"error": "Incorrect order ID"}},
        {"canceled": [1, 2], "cancel": [{"order": 1, "cancel": {"error": "Cannot cancel"}}]},
    ],
    ids=repr,
)
def test_an_id_that_is_accepted_and_rejected_is_unknown(payload: object) -> None:
    """Wherever in the response of a batch the two stand. The others are what their rows say."""
    found = CANCEL.decode(encode_many(CANCEL, [1, 2]), answer(payload), PHRASES)
    assert isinstance(found["1"], Failed)
    assert is_unknown(found["1"].error)
    assert isinstance(found["2"], Ok)


def test_a_refill_that_is_accepted_and_rejected_reports_its_id() -> None:
    """So that it can be looked up."""
    payload = {"data": [{"order": 1, "refill": 91}, {"order": 2, "refill": 92}], "errors": [{"order": 1, "error": "x"}]}
    outcome = REFILL.decode(encode_many(REFILL, [1, 2]), answer(payload), PHRASES)["1"]
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OutcomeUnknownError)
    assert outcome.error.reported_id == 91


@pytest.mark.parametrize("word", ["Order started", "Order is done", "Order was sent to supplier", "Order placed"])
def test_a_cancellation_is_not_accepted_by_the_state_of_the_order(word: str) -> None:
    """These are reasons why it cannot be canceled."""
    assert not isinstance(cancel([{"order": 1, "cancel": word}]), Cancellation)


@pytest.mark.parametrize(
    "value",
    [
        "429_too_many_requests", "notfound404", "insufficientfunds402", "NOTENOUGHFUNDS1", "SQLSTATE23000", "sql1062",
        "quantity_min_100", "bad1", "wait60", "2024-01-01", "100USD", "30s", "1h", "5000_followers", "facade", "decade",
    ],
)  # fmt: skip
def test_a_code_a_date_or_an_amount_is_no_id(value: str) -> None:
    """Nor a word with a number."""
    assert type(add({"order": value})) is OutcomeUnknownError


@pytest.mark.parametrize("status", [408, 499])
def test_a_timeout_of_the_panel_makes_an_order_unknown(status: int) -> None:
    """These HTTP 4xx do not say that the request was looked at."""
    assert type(add({"error": "Bad link"}, status=status)) is OutcomeUnknownError


@pytest.mark.parametrize(
    "payload",
    [
        {"success": True, "data": {"id": 5, "order_id": 1, "status": "pending"}},
        {"id": 5, "order": 1, "status": "pending"},
        {"refill": {"id": 5, "order_id": 1, "status": "pending"}},
    ],
)
def test_the_id_beside_the_orders_is_the_refills(payload: object) -> None:
    """As Laravel's resources have it."""
    accepted = refill(payload)
    assert isinstance(accepted, Refill), accepted
    assert accepted.refill == 5
