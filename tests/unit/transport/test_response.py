"""The key in no answer: some panels repeat it in their errors."""

from __future__ import annotations

import httpx
import pytest

from followersdata_async._transport.response import read_response
from followersdata_async._wire.messages import Request

pytestmark = pytest.mark.anyio


class FakeResponse:
    """A response that was read before."""

    is_stream_consumed = True
    status_code = 200

    def __init__(self, body: bytes, **headers: str) -> None:
        self.headers = httpx.Headers(headers, encoding="utf-8")
        self.body = body
        self.closed = False

    async def aread(self) -> bytes:
        """The body."""
        return self.body

    async def aclose(self) -> None:
        """Note it."""
        self.closed = True

    def aiter_raw(self) -> None:
        """Never asked."""


async def body_with(key: str, body: bytes) -> bytes:
    """What comes of a body."""
    response = FakeResponse(body, Location=f"https://a.b/?key={key}")
    answer = await read_response(response, Request("balance"), key)  # type: ignore[arg-type]
    assert response.closed
    return answer.body + answer.headers["location"].encode()


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("0123456789abcdef", "0123456789abcdef"),
        ("abc/def/ghi", "abc\\/def\\/ghi"),
        ('quo"ted-key', 'quo\\"ted-key'),
        ("abc+def/ghi=", "abc%2Bdef%2Fghi%3D"),
        ("schlüssel-wort", "schl%C3%BCssel-wort"),
        ("0123456789abcdef", "0123456789ABCDEF"),
        ("MixedCaseKey", "mixedcasekey"),
        ("0123456789abcdef", "MDEyMzQ1Njc4OWFiY2RlZg=="),
        ("0123456789abcdef", "MDEyMzQ1Njc4OWFiY2RlZg"),
        ("~~~???>>>key", "fn5-Pz8_Pj4-a2V5"),
        ("a<b>&c'd-key", "a&lt;b&gt;&amp;c&#x27;d-key"),
    ],
)
async def test_the_key_is_scrubbed(key: str, written: str) -> None:
    """As it is, in any case, and as JSON, forms, HTML and base64 write it."""
    found = await body_with(key, f'{{"error": "Invalid API key {written}"}}'.encode())
    assert found.replace(b"***==", b"***") == b'{"error": "Invalid API key ***"}https://a.b/?key=***'


@pytest.mark.parametrize("key", ["k", "key", "1234567", "123456789012345"])
async def test_a_key_that_may_stand_there_by_chance_is_left(key: str) -> None:
    """Scrubbing it could turn one order's id into another's."""
    body = f'{{"{key}": {{"status": "Completed"}}}}'.encode()
    assert (await body_with(key, body)).startswith(body)
