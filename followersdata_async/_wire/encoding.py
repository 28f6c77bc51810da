"""What is asked, as the form that goes out (panel-api §1.1, §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..models import id_text
from .messages import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..models import Id


def services_request() -> Request:
    """The catalogue (panel-api §3.1)."""
    return Request("services")


def balance_request() -> Request:
    """The account's balance (panel-api §9.1)."""
    return Request("balance")


def add_request(fields: Mapping[str, str]) -> Request:
    """A new order (panel-api §4.1): costs money, so it is not repeatable."""
    return Request("add", tuple(fields.items()), repeatable=False)


def status_request(order: Id) -> Request:
    """One order's status (panel-api §5.1)."""
    return Request("status", (("order", id_text(order)),))


def statuses_request(orders: Iterable[Id]) -> Request:
    """Many orders' status (panel-api §5.1)."""
    return Request("status", (("orders", _joined(orders)),))


def refill_request(order: Id) -> Request:
    """A refill of one order (panel-api §6.1): not repeatable."""
    return Request("refill", (("order", id_text(order)),), repeatable=False)


def refills_request(orders: Iterable[Id]) -> Request:
    """Refills of many orders (panel-api §6.1): not repeatable."""
    return Request("refill", (("orders", _joined(orders)),), repeatable=False)


def refill_status_request(refill: Id) -> Request:
    """One refill's status (panel-api §7.1)."""
    return Request("refill_status", (("refill", id_text(refill)),))


def refill_statuses_request(refills: Iterable[Id]) -> Request:
    """Many refills' status (panel-api §7.1)."""
    return Request("refill_status", (("refills", _joined(refills)),))


def cancel_request(orders: Iterable[Id]) -> Request:
    """A cancellation of orders, also of a single one (panel-api §8.1): not repeatable."""
    return Request("cancel", (("orders", _joined(orders)),), repeatable=False)


def form(request: Request, key: str) -> bytes:
    """The request's body: the only place where the key ever stands."""
    return urlencode((("key", key), ("action", request.action), *request.fields)).encode("ascii")


def _joined(ids: Iterable[Id]) -> str:
    return ",".join(map(id_text, ids))
