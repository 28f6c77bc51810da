"""What the balance suggests of an order whose outcome is unknown. It is never more than a suggestion."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from followersdata_async.ledger import Receipt, ReceiptState, Suggestion
from followersdata_async.ledger.findings import OtherSpending, suggest

PLACED, NOT_PLACED, UNDECIDED = Suggestion
ALONE = OtherSpending(orders=0, placed=Decimal(0), uncertain=())


def make_receipt(**changes: Any) -> Receipt:
    """An unknown order of 0.90, with 100 in the account before it."""
    fields: dict[str, Any] = {"cost": Decimal("0.90"), "balance_before": Decimal(100), "sent_at": 1_000.0} | changes
    return Receipt(ref="a", panel="main", state=ReceiptState.UNKNOWN, fields={}, intended_at=1_000.0, **fields)


def others(placed: str, *uncertain: str | None, orders: int = 1) -> OtherSpending:
    """Other orders since."""
    costs = [None if cost is None else Decimal(cost) for cost in uncertain]
    return OtherSpending(orders=orders, placed=Decimal(placed), uncertain=costs)


@pytest.mark.parametrize(
    ("balance", "spending", "suggestion", "reason"),
    [
        ("99.10", ALONE, PLACED, "the balance fell by 0.90: the cost of this order"),
        ("99.1", ALONE, PLACED, "the balance fell by 0.9: the cost of this order"),
        ("100", ALONE, NOT_PLACED, "the balance did not change: nothing for this order"),
        (
            "98.20",
            others("0.90"),
            PLACED,
            "1.80: the cost of the other orders since, and the cost of this order",
        ),
        ("99.10", others("0.90"), NOT_PLACED, "0.90: the cost of the other orders since, and nothing for this order"),
        ("97.00", ALONE, UNDECIDED, "the cost of this order does not explain: was there a payment or a refund?"),
        ("110", ALONE, UNDECIDED, "the balance rose by 10, which the cost"),
        # Another order of the same cost is unknown, too: one of the two was placed.
        ("99.10", others("0", "0.90", orders=0), UNDECIDED, "other unknown orders explain with and without this one"),
        ("98.20", others("0", "0.90", orders=0), PLACED, "and the cost of this order"),
        ("100", others("0", "0.90", orders=0), NOT_PLACED, "and nothing for this order"),
        ("99.10", others("0", "2.50", orders=0), PLACED, "and the cost of this order"),
        ("97.50", others("0", "2.50", orders=0), NOT_PLACED, "and nothing for this order"),
        ("99.10", others("0", None), UNDECIDED, "the cost of one is not on record"),
        ("99.10", OtherSpending(orders=1, placed=None, uncertain=()), UNDECIDED, "the cost of one is not on record"),
        ("99.10", others("0", *["1"] * 13), UNDECIDED, "settle some of them first"),
    ],
)
def test_the_balance_is_compared_with_what_was_spent(
    balance: str, spending: OtherSpending, suggestion: Suggestion, reason: str
) -> None:
    """A suggestion needs that one of the two explains the balance, and the other does not."""
    found, why = suggest(make_receipt(), Decimal(balance), spending, now=9_000.0)
    assert (found, reason in why) == (suggestion, True), why


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"balance_before": None}, "the balance before it is not on record"),
        ({"cost": None}, "its cost is not on record"),
        ({"cost": Decimal("0.01")}, "its cost is too small to be seen in the balance"),
        ({"cost": Decimal(0)}, "its cost is too small"),
        ({"sent_at": 8_990.0}, "another program may still wait for the response"),
    ],
)
def test_nothing_is_suggested_without_a_ground(changes: dict[str, Any], reason: str) -> None:
    """It says what is missing."""
    found, why = suggest(make_receipt(**changes), Decimal("99.10"), ALONE, now=9_000.0)
    assert (found, reason in why) == (UNDECIDED, True), why


def test_a_balance_that_is_rounded_is_compared_as_it_is_shown() -> None:
    """To cents, if the panel shows no more."""
    receipt = make_receipt(cost=Decimal("0.894"))
    assert suggest(receipt, Decimal("99.11"), ALONE, now=9_000.0)[0] is PLACED
    receipt = make_receipt(cost=Decimal("0.894"), balance_before=Decimal("100.00000"))
    assert suggest(receipt, Decimal("99.11000"), ALONE, now=9_000.0)[0] is UNDECIDED
