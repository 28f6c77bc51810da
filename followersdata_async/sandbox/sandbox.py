"""The sandbox that users open: in process, or on a loopback port."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread
import httpx

from .admin import ADMIN_PATH, create_admin
from .admin_input import parse_balance
from .asgi import API_PATH, Application, ConnectionDropped
from .backend import KEY_PREFIX, Backend
from .catalogue import MAX_SERVICES
from .clock import Clock
from .dialects import get_dialect
from .faults import Fault, parse_faults
from .guard import IN_PROCESS_HOST, parse_hosts
from .journal import Journal
from .panel import Panel
from .rate_limit import Quota, RateLimiter
from .server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from decimal import Decimal
    from os import PathLike
    from types import TracebackType

_IN_PROCESS_URL = f"https://{IN_PROCESS_HOST}"


class Sandbox:
    """A panel to test against, without money. Use it with ``with`` or ``async with``, on asyncio or on trio.

    It responds as docs/panel-api.md documents it, with errors as messages
    under HTTP 200. Its orders move by its own time, which ``speed`` and
    ``advance`` control.

    Args:
        seed: The same seed and the same requests have the same results.
        serve: Listen on a loopback port. Otherwise only ``http()`` reaches the sandbox.
        port: The port to listen on; 0 takes a free one.
        latency: Seconds before each request is handled.
        dialect: The form of the responses, one of docs/dialects.md.
        past: How many orders exist from the start; their ids are 1 to ``past``.
        services: How many services the catalogue has, 1 to 100,000; each of the first 17 has its own type.
        balances: The balances of some keys. Any other key that starts with ``sandbox-`` has 1000.
        quota: The rate limit of each key; ``None`` means no limit.
        one_per_link: Reject an order while another one of the same service and link is active.
        faults: The faults of the first requests, as for ``next``: names, or mappings with ``fault``.
        speed: How many times as fast as ``clock`` the sandbox's time runs; with 0 only ``advance`` moves it.
        state: A file that keeps orders, refills, balances and the catalogue over restarts (SQLite).
        max_body_bytes: How long the body or the query of a request may be; a longer one is HTTP 413. ``None`` means
            any length.
        max_orders: How many orders are kept besides those of ``past``; further ones are rejected. The children of
            drip-feeds and subscriptions, refills, cancellations, and each 4 KiB of a request count as one order each.
            ``None`` means any number.
        max_logged_requests: How many requests ``log`` has, fewer if they have more than 16 MiB; ``None`` means all.
        allowed_hosts: Further host names that the page and its addresses answer to, beside those of this machine.
        clock: A function that returns the real time, in seconds.

    Raises:
        ValueError: There is no such dialect or fault, a number is out of its
            bounds, a host is no name, or ``state`` belongs to another sandbox.
        OSError: ``state`` cannot be written. On entering: the port is taken.
    """

    key: str = f"{KEY_PREFIX}key"

    def __init__(  # noqa: PLR0913 - settings, each by its keyword and with a default
        self,
        *,
        seed: int = 1,
        serve: bool = False,
        port: int = 0,
        latency: float = 0.0,
        dialect: str = "documented",
        past: int = 0,
        services: int = 24,
        balances: Mapping[str, Decimal | int | str] | None = None,
        quota: Quota | None = None,
        one_per_link: bool = False,
        faults: Iterable[object] = (),
        speed: float = 1.0,
        state: str | PathLike[str] | None = None,
        max_body_bytes: int | None = 1024 * 1024,
        max_orders: int | None = 100_000,
        max_logged_requests: int | None = 1000,
        allowed_hosts: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= services <= MAX_SERVICES:
            msg = f"services is {services}, but must be from 1 to {MAX_SERVICES}"
            raise ValueError(msg)
        _check_bound("max_body_bytes", max_body_bytes)
        _check_bound("max_orders", max_orders)
        _check_bound("max_logged_requests", max_logged_requests)
        initial_balances = {_check_key(key): parse_balance(balance) for key, balance in (balances or {}).items()}
        script, hosts = parse_faults(list(faults)), parse_hosts(allowed_hosts, serve=serve)

        def create_backend(started_at: float) -> Backend:
            return Backend(
                seed=seed,
                started_at=started_at,
                past=past,
                services=services,
                balances=dict(initial_balances),
                one_per_link=one_per_link,
            )

        sandbox_dialect, sandbox_clock = get_dialect(dialect), Clock(get_real_time=clock, speed=speed)
        self._journal = None
        if state is not None:
            settings = {"seed": seed, "past": past, "services": services, "one_per_link": one_per_link}
            sorted_balances = {key: str(balance) for key, balance in sorted(initial_balances.items())}
            self._journal = Journal(Path(state), settings | {"balances": sorted_balances})
        self._panel = Panel(
            create_backend=create_backend,
            dialect=sandbox_dialect,
            clock=sandbox_clock,
            rate_limiter=None if quota is None else RateLimiter(quota),
            journal=self._journal,
            max_orders=max_orders,
            max_logged_requests=max_logged_requests,
        )
        self._panel.add_faults(script)
        admin = create_admin(self._panel, hosts, max_body_bytes=max_body_bytes)
        self.app: Application = Application(self._panel, admin, latency=latency, max_body_bytes=max_body_bytes)
        self._port = port
        self._serve = serve
        self._server: Server | None = None

    # --- addresses

    @property
    def url(self) -> str:
        """The URL of the API."""
        return self._base + API_PATH

    @property
    def page(self) -> str:
        """The URL of the page, which shows orders and requests and can add faults."""
        return self._base + ADMIN_PATH

    @property
    def _base(self) -> str:
        if not self._serve:
            return _IN_PROCESS_URL
        return f"http://127.0.0.1:{self._port}" if self._server is None else f"http://{self._server.address}"

    def http(self) -> httpx.AsyncClient:
        """Return an HTTP client that calls the sandbox in process, without a socket. It need not be closed."""
        return httpx.AsyncClient(transport=_InProcessTransport(self.app))

    # --- what the sandbox has recorded

    @property
    def requests(self) -> int:
        """The number of API requests that were read."""
        return self._panel.request_count

    @property
    def now(self) -> float:
        """The sandbox's own time, in seconds."""
        return self._panel.clock.now()

    def orders(self) -> list[dict[str, object]]:
        """Return every order that was taken, oldest first, without the children of drip-feeds and subscriptions."""
        return self._panel.list_orders()

    def log(self) -> list[dict[str, object]]:
        """Return the last requests, oldest first, with their fields and faults, without their keys."""
        return self._panel.list_requests()

    def faults(self) -> list[dict[str, object]]:
        """Return the faults that are still to be applied."""
        return self._panel.list_faults()

    # --- changes while it runs

    def next(
        self,
        fault: str,
        *,
        times: int | None = 1,
        action: str | None = None,
        taken: bool | None = None,
        seconds: float | None = None,
        status: int | None = None,
        retry_after: int | None = None,
        message: str | None = None,
    ) -> None:
        """Add a fault, which applies to the next requests after the faults that were added before.

        Args:
            fault: The kind of fault, one of docs/sandbox.md.
            times: How many requests it applies to; ``None`` means all, until ``clear``.
            action: Apply it only to requests with this action; others are handled normally.
            taken: Whether the panel carries the request out; ``None`` means the default of the kind.
            seconds: For ``late`` before the response (30), for ``dripping`` before each byte (0.5).
            status: For ``broken`` 500, 502 (default) or 503; for ``redirected`` 301, 302 (default), 307 or 308.
            retry_after: For ``limited`` and ``broken``: the header ``Retry-After``, in whole seconds.
            message: For ``refused``: the error message of the panel.

        Raises:
            ValueError: There is no such fault, or it does not take one of these options.
        """
        new = Fault(
            fault=fault, times=times, action=action, taken=taken, seconds=seconds,
            status=status, retry_after=retry_after, message=message,
        )  # fmt: skip
        self._panel.add_faults([new])

    def clear(self) -> None:
        """Remove all faults."""
        self._panel.clear_faults()

    def advance(self, seconds: float) -> None:
        """Move the sandbox's time forward: orders move, child orders are placed, refunds are paid.

        Raises:
            ValueError: It is not a number from 0 to 10 billion (three centuries).
        """
        self._panel.advance(seconds)

    def change(self, service: int, **terms: object) -> None:
        """Change a service: ``rate``, ``min``, ``max``, ``refill``, ``cancel``, ``enabled``.

        Orders that were placed keep their terms. A service that is not enabled
        is not in the catalogue and rejects orders.

        Raises:
            ValueError: There is no such service, it has no such member, or it cannot have this value.
        """
        self._panel.change_service(service, terms)

    def set_balance(self, balance: Decimal | int | str, *, key: str = key) -> None:
        """Set the balance of a key's account.

        Raises:
            ValueError: It is not an amount, or not a key of the sandbox.
        """
        self._panel.set_balance(key, balance)

    def reset(self) -> None:
        """Start again with the orders of ``past`` only, without faults or log. The time stays."""
        self._panel.reset()

    # --- opening and closing

    def __enter__(self) -> Self:
        """Start to listen if ``serve`` is set."""
        if self._serve:
            self._server = Server(self.app, self._panel, self._port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and close the state file."""
        if self._server is not None:
            self._server.stop()
        if self._journal is not None:
            self._journal.close()

    async def __aenter__(self) -> Self:
        """Start to listen if ``serve`` is set."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and close the state file."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.__exit__, kind, error, trace)


class _InProcessTransport(httpx.AsyncBaseTransport):
    """A transport that calls an application without a socket, and fails as a socket would."""

    def __init__(self, app: Application) -> None:
        self._asgi = httpx.ASGITransport(app=app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._asgi.handle_async_request(request)
        except ConnectionDropped as error:
            msg = "Server disconnected without sending a whole response."
            raise httpx.RemoteProtocolError(msg, request=request) from error


def _check_bound(name: str, value: int | None) -> None:
    """Check a bound of what is kept or read.

    Raises:
        ValueError: It is less than 1.
    """
    if value is not None and value < 1:
        msg = f"{name} must be a whole number from 1, got {value!r}: take None for no bound"
        raise ValueError(msg)


def _check_key(key: str) -> str:
    """Return the key if it is one of a sandbox.

    Raises:
        ValueError: It is not. The message does not contain the key, which may be real.
    """
    if not key.startswith(KEY_PREFIX):
        msg = f"a sandbox's keys start with {KEY_PREFIX!r}; this one does not, and may be real"
        raise ValueError(msg)
    return key
