"""Values as plain JSON: exact, and as their description says."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async import (
    Balance,
    BatchResult,
    Cancellation,
    Change,
    Failed,
    Id,
    NotSentError,
    Ok,
    OrderNotFoundError,
    OrderState,
    OrderStatus,
    Outcome,
    PlacedOrder,
    Refill,
    RefillState,
    RefillStatus,
    Refused,
    Service,
    ServiceKind,
    Unreported,
    to_json,
)
from followersdata_async._serialization import json_schema

STATUS = OrderStatus(
    status="Partial", state=OrderState.PARTIAL, charge=Decimal("0.27819"), remains=157, orders=(1, "x")
)
NOT_FOUND = OrderNotFoundError("Incorrect order ID", action="status")
VALUES: list[tuple[Any, Any, Any]] = [
    (Balance(balance=Decimal("100.84292"), currency="USD"), Balance, {"balance": "100.84292", "currency": "USD"}),
    (PlacedOrder(order=23501), PlacedOrder, {"order": 23501, "charge": None, "currency": None, "extra": {}}),
    (
        STATUS,
        OrderStatus,
        {
            "status": "Partial", "state": "partial", "charge": "0.27819", "start_count": None, "remains": 157,
            "currency": None, "runs": None, "posts": None, "orders": [1, "x"], "extra": {},
        },
    ),
    (Refill(extra={"a": [1, {"b": Decimal("1.0")}]}), Refill, {"refill": None, "extra": {"a": [1, {"b": "1.0"}]}}),
    (
        RefillStatus(status="ok", state=RefillState.COMPLETED),
        RefillStatus,
        {"status": "ok", "state": "completed", "extra": {}},
    ),
    (Cancellation(), Cancellation, {"accepted": True, "extra": {}}),
    (Change(7, None, STATUS), Change, {"order": 7, "before": None, "after": to_json(STATUS)}),
    (Ok(7, STATUS), Ok[OrderStatus], {"outcome": "ok", "id": 7, "value": to_json(STATUS)}),
    (Unreported("x"), Unreported, {"outcome": "unreported", "id": "x"}),
    (
        Refused(7, NOT_FOUND),
        Refused,
        {
            "outcome": "refused",
            "id": 7,
            "error": {"type": "OrderNotFoundError", "message": str(NOT_FOUND)},
            "is_shared": False,
        },
    ),
    (
        Failed(7, NotSentError("no network")),
        Failed,
        {"outcome": "failed", "id": 7, "error": {"type": "NotSentError", "message": "no network"}},
    ),
    (
        BatchResult([Ok(1, STATUS), Unreported(2)], requests=3),
        BatchResult[OrderStatus],
        {"outcomes": [to_json(Ok(1, STATUS)), {"outcome": "unreported", "id": 2}], "requests": 3},
    ),
    (
        [Service(service="a", name="n", type="t", kind=ServiceKind.POLL, rate=Decimal("1E-5"))],
        list[Service],
        [
            {
                "service": "a", "name": "n", "type": "t", "kind": "poll", "category": None, "rate": "0.00001",
                "min": None, "max": None, "refill": None, "cancel": None, "dripfeed": None,
                "description": None,
                "average_time": None, "extra": {},
            }
        ],
    ),
    ({1: 0.5, "b": None}, dict[Id, float | None], {"1": 0.5, "b": None}),
    ({OrderState.PARTIAL: 2, None: 1}, dict[OrderState | None, int], {"partial": 2, "None": 1}),
    ((1, 2), tuple[int, ...], [1, 2]),
    ([Unreported(1)], list[Outcome[Refill]], [{"outcome": "unreported", "id": 1}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "hint", "plain"), VALUES, ids=[str(hint) for _, hint, _ in VALUES])
def test_a_value_is_plain_and_as_described(value: object, hint: object, plain: object) -> None:
    """The description is that of its annotation, and strict enough to refuse another."""
    assert to_json(value) == plain
    assert json.loads(json.dumps(to_json(value))) == plain
    schema = json_schema(hint)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(plain, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate("something else", schema)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_amounts_are_exact(amount: Decimal) -> None:
    """And written without an exponent."""
    text = to_json(amount)
    assert isinstance(text, str)
    assert Decimal(text) == amount
    assert "E" not in text


@pytest.mark.parametrize("value", [object(), b"bytes", bytearray(b"x"), 1j, [object()], {"a": b""}])
def test_what_has_no_form_in_json_is_refused(value: object) -> None:
    """By its class, and never by a guess."""
    with pytest.raises(TypeError, match="has no form in JSON"):
        to_json(value)


def test_anything_may_be_of_any_shape() -> None:
    """Fields that nobody knows, and what a type variable stands for."""
    assert json_schema(object) == json_schema(Any) == {}
    assert json_schema(Ok)["properties"]["value"] == {}
    assert json_schema(list) == {"type": "array", "items": {}}
    assert json_schema(dict) == {"type": "object", "additionalProperties": True}
