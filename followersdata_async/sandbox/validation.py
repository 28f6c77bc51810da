"""The validation of orders: their fields against the service that they name (panel-api §4.3). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import final

from attrs import frozen

from .catalogue import FLAT_RATE_TYPES, QUANTITY_FIELDS, REQUIRED_FIELDS, Offer
from .lifecycle import DAY, OrderLifecycle, SeriesLifecycle, round_amount

Fields = Mapping[str, str]

_MAX_DIGITS = 18
_MAX_RUNS = 1000
_MINUTE = 60.0
_SUBSCRIPTION_DURATION = 30 * DAY


def parse_number(text: str | None) -> int | None:
    """Return a plain decimal number such as an id or a count, or ``None`` if ``text`` is not one."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        return None
    return int(text)


def parse_count(text: str | None) -> int | None:
    """Return a count as PHP casts it, with blanks around it and without its fraction, or ``None``."""
    stripped = (text or "").strip()
    return parse_number(str(int(Decimal(stripped)))) if _COUNT.fullmatch(stripped) else None


_COUNT = re.compile(r"[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE]\+?[0-9]{1,2})?")
_OPTIONAL_COUNTS = frozenset({"runs", "interval", "posts", "expiry"})
_NO_COUNTS = frozenset({"", "0", "null"})


def _drop_absent(fields: Fields) -> Fields:
    """Return the fields without those that panels take for absent: blank, null or 0."""
    return {
        name: value
        for name, value in fields.items()
        if name not in _OPTIONAL_COUNTS or value.strip().casefold() not in _NO_COUNTS
    }


@final
@frozen(kw_only=True)
class OrderRequest:
    """A valid order that was not placed yet."""

    offer: Offer
    fields: Fields
    quantity: int
    price: Decimal

    def create_lifecycle(self, order: int, key: str, now: float, random_bits: int) -> OrderLifecycle | SeriesLifecycle:
        """Return the lifecycle of the order, placed by ``key`` at ``now`` under the id ``order``."""
        if self.offer.type == "Subscriptions":
            return self._create_subscription(order, key, now, random_bits)
        if "runs" in self.fields:
            return self._create_drip_feed(order, key, now, random_bits)
        return OrderLifecycle(
            order=order, offer=self.offer, quantity=self.quantity, price=self.price,
            placed_at=now, random_bits=random_bits, owner=key,
        )  # fmt: skip

    def _create_drip_feed(self, order: int, key: str, now: float, random_bits: int) -> SeriesLifecycle:
        return SeriesLifecycle(
            order=order, offer=self.offer, price=self.price, placed_at=now, random_bits=random_bits, owner=key,
            count_field="runs", count=_get_count(self.fields, "runs"),
            interval=_get_count(self.fields, "interval") * _MINUTE, first_delay=0.0,
            min_quantity=self.quantity, max_quantity=self.quantity,
        )  # fmt: skip

    def _create_subscription(self, order: int, key: str, now: float, random_bits: int) -> SeriesLifecycle:
        # The account posts every three to twelve hours.
        interval = 3 * 3600.0 + random_bits % (9 * 3600)
        expires_at = _parse_expiry(self.fields)
        return SeriesLifecycle(
            order=order, offer=self.offer, price=self.price, placed_at=now, random_bits=random_bits, owner=key,
            count_field="posts",
            count=_get_count(self.fields, "posts") or int(_SUBSCRIPTION_DURATION / interval) + 1,
            interval=interval, first_delay=interval + _get_count(self.fields, "delay") * _MINUTE,
            min_quantity=_get_count(self.fields, "min"), max_quantity=_get_count(self.fields, "max"),
            expires_at=now + _SUBSCRIPTION_DURATION if expires_at is None else expires_at,
        )  # fmt: skip


def validate_order(offer: Offer, fields: Fields, now: float) -> OrderRequest | str:
    """Return the order that ``fields`` ask for, or the error message of the panel."""
    fields = _drop_absent(fields)
    quantity = _compute_quantity(offer, fields)
    problem = _check_link(offer, fields) or _check_fields(offer, fields, now)
    if problem is None:
        problem = _check_quantity(offer, quantity) or _check_runs(fields)
    if problem is not None:
        return problem
    price = round_amount(offer.compute_price(quantity) * (_get_count(fields, "runs") or 1))
    return OrderRequest(offer=offer, fields=fields, quantity=quantity, price=price)


def _compute_quantity(offer: Offer, fields: Fields) -> int:
    """Return the quantity that is ordered; where a list is ordered, that is its number of lines, with blank ones."""
    if offer.type in FLAT_RATE_TYPES:
        return 1
    if (name := QUANTITY_FIELDS.get(offer.type)) is not None:
        return len(fields.get(name, "").splitlines())
    return _get_count(fields, "quantity")


def _get_count(fields: Fields, name: str) -> int:
    return parse_count(fields.get(name)) or 0


def _parse_expiry(fields: Fields) -> float | None:
    """Return the end of the day that the field ``expiry`` names, or ``None`` without the field.

    Raises:
        ValueError: It does not name a day.
    """
    if "expiry" not in fields:
        return None
    day = datetime.strptime(fields["expiry"].strip(), "%d/%m/%Y").replace(tzinfo=UTC)
    return day.timestamp() + DAY


# --- checks, which return the error message of the panel, or None


def _check_link(offer: Offer, fields: Fields) -> str | None:
    link = fields.get("link", "").strip()
    is_name = offer.takes_names and len(link) > 1 and link.startswith("@")
    return "Bad link" if offer.type != "Subscriptions" and "." not in link and not is_name else None


def _check_fields(offer: Offer, fields: Fields, now: float) -> str | None:
    for name in REQUIRED_FIELDS.get(offer.type, ()):
        if not fields.get(name, "").strip():
            return _format_incorrect(name)
    match offer.type:
        case "Subscriptions":
            return _check_subscription(fields, now)
        case "Web Traffic":
            return _check_traffic(fields)
        case "Poll" if not _get_count(fields, "answer_number"):
            return _format_incorrect("answer_number")
    return None


def _check_subscription(fields: Fields, now: float) -> str | None:
    min_quantity, max_quantity = _get_count(fields, "min"), _get_count(fields, "max")
    if not min_quantity:
        return _format_incorrect("min")
    if max_quantity < min_quantity:
        return _format_incorrect("max")
    if parse_count(fields["delay"]) is None:
        return _format_incorrect("delay")
    for name in ("posts", "old_posts"):
        if name in fields and parse_count(fields[name]) is None:
            return _format_incorrect(name)
    if _get_count(fields, "posts") > _MAX_RUNS:
        return _format_incorrect("posts")
    try:
        expires_at = _parse_expiry(fields)
    except (ValueError, OverflowError):
        return _format_incorrect("expiry")
    return _format_incorrect("expiry") if expires_at is not None and expires_at <= now else None


_DEVICES = frozenset("12345")
_TRAFFIC_FIELDS = {"1": "google_keyword", "2": "referring_url", "3": None}
"""The field that each type of traffic requires."""


def _check_traffic(fields: Fields) -> str | None:
    if fields["device"] not in _DEVICES:
        return _format_incorrect("device")
    if fields["type_of_traffic"] not in _TRAFFIC_FIELDS:
        return _format_incorrect("type_of_traffic")
    required = _TRAFFIC_FIELDS[fields["type_of_traffic"]]
    return _format_incorrect(required) if required is not None and not fields.get(required, "").strip() else None


def _check_quantity(offer: Offer, quantity: int) -> str | None:
    if quantity < offer.min:
        return f"Quantity less than minimal {offer.min}"
    return f"Quantity more than maximum {offer.max}" if quantity > offer.max else None


def _check_runs(fields: Fields) -> str | None:
    if "runs" not in fields and "interval" not in fields:
        return None
    if not 1 <= _get_count(fields, "runs") <= _MAX_RUNS:
        return _format_incorrect("runs")
    return None if _get_count(fields, "interval") else _format_incorrect("interval")


def _format_incorrect(name: str) -> str:
    return f"Incorrect {name.replace('_', ' ')}"
