"""Requests as form fields (panel-api §1.1, §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .messages import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models import Id


def encode_services() -> Request:
    """Return the request for the catalogue (panel-api §3.1)."""
    return Request("services")


def encode_balance() -> Request:
    """Return the request for the account's balance (panel-api §9.1)."""
    return Request("balance")


def encode_add(fields: Mapping[str, str]) -> Request:
    """Return the request that places an order (panel-api §4.1). It costs money, so it is a write."""
    return Request("add", tuple(fields.items()), is_write=True)


def encode_ids(action: str, name: str, ids: Mapping[str, Id], *, is_write: bool) -> Request:
    """Return the request for some ids, joined by commas in the field ``name`` (panel-api §5.1, §6.1, §7.1, §8.1)."""
    return Request(action, ((name, ",".join(ids)),), is_write=is_write, ids=ids)


def encode_form(request: Request, key: str) -> bytes:
    """Return the request's body: the only place that ever contains the key."""
    return urlencode((("key", key), ("action", request.action), *request.fields)).encode("ascii")
