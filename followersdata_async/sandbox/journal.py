"""The journal of a sandbox: a file of the events that changed it, which are replayed after a restart (SQLite)."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_VERSION = 1
_TABLES = (
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE happened (number INTEGER PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL, facts TEXT) STRICT",
    f"PRAGMA user_version={_VERSION}",
)


@final
class Journal:
    """A file of events, oldest first, that one sandbox at a time may open.

    Args:
        path: The file, created if it does not exist.
        settings: The settings of the backend; a file that was created with others is rejected.

    Raises:
        ValueError: The file is not a journal, has a newer version, was created
            with other settings, or another sandbox has it open.
        OSError: It cannot be read or written.
    """

    def __init__(self, path: Path, settings: Mapping[str, object]) -> None:
        self._path = path
        try:
            # Calls come from any thread, but the panel's lock lets in one at a time.
            self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)
        except sqlite3.OperationalError as error:
            msg = f"the state {path} cannot be opened: {error}; is its folder there?"
            raise OSError(msg) from error
        try:
            self._initialize({name: json.dumps(value) for name, value in settings.items()})
        except sqlite3.OperationalError as error:
            self._file.close()
            if "locked" in str(error):
                msg = f"the state {path} is in use by another sandbox: end that one, or take another file"
                raise ValueError(msg) from error
            msg = f"the state {path} cannot be written: {error}"
            raise OSError(msg) from error
        except sqlite3.DatabaseError as error:
            self._file.close()
            msg = f"{path} is no sandbox's state: take another file"
            raise ValueError(msg) from error
        except ValueError:
            self._file.close()
            raise

    def _initialize(self, settings: Mapping[str, str]) -> None:
        """Lock the file, and create its tables or check that it fits."""
        self._file.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._file.execute("BEGIN EXCLUSIVE")
        (tables,) = self._file.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        if tables or version:
            self._check(version, settings)
        else:
            for statement in _TABLES:
                self._file.execute(statement)
            self._file.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
        self._file.execute("COMMIT")
        # Only now that the file is known to be a journal: this pragma writes into it.
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")

    def _check(self, version: int, settings: Mapping[str, str]) -> None:
        if version != _VERSION:
            newer = "of a newer version" if version > _VERSION else "no sandbox's state"
            msg = f"{self._path} is {newer}: take another file"
            raise ValueError(msg)
        for name, value in settings.items():
            kept = self._file.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
            if kept != (value,):
                was = "nothing" if kept is None else kept[0]
                msg = f"{self._path} was made with {name} {was}, not {value}: say the same, or take another file"
                raise ValueError(msg)

    def read_events(self) -> Iterator[tuple[float, str, dict[str, Any]]]:
        """Yield all events, oldest first: the time, the kind and the data of each."""
        for at, kind, data in self._file.execute("SELECT at, what, facts FROM happened ORDER BY number"):
            yield at, kind, json.loads(data)

    def append_event(self, at: float, kind: str, data: Mapping[str, object]) -> None:
        """Append an event; it is kept even if this program is killed."""
        self._file.execute("INSERT INTO happened (at, what, facts) VALUES (?, ?, ?)", (at, kind, json.dumps(data)))

    def clear(self) -> None:
        """Delete all events."""
        self._file.execute("DELETE FROM happened")

    def close(self) -> None:
        """Close the file, so that another sandbox can open it."""
        self._file.close()
