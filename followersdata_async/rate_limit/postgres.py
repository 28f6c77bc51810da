"""A rate limit for any number of processes and machines, whose state is a row of a PostgreSQL database."""

from __future__ import annotations

import logging
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, LiteralString, final

import anyio
from attrs import field, frozen
from attrs.validators import in_, instance_of

from .._validators import duration, integer
from ..errors import ConfigurationError, NotSentError
from .local import RateLimit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from psycopg import AsyncConnection

    from .base import AccountLimiter

_logger = logging.getLogger(__name__)

_OUTAGE_SECONDS = 1.0
"""How long an unreachable database is not tried again."""

_EXISTS = "SELECT to_regclass('followersdata_limits') IS NOT NULL"
_CREATE = """
    CREATE UNLOGGED TABLE IF NOT EXISTS followersdata_limits
    (account text PRIMARY KEY, due double precision NOT NULL)
"""
_LOCK = "SELECT pg_advisory_xact_lock(7813586346238636404)"
_NOW = "extract(epoch FROM clock_timestamp())::float8"

# The generic cell rate algorithm, as in ``gcra``, on the server's clock: one row says when the next request is on time.
# With each statement comes what is left of this client's own pause: the database may not know of it.
_PAUSED = f"{_NOW} + %(hold)s"
_TAKE = f"""
    INSERT INTO followersdata_limits AS held (account, due) VALUES (%(account)s, {_PAUSED} + %(interval)s)
    ON CONFLICT (account) DO UPDATE SET due = greatest(held.due, {_PAUSED}) + %(interval)s
    RETURNING due - %(burst)s * %(interval)s - {_NOW}
"""  # noqa: S608 - of constants
_PAUSE = f"""
    INSERT INTO followersdata_limits AS held (account, due) VALUES (%(account)s, {_PAUSED})
    ON CONFLICT (account) DO UPDATE SET due = greatest(held.due, excluded.due)
    RETURNING 0.0::float8
"""  # noqa: S608 - of constants


@final
@frozen
class PostgresRateLimit:
    """At most ``requests`` in any ``per`` seconds, over all processes and machines that share a database.

    Pass it to each client as ``rate_limit=``. It needs the extra ``postgres`` and
    runs on asyncio only. Each request takes one statement, on the server's
    clock. Clients with the same panel and key share the limit; the database
    knows these only as a hash. The table ``followersdata_limits`` is created if
    it does not exist.

    A cancelled wait counts as a request. When a panel tells one client to wait,
    each of the others sends at most one more request. A shorter pause never
    ends a longer one. If the database is unreachable at that moment, the client
    waits by itself, and its next request that reaches the database tells the
    others what is left of the pause.

    Attributes:
        url: ``postgresql://user@host/database``.
        requests: The number of requests.
        per: The number of seconds.
        burst: The number of requests that may be sent at once after a pause.
        on_outage: What to do while the database is unreachable. ``"raise"``: requests fail with
            ``NotSentError``, after the client's retries. ``"local"``: each client keeps to
            the limit by itself, so that all together may exceed it.
        timeout: Seconds that the database has to respond.

    Raises:
        ConfigurationError: the URL is of another kind, or the extra is missing.
        ValueError: a number is out of bounds.
        TypeError: an argument is of the wrong type.
    """

    url: str = field(validator=instance_of(str), repr=False)
    requests: int = field(validator=integer(1))
    per: float = field(default=1.0, kw_only=True, validator=duration())
    burst: int = field(default=1, kw_only=True, validator=integer(1))
    on_outage: Literal["raise", "local"] = field(default="raise", kw_only=True, validator=in_(("raise", "local")))
    timeout: float = field(default=5.0, kw_only=True, validator=duration())

    def __attrs_post_init__(self) -> None:
        psycopg = _driver()
        try:
            is_valid = self.url.startswith(_SCHEMES) and bool(psycopg.conninfo.conninfo_to_dict(self._conninfo))
        except psycopg.Error:
            is_valid = False
        if not is_valid:
            # The message does not repeat the URL, which may hold a password.
            msg = "a shared limit's address is postgresql://user@host/database"
            raise ConfigurationError(msg)

    @property
    def _conninfo(self) -> str:
        return "postgresql://" + self.url.partition("://")[2]

    def for_account(self, account: str) -> AccountLimiter:
        """Return the rate limiter of one account. The caller closes it."""
        return PostgresAccountLimiter(self, self._conninfo, account)


_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")


@final
class PostgresAccountLimiter:
    """The rate limiter of one client. Its requests run their statements one after the other."""

    def __init__(
        self,
        limit: PostgresRateLimit,
        conninfo: str,
        account: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._limit = limit
        self._conninfo = conninfo
        self._account = account
        self._sleep = sleep
        self._local = RateLimit(limit.requests, per=limit.per, burst=limit.burst)
        self._wait_lock = anyio.Lock()
        self._connection_lock = anyio.Lock()
        self._connection: AsyncConnection | None = None
        self._outage_until = 0.0
        self._paused_until = 0.0
        self._shared_until = 0.0
        """The end of the longest pause that the database knows of."""

    async def wait(self) -> None:
        """Wait until the next request may be sent, and count it.

        Raises:
            NotSentError: the database is unreachable, and ``on_outage`` is ``"raise"``.
            ConfigurationError: the event loop is not asyncio's.
        """
        async with self._wait_lock:
            while (delay := await self._take()) is None:
                if self._find_pause() <= 0:
                    await self._local.wait()
                    return
                # The others must hear of the pause as soon as the database is back, not when it is over.
                await self._sleep(min(self._find_pause(), _OUTAGE_SECONDS))
            # A pause may come while this one waits.
            while (delay := max(delay, self._find_pause())) > 0:
                is_shared = self._shared_until >= self._paused_until
                nap = delay if is_shared else min(delay, _OUTAGE_SECONDS)
                await self._sleep(nap)
                delay -= nap
                if not is_shared:
                    with suppress(_OutageError):
                        await self._execute(_PAUSE)

    def pause(self, duration: float) -> Awaitable[None]:
        """Let no request pass for ``duration`` seconds: at once in this client, once awaited in all others.

        If it cannot be shared now, or is cancelled, the next statement shares what is left of it.
        """
        self._paused_until = max(self._paused_until, anyio.current_time() + duration)
        self._local.pause(duration)
        return self._share_pause(duration)

    async def _share_pause(self, duration: float) -> None:
        try:
            await self._execute(_PAUSE)
        except _OutageError as error:
            # The response that asked for the pause must not be lost.
            _logger.warning("a pause of %.1f s is not shared yet: the database does not answer (%s)", duration, error)

    def _find_pause(self) -> float:
        """Return what is left of this client's own pause, 0 or less if there is none."""
        return self._paused_until - anyio.current_time()

    async def _take(self) -> float | None:
        """Count a request, and return for how long it waits. ``None``: the database does not know, and need not."""
        try:
            delay = await self._execute(_TAKE)
        except _OutageError as error:
            if self._limit.on_outage == "local":
                return None
            msg = f"nothing was sent: the database of the shared rate limit does not answer ({error})"
            raise NotSentError(msg) from error.__cause__
        # If this wait is cancelled and the database goes away, its pause holds all the same.
        self._local.pause(delay)
        return delay

    async def aclose(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.CancelScope(shield=True):
                await connection.close()

    async def _execute(self, statement: LiteralString) -> float:
        """Run a statement, and return its value. After a failure, fail at once for a second."""
        async with self._connection_lock:
            if anyio.current_time() < self._outage_until:
                msg = "as a moment ago"
                raise _OutageError(msg)
            try:
                with anyio.fail_after(self._limit.timeout):
                    return await self._execute_on_connection(statement)
            except (_driver().Error, OSError) as error:
                self._outage_until = anyio.current_time() + _OUTAGE_SECONDS
                msg = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise _OutageError(msg) from error

    async def _execute_on_connection(self, statement: LiteralString) -> float:
        was_open = self._connection is not None
        try:
            connection = self._connection or await self._connect()
            # Only now: to connect may have taken seconds, by which the pause is shorter.
            paused_until = self._paused_until
            row = await (await connection.execute(statement, self._make_values())).fetchone()
        except BaseException as error:
            await self.aclose()
            # The server may have closed an idle connection. A new one shows whether it is reachable.
            if was_open and isinstance(error, _driver().OperationalError):
                return await self._execute_on_connection(statement)
            raise
        self._shared_until = paused_until
        return float(row[0]) if row else 0.0

    def _make_values(self) -> Mapping[str, str | float]:
        interval = self._limit.per / self._limit.requests
        pause = self._find_pause()
        # A pause ends a burst as well.
        hold = pause + (self._limit.burst - 1) * interval if pause > 0 else 0.0
        return {"account": self._account, "interval": interval, "burst": self._limit.burst, "hold": hold}

    async def _connect(self) -> AsyncConnection:
        import asyncio  # noqa: PLC0415 - programs without a shared limit need not pay for it

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            msg = "a shared rate limit runs on asyncio only: its database driver knows no other event loop"
            raise ConfigurationError(msg) from None
        # Without prepared statements, which poolers of connections do not know.
        connection: AsyncConnection
        connection = await _driver().AsyncConnection.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        self._connection = connection
        if await (await connection.execute(_EXISTS)).fetchone() != (True,):
            async with connection.transaction():
                # Two that create it at once would fail, even with IF NOT EXISTS.
                await connection.execute(_LOCK)
                await connection.execute(_CREATE)
        return connection


class _OutageError(Exception):
    """The database is unreachable."""


def _driver() -> Any:  # noqa: ANN401 - an extra, imported where it is used
    try:
        return import_module("psycopg")
    except ImportError as error:
        msg = "PostgresRateLimit needs its extra: pip install 'followersdata_async[postgres]'"
        raise ConfigurationError(msg) from error
