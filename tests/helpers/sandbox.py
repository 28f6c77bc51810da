"""Requests to a backend, and clients and clocks for a sandbox in process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from followersdata_async import AsyncClient, orders
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from followersdata_async.sandbox.backend import Backend

KEY = "sandbox-one"
DAY = 86400.0
LINK = "https://example.com/p/1"
SUBSCRIPTION = {"service": "15", "username": "someone", "min": "10", "max": "20", "delay": "5", "link": ""}
ORDER = orders.Default(service=1, link="https://example.com/p/1", quantity=1000)


def send(backend: Backend, action: str, now: float = 1000.0, key: str = KEY, **fields: str) -> object:
    """Return the result of a request."""
    return backend.handle({"key": key, "action": action, **fields}, now)


def add_order(backend: Backend, now: float = 1000.0, **fields: str) -> object:
    """Add an order of the first service, with other fields as given."""
    return send(backend, "add", now, **({"service": "1", "link": LINK, "quantity": "1000"} | fields))


def get_status(backend: Backend, order: int, now: float = 1000.0) -> dict[str, Any]:
    """Return the status of an order."""
    row = send(backend, "status", now, order=str(order))
    assert isinstance(row, dict)
    return row


def create_client(sandbox: Sandbox, key: str = Sandbox.key, *, attempt_timeout: float = 1.0) -> AsyncClient:
    """Return a client without retries, which waits for no panel: its clock is the test's."""
    return AsyncClient(
        key, url=sandbox.url, http=sandbox.http(), retry=None, max_retry_after=0, attempt_timeout=attempt_timeout
    )


class ManualClock:
    """A clock that the test moves."""

    def __init__(self, now: float = 1e9) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now
