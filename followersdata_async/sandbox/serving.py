"""The sandbox as callers hold it: in process, or on a loopback port."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread
import httpx
import uvicorn

from .app import API_PATH, application
from .dialects import dialect_named
from .world import KEY_PREFIX, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from starlette.applications import Starlette

_LOOPBACK = "127.0.0.1"
_NOWHERE = "https://sandbox.invalid"
_GRACE_SECONDS = 1


class Sandbox:
    """A panel to test against, without money: for ``async with``, on asyncio and on trio.

    Args:
        seed: The same seed and the same calls give the same answers.
        serve: Listen on a loopback port; otherwise only ``http()`` reaches it.
        port: The port to listen on; 0 takes a free one.
        latency: Seconds before each answer.
        dialect: Whose shapes the answers have, one of docs/dialects.md.
        past: How many orders there are from the beginning: their ids are 1 to ``past``.
        clock: The time, in seconds; orders move by it.

    Raises:
        ValueError: there is no such dialect.
        OSError: on entering: the port is taken.
    """

    key: str = f"{KEY_PREFIX}key"

    def __init__(
        self,
        *,
        seed: int = 1,
        serve: bool = False,
        port: int = 0,
        latency: float = 0.0,
        dialect: str = "documented",
        past: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._world = World(seed=seed, born=clock(), past=past)
        self.app: Starlette = application(self._world, dialect_named(dialect), clock=clock, latency=latency)
        self._address = f"{_LOOPBACK}:{port}"
        self._port = port
        self._serve = serve
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The API's full address."""
        base = f"http://{self._address}" if self._serve else _NOWHERE
        return base + API_PATH

    @property
    def requests(self) -> int:
        """How many API requests came."""
        return self._world.requests

    def http(self) -> httpx.AsyncClient:
        """A client that reaches the sandbox without a socket; the caller closes it, or lets it go."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app))

    def ledger(self) -> list[dict[str, object]]:
        """Every order the panel really took, oldest first."""
        return [entry.row() for entry in self._world.entries]

    async def __aenter__(self) -> Self:
        """Start listening, if it serves."""
        if self._serve:
            listener = socket.create_server((_LOOPBACK, self._port))
            self._address = f"{_LOOPBACK}:{listener.getsockname()[1]}"
            self._server = uvicorn.Server(_config(self.app))
            # A thread of its own: uvicorn runs on asyncio only, and the caller may be on trio.
            self._thread = threading.Thread(target=self._server.run, args=([listener],), name="sandbox", daemon=True)
            self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._thread.join)


def _config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # uvicorn's own alias for ASGI applications differs from Starlette's
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
