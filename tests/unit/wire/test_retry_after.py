"""For how long a response asks to wait: headers first, then its body; by the response's own date."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async._wire.retry_after import parse_retry_after
from tests.helpers.fakes import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
EPOCH = 1792567680
ERROR = {"error": "Too many requests"}


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({}, None),
        ({"retry_after": "7", "x_ratelimit_reset": "8", "ratelimit_reset": "9"}, 7.0),
        ({"retry_after": "soon", "x_ratelimit_reset": "8", "ratelimit_reset": "9"}, 8.0),
        ({"x_ratelimit_reset": "soon", "ratelimit_reset": "9"}, 9.0),
        ({"retry_after": "1700000000"}, 999_999_999.0),
        ({"x_ratelimit_reset": str(EPOCH + 12), "date": DATE}, 12.0),
        ({"ratelimit_reset": str(EPOCH + 12), "date": DATE}, 12.0),
        ({"ratelimit_reset": str(EPOCH - 12), "date": DATE}, 0.0),
        ({"ratelimit_reset": str(EPOCH)}, None),
        ({"x_ratelimit_reset": "-9"}, None),
        ({"x_ratelimit_reset": "9" * 20}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_response_that_is_no_success_is_read_by_its_headers(
    headers: dict[str, str], delay: float | None, status: int
) -> None:
    """The first that can be read counts."""
    assert parse_retry_after(answer(ERROR, status=status, **headers)) == delay


@pytest.mark.parametrize("prefix", ["x_ratelimit", "ratelimit"])
@pytest.mark.parametrize(
    ("status", "remaining", "delay"),
    [
        (200, None, None),
        (200, "0", 9.0),
        (200, " 0 ", 9.0),
        (200, "5", None),
        (400, None, None),
        (429, None, 9.0),
        (429, "0", 9.0),
        (429, "5", 9.0),
        (503, None, 9.0),
        (503, "0", 9.0),
        (503, "5", None),
    ],
)
def test_a_reset_counts_where_nothing_is_left(
    prefix: str, status: int, remaining: str | None, delay: float | None
) -> None:
    """Panels may send it with every response. A response that is limited is limited, whatever is said to be left."""
    headers = {f"{prefix}_reset": "9"} | ({} if remaining is None else {f"{prefix}_remaining": remaining})
    assert parse_retry_after(answer(ERROR, status=status, **headers)) == delay


def test_what_is_left_of_one_limit_says_nothing_of_another() -> None:
    """The headers belong together."""
    headers = {"x_ratelimit_remaining": "5", "x_ratelimit_reset": "8", "ratelimit_remaining": "0"}
    assert parse_retry_after(answer({}, ratelimit_reset="9", **headers)) == 9.0


@pytest.mark.parametrize(
    ("body", "delay"),
    [
        ({"retry_after": 7}, 7.0),
        ({"retry_after": 7.5}, 7.5),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": 0}, 0.0),
        ({"error": {"message": "Too many requests", "retry_after": 7}}, 7.0),
        ({"data": {"retry_after": "7"}}, 7.0),
        ({"retry_after": None, "data": {"retry_after": 7}}, 7.0),
        ({"retry_after": True}, None),
        ({"retry_after": -7}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": [7]}, None),
        ({"retry_after": 10**400}, 999_999_999.0),
        (b'{"retry_after": NaN}', None),
        (b'{"retry_after": 1e999}', None),
        (b"[" * 200_000, None),
        ([7], None),
        (b"<html>", None),
        (b"\xff", None),
    ],
)
def test_a_limited_response_without_such_a_header_is_read_by_its_body(body: object, delay: float | None) -> None:
    """Also where only its text says that it is limited."""
    assert parse_retry_after(answer(body, status=429)) == delay
    assert parse_retry_after(answer(body, status=503)) == delay
    assert parse_retry_after(answer(body), is_limited=True) == delay
    assert parse_retry_after(answer(body)) is None
    assert parse_retry_after(answer(body, status=429, ratelimit_reset="3")) == 3.0


def test_no_response_asks_for_nothing() -> None:
    """A connection that was lost says nothing."""
    assert parse_retry_after(None) is None


@given(
    st.dictionaries(
        st.sampled_from(["retry_after", "x_ratelimit_reset", "ratelimit_reset", "x_ratelimit_remaining", "date"]),
        st.text(max_size=30) | st.from_regex(r"[0-9]{1,30}", fullmatch=True) | st.just(DATE),
    ),
    st.binary(max_size=30) | st.builds(b'{"retry_after": %d}'.__mod__, st.integers()),
    st.sampled_from([200, 429, 503]),
)
def test_whatever_is_sent_the_delay_is_finite(headers: Mapping[str, str], body: bytes, status: int) -> None:
    """And not negative, so that it can be slept and written down."""
    delay = parse_retry_after(answer(body, status=status, **headers))
    assert delay is None or (math.isfinite(delay) and delay >= 0)
