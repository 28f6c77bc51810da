"""Values to rows, and what is said while it works."""

from __future__ import annotations

from decimal import Decimal

import pytest

from followersdata_async.cli.output import outcome_to_row, to_row
from followersdata_async.errors import NotSentError, OrderNotFoundError
from followersdata_async.models import Failed, Ok, OrderState, OrderStatus, Outcome, Refill, Refused, Unreported


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("0.27819"), "0.27819"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("0E-8"), "0.00000000"),
        (Decimal("1.5E+3"), "1500"),
        (OrderState.PARTIAL, "partial"),
        ((1, "a"), [1, "a"]),
        ({"a": Decimal(1)}, {"a": "1"}),
        (None, None),
        (True, True),
    ],
)
def test_value_in_a_row_has_its_json_form(value: object, shown: object) -> None:
    """Amounts are strings without an exponent, so that they stay exact."""
    assert to_row(Refill(extra={"value": value}))["extra"] == {"value": shown}


@pytest.mark.parametrize(
    ("outcome", "row"),
    [
        (Ok(1, Refill(refill=7)), {"id": 1, "outcome": "ok", "refill": 7, "extra": {}}),
        (
            Refused(1, OrderNotFoundError("Incorrect order ID")),
            {"id": 1, "outcome": "refused", "error": "OrderNotFoundError", "message": "Incorrect order ID"},
        ),
        (Unreported("x"), {"id": "x", "outcome": "unreported"}),
        (Failed(1, NotSentError("gone")), {"id": 1, "outcome": "failed", "error": "NotSentError", "message": "gone"}),
    ],
)
def test_outcome_becomes_a_row(outcome: Outcome[OrderStatus], row: dict[str, object]) -> None:
    """It has the id, the outcome, and the value or the error."""
    assert outcome_to_row(outcome) == row
