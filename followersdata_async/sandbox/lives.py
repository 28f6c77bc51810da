"""How an order and a refill live: their state at any moment, from what is known when they are placed."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import final

from attrs import define, frozen

from .catalogue import FLAT, Offer, mixed

_DAY = 86400.0
_CENTICENT = Decimal("0.00001")


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
        return self.status in {"Completed", "Partial", "Canceled"}


@final
@define(kw_only=True)
class Life:
    """One order: placed at a time, with a fate that its seed decides."""

    order: int
    offer: Offer
    quantity: int
    price: Decimal
    placed_at: float
    chance: int
    owner: str | None = None
    canceled_at: float | None = None
    refilled_at: float | None = None

    def at(self, now: float) -> Moment:
        """The order's state at a time."""
        if self.canceled_at is not None:
            delivered = min(self._delivered(self.canceled_at), self.quantity)
            return self._ended("Canceled", delivered)
        age = now - self.placed_at
        if age < self._start:
            return Moment(status="Pending", delivered=0, charge=self.price)
        if age < self._start + self._duration:
            return Moment(status="In progress", delivered=self._delivered(now), charge=self.price)
        if self._target < self.quantity:
            return self._ended("Partial", self._target)
        return self._ended("Completed", self.quantity)

    def start_count(self) -> int:
        """What the link had before."""
        return self.chance % 5000

    @property
    def _start(self) -> float:
        return 2.0 + self.chance % 20

    @property
    def _duration(self) -> float:
        return 30.0 + self.chance % 3600

    @property
    def _target(self) -> int:
        """How much will be delivered: nine of ten orders in full."""
        return self.quantity if self.chance % 10 else self.quantity * (1 + self.chance // 10 % 8) // 10

    def _delivered(self, now: float) -> int:
        share = (now - self.placed_at - self._start) / self._duration
        return int(self._target * min(1.0, max(0.0, share)))

    def _ended(self, status: str, delivered: int) -> Moment:
        charge = self.price * delivered / self.quantity
        return Moment(status=status, delivered=delivered, charge=charge)


@final
@frozen(kw_only=True)
class RefillLife:
    """One refill: asked for at a time."""

    refill: int
    order: int
    asked_at: float
    owner: str

    def at(self, now: float) -> str:
        """The refill's status at a time."""
        age = now - self.asked_at
        if age < _REFILL_STARTS:
            return "Pending"
        return "In progress" if age < _REFILL_ENDS else "Completed"


_REFILL_STARTS, _REFILL_ENDS = 5.0, 600.0


def past_life(seed: int, order: int, offers: dict[int, Offer], born: float) -> Life:
    """An order from before the sandbox was born: derived from its id, never stored."""
    chance = mixed(seed, order)
    offer = offers[1 + chance // 7 % len(offers)]
    quantity = 1 if offer.type in FLAT else offer.min + chance // 11 % offer.max % 1000
    return Life(
        order=order,
        offer=offer,
        quantity=quantity,
        price=amount(offer.price(quantity)),
        placed_at=born - (chance >> 8) % int(2 * _DAY),
        chance=chance,
    )


def may_refill_again(life: Life, now: float) -> bool:
    """Whether the last refill is a day ago."""
    return life.refilled_at is None or now - life.refilled_at >= _DAY


def amount(value: Decimal) -> Decimal:
    """An amount as the panel keeps it: five places."""
    return value.quantize(_CENTICENT, ROUND_HALF_UP)
