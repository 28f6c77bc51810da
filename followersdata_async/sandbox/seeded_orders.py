"""The orders from before the sandbox started: any number of them, derived from seed and id, none stored. Pure."""

from __future__ import annotations

from typing import final

from attrs import define, evolve, field

from .catalogue import FLAT_RATE_TYPES, Offer, mix_seed
from .lifecycle import DAY, OrderLifecycle, round_amount

_TEMPLATE_COUNT = 4096
_MAX_AGES = (20, 3600, 3600, 3600, *[2 * int(DAY)] * 12)
"""How old in seconds a seeded order may be: some are pending, some are in progress, most have ended."""


@final
@define(kw_only=True)
class SeededOrders:
    """The orders 1 to ``count``, which every key may see.

    Seed and id choose one of 4096 lifecycles for each of them, so reading a
    status is a dictionary lookup, however many orders there are.
    """

    seed: int
    count: int
    started_at: float
    offers: tuple[Offer, ...]
    _templates: dict[int, OrderLifecycle] = field(factory=dict)
    _final_rows: dict[int, dict[str, object]] = field(factory=dict)

    def __contains__(self, order: int) -> bool:
        return 1 <= order <= self.count

    def render_status(self, order: int, now: float) -> dict[str, object]:
        """Return an order's status at ``now``; a final one is the same object each time."""
        number = self._choose_template(order)
        if (row := self._final_rows.get(number)) is not None:
            return row
        template = self._get_template(number)
        row = template.render_status(now)
        # Final rows stay valid: only a restart sets the time back, and it creates a new backend.
        if now >= template.ends_at:
            self._final_rows[number] = row
        return row

    def create_lifecycle(self, order: int) -> OrderLifecycle:
        """Return a lifecycle for this order alone, which can be canceled and refilled."""
        return evolve(self._get_template(self._choose_template(order)), order=order)

    def _choose_template(self, order: int) -> int:
        return mix_seed(self.seed, order) % _TEMPLATE_COUNT

    def _get_template(self, number: int) -> OrderLifecycle:
        if (template := self._templates.get(number)) is None:
            template = self._templates[number] = self._create_template(number)
        return template

    def _create_template(self, number: int) -> OrderLifecycle:
        bits = mix_seed(self.seed, number)
        offer = self.offers[bits // 7 % len(self.offers)]
        quantity = 1 if offer.type in FLAT_RATE_TYPES else offer.min + bits // 11 % offer.max % 1000
        return OrderLifecycle(
            order=0,
            offer=offer,
            quantity=quantity,
            price=round_amount(offer.compute_price(quantity)),
            placed_at=self.started_at - (bits >> 8) % _MAX_AGES[bits >> 40 & 15],
            random_bits=bits,
        )
