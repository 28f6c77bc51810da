"""HTTP/1.1 of one connection, as h11 parses it: bytes in, events out. No I/O."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias, final

import h11
import httpx

from .._wire.encoding import SecretBytes

ResponseEvent: TypeAlias = h11.Response | h11.Data | h11.EndOfMessage

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 1000
MAX_INFORMATIONAL_RESPONSES = 16


@final
class H11Connection:
    """The protocol state of one connection, over all of its exchanges.

    An exchange is ``encode_request``, then ``receive_data`` and ``next_event``
    until ``EndOfMessage``, then ``finish_exchange``.
    """

    def __init__(self) -> None:
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._informational_responses = 0
        self._has_two_lengths = False

    def encode_request(self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        """Return the bytes of a whole request. ``headers`` include Host and Content-Length.

        Raises:
            httpx.LocalProtocolError: the request can't be written as HTTP/1.1.
        """
        try:
            head = self._state.send(_create_request(method, target, tuple(headers)))
            content = self._state.send(h11.Data(data=body))
            self._state.send(h11.EndOfMessage())
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        return SecretBytes((head or b"") + (content or b""))

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the server; ``b""`` means that it has closed the connection."""
        self._state.receive_data(data)

    def next_event(self) -> ResponseEvent | None:
        """Return the next event of the response, or ``None`` if that needs more data.

        Raises:
            httpx.RemoteProtocolError: the response breaks the protocol, or is incomplete.
        """
        problem: str | None
        try:
            event = self._skip_informational_responses()
        except h11.RemoteProtocolError as error:
            # Without the bytes that h11 quotes: they could repeat the key.
            problem = str(error).partition(":")[0]
        else:
            problem = self._check_headers(event) if isinstance(event, h11.Response) else None
            if problem is None:
                return event if isinstance(event, ResponseEvent) else None
        # Not raised in the except clause: the context would hold the same bytes in its frames.
        raise httpx.RemoteProtocolError(problem)

    def _skip_informational_responses(self) -> object:
        while isinstance(event := self._state.next_event(), h11.InformationalResponse):
            self._informational_responses += 1
            if self._informational_responses > MAX_INFORMATIONAL_RESPONSES:
                msg = f"more than {MAX_INFORMATIONAL_RESPONSES} informational responses"
                raise h11.RemoteProtocolError(msg)
        return event

    def _check_headers(self, response: h11.Response) -> str | None:
        if len(response.headers) > MAX_HEADERS:
            return f"more than {MAX_HEADERS} headers"
        names = {name for name, _ in response.headers}
        self._has_two_lengths = b"content-length" in names and b"transfer-encoding" in names
        return None

    @property
    def is_clean(self) -> bool:
        """Return whether another exchange can follow.

        Both sides keep the connection open, and no byte came after the response.
        """
        state = self._state
        is_done = state.our_state is h11.DONE and state.their_state is h11.DONE
        return is_done and not self._has_two_lengths and state.trailing_data == (b"", False)

    def finish_exchange(self) -> None:
        """Prepare for the next request. Only if ``is_clean``."""
        self._state.start_next_cycle()
        self._informational_responses = 0


@lru_cache(maxsize=128)
def _create_request(method: bytes, target: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> h11.Request:
    """Create h11's event. Most requests of a client have the same headers, and h11 checks each of them."""
    return h11.Request(method=method, target=target, headers=list(headers))
