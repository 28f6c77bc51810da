"""What an order asks for, and what is wrong with it: its fields against the service's terms (panel-api §4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import final

from attrs import frozen

from .catalogue import COUNTED, FLAT, REQUIRED, Offer
from .lifecycle import DAY, Life, Series, amount

Fields = Mapping[str, str]

_MOST_DIGITS = 18
_MOST_RUNS = 1000
_MINUTE = 60.0
_SUBSCRIBED = 30 * DAY


def number(text: str | None) -> int | None:
    """A plain decimal number, as ids and counts are."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return None
    return int(text)


@final
@frozen(kw_only=True)
class Terms:
    """An order as it was asked for: what it is worth, and the life that it will have."""

    offer: Offer
    fields: Fields
    quantity: int
    price: Decimal

    def life(self, order: int, key: str, now: float, chance: int) -> Life | Series:
        """The order, placed now."""
        if self.offer.type == "Subscriptions":
            return self._subscription(order, key, now, chance)
        if "runs" in self.fields:
            return self._drip_feed(order, key, now, chance)
        return Life(
            order=order, offer=self.offer, quantity=self.quantity, price=self.price,
            placed_at=now, chance=chance, owner=key,
        )  # fmt: skip

    def _drip_feed(self, order: int, key: str, now: float, chance: int) -> Series:
        return Series(
            order=order, offer=self.offer, price=self.price, placed_at=now, chance=chance, owner=key,
            counted="runs", count=_count(self.fields, "runs"), gap=_count(self.fields, "interval") * _MINUTE,
            delay=0.0, least=self.quantity, most=self.quantity,
        )  # fmt: skip

    def _subscription(self, order: int, key: str, now: float, chance: int) -> Series:
        # The account posts every three to twelve hours.
        gap = 3 * 3600.0 + chance % (9 * 3600)
        expires_at = _expiry(self.fields)
        return Series(
            order=order, offer=self.offer, price=self.price, placed_at=now, chance=chance, owner=key,
            counted="posts", count=_count(self.fields, "posts") or int(_SUBSCRIBED / gap) + 1, gap=gap,
            delay=gap + _count(self.fields, "delay") * _MINUTE,
            least=_count(self.fields, "min"), most=_count(self.fields, "max"),
            expires_at=now + _SUBSCRIBED if expires_at is None else expires_at,
        )  # fmt: skip


def terms_of(offer: Offer, fields: Fields, now: float) -> Terms | str:
    """What the order asks for, or what is wrong with it, in the panel's words."""
    quantity = _quantity(offer, fields)
    problem = _problem_with_link(offer, fields) or _problem_with_fields(offer, fields, now)
    if problem is None:
        problem = _problem_with_quantity(offer, quantity) or _problem_with_runs(fields)
    if problem is not None:
        return problem
    price = amount(offer.price(quantity) * (number(fields.get("runs")) or 1))
    return Terms(offer=offer, fields=fields, quantity=quantity, price=price)


def _quantity(offer: Offer, fields: Fields) -> int:
    """How much is ordered; lists are counted by their lines, blank ones too."""
    if offer.type in FLAT:
        return 1
    if (counted := COUNTED.get(offer.type)) is not None:
        return len(fields.get(counted, "").splitlines())
    return number(fields.get("quantity")) or 0


def _count(fields: Fields, name: str) -> int:
    return number(fields.get(name)) or 0


def _expiry(fields: Fields) -> float | None:
    """The end of the day that ``expiry`` names.

    Raises:
        ValueError: it names none.
    """
    if "expiry" not in fields:
        return None
    day = datetime.strptime(fields["expiry"], "%d/%m/%Y").replace(tzinfo=UTC)
    return day.timestamp() + DAY


def _problem_with_link(offer: Offer, fields: Fields) -> str | None:
    return "Bad link" if offer.type != "Subscriptions" and "." not in fields.get("link", "") else None


def _problem_with_fields(offer: Offer, fields: Fields, now: float) -> str | None:
    for name in REQUIRED.get(offer.type, ()):
        if not fields.get(name, "").strip():
            return _incorrect(name)
    match offer.type:
        case "Subscriptions":
            return _problem_with_subscription(fields, now)
        case "Web Traffic":
            return _problem_with_traffic(fields)
        case "Poll" if not _count(fields, "answer_number"):
            return _incorrect("answer_number")
    return None


def _problem_with_subscription(fields: Fields, now: float) -> str | None:
    least, most = _count(fields, "min"), _count(fields, "max")
    if not least:
        return _incorrect("min")
    if most < least:
        return _incorrect("max")
    if number(fields["delay"]) is None:
        return _incorrect("delay")
    for name in ("posts", "old_posts"):
        if name in fields and number(fields[name]) is None:
            return _incorrect(name)
    if _count(fields, "posts") > _MOST_RUNS:
        return _incorrect("posts")
    try:
        expires_at = _expiry(fields)
    except (ValueError, OverflowError):
        return _incorrect("expiry")
    return _incorrect("expiry") if expires_at is not None and expires_at <= now else None


_DEVICES = frozenset("12345")
_TRAFFIC = {"1": "google_keyword", "2": "referring_url", "3": None}
"""What each type of traffic needs besides."""


def _problem_with_traffic(fields: Fields) -> str | None:
    if fields["device"] not in _DEVICES:
        return _incorrect("device")
    if fields["type_of_traffic"] not in _TRAFFIC:
        return _incorrect("type_of_traffic")
    needed = _TRAFFIC[fields["type_of_traffic"]]
    return _incorrect(needed) if needed is not None and not fields.get(needed, "").strip() else None


def _problem_with_quantity(offer: Offer, quantity: int) -> str | None:
    if quantity < offer.min:
        return f"Quantity less than minimal {offer.min}"
    return f"Quantity more than maximum {offer.max}" if quantity > offer.max else None


def _problem_with_runs(fields: Fields) -> str | None:
    if "runs" not in fields and "interval" not in fields:
        return None
    if not 1 <= _count(fields, "runs") <= _MOST_RUNS:
        return _incorrect("runs")
    return None if _count(fields, "interval") else _incorrect("interval")


def _incorrect(name: str) -> str:
    return f"Incorrect {name.replace('_', ' ')}"
