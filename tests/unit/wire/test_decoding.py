"""Answers to outcomes: what the samples do not say."""

from __future__ import annotations

import json
import pickle
from copy import copy
from typing import TYPE_CHECKING, Any

import pytest

from followersdata_async._batch.operations import CANCEL, REFILL, STATUS
from followersdata_async._wire.encoding import encode_add, encode_balance, encode_services
from followersdata_async._wire.panel_words import PanelWords
from followersdata_async._wire.reads import (
    decode_balance,
    decode_order_statuses,
    decode_services,
)
from followersdata_async._wire.writes import (
    decode_cancellations,
    decode_placed_order,
    decode_refills,
)
from followersdata_async.errors import (
    AuthenticationError,
    DecodeError,
    FollowersDataError,
    NotSupportedError,
    OrderNotFoundError,
    OutcomeUnknownError,
    PanelError,
)
from followersdata_async.models import Failed, Ok, OrderStatus, Refill, Refused, UnreadableService
from tests.helpers.fakes import answer, row
from tests.helpers.requests import encode_many, encode_one

if TYPE_CHECKING:
    from followersdata_async.models import Id, Outcome

WORDS = PanelWords()


def statuses(payload: object, asked: list[Id]) -> dict[str, Outcome[OrderStatus]]:
    """What a status answer says of each id."""
    return dict(decode_order_statuses(encode_many(STATUS, asked), answer(payload), WORDS))


def test_one_row_that_cannot_be_read_fails_alone() -> None:
    """Law 2: with a line for each field that does not fit."""
    found = statuses({"1": row(), "2": {"charge": "1"}, "3": 7, "4": None, "5": [row()]}, [1, 2, 3, 4, 5])
    assert isinstance(found["1"], Ok)
    for id_, problem in {"2": "no status", "3": "an object was expected", "4": "an object", "5": "an object"}.items():
        outcome = found[id_]
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, DecodeError)
        assert problem in str(outcome.error)


def test_unknown_fields_are_kept_and_unreadable_numbers_are_none() -> None:
    """Nothing that a panel says is thrown away, and nothing is guessed."""
    found = statuses({"1": {**row(), "charge": "soon", "start_count": 12.9, "note": "hi", "runs": None}}, [1])
    value = found["1"]
    assert isinstance(value, Ok)
    assert (value.value.charge, value.value.start_count, value.value.runs) == (None, None, None)
    assert value.value.extra == {"note": "hi"}


@pytest.mark.parametrize(
    ("sent", "children"),
    [
        ([1, None, "null", {}, -1, "102"], (1, 102)),
        (["101", 102], (101, 102)),
        ("101, 102", (101, 102)),
        ("", ()),
        (None, ()),
        (7, ()),
    ],
)
def test_children_come_as_a_list_or_joined(sent: object, children: tuple[int, ...]) -> None:
    """Of drip-feeds and subscriptions."""
    found = statuses({"1": {"status": "Active", "orders": sent}}, [1])
    value = found["1"]
    assert isinstance(value, Ok)
    assert value.value.orders == children


@pytest.mark.parametrize("payload", [{}, [], {"refill": ""}, {"refill": None}, {"refill": 0}, {"hello": 1}, "yes"])
def test_a_refill_that_nobody_can_read_is_unknown(payload: object) -> None:
    """It may have been taken on."""
    request = encode_one(REFILL, 1)
    with pytest.raises(OutcomeUnknownError):
        REFILL.decode_one(request, answer(payload), WORDS)


@pytest.mark.parametrize(
    "payload", [{}, [], {"hello": 1}, {"order": 0}, {"order": None}, [1, 2], "yes", {"order": "a b"}]
)
def test_an_order_without_an_id_is_unknown(payload: object) -> None:
    """It may have been placed, and charged."""
    with pytest.raises(OutcomeUnknownError):
        decode_placed_order(encode_add({}), answer(payload), WORDS)


@pytest.mark.parametrize(
    "payload",
    [
        {"order": 7},
        {"order": "7", "status": 100},
        {"status": "success", "data": {"order_id": 7}},
        {"orderId": "7"},
        {"id": 7},
        [{"order": 7}],
        {"error": False, "order": {"id": 7, "status": "pending"}},
    ],
)
def test_an_orders_id_is_found_where_panels_put_it(payload: object) -> None:
    """Under one of four names, also one level deeper."""
    assert decode_placed_order(encode_add({}), answer(payload), WORDS).order == 7


@pytest.mark.parametrize("payload", [{"refill": 5}, {"refill": "5", "status": 200}, {"status": "success", "refill": 5}])
def test_a_refills_id_is_read(payload: object) -> None:
    """As a number or a text, alone or with a word of success."""
    request = encode_one(REFILL, 1)
    assert REFILL.decode_one(request, answer(payload), WORDS).refill == 5


@pytest.mark.parametrize("payload", [{"refill": True}, {"status": "ok"}, {"success": "Refill created"}, {"success": 1}])
def test_a_refill_may_be_taken_on_without_an_id(payload: dict[str, object]) -> None:
    """Then it has none."""
    request = encode_one(REFILL, 1)
    found = decode_refills(request, answer(payload), WORDS)
    assert found == {"1": Ok(1, Refill(extra=payload))}


@pytest.mark.parametrize("said", [0, False, "0", "false", "no"])
def test_a_cancellation_that_is_no_is_refused_without_a_word(said: object) -> None:
    """``cancel: 0`` is no success."""
    found = decode_cancellations(encode_many(CANCEL, [1]), answer({"1": {"cancel": said}}), WORDS)
    outcome = found["1"]
    assert isinstance(outcome, Refused)
    assert type(outcome.error) is PanelError


@pytest.mark.parametrize(
    "said", [1, 2, True, "1", "true", "requested", "Canceled", 4711, "ord_9", {"status": "Success"}, {"pending": True}]
)
def test_a_cancellation_that_is_yes_is_accepted(said: object) -> None:
    """As a flag, with the request's number, or in one of the words that say so."""
    found = decode_cancellations(encode_many(CANCEL, [1]), answer([{"order": 1, "cancel": said}]), WORDS)
    assert isinstance(found["1"], Ok)


def test_cancellations_listed_by_id() -> None:
    """One panel names those that it accepted, and skips the others."""
    found = decode_cancellations(encode_many(CANCEL, [1, 2]), answer({"canceled": ["1"]}), WORDS)
    assert list(found) == ["1"]
    assert decode_cancellations(encode_many(CANCEL, [1]), answer({"canceled": []}), WORDS) == {}


def test_a_cancellations_row_that_says_nothing_fails() -> None:
    """Neither yes nor no."""
    found = decode_cancellations(encode_many(CANCEL, [1]), answer([{"order": 1}]), WORDS)
    assert isinstance(found["1"], Failed)


@pytest.mark.parametrize("payload", [[{"error": "Hmm"}], {"error": "Hmm"}, {"error": "Hmm", "order": 1}])
def test_an_error_for_the_only_id_is_one_for_the_request(payload: object) -> None:
    """So its HTTP status counts, and a rejected key is raised."""
    for status, message, class_ in ((401, "Hmm", AuthenticationError), (200, "Invalid API key", AuthenticationError)):
        text = json.dumps(payload).replace("Hmm", message).encode()
        with pytest.raises(class_) as caught:
            decode_order_statuses(encode_many(STATUS, [1]), answer(text, status=status), WORDS)
        assert caught.value.http_status == status


@pytest.mark.parametrize("wrapper", ["orders", "result", "data", "response"])
def test_wrapped_rows_are_unwrapped_if_they_are_of_requested_ids(wrapper: str) -> None:
    """Otherwise the whole response fails: nobody knows what it is about."""
    found = statuses({wrapper: {"1": row(), "2": {"error": "Incorrect order ID"}}}, [1, 2])
    assert [type(found[id_]) for id_ in "12"] == [Ok, Refused]
    with pytest.raises(DecodeError):
        statuses({wrapper: {"8": row()}}, [1, 2])
    with pytest.raises(OutcomeUnknownError):
        decode_cancellations(encode_many(CANCEL, [1, 2]), answer({wrapper: {"8": {"cancel": 1}}}), WORDS)


def test_bare_texts_and_nested_errors_are_refusals() -> None:
    """In a map, under the main field, or instead of the row."""
    found = statuses(
        {"1": "Incorrect order ID", "2": {"status": {"error": "Order not found"}}, "3": "Completed"}, [1, 2, 3]
    )
    assert [type(found[id_].error) for id_ in ("1", "2")] == [OrderNotFoundError] * 2  # type: ignore[union-attr]
    assert isinstance(found["3"], Failed)
    refills = decode_refills(
        encode_many(REFILL, [1, 2]),
        answer([{"order": 1, "refill": "Refill is disabled for this service"}, {"order": 2, "refill": 8}]),
        WORDS,
    )
    assert type(refills["1"].error) is NotSupportedError  # type: ignore[union-attr]


@pytest.mark.parametrize("payload", ["Empty Data", [], {}])
def test_an_empty_catalogue_is_empty(payload: object) -> None:
    """Also in words."""
    assert decode_services(encode_services(), answer({"status": "success", "data": payload}), WORDS) == []


@pytest.mark.parametrize(
    "payload",
    [
        7,
        "soon",
        [7],
        [{"service": 1}],
        {"hello": 1},
        [{"service": 1, "name": None, "rate": "1"}],
    ],
)
def test_a_catalogue_that_cannot_be_read_says_where(payload: object) -> None:
    """If not a single row can be read."""
    with pytest.raises(DecodeError):
        decode_services(encode_services(), answer(payload), WORDS)


def test_the_problems_of_a_row_come_at_once() -> None:
    """A line for each field."""
    with pytest.raises(DecodeError) as caught:
        decode_services(encode_services(), answer([{"name": None, "rate": "?"}]), WORDS)
    assert caught.value.problems == ("required field missing @ row.service", "not a text @ row.name")


def test_a_bad_row_of_a_catalogue_costs_that_row_and_a_bad_rate_that_rate() -> None:
    """Of a thousand services. The rows that are left out can be seen."""
    rows: list[Any] = [{"service": number, "name": "x", "type": "Default", "rate": "1"} for number in range(1, 1001)]
    rows[3]["rate"] = "Free"
    del rows[4]["rate"]
    rows[5] = {"name": "y", "rate": "1"}
    rows[6] = None
    catalogue = decode_services(encode_services(), answer(rows), WORDS)
    assert [service.service for service in catalogue] == [*range(1, 6), *range(8, 1001)]
    assert [catalogue[index].rate for index in range(5)] == [1, 1, 1, None, None]
    assert catalogue.unreadable == (
        UnreadableService({"name": "y", "rate": "1"}, ("required field missing @ row.service",)),
        UnreadableService(None, ("an object was expected",)),
    )
    for made in (copy(catalogue), pickle.loads(pickle.dumps(catalogue))):  # noqa: S301 - our own bytes
        assert (made, made.unreadable) == (catalogue, catalogue.unreadable)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400000", "7" * 400, "7" * 5000, '"' + "7" * 400 + '"'])
def test_a_number_that_is_none_costs_its_field(number: str) -> None:
    """Of one row, whatever parser reads it: the others of the hundred are as usual."""
    for name in ("charge", "start_count", "remains", "runs"):
        body = "{" + ",".join(f'"{id_}":{{"status":"Completed","charge":"1"}}' for id_ in range(1, 100))
        body += f',"100":{{"status":"Partial","{name}":{number}}}}}'
        found = decode_order_statuses(encode_many(STATUS, range(1, 101)), answer(body.encode()), WORDS)
        assert all(isinstance(outcome, Ok) for outcome in found.values())
        assert len(found) == 100
        last = found["100"]
        assert isinstance(last, Ok)
        assert (last.value.status, getattr(last.value, name)) == ("Partial", None)


def test_a_catalogue_as_a_map_is_its_rows() -> None:
    """Keyed by id."""
    rows = {"1": {"service": 1, "name": "x", "rate": "1"}}
    assert [service.service for service in decode_services(encode_services(), answer(rows), WORDS)] == [1]


@pytest.mark.parametrize("payload", [{}, [], {"balance": None}, {"balance": "much"}, 7, [1, 2]])
def test_a_balance_that_cannot_be_read_is_an_error(payload: object) -> None:
    """Never 0, never ``None``."""
    with pytest.raises(DecodeError):
        decode_balance(encode_balance(), answer(payload), WORDS)


def test_an_answer_that_does_not_mention_the_only_id_is_unreadable() -> None:
    """A call for one id has a value or an error."""
    with pytest.raises(DecodeError, match="does not mention the id asked"):
        STATUS.decode_one(encode_one(STATUS, 1), answer({}), WORDS)


def test_a_batch_that_cannot_be_matched_fails_as_a_whole() -> None:
    """Law 1: never guessed. Of a write, what cannot be read is unknown."""
    with pytest.raises(DecodeError):
        statuses([row()], [1, 2])
    with pytest.raises(OutcomeUnknownError):
        decode_cancellations(encode_many(CANCEL, [1, 2]), answer({"message": "done"}), WORDS)
    with pytest.raises(FollowersDataError):
        decode_cancellations(encode_many(CANCEL, [1, 2]), answer(["1"]), WORDS)
