"""Streams as answers: as fast as they are read, to their end or to that of whoever asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from starlette.background import BackgroundTask

from followersdata_async import AsyncClient, AuthenticationError, orders
from followersdata_async.integrations.starlette import EventStreamResponse, NdjsonResponse
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.types import Message

    from followersdata_async.integrations.starlette import _StreamResponse

pytestmark = pytest.mark.anyio


ORDER = orders.Default(service=1, link="https://example.com/p/1", quantity=1000)


class Server:
    """What a server does with an answer: it keeps what is sent, and tells when whoever asked has left."""

    def __init__(self, sending: Callable[[], Awaitable[None]] | None = None) -> None:
        self.sent: list[Message] = []
        self.gone = anyio.Event()
        self._sending = sending

    async def receive(self) -> Message:
        """Nothing more, until somebody leaves."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take one message."""
        self.sent.append(message)
        if self._sending is not None and message.get("body"):
            await self._sending()

    async def run(self, response: _StreamResponse) -> bytes:
        """The whole answer."""
        await response({"type": "http"}, self.receive, self.send)
        return b"".join(message.get("body", b"") for message in self.sent)


def client_of(sandbox: Sandbox, key: str = Sandbox.key, **settings: Any) -> AsyncClient:
    """A client in process."""
    return AsyncClient(key, url=sandbox.url, http=sandbox.http(), **settings)


async def test_outcomes_are_lines_of_json() -> None:
    """One for each id, whatever became of it."""
    sandbox, server = Sandbox(past=300), Server()
    async with client_of(sandbox) as panel:
        body = await server.run(NdjsonResponse(panel.stream_status([*range(1, 251), 10**9])))
    outcomes = [json.loads(line) for line in body.splitlines()]
    assert sorted(outcome["id"] for outcome in outcomes) == [*range(1, 251), 10**9]
    assert [outcome["id"] for outcome in outcomes if outcome["outcome"] == "refused"] == [10**9]
    start, end = server.sent[0], server.sent[-1]
    assert dict(start["headers"])[b"content-type"] == b"application/x-ndjson"
    assert (start["status"], end["more_body"]) == (200, False)


async def test_nothing_to_ask_is_an_empty_answer() -> None:
    """It begins and ends."""
    server = Server()
    async with client_of(Sandbox()) as panel:
        assert await server.run(NdjsonResponse(panel.stream_status([]))) == b""
    assert [message["type"] for message in server.sent] == ["http.response.start", "http.response.body"]


async def test_events_of_a_server_end_with_done() -> None:
    """So that a page knows not to ask again."""
    server = Server()
    async with client_of(Sandbox(past=1)) as panel:
        body = await server.run(EventStreamResponse(panel.stream_status([1])))
    first, last = body.decode().strip().split("\n\n")
    assert json.loads(first.removeprefix("data: "))["id"] == 1
    assert last == "event: done\ndata: {}"
    assert dict(server.sent[0]["headers"])[b"content-type"].startswith(b"text/event-stream")
    assert dict(server.sent[0]["headers"])[b"cache-control"] == b"no-store"


async def test_changes_can_be_streamed_too() -> None:
    """With what an order was before."""
    server = Server()
    async with client_of(Sandbox(past=1)) as panel:
        body = await server.run(NdjsonResponse(panel.watch([1])))
    (change,) = [json.loads(line) for line in body.splitlines()]
    assert (change["order"], change["before"], change["after"]["state"]) == (1, None, "completed")


async def test_nothing_is_asked_ahead_of_who_reads() -> None:
    """Of a thousand requests, only those are sent that are in flight when the reader stops."""
    sandbox = Sandbox(past=100_000)
    read_on = anyio.Event()
    stopped = anyio.Event()

    async def sending() -> None:
        stopped.set()
        await read_on.wait()

    server = Server(sending)
    async with client_of(sandbox, concurrency=2) as panel, anyio.create_task_group() as group:
        group.start_soon(server.run, NdjsonResponse(panel.stream_status(range(1, 5_001))))
        await stopped.wait()
        await anyio.wait_all_tasks_blocked()
        assert sandbox.requests <= 1 + 2 + 2
        read_on.set()
    assert sandbox.requests == 50


async def test_who_leaves_ends_the_stream() -> None:
    """Nothing more is asked, and it is no error."""
    sandbox = Sandbox(past=100_000)
    server: Server

    async def sending() -> None:
        server.gone.set()
        await anyio.sleep_forever()

    server = Server(sending)
    async with client_of(sandbox, concurrency=2) as panel:
        await server.run(NdjsonResponse(panel.stream_status(range(1, 5_001))))
        assert sandbox.requests <= 1 + 2 + 2


async def test_a_server_that_says_so_by_failing_ends_the_stream_too() -> None:
    """Sending to nobody is no error of the app's."""
    sandbox = Sandbox(past=100_000)

    async def sending() -> None:
        raise OSError

    async with client_of(sandbox, concurrency=2) as panel:
        await Server(sending).run(NdjsonResponse(panel.stream_status(range(1, 5_001))))
        assert sandbox.requests <= 1 + 2 + 2


@pytest.mark.parametrize("kind", [NdjsonResponse, EventStreamResponse])
async def test_a_callers_mistake_is_raised_as_itself(kind: type[_StreamResponse]) -> None:
    """And not as a group of one, which no error handler would know."""
    server = Server()
    async with client_of(Sandbox()) as panel:
        with pytest.raises(ValueError, match="has a comma"):
            await server.run(kind(panel.stream_status(["1,2"])))
    assert server.sent == []


@pytest.mark.parametrize("kind", [NdjsonResponse, EventStreamResponse])
async def test_a_background_task_runs_when_all_is_sent(kind: type[_StreamResponse]) -> None:
    """As of any other response."""
    server, seen = Server(), []
    async with client_of(Sandbox(past=1)) as panel:
        task = BackgroundTask(lambda: seen.append(server.sent[-1]["more_body"]))
        await server.run(kind(panel.stream_status([1]), background=task))
    assert seen == [False]


async def test_events_in_which_nothing_happens_are_kept_alive() -> None:
    """Proxies close what is silent; an order that is watched may be silent for minutes."""
    sandbox, alive = Sandbox(), anyio.Event()
    server: Server

    async def sending() -> None:
        if server.sent[-1]["body"] == b":\n\n":
            alive.set()

    server = Server(sending)
    async with client_of(sandbox) as panel, anyio.create_task_group() as group:
        order = (await panel.add(ORDER)).order
        group.start_soon(server.run, EventStreamResponse(panel.watch([order]), heartbeat=0.001))
        await alive.wait()
        assert server.sent[1]["body"].startswith(b"data: ")
        server.gone.set()


@pytest.mark.parametrize("kind", [NdjsonResponse, EventStreamResponse])
async def test_a_refused_key_is_raised_while_nothing_was_sent(kind: type[_StreamResponse]) -> None:
    """As itself, so that the app can answer it: a stream that has not begun may be anything."""
    server, sandbox = Server(), Sandbox()
    async with client_of(sandbox, "wrong-key") as panel:
        with pytest.raises(AuthenticationError):
            await server.run(kind(panel.stream_status(range(1, 501))))
    assert server.sent == []
    assert sandbox.requests == 1


@pytest.mark.parametrize(
    ("kind", "end"), [(NdjsonResponse, b'{"error"'), (EventStreamResponse, b"event: failed\ndata: {")]
)
async def test_what_fails_later_is_the_last_value(kind: type[_StreamResponse], end: bytes) -> None:
    """The answer has begun, so its status cannot change: the key was refused after the first hundred."""
    sandbox = Sandbox(past=1000)
    server: Server

    async def sending() -> None:
        sandbox.next("refused", message="Invalid API key", times=50)

    def ids() -> Iterator[int]:
        yield from range(1, 1001)

    server = Server(sending)
    async with client_of(sandbox, concurrency=1, retry=None) as panel:
        body = await server.run(kind(panel.stream_status(ids())))
    assert body.rindex(end) > 1000
    last = json.loads(body[body.rindex(b'{"error"') :])
    assert last["error"]["type"] == "AuthenticationError"
    assert server.sent[0]["status"] == 200
    assert not server.sent[-1]["more_body"]
