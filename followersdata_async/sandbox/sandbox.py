"""The sandbox as callers hold it: in process, or on a loopback port."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread
import httpx

from .admin import desk
from .admin_input import balance_from
from .asgi import API_PATH, Application, Dropped
from .backend import KEY_PREFIX, World
from .catalogue import MOST_SERVICES
from .clock import Clock
from .dialects import dialect_named
from .faults import Fault, faults_from
from .journal import Journal
from .panel import Panel
from .rate_limit import Meter, Quota
from .server import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from decimal import Decimal
    from os import PathLike
    from types import TracebackType

_NOWHERE = "https://sandbox.invalid"


class Sandbox:
    """A panel to test against, without money: for ``with`` and ``async with``, on asyncio and on trio.

    It answers as docs/panel-api.md documents it, errors in words with HTTP 200.
    Orders live by the sandbox's own time, which ``speed`` and ``advance`` move.

    Args:
        seed: The same seed and the same calls give the same answers.
        serve: Listen on a loopback port; otherwise only ``http()`` reaches it.
        port: The port to listen on; 0 takes a free one.
        latency: Seconds before each answer.
        dialect: Whose shapes the answers have, one of docs/dialects.md.
        past: How many orders there are from the beginning: their ids are 1 to ``past``.
        services: How many services the catalogue has, 1 to 100,000; the first 17 have each a type of its own.
        balances: What the accounts of some keys have; any other key that starts with ``sandbox-`` has 1000.
        quota: How many requests each key may make; ``None`` means any number.
        one_per_link: Refuse an order while another of the same service and link is active.
        faults: What goes wrong with the first requests, as for ``next``: names, or mappings with ``fault``.
        speed: How many times as fast as ``clock`` the sandbox's time goes; 0 lets ``advance`` alone move it.
        state: A file that keeps orders, refills, balances and the catalogue over restarts (SQLite).
        clock: The time, in seconds; orders move by it.

    Raises:
        ValueError: there is no such dialect or fault, a number is out of its
            bounds, or ``state`` is another sandbox's.
        OSError: ``state`` cannot be written; on entering: the port is taken.
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
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= services <= MOST_SERVICES:
            msg = f"services is {services}, but must be from 1 to {MOST_SERVICES}"
            raise ValueError(msg)
        accounts = {_sandbox_key(key): balance_from(balance) for key, balance in (balances or {}).items()}
        script = faults_from(list(faults))

        def new_world(born: float) -> World:
            return World(
                seed=seed, born=born, past=past, services=services, balances=dict(accounts), one_per_link=one_per_link
            )

        speech, time_ = dialect_named(dialect), Clock(real=clock, speed=speed)
        self._journal = None
        if state is not None:
            kept = {"seed": seed, "past": past, "services": services, "one_per_link": one_per_link}
            opening = {key: str(balance) for key, balance in sorted(accounts.items())}
            self._journal = Journal(Path(state), kept | {"balances": opening})
        self._panel = Panel(
            new_world=new_world,
            dialect=speech,
            clock=time_,
            meter=None if quota is None else Meter(quota),
            journal=self._journal,
        )
        self._panel.add_faults(script)
        self.app: Application = Application(self._panel, desk(self._panel), latency=latency)
        self._port = port
        self._serve = serve
        self._served: Served | None = None

    # --- how it is reached

    @property
    def url(self) -> str:
        """The API's full address."""
        return self._base + API_PATH

    @property
    def page(self) -> str:
        """The address of the page that shows what happens, and lets you break it."""
        return f"{self._base}/__sandbox__/"

    @property
    def _base(self) -> str:
        if not self._serve:
            return _NOWHERE
        return f"http://127.0.0.1:{self._port}" if self._served is None else f"http://{self._served.address}"

    def http(self) -> httpx.AsyncClient:
        """A client that reaches the sandbox without a socket; the caller closes it, or lets it go."""
        return httpx.AsyncClient(transport=_InProcess(self.app))

    # --- what it can be asked

    @property
    def requests(self) -> int:
        """How many API requests were read."""
        return self._panel.requests

    @property
    def now(self) -> float:
        """The sandbox's own time, in seconds."""
        return self._panel.clock.now()

    def orders(self) -> list[dict[str, object]]:
        """Every order the panel really took, oldest first; the children of drip-feeds and subscriptions are none."""
        return self._panel.orders()

    def log(self) -> list[dict[str, object]]:
        """The last thousand requests, oldest first, with what they asked and what went wrong; without their keys."""
        return self._panel.log()

    def faults(self) -> list[dict[str, object]]:
        """The faults that are to come."""
        return self._panel.faults()

    # --- what it can be told

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
        """Let something go wrong with the next request, after the faults that are to come already.

        Args:
            fault: Which one; docs/sandbox.md lists them.
            times: How many requests it befalls; ``None`` means all, until ``clear``.
            action: Only requests of this action; the others are answered well meanwhile.
            taken: Whether the request is carried out all the same; ``None`` leaves it to the fault.
            seconds: Of ``late`` before the answer (30), of ``dripping`` before each byte (0.5).
            status: Of ``broken`` 500, 502 (the default) or 503; of ``redirected`` 301, 302 (the default), 307 or 308.
            retry_after: Of ``limited`` and ``broken``: the header, in whole seconds.
            message: Of ``refused``: the panel's words.

        Raises:
            ValueError: there is no such fault, or it does not take one of these.
        """
        told = Fault(
            fault=fault, times=times, action=action, taken=taken, seconds=seconds,
            status=status, retry_after=retry_after, message=message,
        )  # fmt: skip
        self._panel.add_faults([told])

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._panel.clear_faults()

    def advance(self, seconds: float) -> None:
        """Move the sandbox's time on: orders move, children are born, money is paid back.

        Raises:
            ValueError: time would move back, or more than three centuries.
        """
        self._panel.advance(seconds)

    def change(self, service: int, **terms: object) -> None:
        """Change a service: ``rate``, ``min``, ``max``, ``refill``, ``cancel``, ``enabled``.

        Orders that were placed keep their terms. A service that is not enabled
        is no longer in the catalogue, and refuses orders.

        Raises:
            ValueError: there is no such service, or no such term or value.
        """
        self._panel.change(service, terms)

    def set_balance(self, balance: Decimal | int | str, *, key: str = key) -> None:
        """Let a key's account have so much.

        Raises:
            ValueError: it is no amount, or no sandbox's key.
        """
        self._panel.set_balance(key, balance)

    def reset(self) -> None:
        """Start anew: no orders but those of the past, no faults, no log; the time stays."""
        self._panel.reset()

    # --- opening and closing

    def __enter__(self) -> Self:
        """Start listening, if it serves."""
        if self._serve:
            self._served = Served(self.app, self._panel, self._port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, and close the state's file."""
        if self._served is not None:
            self._served.stop()
        if self._journal is not None:
            self._journal.close()

    async def __aenter__(self) -> Self:
        """Start listening, if it serves."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, and close the state's file."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.__exit__, kind, error, trace)


class _InProcess(httpx.AsyncBaseTransport):
    """Reaches an application without a socket, and breaks as a socket would."""

    def __init__(self, app: Application) -> None:
        self._asgi = httpx.ASGITransport(app=app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._asgi.handle_async_request(request)
        except Dropped as error:
            msg = "Server disconnected without sending a whole response."
            raise httpx.RemoteProtocolError(msg, request=request) from error


def _sandbox_key(key: str) -> str:
    if not key.startswith(KEY_PREFIX):
        msg = f"a sandbox's keys start with {KEY_PREFIX!r}; this one does not, and may be real"
        raise ValueError(msg)
    return key
