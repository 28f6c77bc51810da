"""How the sandbox reads requests: as PHP reads them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from followersdata_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

KEY = Sandbox.key
BALANCE = {"key": KEY, "action": "balance"}


def multipart(*fields: tuple[str, str], end: bytes = b"--x--\r\n") -> bytes:
    """Return a multipart form with the boundary x; a name may have further parameters."""
    parts = [f"--x\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n" for name, value in fields]
    return "".join(parts).encode() + end


async def ask(body: bytes, content_type: str = "multipart/form-data; boundary=x", *, query: str = "") -> Any:
    """Return the response to one request."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        url = f"{sandbox.url}?{query}" if query else sandbox.url
        return (await http.post(url, content=body, headers={"content-type": content_type.encode()})).json()


@pytest.mark.parametrize(
    "body",
    [
        multipart(("key", KEY), ("action", "balance")),
        multipart(('"key"', KEY), ('"action"', "balance")),
        multipart(("key", "wrong"), ("key", KEY), ("action", "balance")),
        multipart(("key", KEY), ("action", "balance"), ('"file"; filename="a.txt"', "x")),
        multipart(("key", KEY), ("action", "balance"), end=b""),
    ],
)
async def test_a_multipart_form_is_read(body: bytes) -> None:
    """Of PHP's curl with an array, and of fetch; files do not count, and the last of two fields does."""
    assert "balance" in await ask(body)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"garbage", "multipart/form-data; boundary=x"),
        (b"--y\r\n\r\n", "multipart/form-data; boundary=x"),
        (multipart(("key", KEY), ("action", "balance")), "multipart/form-data"),
        (multipart(("key", KEY), ("action", "balance")), "multipart/form-data; boundary=\u00e9"),
        (multipart(("key", KEY + "\x00")).replace(b"\x00", b"\xff"), "multipart/form-data; boundary=x"),
        (multipart(*[(f"f{number}", "x") for number in range(101)], ("key", KEY)), "multipart/form-data; boundary=x"),
    ],
)
async def test_a_broken_multipart_form_has_no_fields(body: bytes, content_type: str) -> None:
    """So it has no key."""
    assert await ask(body, content_type) == {"error": "Invalid API key"}


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"key": KEY}, {"action": "balance"}),
        ({"action": "balance"}, {"key": KEY}),
        (BALANCE, {"key": "wrong", "action": "services"}),
        ({}, BALANCE),
    ],
)
async def test_fields_of_the_address_are_added_to_the_form(body: dict[str, str], query: dict[str, str]) -> None:
    """Those of the form go before them."""
    form = "application/x-www-form-urlencoded"
    assert "balance" in await ask(urlencode(body).encode(), form, query=urlencode(query))


async def test_null_in_json_is_blank() -> None:
    """As in a form."""
    body = b'{"key": "%s", "action": "add", "service": 1, "link": "x.y", "quantity": 100, "runs": null}' % KEY.encode()
    assert "order" in await ask(body, "application/json")
