"""Panels that are remembered by a name: their address, and their key in a file that nobody else can read."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from attrs import field, frozen
from platformdirs import user_config_path

from .._settings import KEY_FILE_VARIABLE, KEY_VARIABLE, URL_VARIABLE, resolve_url
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT = "main"
_SERVICE = "followersdata"


@final
@frozen(kw_only=True)
class Account:
    """A panel under a name. ``key`` is ``None`` where the system's keyring has it."""

    name: str
    url: str
    key: str | None = field(repr=False)


@final
@frozen
class Accounts:
    """The file of them."""

    file: Path

    def all(self) -> dict[str, Account]:
        """Each by its name.

        Raises:
            ConfigurationError: others can read the file, or it cannot be read.
        """
        return {name: _account(name, entry, self.file) for name, entry in self._entries().items()}

    def names(self) -> list[str]:
        """The names alone, also of what cannot be read.

        Raises:
            ConfigurationError: others can read the file, or it cannot be read.
        """
        return list(self._entries())

    def account(self, name: str) -> Account:
        """One of them, with its key.

        Raises:
            ConfigurationError: there is none of this name, or the keyring has no key for it.
        """
        entries = self._entries()
        if name not in entries:
            names = ", ".join(sorted(entries)) or "none"
            msg = f"there is no profile {name!r}, but {names}: add it with `followersdata profile add {name}`"
            raise ConfigurationError(msg)
        account = _account(name, entries[name], self.file)
        if account.key is not None:
            return account
        return Account(name=name, url=account.url, key=_key_in_keyring(name))

    def add(self, account: Account, *, keyring: bool) -> None:
        """Remember one, in place of another of its name; with ``keyring``, its key is there and not in the file.

        Raises:
            ConfigurationError: the file cannot be written, or there is no keyring.
        """
        entries = self._entries()
        if keyring:
            with _keyring() as ring:
                ring.set_password(_SERVICE, account.name, account.key)
                if ring.get_password(_SERVICE, account.name) != account.key:
                    msg = "the system's keyring keeps nothing here; leave --keyring out to keep the key in a file"
                    raise ConfigurationError(msg)
        elif _is_in_keyring(entries.get(account.name)):
            _forget_in_keyring(account.name)
        entries[account.name] = {"url": account.url, "key": None if keyring else account.key}
        self._write(entries)

    def remove(self, name: str) -> None:
        """Forget one, and its key.

        Raises:
            ConfigurationError: there is none of this name, or the file cannot be written.
        """
        entries = self._entries()
        if name not in entries:
            self.account(name)
        if _is_in_keyring(entries[name]):
            _forget_in_keyring(name)
        self._write({key: entry for key, entry in entries.items() if key != name})

    def _entries(self) -> dict[str, Any]:
        try:
            with self.file.open(encoding="utf-8") as opened:
                _check_private(opened.fileno(), self.file)
                entries = json.load(opened)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            msg = f"the profiles in {self.file} cannot be read: {error}"
            raise ConfigurationError(msg) from error
        if not isinstance(entries, dict):
            msg = f"{self.file} is no file of profiles: move it away, and add them again"
            raise ConfigurationError(msg)
        return entries

    def _write(self, entries: Mapping[str, Any]) -> None:
        """All at once, and never with a moment in which others could read it."""
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self.file.parent)
            with os.fdopen(number, "w", encoding="utf-8") as opened:
                json.dump(entries, opened, indent=2)
            Path(name).replace(self.file)
        except OSError as error:
            msg = f"the profiles cannot be written to {self.file}: {error.strerror or error}"
            raise ConfigurationError(msg) from error


def accounts() -> Accounts:
    """Those of this user."""
    return Accounts(user_config_path(_SERVICE) / "profiles.json")


def credentials(profile: str | None, url: str | None, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Key and address for a client, ``None`` for what it reads from the environment.

    A named profile comes first, then the environment, then the profile
    ``main``. A profile's key is never sent to the environment's address.
    """
    if profile is not None:
        check_name(profile)
    elif any(environment.get(name) for name in (KEY_VARIABLE, KEY_FILE_VARIABLE)):
        return None, url
    elif DEFAULT not in accounts().names():
        msg = (
            "no API key: remember one with `followersdata profile add main`, "
            f"or set {KEY_VARIABLE} or {KEY_FILE_VARIABLE} (the key is on the panel's API page)"
        )
        raise ConfigurationError(msg)
    account = accounts().account(profile or DEFAULT)
    elsewhere = environment.get(URL_VARIABLE)
    if profile is None and url is None and elsewhere and resolve_url(elsewhere, {}) != account.url:
        msg = (
            f"{URL_VARIABLE} is not the address of the profile {DEFAULT}, whose key is not sent there: "
            f"set {KEY_VARIABLE} as well, or say --profile {DEFAULT}"
        )
        raise ConfigurationError(msg)
    return account.key, url or account.url


def check_name(name: str) -> None:
    """Refuse a name that is none, as that of a variable that is not set.

    Raises:
        ConfigurationError: it is empty.
    """
    if not name.strip():
        msg = "the profile's name is empty: was a variable not set?"
        raise ConfigurationError(msg)


def _check_private(number: int, file: Path) -> None:
    mode = os.fstat(number).st_mode
    if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        msg = f"{file} has keys, and others can read it (mode {stat.S_IMODE(mode):o}): chmod 600 {file}"
        raise ConfigurationError(msg)


def _account(name: str, entry: object, file: Path) -> Account:
    if isinstance(entry, dict):
        url, key = entry.get("url"), entry.get("key")
        if isinstance(url, str) and isinstance(key, str | None):
            return Account(name=name, url=resolve_url(url, {}), key=key)
    msg = f"the profile {name!r} in {file} has no url and key: add it again"
    raise ConfigurationError(msg)


@contextmanager
def _keyring() -> Iterator[Any]:
    """The system's keyring, a library that need not be there."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        msg = "the system's keyring needs its extra: pip install 'followersdata_async[keyring]'"
        raise ConfigurationError(msg) from error
    try:
        yield keyring
    except KeyringError as error:
        msg = f"the system's keyring does not work here: {error}; leave --keyring out to keep the key in a file"
        raise ConfigurationError(msg) from error


def _is_in_keyring(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("key", "") is None


def _forget_in_keyring(name: str) -> None:
    with _keyring() as ring:
        if ring.get_password(_SERVICE, name) is not None:
            ring.delete_password(_SERVICE, name)


def _key_in_keyring(name: str) -> str:
    with _keyring() as ring:
        key = ring.get_password(_SERVICE, name)
    if not isinstance(key, str):
        msg = f"the keyring has no key for the profile {name!r}: add it again with `followersdata profile add {name}`"
        raise ConfigurationError(msg)
    return key
