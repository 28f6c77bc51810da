"""A sandbox behind a server that fails by a script: before an order is taken, after it, and in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
import sys
from typing import TYPE_CHECKING

from followersdata_async.sandbox import Sandbox

from .asgi import post_form

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = "sandbox-soak"
"""The key whose account can pay for any number of orders."""

_FAULTS = {
    "good": 870,
    "closes unread": 20,
    "resets unread": 10,
    "drops before taking": 15,
    "drops after taking": 15,
    "resets after taking": 10,
    "cuts the answer": 15,
    "answers a page before taking": 5,
    "answers a page after taking": 5,
    "answers nothing after taking": 5,
    "answers garbage after taking": 5,
    "says slow down": 5,
    "reports a crash before taking": 3,
    "reports a crash after taking": 7,
    "hangs after taking": 1,
    "closes after a good answer": 9,
}
"""How often each happens, in thousandths."""

_REQUESTS_BETWEEN_REFUSALS = 700
_REFUSAL_SECONDS = 0.1
"""From time to time nobody listens, for longer than all attempts of a client take."""
_PORTS = range(20_000, 30_000)
"""Below those that clients get: with one of these, a client could connect to itself while nobody listens."""

_BALANCE = 10**12
_CRASHES = (
    "Server error",
    "System error",
    "Service temporarily unavailable",
    "Internal error, please try again",
    "Failed to parse provider response",
    "Empty response from provider",
    "Operation timed out after 30001 milliseconds with 0 bytes received",
    "Database error: duplicate key value violates unique constraint",
    "Bir hata oluştu",
)
"""What panels report with HTTP 200 when they fail, often after they have charged the account."""
_PAGE = b"<html>502 Bad Gateway</html>"


class _Panel:
    """A panel that fails by a script."""

    def __init__(self, seed: int) -> None:
        self._sandbox = Sandbox(seed=seed, balances={KEY: _BALANCE}, max_orders=None)
        self._chance = random.Random(seed)  # noqa: S311 - a script, not a secret
        self._requests = 0
        self.refusal_due = asyncio.Event()

    async def handle_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to one connection's requests until a fault ends it."""
        try:
            while await self._handle_request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _handle_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Respond to one request. Return whether the connection goes on."""
        fault = self._chance.choices(list(_FAULTS), list(_FAULTS.values()))[0]
        first = await reader.readexactly(1)
        self._requests += 1
        if self._requests % _REQUESTS_BETWEEN_REFUSALS == 0:
            self.refusal_due.set()
        if fault in {"closes unread", "resets unread"} and first != b"G":
            return _end(writer, reset=fault.startswith("resets"))
        head = first + await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            return _send(writer, json.dumps([order["link"] for order in self._sandbox.orders()]).encode())
        body = await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        return await self._respond(fault, body, writer)

    async def _respond(self, fault: str, form: bytes, writer: asyncio.StreamWriter) -> bool:
        match fault:
            case "drops before taking":
                return False
            case "answers a page before taking":
                return _send(writer, _PAGE, b"502 Bad Gateway")
            case "says slow down":
                return _send(writer, b'{"error": "Too many requests"}', b"429 Too Many Requests")
            case "reports a crash before taking":
                return _send(writer, self._format_crash())
        return await self._respond_after_taking(fault, await post_form(self._sandbox.app, form), writer)

    async def _respond_after_taking(self, fault: str, answer: bytes, writer: asyncio.StreamWriter) -> bool:
        """Send the response to an order that was taken, unless a fault spoils it."""
        match fault:
            case "good":
                return _send(writer, answer)
            case "closes after a good answer":
                _send(writer, answer)
            case "answers a page after taking":
                return _send(writer, _PAGE, b"502 Bad Gateway")
            case "reports a crash after taking":
                return _send(writer, self._format_crash())
            case "answers nothing after taking":
                return _send(writer, b"")
            case "answers garbage after taking":
                writer.write(b"\x00\xff" * 40)
            case "cuts the answer":
                whole = _format_response(answer)
                writer.write(whole[: self._chance.randrange(len(whole))])
            case "hangs after taking":
                await asyncio.sleep(60)
            case "resets after taking":
                return _end(writer, reset=True)
        return False

    def _format_crash(self) -> bytes:
        return json.dumps({"error": self._chance.choice(_CRASHES)}).encode()


def _format_response(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def _send(writer: asyncio.StreamWriter, body: bytes, status: bytes = b"200 OK") -> bool:
    """Send a whole response. Return that the connection goes on."""
    writer.write(_format_response(body, status))
    return True


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> bool:
    """Prepare a connection to be reset, or to be closed. Return that it does not go on."""
    if reset:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


async def _serve(seed: int) -> None:
    """Listen, and refuse connections from time to time. Open connections go on."""
    panel = _Panel(seed)
    server = await _listen(panel, _PORTS)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while True:
        await panel.refusal_due.wait()
        panel.refusal_due.clear()
        server.close()
        await asyncio.sleep(_REFUSAL_SECONDS)
        server = await _listen(panel, [port])


async def _listen(panel: _Panel, ports: Iterable[int]) -> asyncio.Server:
    """Listen on the first of the ports that is free."""
    for port in ports:
        with contextlib.suppress(OSError):
            return await asyncio.start_server(panel.handle_connection, "127.0.0.1", port, limit=1 << 20)
    msg = "no port is free"
    raise OSError(msg)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
