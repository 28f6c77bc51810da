"""What a client is configured with, checked before a byte is sent; from arguments and the environment."""

from __future__ import annotations

from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, Literal, TypeVar, final
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen
from attrs.validators import in_, instance_of, optional

from ._pacing import RetryPolicy
from ._validators import header_text, seconds, whole_number
from ._wire.error_phrases import Words, letters_of
from .errors import ConfigurationError, PanelError
from .models import MAX_CHUNK_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

DEFAULT_URL = "https://followersdata.com/api/v2"
KEY_VARIABLE = "FOLLOWERSDATA_API_KEY"
KEY_FILE_VARIABLE = "FOLLOWERSDATA_API_KEY_FILE"
URL_VARIABLE = "FOLLOWERSDATA_API_URL"


def _words(own: Mapping[str, type[PanelError]]) -> Words:
    """A user's words for refusals; each must stand for a class of panel errors."""
    for text, class_ in own.items():
        _check_word(text, class_)
    return Words(dict(own))


def _check_word(text: object, class_: object) -> None:
    if not isinstance(text, str) or not letters_of(text):
        msg = f"error_phrases maps texts to classes, and {text!r} has no letter or digit"
        raise ValueError(msg)
    if not (isinstance(class_, type) and issubclass(class_, PanelError)):
        msg = f"error_phrases[{text!r}] must be PanelError or a subclass of it, not {class_!r}"
        raise TypeError(msg)


@final
class Secret(str):
    """A text that hides in a traceback's frames and in a debugger: its ``repr`` does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hidden(value: T) -> T | Secret:
    """A text as a secret; whatever else as it is."""
    return Secret(value) if isinstance(value, str) else value


def environment_of(variables: Mapping[str, str]) -> Mapping[str, str]:
    """What an environment says to clients, and nothing else of it; the key is hidden."""
    names = (KEY_VARIABLE, KEY_FILE_VARIABLE, URL_VARIABLE)
    said = {name: variables[name] for name in names if name in variables}
    return said | {KEY_VARIABLE: Secret(said[KEY_VARIABLE])} if KEY_VARIABLE in said else said


@final
@frozen(kw_only=True, eq=False)
class Settings:
    """Everything a client is told once. Durations are in seconds."""

    api_key: Secret = field(repr=False, converter=Secret)
    url: str
    concurrency: int = field(default=16, validator=whole_number(1))
    timeout: float = field(default=60.0, validator=seconds())
    attempt_timeout: float = field(default=20.0, validator=seconds())
    retry: RetryPolicy | None = field(factory=RetryPolicy, validator=optional(instance_of(RetryPolicy)))
    coalesce_window: float = field(default=0.0, validator=seconds(zero=True))
    chunk_size: int = field(default=MAX_CHUNK_SIZE, validator=whole_number(1, MAX_CHUNK_SIZE))
    user_agent: str | None = field(default=None, validator=optional(header_text))
    proxy: str | None = field(default=None, validator=optional(header_text), repr=False)
    transport: Literal["aiohttp"] | None = field(default=None, validator=in_((None, "aiohttp")))
    http2: bool = field(default=False, validator=instance_of(bool))
    ssl_context: SSLContext | None = field(default=None, validator=optional(instance_of(SSLContext)))
    words: Words = field(converter=_words, alias="error_phrases", repr=False)

    @property
    def account(self) -> str:
        """A text that stands for the panel and the key, and tells neither."""
        return sha256(f"followersdata_async\0{self.url}\0{self.api_key}".encode()).hexdigest()


def key_from(given: object, environment: Mapping[str, str]) -> Secret:
    """The key, as given, from the environment, or from the file that the environment names.

    Raises:
        TypeError: it is no text.
        ConfigurationError: there is none, the file cannot be read, or it has blanks or control characters.
    """
    key = hidden((environment.get(KEY_VARIABLE) or _key_in_file(environment)) if given is None else given)
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


def _key_in_file(environment: Mapping[str, str]) -> str | None:
    """The key as secrets are mounted: a file of one line, maybe with an editor's mark before it."""
    file = environment.get(KEY_FILE_VARIABLE)
    if not file:
        return None
    try:
        return Path(file).read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        msg = f"{KEY_FILE_VARIABLE} names {file}, which cannot be read: {reason}"
        raise ConfigurationError(msg) from error


def url_from(given: object, environment: Mapping[str, str]) -> str:
    """The API's full address, as given, from the environment, or followersdata.com's.

    Raises:
        TypeError: it is no text.
        ConfigurationError: it is no https:// address (http:// is for this machine only).
    """
    url = (environment.get(URL_VARIABLE) or DEFAULT_URL) if given is None else given
    if not isinstance(url, str):
        msg = f"url is a text or None, not {type(url).__name__}"
        raise TypeError(msg)
    if problem := _problem_of(url):
        msg = f"the address {_shown(url)} {problem}; it looks like {DEFAULT_URL}"
        raise ConfigurationError(msg)
    scheme, mark, rest = url.partition("://")
    return scheme.lower() + mark + rest


def _problem_of(url: str) -> str | None:
    """What is wrong with an address, or ``None``."""
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
    if parts.fragment or "#" in url:
        return "has a #fragment"
    return _problem_of_scheme(parts)


def _problem_of_scheme(parts: SplitResult) -> str | None:
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


def _shown(url: str) -> str:
    """An address as far as it can be shown: nothing before an ``@``, nothing after a ``?``."""
    return repr(url.rpartition("@")[2].partition("?")[0][:80])
