"""The ledger's database: its engine, its transactions, and its errors as ``LedgerError``."""

from __future__ import annotations

import math
import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any, final

import anyio
import anyio.to_thread
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ..errors import ConfigurationError, LedgerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import URL, Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from ..models import Receipt

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_BUSY_SECONDS = 10.0
"""How long SQLite waits for the transaction of another program."""
_UNUSED = "the ledger could not be used, and nothing was sent"
_UNWRITTEN = "what became of the order could not be written down (.receipt has it)"


@final
class Database:
    """A database by its URL, or through a custom engine, which is never disposed."""

    def __init__(self, url: str | AsyncEngine) -> None:
        self._is_custom = isinstance(url, AsyncEngine)
        self._engine = url if isinstance(url, AsyncEngine) else create_engine(url)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        # SQLite has one writer; others would sleep a tenth of a second at a time.
        self._writer = anyio.CapacityLimiter(1 if self._is_sqlite else math.inf)

    def __str__(self) -> str:
        """Return the URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    async def open(self) -> None:
        """Check that an SQLite file can be opened.

        If it cannot, the asynchronous driver leaves a thread behind, which uses
        an event loop that may be closed by then.

        Raises:
            LedgerError: it cannot be opened.
        """
        if self._is_sqlite and not self._is_custom:
            with convert_errors(_UNUSED):
                await anyio.to_thread.run_sync(self._probe)

    def _probe(self) -> None:
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        with closing(sqlite3.connect(arguments[0], uri=bool(options.get("uri")))) as connection:
            connection.execute("PRAGMA schema_version")

    @asynccontextmanager
    async def transaction(
        self, receipt: Receipt | None = None, *, is_after_sending: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """Open a transaction, and commit it at the end.

        On SQLite it is not cancelled halfway: the driver would close its
        connection in a task of its own, for which an event loop that ends
        would wait forever.

        Raises:
            LedgerError: it failed; ``receipt`` is what would be lost. ``is_after_sending``: those of several orders
                would be lost.
        """
        with convert_errors(_UNUSED if receipt is None and not is_after_sending else _UNWRITTEN, receipt):
            async with self._writer:
                with anyio.CancelScope(shield=self._is_sqlite):
                    async with self._engine.begin() as connection:
                        yield connection

    async def aclose(self) -> None:
        """Close the connections, unless the engine is a custom one."""
        if not self._is_custom:
            with anyio.CancelScope(shield=True):
                await self._engine.dispose()


@contextmanager
def convert_errors(what: str, receipt: Receipt | None = None) -> Iterator[None]:
    """Convert the database's errors. Their own messages repeat whole statements."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        words = type(error).__name__ if isinstance(original, SQLAlchemyError) else str(original)
        msg = f"{what}: {(words.strip() or type(error).__name__).splitlines()[0]}"
        raise LedgerError(msg, receipt=receipt) from error


def create_engine(address: str) -> AsyncEngine:
    """Create an engine for ``sqlite:///file`` or ``postgresql://…``.

    Raises:
        ConfigurationError: it is not such an address, or its extra is not installed.
    """
    url = _parse_url(address)
    is_sqlite = url.drivername.startswith("sqlite")
    try:
        engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS} if is_sqlite else {})
    except (ImportError, NoSuchModuleError) as error:
        extra = "ledger" if is_sqlite else "postgres"
        msg = f"this ledger needs its extra: pip install 'followersdata_async[{extra}]'"
        raise ConfigurationError(msg) from error
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _parse_url(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        # The original repeats the address, which may hold a password.
        url = None
    if url is None or url.drivername not in _DRIVERS:
        msg = "a ledger's address is sqlite:///file.db or postgresql://user@host/database"
        raise ConfigurationError(msg) from None
    return url.set(drivername=_DRIVERS[url.drivername])


def _configure_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's
    # We begin transactions ourselves; the driver would begin them too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock first: a transaction that reads and then writes would fail beside another."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
