"""A database and its transactions, whose errors are ours."""

from __future__ import annotations

import math
import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, final

import anyio
import anyio.to_thread
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from ..errors import LedgerError
from .engines import engine_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from .receipts import Receipt

_UNUSED = "the ledger could not be used, and nothing was sent"
_UNWRITTEN = "what became of the order could not be written down (.receipt has it)"


@final
class Database:
    """An engine that is ours, or lent: that one is never disposed."""

    def __init__(self, where: str | AsyncEngine) -> None:
        self._is_lent = isinstance(where, AsyncEngine)
        self._engine = where if isinstance(where, AsyncEngine) else engine_for(where)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        # SQLite has one writer; others would wait in naps of a tenth of a second.
        self._turn = anyio.CapacityLimiter(1 if self._is_sqlite else math.inf)

    def __str__(self) -> str:
        """The address, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    async def open(self) -> None:
        """See whether an SQLite file can be opened at all.

        Its asynchronous driver leaves a thread behind where it cannot, which
        would speak to an event loop that may be closed by then.

        Raises:
            LedgerError: it cannot.
        """
        if self._is_sqlite and not self._is_lent:
            with database_errors(_UNUSED):
                await anyio.to_thread.run_sync(self._probe)

    def _probe(self) -> None:
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        with closing(sqlite3.connect(arguments[0], uri=bool(options.get("uri")))) as connection:
            connection.execute("PRAGMA schema_version")

    @asynccontextmanager
    async def transaction(self, receipt: Receipt | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end.

        Of SQLite it is not cancelled half-way: the driver would close its
        connection in a task of its own, for which an event loop that ends
        waits in vain.

        Raises:
            LedgerError: it failed; ``receipt`` is what would be lost with it.
        """
        with database_errors(_UNUSED if receipt is None else _UNWRITTEN, receipt):
            async with self._turn:
                with anyio.CancelScope(shield=self._is_sqlite):
                    async with self._engine.begin() as connection:
                        yield connection

    async def aclose(self) -> None:
        """Close its connections, unless it was lent."""
        if not self._is_lent:
            with anyio.CancelScope(shield=True):
                await self._engine.dispose()


@contextmanager
def database_errors(what: str, receipt: Receipt | None = None) -> Iterator[None]:
    """The database's errors as ours; their own texts repeat whole statements."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        words = type(error).__name__ if isinstance(original, SQLAlchemyError) else str(original)
        msg = f"{what}: {(words.strip() or type(error).__name__).splitlines()[0]}"
        raise LedgerError(msg, receipt=receipt) from error
