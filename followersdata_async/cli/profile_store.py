"""Profiles: panels with a name, an address and a key, in a file that only its user can read."""

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

DEFAULT_PROFILE = "main"
_APP_NAME = "followersdata"


@final
@frozen(kw_only=True)
class Profile:
    """A panel with a name. ``key`` is ``None`` if it is in the system's keyring."""

    name: str
    url: str
    key: str | None = field(repr=False)


@final
@frozen
class ProfileStore:
    """The file that keeps the profiles of a user."""

    file: Path

    def load_all(self) -> dict[str, Profile]:
        """Return every profile by its name.

        Raises:
            ConfigurationError: other users can read the file, or a profile is invalid.
        """
        return {name: _parse_profile(name, entry, self.file) for name, entry in self._read_entries().items()}

    def load_names(self) -> list[str]:
        """Return the names of all profiles, including invalid ones.

        Raises:
            ConfigurationError: other users can read the file, or it is not a file of profiles.
        """
        return list(self._read_entries())

    def load(self, name: str) -> Profile:
        """Return the profile of a name, with its key.

        Raises:
            ConfigurationError: no profile has this name, or the keyring has no key for it.
        """
        entries = self._read_entries()
        if name not in entries:
            names = ", ".join(sorted(entries)) or "none"
            msg = f"there is no profile {name!r}, but {names}: add it with `followersdata profile add {name}`"
            raise ConfigurationError(msg)
        profile = _parse_profile(name, entries[name], self.file)
        if profile.key is not None:
            return profile
        return Profile(name=name, url=profile.url, key=_load_key_from_keyring(name))

    def add(self, profile: Profile, *, keyring: bool) -> None:
        """Save a profile, and replace one of the same name. With ``keyring``, its key is not in the file.

        Raises:
            ConfigurationError: the file cannot be written, or the system has no keyring.
        """
        entries = self._read_entries()
        if keyring:
            with _open_keyring() as system_keyring:
                system_keyring.set_password(_APP_NAME, profile.name, profile.key)
                if system_keyring.get_password(_APP_NAME, profile.name) != profile.key:
                    msg = "the system's keyring keeps nothing here; leave --keyring out to keep the key in a file"
                    raise ConfigurationError(msg)
        elif _is_in_keyring(entries.get(profile.name)):
            _delete_from_keyring(profile.name)
        entries[profile.name] = {"url": profile.url, "key": None if keyring else profile.key}
        self._write_entries(entries)

    def remove(self, name: str) -> None:
        """Delete a profile and its key.

        Raises:
            ConfigurationError: no profile has this name, or the file cannot be written.
        """
        entries = self._read_entries()
        if name not in entries:
            self.load(name)
        if _is_in_keyring(entries[name]):
            _delete_from_keyring(name)
        self._write_entries({key: entry for key, entry in entries.items() if key != name})

    def _read_entries(self) -> dict[str, Any]:
        try:
            with self.file.open(encoding="utf-8") as file:
                _check_private(file.fileno(), self.file)
                entries = json.load(file)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            msg = f"the profiles in {self.file} cannot be read: {error}"
            raise ConfigurationError(msg) from error
        if not isinstance(entries, dict):
            msg = f"{self.file} is no file of profiles: move it away, and add them again"
            raise ConfigurationError(msg)
        return entries

    def _write_entries(self, entries: Mapping[str, Any]) -> None:
        """Replace the file at once. Other users can never read it, not even while it is written."""
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self.file.parent)
            with os.fdopen(number, "w", encoding="utf-8") as file:
                json.dump(entries, file, indent=2)
            Path(name).replace(self.file)
        except OSError as error:
            msg = f"the profiles cannot be written to {self.file}: {error.strerror or error}"
            raise ConfigurationError(msg) from error


def open_store() -> ProfileStore:
    """Return the store of the current user."""
    return ProfileStore(user_config_path(_APP_NAME) / "profiles.json")


def resolve_credentials(
    name: str | None, url: str | None, environment: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Return the key and the address for a client, or ``None`` for those that it reads from the environment.

    The profile with this name comes first, then the environment, then the
    profile ``main``. The key of a profile is never sent to the address in the
    environment.

    Raises:
        ConfigurationError: there is no key, or it belongs to another address.
    """
    if name is not None:
        check_name(name)
    elif any(environment.get(variable) for variable in (KEY_VARIABLE, KEY_FILE_VARIABLE)):
        return None, url
    elif DEFAULT_PROFILE not in open_store().load_names():
        msg = (
            "no API key: remember one with `followersdata profile add main`, "
            f"or set {KEY_VARIABLE} or {KEY_FILE_VARIABLE} (the key is on the panel's API page)"
        )
        raise ConfigurationError(msg)
    profile = open_store().load(name or DEFAULT_PROFILE)
    other_url = environment.get(URL_VARIABLE)
    if name is None and url is None and other_url and resolve_url(other_url, {}) != profile.url:
        msg = (
            f"{URL_VARIABLE} is not the address of the profile {DEFAULT_PROFILE}, whose key is not sent there: "
            f"set {KEY_VARIABLE} as well, or say --profile {DEFAULT_PROFILE}"
        )
        raise ConfigurationError(msg)
    return profile.key, url or profile.url


def check_name(name: str) -> None:
    """Check that the name of a profile is not empty, as it is if a shell variable is not set.

    Raises:
        ConfigurationError: the name is empty.
    """
    if not name.strip():
        msg = "the profile's name is empty: was a variable not set?"
        raise ConfigurationError(msg)


def _check_private(number: int, file: Path) -> None:
    mode = os.fstat(number).st_mode
    if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        msg = f"{file} has keys, and others can read it (mode {stat.S_IMODE(mode):o}): chmod 600 {file}"
        raise ConfigurationError(msg)


def _parse_profile(name: str, entry: object, file: Path) -> Profile:
    if isinstance(entry, dict):
        url, key = entry.get("url"), entry.get("key")
        if isinstance(url, str) and isinstance(key, str | None):
            return Profile(name=name, url=resolve_url(url, {}), key=key)
    msg = f"the profile {name!r} in {file} has no url and key: add it again"
    raise ConfigurationError(msg)


@contextmanager
def _open_keyring() -> Iterator[Any]:
    """Yield the system's keyring.

    Raises:
        ConfigurationError: the library is not installed, or the keyring does not work.
    """
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


def _delete_from_keyring(name: str) -> None:
    with _open_keyring() as system_keyring:
        if system_keyring.get_password(_APP_NAME, name) is not None:
            system_keyring.delete_password(_APP_NAME, name)


def _load_key_from_keyring(name: str) -> str:
    with _open_keyring() as system_keyring:
        key = system_keyring.get_password(_APP_NAME, name)
    if not isinstance(key, str):
        msg = f"the keyring has no key for the profile {name!r}: add it again with `followersdata profile add {name}`"
        raise ConfigurationError(msg)
    return key
