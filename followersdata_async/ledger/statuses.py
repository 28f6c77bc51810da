"""Statuses as texts of the database, and back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from attrs import fields

from ..models import OrderState, OrderStatus

_NAMES = tuple(each.name for each in fields(OrderStatus))
_encoded = json.JSONEncoder(default=str, ensure_ascii=False).encode


def text_of(status: OrderStatus) -> str:
    """A status as JSON; amounts are texts, so that they stay exact."""
    values = {name: getattr(status, name) for name in _NAMES}
    return _encoded(values | {"state": status.state.value, "extra": dict(status.extra)})


def status_from(text: str) -> OrderStatus:
    """The status that a text stands for."""
    fields: dict[str, Any] = json.loads(text)
    charge = fields.pop("charge")
    return OrderStatus(
        **fields
        | {
            "state": OrderState(fields["state"]),
            "charge": None if charge is None else Decimal(charge),
            "orders": tuple(fields["orders"]),
        }
    )
