"""The lifecycles of orders and refills: their state at any time, computed from what is known at the start. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import final

from attrs import define, field, frozen

from .catalogue import Offer, mix_seed

DAY = 86400.0
CURRENCY = "USD"
CANCEL_DELAY = 60.0
"""Seconds from an accepted cancellation to its effect, unless the order has ended by then."""

_AMOUNT_STEP = Decimal("0.00001")
_FINAL_STATUSES = frozenset({"Completed", "Partial", "Canceled", "Expired"})


@final
@frozen(kw_only=True)
class LifecycleState:
    """The state of an order at one time."""

    status: str
    delivered: int
    charge: Decimal

    @property
    def is_final(self) -> bool:
        """Whether the state will not change any more."""
        return self.status in _FINAL_STATUSES


@final
@define(kw_only=True, eq=False)
class OrderLifecycle:
    """The lifecycle of one order, decided by ``random_bits`` when it is placed.

    Nine of ten orders are delivered in full, the tenth in part.
    """

    order: int
    offer: Offer
    quantity: int
    price: Decimal
    placed_at: float
    random_bits: int
    owner: str | None = None
    canceled_at: float | None = None
    refilled_at: float | None = None
    is_refunded: bool = False

    def compute_state(self, now: float) -> LifecycleState:
        """Return the order's state at ``now``."""
        if now >= self.ends_at:
            return self._compute_final_state()
        starts_at = self.placed_at + self._start_delay
        status = "Pending" if now < starts_at else "In progress"
        return LifecycleState(status=status, delivered=self._count_delivered(now), charge=self.price)

    def render_status(self, now: float) -> dict[str, object]:
        """Return the order's status at ``now`` as the panel documents it (panel-api §5.2)."""
        state = self.compute_state(now)
        return {
            "charge": str(round_amount(state.charge)),
            "start_count": str(self.random_bits % 5000),
            "status": state.status,
            "remains": str(self.quantity - state.delivered),
            "currency": CURRENCY,
        }

    @property
    def size(self) -> int:
        """How many pieces are to be delivered."""
        return self.quantity

    @property
    def ends_at(self) -> float:
        """When the order becomes final: its delivery ends, or its cancellation takes effect before."""
        delivered_at = self.placed_at + self._start_delay + self._duration
        if self.canceled_at is None:
            return delivered_at
        return min(delivered_at, self.canceled_at + CANCEL_DELAY)

    @property
    def refund(self) -> Decimal:
        """The amount that is paid back when the order ends (panel-api §5.4)."""
        return self.price - round_amount(self._compute_final_state().charge)

    @property
    def _start_delay(self) -> float:
        return 2.0 + self.random_bits % 20

    @property
    def _duration(self) -> float:
        return 30.0 + self.random_bits % 3600

    @property
    def _target(self) -> int:
        """How many pieces are delivered unless the order is canceled."""
        if self.random_bits % 10:
            return self.quantity
        return self.quantity * (1 + self.random_bits // 10 % 8) // 10

    def _count_delivered(self, now: float) -> int:
        share = (now - self.placed_at - self._start_delay) / self._duration
        return int(self._target * min(1.0, max(0.0, share)))

    def _compute_final_state(self) -> LifecycleState:
        delivered = self._count_delivered(self.ends_at)
        charge = self.price * delivered / self.quantity
        return LifecycleState(status=self._choose_final_status(delivered), delivered=delivered, charge=charge)

    def _choose_final_status(self, delivered: int) -> str:
        if delivered == self.quantity:
            return "Completed"
        return "Partial" if delivered == self._target else "Canceled"


@final
@define(kw_only=True, eq=False)
class SeriesLifecycle:
    """The lifecycle of an order that places child orders (panel-api §5.2).

    A drip-feed places one for each run, a subscription one for each new post.
    They are placed ``interval`` seconds apart, the first after ``first_delay``
    seconds, with a quantity from ``min_quantity`` to ``max_quantity``. When the
    series is canceled or expires, the children that were not placed are paid
    back. ``count_field`` names the field of the status that has the number of
    children: ``runs`` or ``posts``.
    """

    order: int
    offer: Offer
    price: Decimal
    placed_at: float
    random_bits: int
    owner: str
    count_field: str
    count: int
    interval: float
    first_delay: float
    min_quantity: int
    max_quantity: int
    expires_at: float | None = None
    canceled_at: float | None = None
    children: list[OrderLifecycle] = field(factory=list)
    is_refunded: bool = False

    def compute_state(self, now: float) -> LifecycleState:
        """Return the state of the series at ``now``; it is completed when the last of its children has ended."""
        refund = self.refund if now >= self.ends_at else Decimal(0)
        return LifecycleState(status=self._choose_status(now), delivered=len(self.children), charge=self.price - refund)

    def render_status(self, now: float) -> dict[str, object]:
        """Return its status at ``now`` with the number of children and the ids of those that were placed."""
        state = self.compute_state(now)
        return {
            "charge": str(round_amount(state.charge)),
            "status": state.status,
            "currency": CURRENCY,
            self.count_field: str(self.count),
            "orders": [str(child.order) for child in self.children],
        }

    @property
    def size(self) -> int:
        """How many child orders are to be placed."""
        return self.count

    @property
    def due_at(self) -> float | None:
        """When the next child is to be placed, or ``None`` if there is none left."""
        due = self._next_child_at
        return due if len(self.children) < self.count and due < self.ends_at else None

    @property
    def ends_at(self) -> float:
        """When no more children are placed, even if some are left."""
        ends = [self.expires_at] if self.expires_at is not None else []
        if self.canceled_at is not None:
            ends.append(self.canceled_at + CANCEL_DELAY)
        return min(ends, default=float("inf"))

    @property
    def refund(self) -> Decimal:
        """The amount that is paid back when the series stops: the share of the children that were not placed."""
        return self.price - round_amount(self.price * len(self.children) / self.count)

    def place_child(self, order: int, seed: int) -> OrderLifecycle:
        """Place the next child under the id ``order``, at the time when it is due."""
        bits = mix_seed(seed, order)
        child = OrderLifecycle(
            order=order,
            offer=self.offer,
            quantity=self.min_quantity + bits % (self.max_quantity - self.min_quantity + 1),
            price=round_amount(self.price / self.count),
            placed_at=self._next_child_at,
            random_bits=bits,
            owner=self.owner,
        )
        self.children.append(child)
        return child

    @property
    def _next_child_at(self) -> float:
        return self.placed_at + self.first_delay + self.interval * len(self.children)

    def _choose_status(self, now: float) -> str:
        if len(self.children) == self.count:
            is_over = all(now >= child.ends_at for child in self.children)
            return "Completed" if is_over else self._running_status
        if now < self.ends_at:
            return "Pending" if not self.children and self.count_field == "runs" else self._running_status
        return "Expired" if self.ends_at == self.expires_at else "Canceled"

    @property
    def _running_status(self) -> str:
        return "In progress" if self.count_field == "runs" else "Active"


@final
@frozen(kw_only=True)
class RefillLifecycle:
    """The lifecycle of one refill. One of eight is rejected."""

    refill: int
    order: int
    requested_at: float
    random_bits: int
    owner: str

    def compute_status(self, now: float) -> str:
        """Return the refill's status at ``now`` (panel-api §7.3)."""
        age = now - self.requested_at
        if age < _REFILL_START_DELAY:
            return "Pending"
        if age < _REFILL_DURATION:
            return "In progress"
        return "Completed" if self.random_bits % 8 else "Rejected"


_REFILL_START_DELAY, _REFILL_DURATION = 5.0, 600.0
_REFILL_MIN_AGE, _REFILL_MAX_AGE = DAY, 30 * DAY


def check_refill(lifecycle: OrderLifecycle, now: float) -> str | None:
    """Return why the order cannot be refilled, or ``None`` if it can.

    It can from a day to 30 days after its end, once a day (panel-api §6).
    """
    if not lifecycle.offer.refill:
        return "Refill is disabled for this service"
    if lifecycle.compute_state(now).status not in {"Completed", "Partial"}:
        return "The order is not completed"
    ended_at = lifecycle.ends_at
    last = ended_at if lifecycle.refilled_at is None else max(ended_at, lifecycle.refilled_at)
    if now - last < _REFILL_MIN_AGE:
        return "The order was completed or refill was requested less than 24 hours ago"
    if now - ended_at > _REFILL_MAX_AGE:
        return "Refill is not available for this order any more"
    return None


def check_cancel(lifecycle: OrderLifecycle | SeriesLifecycle, now: float) -> str | None:
    """Return why the order cannot be canceled, or ``None`` if it can (panel-api §8)."""
    if lifecycle.canceled_at is not None:
        return "Cancel already requested"
    if not lifecycle.offer.cancel:
        return "Cancel is not available"
    if lifecycle.compute_state(now).is_final:
        return "Order already completed or canceled"
    return None


def round_amount(value: Decimal) -> Decimal:
    """Round an amount to the five places that the panel keeps."""
    return value.quantize(_AMOUNT_STEP, ROUND_HALF_UP)
