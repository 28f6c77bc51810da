"""What is known of an order whose outcome is unknown, and what that suggests. Pure: it decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from itertools import combinations
from typing import final

from attrs import frozen

from .._serialization import Serializable, format_amount
from ..models import Receipt

IN_FLIGHT_SECONDS = 120.0
"""For how long another program may still be waiting for the response."""
_MAX_COMBINED = 12
"""The largest number of other uncertain orders whose combinations are tried."""


class Suggestion(Enum):
    """What the evidence suggests of an order."""

    PROBABLY_PLACED = "probably_placed"
    PROBABLY_NOT_PLACED = "probably_not_placed"
    UNDECIDED = "undecided"


@final
@frozen(kw_only=True)
class Reconciliation(Serializable):
    """What is known of an order whose outcome is unknown, with a suggestion and its reason. A person decides.

    ``receipt`` has when the order was sent, its cost, the balance before it, and
    what the panel said. ``balance`` and ``currency`` are those of now, and
    ``spent`` is the difference, ``None`` if the balance before is not on record.
    ``others`` are up to 100 other orders of the panel that were sent within a
    minute of it.
    """

    receipt: Receipt
    balance: Decimal
    currency: str | None
    spent: Decimal | None
    others: tuple[Receipt, ...]
    suggestion: Suggestion
    reason: str


@final
@frozen(kw_only=True)
class OtherSpending:
    """What else has changed the balance since it was read before an order.

    ``placed`` is the cost of the orders that certainly count, ``None`` if the
    cost of one is unknown. ``uncertain`` are the costs of those that may or may
    not count, ``None`` for an unknown cost. ``has_refunds``: orders were cancelled,
    refunded or ended partially since, for which the panel may have given money back.
    """

    orders: int
    placed: Decimal | None
    uncertain: Sequence[Decimal | None]
    has_refunds: bool = False


def suggest(receipt: Receipt, balance: Decimal, spending: OtherSpending, *, now: float) -> tuple[Suggestion, str]:
    """Return what the balance suggests of an order, and why."""
    if receipt.sent_at is not None and now - receipt.sent_at < IN_FLIGHT_SECONDS:
        return _undecided("it was sent less than two minutes ago, and another program may still wait for the response")
    if receipt.balance_before is None:
        return _undecided("the balance before it is not on record")
    if receipt.cost is None:
        return _undecided("its cost is not on record")
    if spending.has_refunds:
        return _undecided("orders were cancelled or refunded since, so that the balance may have risen")
    if spending.placed is None or None in spending.uncertain:
        return _undecided("other orders were sent since, and the cost of one is not on record")
    if len(spending.uncertain) > _MAX_COMBINED:
        return _undecided("many other orders are unknown, too: settle some of them first")
    others = [cost for cost in spending.uncertain if cost is not None]
    spent = receipt.balance_before - balance
    return _compare(receipt.cost, spent, others, spending, _get_rounding(receipt.balance_before, balance))


def _compare(
    cost: Decimal, spent: Decimal, others: Sequence[Decimal], spending: OtherSpending, rounding: Decimal
) -> tuple[Suggestion, str]:
    """Compare the change of the balance with what the orders cost."""
    tolerance = rounding * (spending.orders + len(others) + 1)
    if cost <= 2 * tolerance:
        return _undecided("its cost is too small to be seen in the balance")
    rest = spent - (spending.placed or Decimal(0))
    is_placed_possible = _can_sum_up(others, rest - cost, tolerance)
    is_not_placed_possible = _can_sum_up(others, rest, tolerance)
    change = f"the balance {'fell' if spent > 0 else 'rose'} by {format_amount(abs(spent))}"
    if not spent:
        change = "the balance did not change"
    if is_placed_possible and is_not_placed_possible:
        return _undecided(f"{change}, which other unknown orders explain with and without this one")
    if is_placed_possible:
        return Suggestion.PROBABLY_PLACED, f"{change}: {_name_others(spending)}the cost of this order"
    if is_not_placed_possible:
        return Suggestion.PROBABLY_NOT_PLACED, f"{change}: {_name_others(spending)}nothing for this order"
    return _undecided(f"{change}, which the cost of this order does not explain: was there a payment or a refund?")


def _name_others(spending: OtherSpending) -> str:
    return "the cost of the other orders since, and " if spending.orders or spending.uncertain else ""


def _undecided(reason: str) -> tuple[Suggestion, str]:
    return Suggestion.UNDECIDED, reason


def _get_rounding(*balances: Decimal) -> Decimal:
    """Return the value of the last digit of the balances, of cents at the most."""
    exponents = [balance.as_tuple().exponent for balance in balances]
    return Decimal(1).scaleb(min(-2, *(exponent for exponent in exponents if isinstance(exponent, int))))


def _can_sum_up(costs: Sequence[Decimal], total: Decimal, tolerance: Decimal) -> bool:
    """Return whether some of the costs add up to a total."""
    return any(
        abs(sum(some, Decimal(0)) - total) <= tolerance
        for count in range(len(costs) + 1)
        for some in combinations(costs, count)
    )
