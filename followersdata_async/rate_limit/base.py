"""What a client needs of a rate limiter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["AccountLimiter", "Limiter", "SharedLimiter"]


class Limiter(Protocol):
    """A rate limiter for one client or several, e.g. ``RateLimit``."""

    async def wait(self) -> None:
        """Wait until the next request may be sent, and count it."""
        ...

    def pause(self, duration: float) -> Awaitable[None] | None:
        """Let no request pass for ``duration`` seconds. Can be a coroutine function."""
        ...


class AccountLimiter(Limiter, Protocol):
    """A rate limiter for one panel and key. The client that asked for it closes it."""

    async def aclose(self) -> None:
        """Release what the limiter holds, e.g. a connection."""
        ...


class SharedLimiter(Protocol):
    """A rate limit that many processes share, e.g. ``PostgresRateLimit``."""

    def for_account(self, account: str) -> AccountLimiter:
        """Return the limiter of one panel and key. ``account`` is a hash of both."""
        ...


def open_account_limiter(rate_limit: Any, account: str) -> AccountLimiter | None:  # noqa: ANN401 - a user's object
    """Return the account's limiter of a shared limit, ``None`` for any other limiter.

    Raises:
        TypeError: it is neither a limiter nor ``None``.
    """
    if rate_limit is None or _has_methods(rate_limit, "wait", "pause"):
        return None
    if _has_methods(rate_limit, "for_account"):
        limiter: AccountLimiter = rate_limit.for_account(account)
        return limiter
    msg = f"rate_limit must be a limiter such as RateLimit(10, per=1.0), or None, got {rate_limit!r}"
    raise TypeError(msg)


def _has_methods(value: object, *names: str) -> bool:
    return all(callable(getattr(value, name, None)) for name in names)
