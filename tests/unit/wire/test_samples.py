"""What panels really answer, and what it must be read as.

``panel-api`` has the examples of docs/panel-api.md byte for byte; ``answers.jsonl``
has answers of many panels, each with the outcome that it stands for.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from followersdata_async._batch.operations import CANCEL, REFILL, REFILL_STATUS, STATUS
from followersdata_async._wire.encoding import encode_add, encode_balance, encode_services
from followersdata_async._wire.messages import Response
from followersdata_async._wire.panel_words import PanelWords
from followersdata_async._wire.reads import (
    decode_balance,
    decode_order_statuses,
    decode_refill_statuses,
    decode_services,
)
from followersdata_async._wire.writes import (
    decode_cancellations,
    decode_placed_order,
    decode_refills,
)
from followersdata_async.errors import AuthenticationError, FollowersDataError, PanelError
from followersdata_async.models import (
    Balance,
    BatchResult,
    Cancellation,
    Failed,
    Ok,
    OrderState,
    OrderStatus,
    PlacedOrder,
    Refill,
    RefillState,
    RefillStatus,
    Refused,
    Service,
    ServiceKind,
    Unreported,
)
from tests.helpers.fakes import answer
from tests.helpers.requests import encode_many, encode_one
from tests.helpers.samples import CASES, OPERATIONS, SAMPLES

WORDS = PanelWords()


def documented(name: str) -> Response:
    """The documented example of an answer."""
    return answer((SAMPLES / "panel-api" / f"{name}.json").read_bytes())


def test_the_documented_catalogue() -> None:
    """panel-api §3.2."""
    assert decode_services(encode_services(), documented("services"), WORDS) == [
        Service(
            service=1,
            name="Followers",
            type="Default",
            kind=ServiceKind.DEFAULT,
            category="First Category",
            rate=Decimal("0.90"),
            min=50,
            max=10000,
            refill=True,
            cancel=True,
        ),
        Service(
            service=2,
            name="Comments",
            type="Custom Comments",
            kind=ServiceKind.CUSTOM_COMMENTS,
            category="Second Category",
            rate=Decimal(8),
            min=10,
            max=1500,
            refill=False,
            cancel=True,
        ),
    ]


def test_the_documented_order() -> None:
    """panel-api §4.2."""
    assert decode_placed_order(encode_add({}), documented("add"), WORDS) == PlacedOrder(order=23501)


PARTIAL = OrderStatus(
    status="Partial",
    state=OrderState.PARTIAL,
    charge=Decimal("0.27819"),
    start_count=3572,
    remains=157,
    currency="USD",
)


def test_the_documented_status() -> None:
    """panel-api §5.2."""
    found = decode_order_statuses(encode_one(STATUS, 1), documented("status"), WORDS)
    assert found == {"1": Ok(1, PARTIAL)}


def test_the_documented_status_of_many() -> None:
    """panel-api §5.3."""
    found = decode_order_statuses(encode_many(STATUS, [1, 10, 100]), documented("multi_status"), WORDS)
    assert found["1"] == Ok(1, PARTIAL)
    assert refusal_of(found["10"]) == "OrderNotFoundError"
    assert found["100"] == Ok(
        100,
        OrderStatus(
            status="In progress",
            state=OrderState.IN_PROGRESS,
            charge=Decimal("1.44219"),
            start_count=234,
            remains=10,
            currency="USD",
        ),
    )


def test_the_documented_refills() -> None:
    """panel-api §6.2."""
    assert decode_refills(encode_one(REFILL, 1), documented("refill"), WORDS) == {"1": Ok(1, Refill(refill=1))}
    found = decode_refills(encode_many(REFILL, [1, 2, 3]), documented("multi_refill"), WORDS)
    extra = [{"order": 1}, {"order": 2}]
    assert [found["1"], found["2"]] == [Ok(id_, Refill(refill=id_, extra=extra[id_ - 1])) for id_ in (1, 2)]
    assert refusal_of(found["3"]) == "OrderNotFoundError"


def test_the_documented_refill_statuses() -> None:
    """panel-api §7.2."""
    one = decode_refill_statuses(encode_one(REFILL_STATUS, 1), documented("refill_status"), WORDS)
    assert one == {"1": Ok(1, RefillStatus(status="Completed", state=RefillState.COMPLETED))}
    found = decode_refill_statuses(encode_many(REFILL_STATUS, [1, 2, 3]), documented("multi_refill_status"), WORDS)
    states = [found[id_].value.state for id_ in ("1", "2")]  # type: ignore[union-attr]
    assert states == [RefillState.COMPLETED, RefillState.REJECTED]
    assert refusal_of(found["3"]) == "RefillNotFoundError"


def test_the_documented_cancellations() -> None:
    """panel-api §8.2."""
    found = decode_cancellations(encode_many(CANCEL, [9, 2]), documented("cancel"), WORDS)
    assert refusal_of(found["9"]) == "OrderNotFoundError"
    assert found["2"] == Ok(2, Cancellation(extra={"order": 2}))


def test_the_documented_balance() -> None:
    """panel-api §9.2."""
    expected = Balance(balance=Decimal("100.84292"), currency="USD")
    assert decode_balance(encode_balance(), documented("balance"), WORDS) == expected


def refusal_of(outcome: object) -> str:
    """The class of a refused outcome's error."""
    assert isinstance(outcome, Refused)
    return type(outcome.error).__name__


# --- answers of many panels


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_an_answer_is_read_as_what_it_means(case: dict[str, Any]) -> None:
    """The value, the error's very class, or an outcome for each id; only the fields named are compared."""
    assert seen(result_of(case), case["expect"]) == case["expect"]


def result_of(case: dict[str, Any]) -> object:
    """What is made of a sample's answer: a value, an error, or a batch's result."""
    reply = Response(status=case["http_status"], body=case["body"].encode())
    try:
        return read(case["action"], case["request"], reply)
    except FollowersDataError as error:
        return error


def read(action: str, asked: dict[str, str], reply: Response) -> object:
    """Read the answer as the client would."""
    if action == "services":
        return decode_services(encode_services(), reply, WORDS)
    if action == "balance":
        return decode_balance(encode_balance(), reply, WORDS)
    if action == "add":
        return decode_placed_order(encode_add(asked), reply, WORDS)
    operation = OPERATIONS[action]
    many = asked.get("orders") or asked.get("refills") or (asked.get("order") if action == "cancel" else None)
    if many is None:
        return operation.decode_one(
            encode_one(operation, parse_id(asked.get("order") or asked["refill"])), reply, WORDS
        )
    ids = [parse_id(text) for text in many.split(",")]
    found = operation.decode(encode_many(operation, ids), reply, WORDS)
    return BatchResult(found.get(str(id_), Unreported(id_)) for id_ in ids)


def parse_id(text: str) -> int | str:
    """A decimal id as a number."""
    return int(text) if text.isdecimal() else text


def seen(result: object, expected: dict[str, Any]) -> object:
    """The result in the words of the expectation, with the fields that it names."""
    if isinstance(result, FollowersDataError):
        name = type(result).__name__
        if "batch" not in expected or isinstance(result, AuthenticationError):
            return {"error": name}
        # What refuses a whole answer refuses, or fails, each of its ids.
        kind = "refused" if isinstance(result, PanelError) else "failed"
        return {"batch": {id_: {kind: name} for id_ in expected["batch"]}}
    if isinstance(result, BatchResult):
        outcomes = expected.get("batch", {})
        return {"batch": {str(id_): said(outcome, outcomes.get(str(id_), {})) for id_, outcome in result.items()}}
    if isinstance(result, list):
        rows = expected.get("ok", [])
        return {
            "ok": [fields_of(value, rows[index] if index < len(rows) else {}) for index, value in enumerate(result)]
        }
    return {"ok": fields_of(result, expected.get("ok", {}))}


def said(outcome: object, expected: dict[str, Any]) -> dict[str, object]:
    """One outcome in the words of the expectation."""
    match outcome:
        case Ok(_, value):
            return {"ok": fields_of(value, expected.get("ok", {}))}
        case Refused(_, error):
            return {"refused": type(error).__name__}
        case Failed(_, error):
            return {"failed": type(error).__name__}
        case _:
            return {"unreported": True}


def fields_of(value: object, expected: dict[str, Any]) -> dict[str, object]:
    """The fields that the expectation names, as it writes them."""
    return {name: written(getattr(value, name), wanted) for name, wanted in expected.items()}


def written(value: object, wanted: object) -> object:
    """A field as the expectation writes it: amounts compared as numbers, enums by name."""
    if isinstance(value, Decimal):
        return wanted if isinstance(wanted, str) and value == Decimal(wanted) else str(value)
    if isinstance(value, Enum):
        return value.name
    return list(value) if isinstance(value, tuple) else value
