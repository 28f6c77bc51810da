"""Streams as answers of a Starlette or FastAPI app: each value is asked for when the one before was sent."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias, final

import anyio
from starlette.responses import Response

from .._batch.outcomes import Outcomes
from .._polling.watch import Changes
from .._serialization import to_json
from ..errors import AuthenticationError, FollowersDataError
from ..models import Cancellation, Change, OrderStatus, Refill, RefillStatus, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio import CancelScope
    from starlette.background import BackgroundTask
    from starlette.types import Receive, Scope, Send


__all__ = ["EventStreamResponse", "NdjsonResponse", "Stream"]

Stream: TypeAlias = (
    Outcomes[OrderStatus] | Outcomes[Refill] | Outcomes[RefillStatus] | Outcomes[Cancellation] | Changes[Change]
)
"""A stream of an ``AsyncClient``: ``stream_status`` and the other streams, or ``watch``."""


class _StreamResponse(Response, ABC):
    """A stream's values as they come, until it ends or whoever asked has left.

    Starlette's own takes a generator, which would be left behind with its
    tasks when the caller leaves.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        super().__init__(None, status_code, {**_UNBUFFERED, **(headers or {})}, background=background)
        del self.headers["content-length"]
        self._stream = stream
        self._has_begun = False
        self._has_ended = False
        self._turn = anyio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI passes it
        """Send what comes. What goes wrong before the first value is raised, for an answer of its own."""
        fault: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(_left, receive, group.cancel_scope)
            group.start_soon(self._keep_alive, send)
            try:
                await self._send_all(send)
            except _LeftError:
                pass
            # Whatever it is, it is raised outside of the group, which would wrap it.
            except Exception as error:  # noqa: BLE001
                fault = error
            group.cancel_scope.cancel()
        if fault is not None:
            raise fault
        if self.background is not None:
            await self.background()

    async def _send_all(self, send: Send) -> None:
        end = self._end()
        try:
            async with self._stream as values:
                async for value in values:
                    self._check_first(value)
                    await self._send(send, self._line(value))
        except FollowersDataError as error:
            if not self._has_begun:
                raise
            end = self._fault(error)
        await self._send(send, end, more=False)

    def _check_first(self, value: object) -> None:
        """A key that is refused at once comes as the outcomes of a hundred ids: it is an answer of its own."""
        if not self._has_begun and isinstance(value, Refused) and isinstance(value.error, AuthenticationError):
            raise value.error

    async def _send(self, send: Send, body: bytes, *, more: bool = True) -> None:
        async with self._turn:
            if self._has_ended:
                return
            self._has_ended = not more
            try:
                if not self._has_begun:
                    self._has_begun = True
                    await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": body, "more_body": more})
            except OSError as error:
                raise _LeftError from error

    async def _keep_alive(self, send: Send) -> None:
        """Send what keeps an answer alive in which nothing happens, if there is such a thing."""

    @abstractmethod
    def _line(self, value: object) -> bytes: ...

    @abstractmethod
    def _fault(self, error: FollowersDataError) -> bytes: ...

    @abstractmethod
    def _end(self) -> bytes: ...


class _LeftError(Exception):
    """Whoever asked has left, and the server says so when something is sent to it."""


_UNBUFFERED = {"X-Accel-Buffering": "no"}
"""For nginx, which would keep a stream back."""


async def _left(receive: Receive, scope: CancelScope) -> None:
    """Cancel it when whoever asked has left: sending to nobody is no error of the server's."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


@final
class NdjsonResponse(_StreamResponse):
    """The outcomes of ``panel.stream_…(ids)``, or the changes of ``panel.watch(ids)``, as lines of JSON.

    Nothing is asked ahead of whoever reads. A refused key, or whatever else
    ends the stream, is an error response before the first line, and after it
    a last line ``{"error": {"type": …, "message": …}}``.
    """

    media_type = "application/x-ndjson"

    def _line(self, value: object) -> bytes:
        return json.dumps(to_json(value)).encode() + b"\n"

    def _fault(self, error: FollowersDataError) -> bytes:
        return self._line({"error": error})

    def _end(self) -> bytes:
        return b""


@final
class EventStreamResponse(_StreamResponse):
    """The same as server-sent events: a message for each value, and ``done`` or ``failed`` at the end.

    A browser's ``EventSource`` asks again when an answer ends: close it then.
    Once it has begun, a comment is sent every ``heartbeat`` seconds, as
    proxies close what is silent for long: orders that are watched may be.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        stream: Stream,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
        heartbeat: float = 15.0,
    ) -> None:
        headers = {"Cache-Control": "no-store", **(headers or {})}
        super().__init__(stream, status_code=status_code, headers=headers, background=background)
        self._heartbeat = heartbeat

    async def _keep_alive(self, send: Send) -> None:
        with suppress(_LeftError):
            while True:
                await anyio.sleep(self._heartbeat)
                if self._has_begun:
                    await self._send(send, b":\n\n")

    def _line(self, value: object) -> bytes:
        return f"data: {json.dumps(to_json(value))}\n\n".encode()

    def _fault(self, error: FollowersDataError) -> bytes:
        return b"event: failed\n" + self._line({"error": error})

    def _end(self) -> bytes:
        return b"event: done\ndata: {}\n\n"
