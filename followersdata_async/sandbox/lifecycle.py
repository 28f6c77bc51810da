"""How an order and a refill live: their state at any moment, from what is known when they are placed."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import final

from attrs import define, field, frozen

from .catalogue import Offer, mixed

DAY = 86400.0
CURRENCY = "USD"
CANCEL_TAKES = 60.0
"""Seconds from an accepted cancellation to its effect, unless the order has ended by then."""

_CENTICENT = Decimal("0.00001")
_FINAL = frozenset({"Completed", "Partial", "Canceled", "Expired"})


@final
@frozen(kw_only=True)
class Moment:
    """An order at one moment."""

    status: str
    delivered: int
    charge: Decimal

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen any more."""
        return self.status in _FINAL


@final
@define(kw_only=True, eq=False)
class Life:
    """One order: placed at a time, with a fate that ``chance`` decides.

    Nine of ten are delivered in full, the tenth in part.
    """

    order: int
    offer: Offer
    quantity: int
    price: Decimal
    placed_at: float
    chance: int
    owner: str | None = None
    canceled_at: float | None = None
    refilled_at: float | None = None
    is_settled: bool = False

    def at(self, now: float) -> Moment:
        """The order's state at a time."""
        if now >= self.ends_at:
            return self._ended()
        begins = self.placed_at + self._start
        status = "Pending" if now < begins else "In progress"
        return Moment(status=status, delivered=self._delivered(now), charge=self.price)

    def row(self, now: float) -> dict[str, object]:
        """The order's status as the panel documents it (panel-api §5.2)."""
        moment = self.at(now)
        return {
            "charge": str(amount(moment.charge)),
            "start_count": str(self.chance % 5000),
            "status": moment.status,
            "remains": str(self.quantity - moment.delivered),
            "currency": CURRENCY,
        }

    @property
    def size(self) -> int:
        """How much is to be delivered."""
        return self.quantity

    @property
    def ends_at(self) -> float:
        """When it is final: delivered as far as it will be, or canceled before."""
        delivered_at = self.placed_at + self._start + self._duration
        if self.canceled_at is None:
            return delivered_at
        return min(delivered_at, self.canceled_at + CANCEL_TAKES)

    @property
    def refund(self) -> Decimal:
        """What is paid back when it ends (panel-api §5.4)."""
        return self.price - amount(self._ended().charge)

    @property
    def _start(self) -> float:
        return 2.0 + self.chance % 20

    @property
    def _duration(self) -> float:
        return 30.0 + self.chance % 3600

    @property
    def _target(self) -> int:
        """How much will be delivered if nobody cancels it."""
        return self.quantity if self.chance % 10 else self.quantity * (1 + self.chance // 10 % 8) // 10

    def _delivered(self, now: float) -> int:
        share = (now - self.placed_at - self._start) / self._duration
        return int(self._target * min(1.0, max(0.0, share)))

    def _ended(self) -> Moment:
        delivered = self._delivered(self.ends_at)
        charge = self.price * delivered / self.quantity
        return Moment(status=self._end(delivered), delivered=delivered, charge=charge)

    def _end(self, delivered: int) -> str:
        if delivered == self.quantity:
            return "Completed"
        return "Partial" if delivered == self._target else "Canceled"


@final
@define(kw_only=True, eq=False)
class Series:
    """An order that places orders: a drip-feed its runs, a subscription one for each new post (panel-api §5.2).

    Its children are born ``gap`` seconds apart, the first after ``delay``, each
    of ``least`` to ``most`` pieces. What is not born when it is canceled or
    expires is paid back.
    """

    order: int
    offer: Offer
    price: Decimal
    placed_at: float
    chance: int
    owner: str
    counted: str
    count: int
    gap: float
    delay: float
    least: int
    most: int
    expires_at: float | None = None
    canceled_at: float | None = None
    children: list[Life] = field(factory=list)
    is_settled: bool = False

    def at(self, now: float) -> Moment:
        """The order's state at a time; a drip-feed delivers until the last of its children has."""
        return Moment(status=self._status(now), delivered=len(self.children), charge=self.price - self._unborn_at(now))

    def row(self, now: float) -> dict[str, object]:
        """Its status, with how many children there will be, and those that there are."""
        moment = self.at(now)
        return {
            "charge": str(amount(moment.charge)),
            "status": moment.status,
            "currency": CURRENCY,
            self.counted: str(self.count),
            "orders": [str(child.order) for child in self.children],
        }

    @property
    def size(self) -> int:
        """How many orders are to be born."""
        return self.count

    @property
    def due_at(self) -> float | None:
        """When the next child is born; ``None`` when there are no more."""
        if len(self.children) == self.count:
            return None
        due = self.placed_at + self.delay + self.gap * len(self.children)
        return due if due < self.ends_at else None

    @property
    def ends_at(self) -> float:
        """When no more children are born, if not all are by then."""
        ends = [self.expires_at] if self.expires_at is not None else []
        if self.canceled_at is not None:
            ends.append(self.canceled_at + CANCEL_TAKES)
        return min(ends, default=float("inf"))

    @property
    def refund(self) -> Decimal:
        """What is paid back when it stops: the children's share that were never born."""
        return self.price - amount(self.price * len(self.children) / self.count)

    def child(self, order: int, seed: int) -> Life:
        """The next child, born when it is due."""
        chance = mixed(seed, order)
        child = Life(
            order=order,
            offer=self.offer,
            quantity=self.least + chance % (self.most - self.least + 1),
            price=amount(self.price / self.count),
            placed_at=self.placed_at + self.delay + self.gap * len(self.children),
            chance=chance,
            owner=self.owner,
        )
        self.children.append(child)
        return child

    def _status(self, now: float) -> str:
        if len(self.children) == self.count:
            is_over = all(now >= child.ends_at for child in self.children)
            return "Completed" if is_over else self._running
        if now < self.ends_at:
            return "Pending" if not self.children and self.counted == "runs" else self._running
        return "Expired" if self.ends_at == self.expires_at else "Canceled"

    @property
    def _running(self) -> str:
        return "In progress" if self.counted == "runs" else "Active"

    def _unborn_at(self, now: float) -> Decimal:
        return self.refund if now >= self.ends_at else Decimal(0)


@final
@frozen(kw_only=True)
class RefillLife:
    """One refill: asked for at a time. One of eight is rejected."""

    refill: int
    order: int
    asked_at: float
    chance: int
    owner: str

    def at(self, now: float) -> str:
        """The refill's status at a time (panel-api §7.3)."""
        age = now - self.asked_at
        if age < _REFILL_STARTS:
            return "Pending"
        if age < _REFILL_ENDS:
            return "In progress"
        return "Completed" if self.chance % 8 else "Rejected"


_REFILL_STARTS, _REFILL_ENDS = 5.0, 600.0
_REFILL_FROM, _REFILL_UNTIL = DAY, 30 * DAY


def refill_problem(life: Life, now: float) -> str | None:
    """What is against a refill: it is possible from a day to a month after the end, once a day (panel-api §6)."""
    if not life.offer.refill:
        return "Refill is disabled for this service"
    if life.at(now).status not in {"Completed", "Partial"}:
        return "The order is not completed"
    last = life.ends_at if life.refilled_at is None else max(life.ends_at, life.refilled_at)
    if now - last < _REFILL_FROM:
        return "The order was completed or refill was requested less than 24 hours ago"
    if now - life.ends_at > _REFILL_UNTIL:
        return "Refill is not available for this order any more"
    return None


def cancel_problem(life: Life | Series, now: float) -> str | None:
    """What is against a cancellation (panel-api §8)."""
    if life.canceled_at is not None:
        return "Cancel already requested"
    if not life.offer.cancel:
        return "Cancel is not available"
    if life.at(now).is_final:
        return "Order already completed or canceled"
    return None


def amount(value: Decimal) -> Decimal:
    """An amount as the panel keeps it: five places."""
    return value.quantize(_CENTICENT, ROUND_HALF_UP)
