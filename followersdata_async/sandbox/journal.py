"""What happened, in a file: a world is the sum of it, so playing it again makes the same one (SQLite)."""

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
    """A file that says what happened, oldest first; one sandbox at a time writes it.

    Args:
        path: The file, made if it is not there.
        settings: What the world is made of; a file that was made with others is refused.

    Raises:
        ValueError: the file is no journal, is of a newer version, was made with
            other settings, or another sandbox has it open.
        OSError: it cannot be read or written.
    """

    def __init__(self, path: Path, settings: Mapping[str, object]) -> None:
        self._path = path
        try:
            # Each call is under the panel's lock, from whichever thread.
            self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)
        except sqlite3.OperationalError as error:
            msg = f"the state {path} cannot be opened: {error}; is its folder there?"
            raise OSError(msg) from error
        try:
            self._open({name: json.dumps(value) for name, value in settings.items()})
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

    def _open(self, settings: Mapping[str, str]) -> None:
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
        # Not before it is known to be ours: this is written into the file.
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

    def happened(self) -> Iterator[tuple[float, str, dict[str, Any]]]:
        """All that happened: when, what, and its facts."""
        for at, what, facts in self._file.execute("SELECT at, what, facts FROM happened ORDER BY number"):
            yield at, what, json.loads(facts)

    def note(self, at: float, what: str, facts: Mapping[str, object]) -> None:
        """Put one more at the end; it is kept even if this program is killed."""
        self._file.execute("INSERT INTO happened (at, what, facts) VALUES (?, ?, ?)", (at, what, json.dumps(facts)))

    def clear(self) -> None:
        """Forget all that happened."""
        self._file.execute("DELETE FROM happened")

    def close(self) -> None:
        """Let another have the file."""
        self._file.close()
