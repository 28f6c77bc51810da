"""Orders from before the sandbox was born: any number of them, derived from seed and id, none stored."""

from __future__ import annotations

from typing import final

from attrs import define, evolve, field

from .catalogue import FLAT, Offer, mixed
from .lifecycle import DAY, Life, amount

_KINDS = 4096
_AGES = (20, 3600, 3600, 3600, *[2 * int(DAY)] * 12)
"""How old in seconds a past order may be: some have just come, some are on their way, most are over."""


@final
@define(kw_only=True)
class Past:
    """The orders 1 to ``count``, which are known to every key.

    Each is one of 4096 lives, which its seed and id decide. So a status costs
    no more than a look, however many orders there are.
    """

    seed: int
    count: int
    born: float
    offers: tuple[Offer, ...]
    _lives: dict[int, Life] = field(factory=dict)
    _ended: dict[int, dict[str, object]] = field(factory=dict)

    def __contains__(self, order: int) -> bool:
        return 1 <= order <= self.count

    def row(self, order: int, now: float) -> dict[str, object]:
        """An order's status, which is the same object each time when it is final."""
        kind = mixed(self.seed, order) % _KINDS
        if (row := self._ended.get(kind)) is not None:
            return row
        life = self._life(kind)
        row = life.row(now)
        # Time can be set back by a new clock only, and then the world is born anew.
        if now >= life.ends_at:
            self._ended[kind] = row
        return row

    def life(self, order: int) -> Life:
        """An order of its own, for what is done to it."""
        return evolve(self._life(mixed(self.seed, order) % _KINDS), order=order)

    def _life(self, kind: int) -> Life:
        if (life := self._lives.get(kind)) is None:
            life = self._lives[kind] = self._derived(kind)
        return life

    def _derived(self, kind: int) -> Life:
        chance = mixed(self.seed, kind)
        offer = self.offers[chance // 7 % len(self.offers)]
        quantity = 1 if offer.type in FLAT else offer.min + chance // 11 % offer.max % 1000
        return Life(
            order=0,
            offer=offer,
            quantity=quantity,
            price=amount(offer.price(quantity)),
            placed_at=self.born - (chance >> 8) % _AGES[chance >> 40 & 15],
            chance=chance,
        )
