"""A client's settings, from arguments and the environment, checked before anything is sent."""

from __future__ import annotations

import re
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, TypeVar, final
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen
from attrs.validators import instance_of, optional

from ._retry import RetryPolicy
from ._validators import duration, header_value, integer
from ._wire.encoding import BodyFormat
from ._wire.panel_words import PanelWords
from ._wire.scalars import normalize_status, normalize_text
from .errors import ConfigurationError, PanelError
from .models import MAX_CHUNK_SIZE, OrderState, RefillState

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

DEFAULT_URL = "https://followersdata.com/api/v2"
KEY_VARIABLE = "FOLLOWERSDATA_API_KEY"
KEY_FILE_VARIABLE = "FOLLOWERSDATA_API_KEY_FILE"
URL_VARIABLE = "FOLLOWERSDATA_API_URL"

DEFAULT_CONCURRENCY = 16
DEFAULT_MAX_REQUEST_BYTES = 8 * 1024 * 1024
"""What PHP takes unless it is set up otherwise."""
DEFAULT_TIMEOUT = 60.0
DEFAULT_ATTEMPT_TIMEOUT = 20.0


def build_body_format(key_field: object, json_body: object) -> BodyFormat:
    """Check and build how a panel wants its requests.

    Raises:
        ValueError: the name of the key's field cannot be one.
        TypeError: an argument of another type.
    """
    if not isinstance(key_field, str):
        msg = f"key_field must be a str, got {type(key_field).__name__}"
        raise TypeError(msg)
    if not _FIELD_NAME.fullmatch(key_field) or key_field == "action":
        msg = f"key_field must be the name of a field, such as 'api_token', got {key_field!r}"
        raise ValueError(msg)
    if not isinstance(json_body, bool):
        msg = f"json_body must be a bool, got {json_body!r}"
        raise TypeError(msg)
    return BodyFormat(key_field=key_field, is_json=json_body)


_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def build_words(
    error_phrases: Mapping[str, type[PanelError]] | None, status_words: Mapping[str, OrderState | RefillState] | None
) -> PanelWords:
    """Check and build a user's own words: phrases of rejections, and words for states.

    Raises:
        ValueError: a phrase or word has no letter or digit.
        TypeError: it stands for something else than a class of panel errors, or a state.
    """
    for phrase, class_ in (error_phrases or {}).items():
        _check_phrase(phrase, class_)
    for word, state in (status_words or {}).items():
        _check_status_word(word, state)
    states = {normalize_status(word): state for word, state in (status_words or {}).items()}
    return PanelWords(dict(error_phrases or {}), states)


def _check_phrase(phrase: object, class_: object) -> None:
    _check_text("error_phrases", phrase)
    if not (isinstance(class_, type) and issubclass(class_, PanelError)):
        msg = f"error_phrases[{phrase!r}] must be PanelError or a subclass of it, not {class_!r}"
        raise TypeError(msg)


def _check_status_word(word: object, state: object) -> None:
    _check_text("status_words", word)
    if not isinstance(state, OrderState | RefillState):
        msg = f"status_words[{word!r}] must be an OrderState or a RefillState, not {state!r}"
        raise TypeError(msg)


def _check_text(setting: str, text: object) -> None:
    if not isinstance(text, str) or not normalize_text(text):
        msg = f"the keys of {setting} must be texts, and {text!r} has no letter or digit"
        raise ValueError(msg)


@final
class Secret(str):
    """A string whose ``repr`` does not show it, in the frames of a traceback or in a debugger."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hide(value: T) -> T | Secret:
    """Return a string as a ``Secret``, and anything else unchanged."""
    return Secret(value) if isinstance(value, str) else value


def read_environment(variables: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment variables of a client, the key as a ``Secret``."""
    names = (KEY_VARIABLE, KEY_FILE_VARIABLE, URL_VARIABLE)
    found = {name: variables[name] for name in names if name in variables}
    return found | {KEY_VARIABLE: Secret(found[KEY_VARIABLE])} if KEY_VARIABLE in found else found


@final
@frozen(kw_only=True, eq=False)
class Settings:
    """The settings of a client. Durations are in seconds. The defaults are those of ``AsyncClient``."""

    api_key: Secret = field(repr=False, converter=Secret)
    url: str
    concurrency: int = field(validator=integer(1))
    timeout: float = field(validator=duration())
    attempt_timeout: float = field(validator=duration())
    retry: RetryPolicy | None = field(validator=optional(instance_of(RetryPolicy)))
    max_retry_after: float = field(validator=duration(zero=True))
    coalesce_window: float = field(validator=duration(zero=True))
    chunk_size: int = field(validator=integer(1, MAX_CHUNK_SIZE))
    max_request_bytes: int | None = field(validator=optional(integer(1)))
    user_agent: str | None = field(validator=optional(header_value))
    proxy: str | None = field(validator=optional(header_value), repr=False)
    ssl_context: SSLContext | None = field(validator=optional(instance_of(SSLContext)))
    body_format: BodyFormat = field(validator=instance_of(BodyFormat))
    words: PanelWords = field(validator=instance_of(PanelWords), repr=False)

    @property
    def account(self) -> str:
        """Return a hash that stands for the panel and the key, and reveals neither."""
        return sha256(f"followersdata_async\0{self.url}\0{self.api_key}".encode()).hexdigest()


def resolve_api_key(given: object, environment: Mapping[str, str]) -> Secret:
    """Return the key, as passed, from the environment, or from the file that the environment names.

    Raises:
        TypeError: it is not a string.
        ConfigurationError: there is none, the file cannot be read, or it has blanks or control characters.
    """
    key = hide((environment.get(KEY_VARIABLE) or _read_key_file(environment)) if given is None else given)
    if not isinstance(key, Secret | None):
        msg = f"api_key is a text or None, not {type(key).__name__}"
        raise TypeError(msg)
    if key is None or not key.strip():
        names = f"{KEY_VARIABLE} or {KEY_FILE_VARIABLE}"
        msg = f"no API key: pass api_key=…, or set {names} (the key is on the panel's API page)"
        raise ConfigurationError(msg)
    if any(not sign.isprintable() or sign.isspace() for sign in key):
        msg = "the API key has a blank or a control character: copy it again, without the line's end"
        raise ConfigurationError(msg)
    return key


def _read_key_file(environment: Mapping[str, str]) -> str | None:
    """Read the key from a mounted secret: a file of one line, possibly with a byte order mark."""
    file = environment.get(KEY_FILE_VARIABLE)
    if not file:
        return None
    try:
        return Path(file).read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        msg = f"{KEY_FILE_VARIABLE} names {file}, which cannot be read: {reason}"
        raise ConfigurationError(msg) from error


def resolve_url(given: object, environment: Mapping[str, str]) -> str:
    """Return the API's full address, as passed, from the environment, or that of followersdata.com.

    Raises:
        TypeError: it is not a string.
        ConfigurationError: it is not an https:// address (http:// is for this machine only).
    """
    url = (environment.get(URL_VARIABLE) or DEFAULT_URL) if given is None else given
    if not isinstance(url, str):
        msg = f"url is a text or None, not {type(url).__name__}"
        raise TypeError(msg)
    if problem := _find_problem(url):
        msg = f"the address {redact_url(url)} {problem}; it looks like {DEFAULT_URL}"
        raise ConfigurationError(msg)
    scheme, mark, rest = url.partition("://")
    return scheme.lower() + mark + rest


def _find_problem(url: str) -> str | None:
    """Return what is wrong with an address, or ``None``."""
    if any(not sign.isprintable() or sign.isspace() for sign in url):
        return "has a blank or a control character"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "cannot be read"
    if parts.scheme not in {"http", "https"}:
        return "has no https:// before it"
    if not host:
        return "names no host"
    if parts.username is not None or parts.password is not None:
        return "holds a name or password"
    if "#" in url or "?" in url:
        # A key in it would be printed and logged.
        return "has a ?query or #fragment: give the key as api_key"
    return _find_scheme_problem(parts)


def _find_scheme_problem(parts: SplitResult) -> str | None:
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        return "would send the key unencrypted: http:// is for this machine only"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def redact_url(url: str) -> str:
    """Return an address without what can be secret: the part before ``@`` and the part after ``?``."""
    return repr(url.rpartition("@")[2].partition("?")[0][:80])
