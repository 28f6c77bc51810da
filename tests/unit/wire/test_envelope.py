"""An answer's bytes: a JSON value, a refusal, or nothing that anybody can use."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from followersdata_async._batch.operations import STATUS
from followersdata_async._wire.envelope import extract_payload
from followersdata_async._wire.json_values import Conflict
from followersdata_async._wire.messages import Request, Response
from followersdata_async._wire.panel_words import PanelWords
from followersdata_async._wire.reads import (
    decode_order_statuses,
)
from followersdata_async._wire.retry_after import parse_retry_after
from followersdata_async.errors import (
    AuthenticationError,
    FollowersDataError,
    InsufficientFundsError,
    InvalidOrderError,
    OrderNotFoundError,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    RateLimitedError,
    TemporaryPanelError,
)
from tests.helpers.fakes import answer
from tests.helpers.requests import encode_many

READ = Request("status", (("orders", "1,2"),))
WRITE = Request("add", (("link", "x.y"),), is_write=True)


def payload(reply: Response, request: Request = READ) -> object:
    """What the answer means."""
    return extract_payload(request, reply, PanelWords())


def error_of(reply: Response, request: Request = READ) -> FollowersDataError:
    """The error that the answer is."""
    with pytest.raises(FollowersDataError) as caught:
        payload(reply, request)
    return caught.value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf \r\n{"a": 1}\n', {"a": 1}),
        (b'{\n    "a": [\n        1\n    ]\n}', {"a": [1]}),
        (b'<br />\n<b>Warning</b>:  Undefined variable $x in <b>/a.php</b> on line <b>7</b><br />\n{"a": 1}', {"a": 1}),
        (b"\nNotice: Undefined index: y in /a/b.php on line 12\n\nWarning: z in /a.php on line 3\n[1]", [1]),
        (b'{"a": 1} trailing', {"a": 1}),
        (b'{"a": 1}<br />\n<b>Warning</b>: x in <b>/a.php</b> on line <b>7</b><br />', {"a": 1}),
        (b'{"a": "}"}\n<!-- cached --><script>var bar = {"b": [2]}</script>', {"a": "}"}),
        (b'Connected successfully{"a": 1}', {"a": 1}),
        (b'<pre>Array\n(\n [0] => x\n)\n</pre>[{"a": 1}]', [{"a": 1}]),
        (b'ok {"a": ' + b"1" * 5000 + b"}", {"a": None}),
        (b'"{\\"a\\": 0.10}"', {"a": Decimal("0.10")}),
        (b'{"data": [1], "status": "success"}', [1]),
        (b'{"data": {"a": 1}, "order": 7}', {"data": {"a": 1}, "order": 7}),
        (b'{"a": 0.08011655652}', {"a": Decimal("0.08011655652")}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": 1, "a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        (b'{"a": ' + b"1" * 5000 + b', "b": 1}', {"a": None, "b": 1}),
        (b'{"a": 1e400000, "b": 1e-400000}', {"a": None, "b": None}),
        (b'{"a": 1e999999999999999999999}', {"a": None}),
        (b'{"error": false, "a": 1}', {"error": False, "a": 1}),
        (b'{"error": "", "a": 1}', {"error": "", "a": 1}),
        (b'{"error": null, "errors": [], "a": 1}', {"error": None, "errors": [], "a": 1}),
        (b'{"status": "Error", "charge": "1", "message": "x"}', {"status": "Error", "charge": "1", "message": "x"}),
        (b'{"status": 100, "order": "7"}', {"status": 100, "order": "7"}),
        (b'{"status": "Error"}', {"status": "Error"}),
    ],
)
def test_json_is_found_behind_a_mark_and_notices_and_in_its_wrapping(body: bytes, value: object) -> None:
    """Numbers are exact; a falsy error beside data is none; an order's own state is no refusal."""
    assert payload(answer(body)) == value


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251", "windows-1254"])
@pytest.mark.parametrize("is_named", [True, False])
def test_letters_are_read_in_the_charset_of_the_response(charset: str, is_named: bool) -> None:
    """Named, or guessed by the letters. Amounts are the same in all of them."""
    said = "Недостаточно средств" if charset == "windows-1251" else "Bakiyeniz yetersiz, lütfen yükleyin. Şğı"
    body = f'{{"error": "{said}", "balance": "1.50"}}'.encode(charset)
    headers = {"content-type": f'text/html; charset="{charset.upper()}"'} if is_named else {}
    error = error_of(Response(status=200, headers=headers, body=body))
    assert type(error) is InsufficientFundsError
    assert error.message == said


@pytest.mark.parametrize("content_type", ["", "text/html; charset=utf-16", "text/html; charset=", "x"])
def test_letters_of_no_known_charset_are_replaced(content_type: str) -> None:
    """What is ASCII is read all the same."""
    response = Response(status=200, headers={"content-type": content_type}, body=b'{"a": "\xff\x81", "b": 1.50}')
    assert payload(response) == {"a": "\ufffd\ufffd", "b": Decimal("1.50")}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"null",
        b"<html>Just a moment...</html>",
        b'{"a": 1',
        b"bad gateway",
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a": 1}{"error": "x"}',
        b'{"a": 1},{"a": 2}',
        b'x [{"a": 1}, {"a": 2}',
        b'<html><script>var state = {"a": 1}</script></html>',
        b'<head></head>{"a": 1}',
        b'{"a": 1}\nPHP Fatal error: Uncaught Error in /a.php on line 7',
        b'Stack trace: #0 {"a": 1}',
        b'ok {"a": ' + b'{"a":' * 10_000,
        b'"{not json"',
        b"\xff\xfe\x00",
        b"Notice: all is well",
    ],
)
def test_what_is_no_json_is_unavailable_for_a_read_and_unknown_for_a_write(body: bytes) -> None:
    """Law 3: an order may have been taken behind a broken answer."""
    assert type(error_of(answer(body))) is PanelUnavailableError
    error = error_of(answer(body), WRITE)
    assert isinstance(error, OutcomeUnknownError)
    assert (error.asked, error.sent) == ({"link": "x.y"}, True)


@pytest.mark.parametrize(
    ("reply", "class_"),
    [
        (answer({"error": "Invalid API key"}), AuthenticationError),
        (answer({"error": "Invalid API key"}, status=500), AuthenticationError),
        (answer([{"error": "Incorrect order ID"}], status=200), OrderNotFoundError),
        (answer({"status": "error", "message": "Bad link"}), InvalidOrderError),
        (answer({"status": "fail", "msg": "Bad link"}), InvalidOrderError),
        (answer({"success": False, "error": "Bad link"}), InvalidOrderError),
        (answer({"error": "Hmm", "status": "102"}), AuthenticationError),
        (answer({"status": 107}), InvalidOrderError),
        (answer({"message": "x", "errors": {"link": ["The link field is required."]}}, status=422), InvalidOrderError),
        (answer({"error": True, "message": "Bad link"}), InvalidOrderError),
        (answer({"error": "Bad Request", "message": ["Bad link"]}, status=400), InvalidOrderError),
        (answer({"data": {"error": "Bad link"}}), InvalidOrderError),
        (answer({"detail": "Hmm"}, status=404), PanelError),
        (answer({"message": "Hmm"}, status=401), AuthenticationError),
        (answer({"message": "Hmm"}, status=402), InsufficientFundsError),
        (answer({"message": "Bad link"}, status=429), RateLimitedError),
        (answer(b"<html>slow down</html>", status=429), RateLimitedError),
        (answer(b"null", status=429), RateLimitedError),
        (answer({"error": "Rate limit exceeded"}), RateLimitedError),
        (answer({"error": "Under maintenance, try again later"}), TemporaryPanelError),
        (answer({"error": "Never heard of"}), PanelError),
    ],
)
@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
def test_a_refusal_is_an_error_by_name_whatever_its_form(
    reply: Response, class_: type[PanelError], request_: Request
) -> None:
    """With the panel's status; a known text beats every status but 429."""
    error = error_of(reply, request_)
    assert type(error) is class_
    assert error.http_status == reply.status  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body", [{"error": "internal_server_error"}, {"message": "Hmm"}, {"error": "try again later"}, {}]
)
def test_a_servers_fault_is_unavailable_for_a_read_and_unknown_for_a_write(body: object) -> None:
    """A 5xx with words that say no more than "later"."""
    assert type(error_of(answer(body, status=503))) is PanelUnavailableError
    assert type(error_of(answer(body, status=503), WRITE)) is OutcomeUnknownError


def test_a_refusal_without_a_text_of_a_write_is_unknown() -> None:
    """One panel passes on blank errors of orders that exist."""
    reply = answer({"status": "error", "msg": "", "error": ""})
    assert type(error_of(reply)) is PanelError
    assert type(error_of(reply, WRITE)) is OutcomeUnknownError


def test_texts_are_not_looked_for_without_end() -> None:
    """An error's text stands three levels deep at most."""
    assert type(error_of(answer({"error": {"a": {"b": "Bad link"}}}))) is InvalidOrderError
    assert type(error_of(answer({"error": {"a": {"b": {"c": {"d": "Bad link"}}}}}))) is PanelError


@pytest.mark.parametrize("reset", ["9" * 400, "1e400", "99999999999999"])
def test_a_reset_beyond_all_times_is_none(reset: str) -> None:
    """It must not cost the order that it came with."""
    reply = answer(
        {"order": 1}, x_ratelimit_remaining="0", x_ratelimit_reset=reset, date="Wed, 21 Oct 2026 07:28:00 GMT"
    )
    assert parse_retry_after(reply) is None


def test_rows_that_come_with_an_error_status_are_rows() -> None:
    """Some panels answer 4xx when one id of many is wrong."""
    many = encode_many(STATUS, [1, 2])
    rows = {"1": {"status": "Completed"}, "2": {"error": "Incorrect order ID"}}
    assert set(decode_order_statuses(many, answer(rows, status=400), PanelWords())) == {"1", "2"}
    named = [{"order": 1, "status": "Completed"}]
    assert set(decode_order_statuses(many, answer(named, status=404), PanelWords())) == {"1"}
    for reply, class_ in ((answer(rows, status=500), PanelUnavailableError), (answer([], status=400), PanelError)):
        with pytest.raises(class_):
            decode_order_statuses(many, reply, PanelWords())


def test_keys_that_stand_twice_are_a_conflict_of_their_values() -> None:
    """At any depth, also where strings have colons in them."""
    body = b'{"a": {"b": 1, "b": 2, "c": "x: y"}, "d": [{"e": 1, "e": [2]}]}'
    value: Any = payload(answer(body))
    assert value == {"a": {"b": [1, 2], "c": "x: y"}, "d": [{"e": [1, [2]]}]}
    assert type(value["a"]["b"]) is type(value["d"][0]["e"]) is Conflict


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("https://www.panel.example/api/v2?key=secret", "https://www.panel.example/api/v2"),
        ("/api/v2/", "the same scheme://the same host/api/v2/"),
        ("https://[", "somewhere unreadable"),
    ],
)
def test_a_redirect_tells_the_address_to_use(location: str, says: str) -> None:
    """Without the query, which may repeat what was sent."""
    error = error_of(answer(b"", status=301, location=location))
    assert f"the panel redirects to {says}: give that address as url" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": " 0 "}, 0.0),
        ({"retry_after": "9" * 400}, 999999999.0),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry_after": "Mon, 01 Jan 2024 00:00:00 +" + "9" * 20, "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_beside_the_answers_own(
    headers: dict[str, str], seconds: float | None
) -> None:
    """So that no clock of ours is asked."""
    error = error_of(answer({"error": "Too many requests"}, status=429, **headers))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == seconds
    page = error_of(answer(b"<html>", status=429, **headers))
    assert isinstance(page, RateLimitedError)
    assert page.retry_after == seconds
    gone = error_of(answer(b"<html>", status=503, **headers))
    assert isinstance(gone, PanelUnavailableError)
    assert gone.retry_after == seconds


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"error": "Too many requests", "retry_after": 7}, {}, 7.0),
        ({"error": "Too many requests"}, {"x_ratelimit_reset": "7"}, 7.0),
        ({"error": "Too many requests"}, {"ratelimit_reset": "7", "ratelimit_remaining": "3"}, 7.0),
    ],
)
def test_a_text_that_means_too_many_requests_is_read_like_http_429(
    body: object, headers: dict[str, str], seconds: float
) -> None:
    """Many panels answer everything with HTTP 200."""
    for status in (200, 429):
        error = error_of(answer(body, status=status, **headers))
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == seconds


def test_a_page_is_quoted_in_part() -> None:
    """Enough to see what it is."""
    error = error_of(answer(b"<html>\n<h1>Down</h1>" + b"x" * 1000, status=502))
    assert str(error).startswith('status: the answer is a page instead of JSON (HTTP 502): "<html> <h1>Down</h1>xxx')
    assert len(str(error)) < 320
