"""From an address to a database that keeps what it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_BUSY_SECONDS = 10.0
"""How long SQLite waits for another program's transaction."""


def engine_for(address: str) -> AsyncEngine:
    """An engine for ``sqlite:///file`` or ``postgresql://…``.

    Raises:
        ConfigurationError: it is no such address, or its extra is not installed.
    """
    url = _url_of(address)
    is_sqlite = url.drivername.startswith("sqlite")
    try:
        engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS} if is_sqlite else {})
    except (ImportError, NoSuchModuleError) as error:
        extra = "ledger" if is_sqlite else "postgres"
        msg = f"this ledger needs its extra: pip install 'followersdata_async[{extra}]'"
        raise ConfigurationError(msg) from error
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _make_durable)
        event.listen(engine.sync_engine, "begin", _begin_at_once)
    return engine


def _url_of(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        # The original repeats the address, which may hold a password.
        url = None
    if url is None or url.drivername not in _DRIVERS:
        msg = "a ledger's address is sqlite:///file.db or postgresql://user@host/database"
        raise ConfigurationError(msg) from None
    return url.set(drivername=_DRIVERS[url.drivername])


def _make_durable(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's
    # Transactions are begun by ourselves, not when the driver thinks it best.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_at_once(connection: Connection) -> None:
    """Take the write lock first: a transaction that reads and then writes would fail beside another."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
