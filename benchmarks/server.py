"""A panel that costs as little as possible, in a process of its own: it answers every status, after ``latency``."""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import parse_qs

import httpx

_ROW = '{"charge":"0.27819","start_count":"3572","status":"Partial","remains":"157","currency":"USD"}'


SERVICES = 5_000
_SERVICE = (
    '{"service":%d,"name":"Instagram Followers [Refill: 30 days] #%d","type":"Default","category":"Instagram",'
    '"rate":"0.9%d","min":"50","max":"10000","refill":true,"cancel":true}'
)
_CATALOGUE = ("[" + ",".join(_SERVICE % (number, number, number) for number in range(1, SERVICES + 1)) + "]").encode()


class _Panel(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, and no more of it than the benchmarks send. A GET tells what came so far."""

    connections = 0
    requests = 0

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._data = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - as asyncio has it
        self._transport = transport
        _Panel.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole."""
        self._data += data
        head, separator, body = self._data.partition(b"\r\n\r\n")
        if separator and head.startswith(b"GET"):
            self._data = b""
            self._reply(b"%d %d" % (_Panel.connections, _Panel.requests))
            return
        if not separator or len(body) < _length_of(head):
            return
        self._data = b""
        _Panel.requests += 1
        asyncio.get_running_loop().call_later(self._latency, self._reply, answer_to(body.decode()))

    def _reply(self, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def connections(url: str) -> int:
    """How many connections came to a server so far, that of this question included."""
    return int(httpx.get(url).content.split()[0])


def requests(url: str) -> int:
    """How many requests came to a server so far, without this question."""
    return int(httpx.get(url).content.split()[1])


def _length_of(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


def answer_to(form: str) -> bytes:
    """The body for a form: the catalogue, a status, or that of many."""
    fields = parse_qs(form)
    if fields.get("action") == ["services"]:
        return _CATALOGUE
    ids = fields.get("orders", [""])[0]
    if not ids:
        return _ROW.encode()
    return ("{" + ",".join(f'"{id_}":{_ROW}' for id_ in ids.split(",")) + "}").encode()


async def _serve(latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Panel(latency), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
