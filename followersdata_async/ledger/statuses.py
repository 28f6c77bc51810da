"""Statuses as texts of the database, and back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from attrs import asdict

from ..models import OrderState, OrderStatus


def text_of(status: OrderStatus) -> str:
    """A status as JSON; amounts are texts, so that they stay exact."""
    fields = asdict(status, recurse=False) | {"state": status.state.value, "extra": dict(status.extra)}
    return json.dumps(fields, default=str, ensure_ascii=False)


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
