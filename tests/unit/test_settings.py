"""What a client is told: everything wrong is said before a byte is sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from followersdata_async import OrderState
from followersdata_async._settings import DEFAULT_URL, resolve_api_key, resolve_url
from followersdata_async.errors import ConfigurationError, InsufficientFundsError
from tests.helpers.fakes import make_settings

if TYPE_CHECKING:
    from pathlib import Path

    from followersdata_async._settings import Settings

SECRET = "very-secret-key-0123456789"


def settings(**changes: object) -> Settings:
    """Settings that work, but for the changes."""
    return make_settings(DEFAULT_URL, api_key=SECRET, **changes)


def test_the_key_is_not_in_the_repr() -> None:
    """Neither is the proxy, which may hold a password."""
    shown = repr(settings(proxy="http://me:password@proxy.example:3128"))
    assert SECRET not in shown
    assert "password" not in shown


@pytest.mark.parametrize(
    ("given", "environment", "key"),
    [("mine", {"FOLLOWERSDATA_API_KEY": "its"}, "mine"), (None, {"FOLLOWERSDATA_API_KEY": "its"}, "its")],
)
def test_the_key_is_the_given_one_or_the_environments(given: str | None, environment: dict[str, str], key: str) -> None:
    """The argument wins."""
    assert resolve_api_key(given, environment) == key


def test_the_key_may_be_in_a_file_that_the_environment_names(tmp_path: Path) -> None:
    """As secrets are mounted, with or without a line's end; the variable with the key itself wins."""
    (tmp_path / "key").write_text(SECRET + "\n")
    environment = {"FOLLOWERSDATA_API_KEY_FILE": str(tmp_path / "key"), "FOLLOWERSDATA_API_KEY": ""}
    assert resolve_api_key(None, environment) == SECRET
    assert resolve_api_key(None, environment | {"FOLLOWERSDATA_API_KEY": "its"}) == "its"
    assert resolve_api_key("mine", environment) == "mine"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "which cannot be read: No such file or directory"),
        (b"\xff\xfe", "which cannot be read: it is no text"),
        (b"", "no API key: "),
        (SECRET.encode() + b"\nanother", "the API key has a blank or a control character"),
    ],
)
def test_a_key_file_without_one_key_says_what_is_wrong(tmp_path: Path, content: bytes | None, says: str) -> None:
    """And repeats nothing of it."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=says) as caught:
        resolve_api_key(None, {"FOLLOWERSDATA_API_KEY_FILE": str(file)})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("given", [None, "", "  "])
def test_no_key_is_a_configuration_error_that_says_where_to_put_it(given: str | None) -> None:
    """Also an empty one."""
    with pytest.raises(ConfigurationError, match=r"^no API key: pass api_key=…, or set FOLLOWERSDATA_API_KEY"):
        resolve_api_key(given, {"FOLLOWERSDATA_API_KEY": ""})


@pytest.mark.parametrize("key", [SECRET + "\n", SECRET[:5] + " " + SECRET[5:], SECRET + "\x00", "\ufeff" + SECRET])
def test_a_key_with_a_blank_is_refused_and_not_shown(key: str) -> None:
    """It was copied with something round it; the message does not repeat it."""
    with pytest.raises(ConfigurationError, match=r"^the API key has a blank or a control character") as caught:
        resolve_api_key(key, {})
    assert SECRET[:5] not in str(caught.value)


def test_a_key_of_another_type_is_a_type_error() -> None:
    """Also bytes."""
    with pytest.raises(TypeError, match=r"^api_key is a text or None, not bytes$"):
        resolve_api_key(SECRET.encode(), {})


@pytest.mark.parametrize(
    "url",
    [
        DEFAULT_URL,
        "https://panel.example/api/v1",
        "https://panel.example:8443/api.php",
        "HTTPS://panel.example/api/v2",
        "http://127.0.0.1:8099/api/v2",
        "http://127.9.9.9/api/v2",
        "http://localhost:8099/api/v2",
        "http://[::1]:8099/api/v2",
    ],
)
def test_a_full_address_is_taken_as_it_is(url: str) -> None:
    """``http://`` is for this machine only. A scheme in capitals is the same one, also where it is compared."""
    assert resolve_url(url, {}) == url.replace("HTTPS", "https")


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, DEFAULT_URL),
        ({"FOLLOWERSDATA_API_URL": ""}, DEFAULT_URL),
        ({"FOLLOWERSDATA_API_URL": "https://a.b/c"}, "https://a.b/c"),
    ],
)
def test_without_an_address_the_environment_is_asked_and_then_the_default(
    environment: dict[str, str], url: str
) -> None:
    """An empty variable is none."""
    assert resolve_url(None, environment) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("followersdata.com/api/v2", "has no https:// before it"),
        ("//followersdata.com/api/v2", "has no https:// before it"),
        ("ftp://followersdata.com", "has no https:// before it"),
        ("", "has no https:// before it"),
        ("https:///api/v2", "names no host"),
        ("https://me:secret@a.b/c", "holds a name or password"),
        ("https://a.b/c#d", r"has a \?query or #fragment"),
        ("https://a.b/c?key=secret-key", r"has a \?query or #fragment"),
        ("https://a.b/c?", r"has a \?query or #fragment"),
        ("https://a.b/c#", r"has a \?query or #fragment"),
        ("https://a.b/c d", "has a blank or a control character"),
        ("https://a.b/c\n", "has a blank or a control character"),
        ("https://a.b:port/", "cannot be read"),
        ("https://[a.b/", "cannot be read"),
        ("http://followersdata.com/api/v2", "would send the key unencrypted"),
        ("http://10.0.0.1/api/v2", "would send the key unencrypted"),
        ("http://localhost.example/api/v2", "would send the key unencrypted"),
        ("http://127.0.0.1.example/api/v2", "would send the key unencrypted"),
        ("http://0.0.0.0/api/v2", "would send the key unencrypted"),
    ],
)
def test_an_address_that_cannot_be_used_says_what_is_wrong(url: str, problem: str) -> None:
    """And shows what one looks like, without repeating a password."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        resolve_url(url, {})
    assert str(caught.value).endswith(f"it looks like {DEFAULT_URL}")
    assert "secret" not in str(caught.value)


def test_an_address_of_another_type_is_a_type_error() -> None:
    """Not the attribute error of some library."""
    with pytest.raises(TypeError, match=r"^url is a text or None, not int$"):
        resolve_url(8, {})


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("concurrency", 0, ValueError),
        ("concurrency", -1, ValueError),
        ("concurrency", 1.5, TypeError),
        ("concurrency", True, TypeError),
        ("chunk_size", 0, ValueError),
        ("chunk_size", 101, ValueError),
        ("chunk_size", "100", TypeError),
        ("timeout", 0, ValueError),
        ("timeout", -1.0, ValueError),
        ("timeout", math.nan, ValueError),
        ("timeout", "60", TypeError),
        ("attempt_timeout", math.inf, ValueError),
        ("retry", 3, TypeError),
        ("max_retry_after", -1, ValueError),
        ("max_retry_after", math.inf, ValueError),
        ("max_retry_after", "60", TypeError),
        ("max_request_bytes", 0, ValueError),
        ("max_request_bytes", 1.5, TypeError),
        ("user_agent", "", ValueError),
        ("user_agent", "a\r\nX-Evil: 1", ValueError),
        ("user_agent", "ü", ValueError),
        ("user_agent", 1, TypeError),
        ("proxy", "", ValueError),
        ("ssl_context", "/etc/ssl", TypeError),
        ("error_phrases", {"": InsufficientFundsError}, ValueError),
        ("error_phrases", {7: InsufficientFundsError}, ValueError),
        ("error_phrases", {"bakiye yok": ValueError}, TypeError),
        ("error_phrases", {"bakiye yok": InsufficientFundsError()}, TypeError),
        ("key_field", "", ValueError),
        ("key_field", "a=b", ValueError),
        ("key_field", "action", ValueError),
        ("key_field", 7, TypeError),
        ("json_body", 1, TypeError),
        ("status_words", {"": OrderState.COMPLETED}, ValueError),
        ("status_words", {7: OrderState.COMPLETED}, ValueError),
        ("status_words", {"teslim edildi": "completed"}, TypeError),
        ("status_words", {"teslim edildi": OrderState}, TypeError),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused_by_its_name(field: str, value: object, error: type[Exception]) -> None:
    """A mistake is told where it is made, not at the first request."""
    with pytest.raises(error, match=field):
        settings(**{field: value})
