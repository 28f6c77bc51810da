"""Requests as form fields, or as JSON where a panel wants that (panel-api §1.1, §2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, final
from urllib.parse import quote

from attrs import frozen

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


@final
@frozen(kw_only=True)
class BodyFormat:
    """How a panel wants its requests: the name of the key's field, and JSON instead of a form."""

    key_field: str = "key"
    is_json: bool = False

    @property
    def content_type(self) -> str:
        """The header that names the format."""
        return "application/json" if self.is_json else "application/x-www-form-urlencoded"


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


def encode_body(request: Request, key: str, body_format: BodyFormat) -> SecretBytes:
    """Return the request's body: the only place that ever contains the key."""
    fields = ((body_format.key_field, key), ("action", request.action), *request.fields)
    if body_format.is_json:
        return SecretBytes(json.dumps({name: _as_json(name, value) for name, value in fields}).encode("ascii"))
    return SecretBytes("&".join(f"{_quote(name)}={_quote(value)}" for name, value in fields).encode("ascii"))


def _quote(text: str) -> str:
    """Quote a string as forms do, with ``%20`` for a blank: some panels do not read ``+``.

    Joined ids are quoted without looking at each character.
    """
    if text.isascii() and text.replace(",", "").isalnum():
        return text.replace(",", "%2C")
    return quote(text, safe="")


def _as_json(name: str, value: str) -> str | int:
    """Return the number of a field that panels take for one, and the text of any other."""
    is_number = name in _NUMBERS and value.isascii() and value.isdecimal() and str(int(value)) == value
    return int(value) if is_number else value


_NUMBERS = frozenset({
    "service", "order", "refill", "quantity", "runs", "interval", "min", "max", "posts", "old_posts", "delay",
    "answer_number", "device", "type_of_traffic",
})  # fmt: skip
