"""What a response to a write proves: that it was accepted, that it was refused, or nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followersdata_async._batch.operations import CANCEL, REFILL
from followersdata_async._wire.encoding import encode_add
from followersdata_async._wire.panel_words import PanelWords
from followersdata_async._wire.writes import (
    decode_cancellations,
    decode_placed_order,
    decode_refills,
)
from followersdata_async.errors import (
    FollowersDataError,
    NotSupportedError,
    OutcomeUnknownError,
    PanelError,
    is_unknown,
)
from followersdata_async.models import Failed, Ok, PlacedOrder, Refill, Refused
from tests.helpers.fakes import answer
from tests.helpers.requests import encode_many, encode_one
from tests.unit.wire.test_panel_words import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

PHRASES = PanelWords()
ADD = encode_add({"link": "x.y"})


def add(payload: object, *, status: int = 200) -> PlacedOrder | FollowersDataError:
    """What a response says of a new order."""
    try:
        return decode_placed_order(ADD, answer(payload, status=status), PHRASES)
    except FollowersDataError as error:
        return error


def refill(payload: object) -> object:
    """What a response says of a refill."""
    try:
        return REFILL.decode_one(encode_one(REFILL, 1), answer(payload), PHRASES)
    except FollowersDataError as error:
        return error


# --- an id next to an error


@pytest.mark.parametrize(
    ("payload", "id_", "message"),
    [
        ([{"error": "Bad link", "order": 5}], 5, "Bad link"),
        ({"error": "Bad link", "order": 5}, 5, "Bad link"),
        ({"error": "Bad link", "order_id": "ord_5"}, "ord_5", "Bad link"),
        ({"error": "Bad link", "orderId": "5"}, 5, "Bad link"),
        ({"error": "Bad link", "id": 5}, 5, "Bad link"),
        ({"error": "Bad link", "data": {"order": 5}}, 5, "Bad link"),
        ({"error": "Bad link", "order": {"order": 5}}, 5, "Bad link"),
        ({"error": "Bad link", "result": [{"id": 5}]}, 5, "Bad link"),
        ({"error": {"message": "Bad link", "order": 5}}, 5, "Bad link"),
        ({"success": False, "message": "Duplicate", "data": {"order_id": "77"}}, 77, "Duplicate"),
        ({"status": "error", "data": {"order": 5}}, 5, ""),
        ({"status": "error", "data": {"order": 5, "msg": "Bad link"}}, 5, "Bad link"),
        ({"status": "failed", "order": 5}, 5, "failed"),
        ({"status": False, "order": 5}, 5, "False"),
        ({"status": "Rejected", "order": 5}, 5, "Rejected"),
        ({"status": "whatever", "order": 5}, 5, "whatever"),
        ({"status": "109", "order": 5}, 5, "109"),
        ({"success": "no", "order": 5}, 5, ""),
        ({"success": "failed", "order": 5}, 5, ""),
        ({"order": {"id": 5, "status": "failed"}}, 5, "failed"),
        ({"data": {"status": "fail", "order": 5}}, 5, "fail"),
        ({"order": {"order": 5, "error": "Bad link"}}, 5, ""),
        ({"order": 5, "data": {"error": "Bad link"}}, 5, ""),
        ({"order": 5, "success": {"error": "Bad link"}}, 5, ""),
        ([{"order": 5, "result": [{"errors": ["Bad link"]}]}], 5, ""),
        ({"order": 5, "data": {"success": "failed"}}, 5, ""),
        ({"order": 5, "data": {"status": "error"}}, 5, ""),
    ],
)
@pytest.mark.parametrize("status", [200, 422, 500])
def test_an_id_next_to_an_error_makes_an_order_unknown(payload: object, id_: object, message: str, status: int) -> None:
    """In every shape. The error has the id and the panel's message."""
    error = add(payload, status=status)
    assert type(error) is OutcomeUnknownError
    assert error.reported_id == id_
    if status == 200:
        assert message in error.message


@pytest.mark.parametrize(
    "payload",
    [
        {"error": "Refill pending", "refill": 5},
        {"error": "Refill pending", "refill_id": 5},
        {"status": "error", "data": {"refill": 5}},
        {"status": "failed", "refill": 5},
        {"refill": 5, "status": {"error": "Refill pending"}},
        {"error": "Refill pending", "data": {"order": 1, "refill": 5}},
        {"error": "Refill pending", "1": {"refill": 5}},
        {"success": False, "message": "Refill pending", "result": [{"order": 1, "refill": 5}]},
        {"refill": 5, "success": {"error": "Refill pending"}},
        {"refill": 5, "data": [{"errors": "Refill pending"}]},
        {"status": "error", "1": {"refill": 5}},
        {"orders": {"1": {"refill": 5}, "error": "Refill pending"}},
    ],
)
def test_an_id_next_to_an_error_makes_a_refill_unknown(payload: dict[str, object]) -> None:
    """The same for refills, alone and as a row."""
    error = refill(payload)
    assert type(error) is OutcomeUnknownError
    assert error.reported_id == 5
    outcome = decode_refills(encode_many(REFILL, [1, 2]), answer([{"order": 1, **payload}]), PHRASES)["1"]
    assert isinstance(outcome, Failed)
    assert is_unknown(outcome.error)


def test_an_acceptance_next_to_an_error_makes_a_cancellation_unknown() -> None:
    """And a flag that says no next to an error is a refusal."""
    rows = [
        {"order": 1, "cancel": 1, "error": "Cannot cancel"},
        {"order": 2, "cancel": 0, "error": "Cannot cancel"},
        {"order": 3, "cancel": 1, "status": "failed"},
    ]
    found = decode_cancellations(encode_many(CANCEL, [1, 2, 3]), answer(rows), PHRASES)
    assert [type(found[id_].error) for id_ in "123"] == [  # type: ignore[union-attr]
        OutcomeUnknownError,
        NotSupportedError,
        OutcomeUnknownError,
    ]


def test_an_error_next_to_rows_does_not_stand_for_them() -> None:
    """The rows have been carried out, or not, as they say."""
    payload = {"error": "Some orders cannot be refilled", "1": {"refill": 5}, "2": {"error": "Refill pending"}}
    found = decode_refills(encode_many(REFILL, [1, 2, 3]), answer(payload), PHRASES)
    assert isinstance(found["1"], Ok)
    assert isinstance(found["2"], Refused)
    assert set(found) == {"1", "2"}
    wrapped = {"success": False, "message": "Some failed", "orders": {"1": {"cancel": 1}}}
    assert isinstance(decode_cancellations(encode_many(CANCEL, [1, 2]), answer(wrapped), PHRASES)["1"], Ok)


# --- values that are not ids

NO_IDS = [
    "null", "false", "none", "no", "true", "error", "failed", "Duplicate", "-1", -1, "00", "0.0", "NaN", "undefined",
    "Denied", "rejected", 0, "", None, False, True, [], {}, [5], 1.5, "1.5", "-", "?", "Not enough funds",
    "neworder.error.link", "not_enough_funds", "Success", "Completed", "In progress", "başarısız", "Infinity", "a,b",
]  # fmt: skip


@pytest.mark.parametrize("value", NO_IDS, ids=repr)
def test_a_value_that_is_no_id_makes_an_order_unknown(value: object) -> None:
    """Under any of the names."""
    for name in ("order", "order_id", "id"):
        assert type(add({name: value})) is OutcomeUnknownError
    assert type(add({"status": "success", "data": {"order": value}})) is OutcomeUnknownError


@pytest.mark.parametrize("value", NO_IDS, ids=repr)
def test_a_value_that_is_no_id_makes_a_refill_unknown(value: object) -> None:
    """Unless it is the message of a known refusal, or ``true``, which is a refill without an id."""
    result = refill({"refill": value})
    if value is True:
        assert result == Refill(extra={"refill": True})
    elif isinstance(value, str) and (meaning := PHRASES.find_meaning(value)) and not meaning.is_fault:
        assert isinstance(result, PanelError)
    else:
        assert type(result) is OutcomeUnknownError


@pytest.mark.parametrize("value", [5, "5", 5.0, "007", "ord_9", "65f000000000000000000001", "AB12CD34", "deadbeef"])
def test_an_id_is_a_positive_integer_or_a_token(value: object) -> None:
    """Of whatever form the panel gives it."""
    placed = add({"order": value})
    assert isinstance(placed, PlacedOrder)
    assert str(placed.order) == str(value).removesuffix(".0")


def test_an_id_that_stands_twice_with_different_values_makes_an_order_unknown() -> None:
    """JSON allows it, and most parsers take the last one."""
    assert type(add(b'{"order": 5, "order": 6}')) is OutcomeUnknownError
    assert add(b'{"order": 5, "order": 5}') == PlacedOrder(order=5)
    assert type(add(b'{"order": 5, "error": null, "error": "Bad link"}')) is OutcomeUnknownError


# --- a crash that is reported with HTTP 200


@pytest.mark.parametrize("text", [text for texts in FAULTS.values() for text in texts])
def test_a_fault_of_the_panel_makes_a_write_unknown(text: str) -> None:
    """As with HTTP 500. With HTTP 4xx the panel has refused the request."""
    for status in (200, 201, 500):
        assert type(add({"error": text}, status=status)) is OutcomeUnknownError
        assert type(add({"status": "error", "message": text}, status=status)) is OutcomeUnknownError
    assert isinstance(add({"error": text}, status=400), PanelError)


@pytest.mark.parametrize("text", ["Database error", "Server error", "Hệ thống lỗi: Lỗi hệ thống"])
def test_a_fault_in_a_row_makes_that_id_unknown(text: str) -> None:
    """And the others are what their rows say."""
    ids = [1, 2, 3, 4]
    rows = [{"order": 1, "refill": {"error": text}}, {"order": 2, "refill": 9}, {"order": 3, "error": text}]
    found = decode_refills(encode_many(REFILL, ids), answer(rows), PHRASES)
    assert [type(found[id_].error) for id_ in "13"] == [OutcomeUnknownError] * 2  # type: ignore[union-attr]
    assert isinstance(found["2"], Ok)
    cancelled = decode_cancellations(encode_many(CANCEL, ids), answer({"1": {"cancel": text}, "2": text}), PHRASES)
    assert [type(cancelled[id_].error) for id_ in "12"] == [OutcomeUnknownError] * 2  # type: ignore[union-attr]


# --- cancellations


@pytest.mark.parametrize(
    "value",
    ["rejected", "denied", "failed", "error", "no way", [], {}, -1, {"message": "no"}, None, 1.5, [1], {"id": 5}, "x"],
    ids=repr,
)
def test_what_does_not_say_yes_is_no_accepted_cancellation(value: object) -> None:
    """Nor is it a refusal, unless the panel says so."""
    for row in ([{"order": 1, "cancel": value}], {"1": {"cancel": value}}):
        outcome = decode_cancellations(encode_many(CANCEL, [1]), answer(row), PHRASES)["1"]
        assert isinstance(outcome, Failed)
        assert is_unknown(outcome.error)


@pytest.mark.parametrize(
    "row",
    [
        {"cancel": "Cancel is not available"},
        {"cancel": {"message": "Cancel is not available"}},
        {"message": "Cancel is not available"},
        {"success": "Cancel is not available"},
        "Cancel is not available",
    ],
)
def test_a_message_of_the_table_refuses_a_cancellation(row: object) -> None:
    """Wherever it stands in the row."""
    outcome = decode_cancellations(encode_many(CANCEL, [1]), answer({"1": row}), PHRASES)["1"]
    assert isinstance(outcome, Refused)
    assert type(outcome.error) is NotSupportedError


# --- the law

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 9), st.text(max_size=8),
    st.sampled_from(["5", "ord_5", "success", "error", "Bad link", "Server error", "Duplicate", "failed", "null"]),
)  # fmt: skip
FIELDS = st.sampled_from(
    ["order", "order_id", "id", "refill", "cancel", "status", "success", "error", "errors", "message", "data", "1", "2"]
)
JSON = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner)), max_leaves=12
)


def find_values(value: object) -> Iterator[object]:
    """Every string and number in a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from find_values(part)
    else:
        yield value


@settings(max_examples=1500)
@given(JSON, st.sampled_from([200, 201, 400, 422, 500]))
def test_an_order_is_placed_refused_or_unknown(payload: Any, status: int) -> None:
    """Placed only with an id and nothing against it, refused only with a message or code and no id."""
    result = add(json.dumps(payload).encode(), status=status)
    said = [str(value).strip() for value in find_values(payload)]
    if isinstance(result, PlacedOrder):
        assert status < 400
        assert str(result.order) in said
        assert "Bad link" not in _find_errors(payload)
    elif isinstance(result, PanelError):
        assert result.message or status >= 400
        meaning, _ = PHRASES.classify([result.message], [], status)
        assert result.is_recognized or meaning is None
        assert meaning is None or not meaning.is_fault
        assert "ord_5" not in _find_ids(payload)
    else:
        assert type(result) is OutcomeUnknownError


def _find_errors(payload: object) -> list[object]:
    return list(find_values(payload.get("error"))) if isinstance(payload, dict) else []


def _find_ids(payload: object) -> list[object]:
    return (
        [payload[name] for name in ("order", "order_id", "id") if name in payload] if isinstance(payload, dict) else []
    )


@settings(max_examples=1500)
@given(JSON, st.sampled_from([REFILL, CANCEL]))
def test_a_row_is_accepted_refused_or_unknown(payload: Any, operation: Any) -> None:
    """Of whatever JSON: an outcome that is neither proves nothing, and says so."""
    request = encode_many(operation, [1, 2])
    try:
        found = operation.decode(request, answer(json.dumps(payload).encode()), PHRASES)
    except FollowersDataError as error:
        assert isinstance(error, PanelError) or is_unknown(error)
        return
    for outcome in found.values():
        assert isinstance(outcome, (Ok, Refused)) or is_unknown(outcome.error)
