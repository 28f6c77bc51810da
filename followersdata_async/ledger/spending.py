"""Limits for what a ledger spends, and what is left of them. Pure: the time is an argument."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, final

from attrs import Attribute, define, field, frozen
from attrs.validators import optional

from .._serialization import format_amount
from .._validators import integer
from ..errors import SpendingLimitError

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR = 3_600.0
DAY = 86_400.0
EXACT = Context(prec=10_000)
"""For the arithmetic of amounts: more digits than they have, whatever precision the program has set for itself."""


def _amount(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Decimal):
        msg = f"{attribute.name} must be a Decimal, got {value!r}"
        raise TypeError(msg)
    if not value.is_finite() or value <= 0:
        msg = f"{attribute.name} must be more than 0, got {value}"
        raise ValueError(msg)


@final
@frozen(kw_only=True)
class SpendingLimit:
    """The most that the orders of a ledger may cost, for each panel. ``None`` means no limit.

    Hours and days are the last 3,600 and 86,400 seconds at any moment. An order
    counts from the moment at which its intent is written or sent, until it is
    proven that it was not sent, or it is rejected. Orders whose outcome is
    unknown count.

    Attributes:
        per_order: The largest cost of one order.
        per_hour: The largest cost of all orders in an hour.
        per_day: The largest cost of all orders in a day.
        orders_per_hour: The largest number of orders in an hour.

    Raises:
        TypeError: an amount is not a ``Decimal``.
        ValueError: a limit is 0 or less, or there is none at all.
    """

    per_order: Decimal | None = field(default=None, validator=optional(_amount))
    per_hour: Decimal | None = field(default=None, validator=optional(_amount))
    per_day: Decimal | None = field(default=None, validator=optional(_amount))
    orders_per_hour: int | None = field(default=None, validator=optional(integer(1)))

    def __attrs_post_init__(self) -> None:
        if not self.needs_cost and self.orders_per_hour is None:
            msg = "SpendingLimit must have a limit: give it per_order, per_hour, per_day or orders_per_hour"
            raise ValueError(msg)

    @property
    def needs_cost(self) -> bool:
        """Whether an order can only be checked if its cost is known."""
        return any(amount is not None for amount in (self.per_order, self.per_hour, self.per_day))


@final
@define
class Window:
    """A limit over a time: ``maximum`` in ``duration`` seconds, of which ``spent`` is used."""

    name: str
    duration: float
    maximum: Decimal
    is_of_orders: bool = False
    spent: Decimal = Decimal(0)

    @property
    def left(self) -> Decimal:
        """What is left, 0 if the limit was lowered below what is spent."""
        return max(EXACT.subtract(self.maximum, self.spent), Decimal(0))

    def weigh(self, cost: Decimal | None) -> Decimal:
        """Return what an order takes of the limit."""
        return Decimal(1) if self.is_of_orders else cost or Decimal(0)

    def has_room(self, cost: Decimal | None) -> bool:
        """Return whether an order fits into what is left."""
        return EXACT.add(self.spent, self.weigh(cost)) <= self.maximum


def make_windows(limit: SpendingLimit) -> tuple[Window, ...]:
    """Return the windows of a limit, with nothing spent."""
    windows = (
        ("per_hour", HOUR, limit.per_hour, False),
        ("per_day", DAY, limit.per_day, False),
        ("orders_per_hour", HOUR, None if limit.orders_per_hour is None else Decimal(limit.orders_per_hour), True),
    )
    return tuple(
        Window(name, duration, maximum, is_of_orders)
        for name, duration, maximum, is_of_orders in windows
        if maximum is not None
    )


def find_excess(windows: Sequence[Window], cost: Decimal | None) -> Window | None:
    """Return the window into which an order does not fit; reserve its cost in all of them if it fits."""
    for window in windows:
        if not window.has_room(cost):
            return window
    for window in windows:
        window.spent = EXACT.add(window.spent, window.weigh(cost))
    return None


def check_cost(limit: SpendingLimit, ref: str, cost: Decimal | None) -> SpendingLimitError | None:
    """Return the error of an order that costs more than one order may.

    Raises:
        ValueError: the cost is unknown, or it is negative.
    """
    if cost is None and limit.needs_cost:
        msg = f"the cost of {ref!r} must be known for the spending limit: pass cost="
        raise ValueError(msg)
    if limit.per_order is None or cost is None or cost <= limit.per_order:
        return None
    msg = (
        f"{ref!r} was not sent: it costs {format_amount(cost)}, and an order may cost {format_amount(limit.per_order)} "
        "(SpendingLimit.per_order). Raise the limit if the order is right"
    )
    return SpendingLimitError(msg, limit="per_order", ref=ref, cost=cost, left=limit.per_order)


def make_error(
    window: Window, ref: str, cost: Decimal | None, *, frees_at: float | None, now: float
) -> SpendingLimitError:
    """Return the error of an order that does not fit into a window."""
    needed = "it is one order more" if window.is_of_orders else f"it costs {format_amount(window.weigh(cost))}"
    when = "Raise the limit" if frees_at is None else f"Enough is free in {max(frees_at - now, 0):,.0f} s"
    msg = (
        f"{ref!r} was not sent: {needed}, and {format_amount(window.left)} of {format_amount(window.maximum)} is left "
        f"(SpendingLimit.{window.name}). {when}"
    )
    return SpendingLimitError(msg, limit=window.name, ref=ref, cost=cost, left=window.left, frees_at=frees_at)
