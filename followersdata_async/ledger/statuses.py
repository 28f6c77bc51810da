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
    """A status as JSON, without what is not known of it; amounts are texts, so that they stay exact."""
    values = {name: value for name in _NAMES if (value := getattr(status, name)) is not None}
    values["state"] = status.state.value
    values["extra"] = dict(status.extra)
    return _encoded(values)


def status_from(text: str) -> OrderStatus:
    """The status that a text stands for."""
    values: dict[str, Any] = json.loads(text)
    values["state"] = OrderState(values["state"])
    values["orders"] = tuple(values["orders"])
    if "charge" in values:
        values["charge"] = Decimal(values["charge"])
    return OrderStatus(**values)
