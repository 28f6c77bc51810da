"""Fakes of the shells: a transport that answers from a script, and waiting that takes no time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio

from followersdata_async._pacing import RetryBudget
from followersdata_async._pipeline import Line
from followersdata_async._retry import Retrying
from followersdata_async._wire.error_phrases import Words
from followersdata_async._wire.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from followersdata_async._pacing import RetryPolicy
    from followersdata_async._wire.messages import Request, Trail


def answer(payload: object, *, status: int = 200, **headers: str) -> Answer:
    """An answer whose body is this value as JSON, or these bytes."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def ids_in(request: Request) -> list[str]:
    """The ids that a batch request carries."""
    return dict(request.fields)[_FIELD_OF[request.action]].split(",")


_FIELD_OF = {"status": "orders", "refill": "orders", "refill_status": "refills", "cancel": "orders"}


def row(status: str = "Completed") -> dict[str, object]:
    """A status row as the panel documents it."""
    return {"charge": "0.27819", "start_count": "3572", "status": status, "remains": "157", "currency": "USD"}


def rows(request: Request) -> Answer:
    """A good answer to a status request: a row for each id."""
    return answer({id_: row() for id_ in ids_in(request)})


class FakeTransport:
    """Answers each request as a function says, which may also raise; keeps the requests and how many overlapped."""

    def __init__(self, reply: Callable[[Request], Answer] = rows) -> None:
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

    def stop(self) -> None:
        """Nothing waits here."""

    async def aclose(self) -> None:
        """Count it."""
        self.closed += 1

    async def send(self, request: Request, trail: Trail) -> Answer:
        """Note the request, wait at the gate if there is one, and answer; a write is not cut off."""
        with anyio.CancelScope(shield=not request.repeatable):
            return await self._answered(request, trail)

    async def _answered(self, request: Request, trail: Trail) -> Answer:
        trail.begin()
        trail.leave()
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


def retrying(policy: RetryPolicy | None = None, *, naps: Naps | None = None, timeout: float = 60.0) -> Retrying:
    """The loop with the middle of every chance, a fixed time of day and no real waiting."""
    return Retrying(
        policy=policy,
        budget=RetryBudget(),
        timeout=timeout,
        chance=lambda: 0.5,
        clock=lambda: 1_700_000_000.0,
        sleep=naps or Naps(),
    )


def line(transport: FakeTransport, policy: RetryPolicy | None = None) -> Line:
    """The whole way of a request, over a fake transport."""
    return Line(transport, retrying(policy), Words())
