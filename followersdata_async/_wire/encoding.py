"""Requests as form fields (panel-api §1.1, §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, final
from urllib.parse import quote_plus

from .messages import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models import Id


@final
class SecretBytes(bytes):
    """Bytes whose ``repr`` does not show them, in the frames of a traceback or in a debugger."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"


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


def encode_form(request: Request, key: str) -> SecretBytes:
    """Return the request's body: the only place that ever contains the key."""
    fields = (("key", key), ("action", request.action), *request.fields)
    return SecretBytes("&".join(f"{_quote(name)}={_quote(value)}" for name, value in fields).encode("ascii"))


def _quote(text: str) -> str:
    """Quote a string as forms do. Joined ids are quoted without looking at each character."""
    if text.isascii() and text.replace(",", "").isalnum():
        return text.replace(",", "%2C")
    return quote_plus(text)
