"""Fakes for tests without I/O: a transport that replies from a script, and waiting that takes no time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from followersdata_async import AsyncClient
from followersdata_async._pipeline import Pipeline
from followersdata_async._wire.messages import Response
from followersdata_async.rate_limit.local import PauseLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from followersdata_async._settings import Settings
    from followersdata_async._wire.messages import Request, SendState


def answer(payload: object, *, status: int = 200, **headers: str) -> Response:
    """An answer whose body is this value as JSON, or these bytes."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Response(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body
    )


def ids_in(request: Request) -> list[str]:
    """The ids that a batch request carries."""
    return list(request.ids)


def row(status: str = "Completed") -> dict[str, object]:
    """A status row as the panel documents it."""
    return {"charge": "0.27819", "start_count": "3572", "status": status, "remains": "157", "currency": "USD"}


def rows(request: Request) -> Response:
    """A good answer to a status request: a row for each id."""
    return answer({id_: row() for id_ in ids_in(request)})


class FakeTransport:
    """Answers each request as a function says, which may also raise; keeps the requests and how many overlapped."""

    def __init__(self, reply: Callable[[Request], Response] = rows) -> None:
        self.reply = reply
        self.requests: list[Request] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.answered = 0
        self.opened = 0
        self.closed = 0
        self.gate: anyio.Event | None = None

    async def open(self) -> None:
        """Count it."""
        self.opened += 1

    async def aclose(self) -> None:
        """Count it."""
        self.closed += 1

    async def send(self, request: Request, state: SendState) -> Response:
        """Record the request, wait at the gate if there is one, and reply. A write is not cut off."""
        with anyio.CancelScope(shield=request.is_write):
            return await self._reply(request, state)

    async def _reply(self, request: Request, state: SendState) -> Response:
        state.mark_sent()
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await anyio.lowlevel.checkpoint()
            if self.gate is not None:
                await self.gate.wait()
            reply = self.reply(request)
            self.answered += 1
            return reply
        finally:
            self.in_flight -= 1


class Naps:
    """Waiting that takes no time, and what was waited for, in seconds."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, delay: float) -> None:
        """Note it."""
        self.taken.append(delay)
        await anyio.lowlevel.checkpoint()


class Clock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sleeps = 0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now

    async def sleep(self, delay: float) -> None:
        """Let time pass."""
        self.sleeps += 1
        await anyio.lowlevel.checkpoint()
        self.now += delay


def make_settings(url: str = "http://127.0.0.1:1/api/v2", *, api_key: str = "sandbox-key", **changes: Any) -> Settings:
    """Settings with the defaults of ``AsyncClient``."""
    return AsyncClient(api_key, url=url, **changes)._pipeline.settings


def make_pipeline(
    transport: FakeTransport,
    *,
    naps: Naps | None = None,
    opened: bool = True,
    rate_limit: Any = None,
    events: Any = None,
    **settings: Any,
) -> Pipeline:
    """An open pipeline over a fake transport, without retries, randomness and real waiting."""
    clock = Clock()
    pipeline = Pipeline(
        make_settings(**({"retry": None} | settings)),
        transport,
        rate_limit=rate_limit or PauseLimit(clock, clock.sleep),
        events=events,
        clock=lambda: 1_700_000_000.0,
        random_value=lambda: 0.5,
        sleep=naps or Naps(),
    )
    if opened:
        pipeline._loop = anyio.lowlevel.current_token()
    return pipeline


class StepCounter:
    """Counts how often other tasks run while something is done."""

    def __init__(self) -> None:
        self.steps = 0

    async def run(self) -> None:
        """Count each turn, until it is cancelled."""
        while True:
            self.steps += 1
            await anyio.lowlevel.checkpoint()
