"""A status as a text of the database, and back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from followersdata_async import OrderState, OrderStatus
from followersdata_async._polling.tracker import TrackedOrder
from followersdata_async.ledger.store_tracked import decode_status, encode_row, encode_status


@pytest.mark.parametrize(
    "status",
    [
        OrderStatus(status="", state=OrderState.UNKNOWN),
        OrderStatus(status="Tamamlandı", state=OrderState.COMPLETED, remains=0, start_count=0),
        OrderStatus(
            status="In progress",
            state=OrderState.IN_PROGRESS,
            charge=Decimal("0.2781900000000000000000001"),
            start_count=-1,
            remains=10**20,
            currency="USD",
            runs=2,
            posts=3,
            orders=(7, "a-8"),
            extra={"link": "https://example.com/ü", "nested": {"a": [1, None]}, "nothing": None},
        ),
    ],
)
def test_a_status_comes_back_as_it_was(status: OrderStatus) -> None:
    """Exactly, with what nobody knows of it left out."""
    assert status == decode_status(encode_status(status))
    assert "null" not in encode_status(OrderStatus(status="", state=OrderState.UNKNOWN))


def test_amounts_are_written_without_an_exponent() -> None:
    """As everywhere else."""
    status = OrderStatus(status="Completed", state=OrderState.COMPLETED, charge=Decimal("0.00000010"))
    assert '"charge": "0.00000010"' in encode_status(status)


@pytest.mark.parametrize(
    ("remains", "stored"), [(7, 7), (None, None), (2**63 - 1, 2**63 - 1), (2**63, None), (-(2**63), None)]
)
def test_a_count_that_no_column_holds_is_left_out(remains: int | None, stored: int | None) -> None:
    """It must not keep the other orders of a poll from being written."""
    order = TrackedOrder(7, changed_at=0.0, initial_remains=remains)
    assert encode_row("main", order)["remained"] == stored
