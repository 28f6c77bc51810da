"""Law 5: the key is nowhere but in the request's body."""

from __future__ import annotations

import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import httpx
import pytest

from followersdata_async import AsyncClient, FollowersDataError, orders
from tests.helpers.sockets import closed_port, hang_up, replying, reset, response, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from tests.helpers.sockets import Script

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning"),
]

KEY = "0123456789abcdef+very/secret="
ECHO = f'{{"error": "Invalid API key {KEY}"}}'.encode()
CALLS: list[Callable[[AsyncClient], Awaitable[object]]] = [
    lambda panel: panel.balance(),
    lambda panel: panel.services(),
    lambda panel: panel.multi_status(range(1, 300)),
    lambda panel: panel.add(orders.Package(service=3, link="x.y")),
    lambda panel: panel.cancel([1]),
]
SCRIPTS: dict[str, Script] = {
    "refused": replying(response(ECHO)),
    "in a row": replying(response(b'{"1": ' + ECHO + b"}")),
    "in a page": replying(response(b"<html>" + ECHO)),
    "in a redirect": replying(response(b"", b"Location: https://a.b/" + KEY.encode(), status=b"301 Moved")),
    "stalled": replying(b""),
    "hung up": hang_up,
    "reset": reset,
    "in a broken response": replying(KEY.encode() + b"\r\n\r\n", close=True),
    "cut": replying(response(b'{"a": 1}')[:-3], close=True),
    "badly packed": replying(response(b"no gzip", b"Content-Encoding: gzip")),
    "in a broken response, as a form writes it": replying(quote_plus(KEY).encode() + b"\r\n\r\n", close=True),
    "as a form writes it": replying(response(b'{"error": "what is key=' + quote_plus(KEY).encode() + b'?"}')),
}


def frames_of(trace: TracebackType | None) -> list[str]:
    """Return what the frames of a traceback hold, ours and foreign ones, as a debugger would print it."""
    return [
        f"{frame.f_code.co_name}: {frame.f_locals!r}"
        for frame, _ in traceback.walk_tb(trace)
        if frame.f_globals.get("__name__") != __name__
    ]


def told(error: BaseException | None) -> list[str]:
    """Return everything that an exception, its causes, its contexts and its members say."""
    found: list[str] = []
    waiting, seen = [error], set()
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        found += [repr(error), str(error), repr(vars(error)), *frames_of(error.__traceback__)]
        waiting += [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
    return found


@pytest.mark.parametrize("lent", [False, True], ids=["own", "lent"])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_the_key_is_in_no_exception_no_frame_of_ours_and_no_log(
    script: str, lent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the panel repeats it, and with every logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    async with serving(SCRIPTS[script]) as server, httpx.AsyncClient(trust_env=False) as http:
        for url in (server.url, f"http://127.0.0.1:{closed_port()}/"):
            async with AsyncClient(KEY, url=url, retry=None, attempt_timeout=0.2, http=http if lent else None) as panel:
                said.append(repr(panel))
                for call in CALLS:
                    try:
                        result = await call(panel)
                    except FollowersDataError as error:
                        said += [*told(error), repr(pickle.dumps(error))]
                    else:
                        said += [repr(result), repr(pickle.dumps(result))]
                        said += [text for one in getattr(result, "errors", {}).values() for text in told(one)]
    assert len(said) > 20
    assert [text for text in said if KEY in text or quote_plus(KEY) in text] == []
    # httpcore logs the headers and the broken lines that a panel sends: that is out of our hands.
    logs = [record for record in caplog.records if record.name != "httpcore.http11"]
    assert [record.getMessage() for record in logs if KEY in record.getMessage()] == []


@pytest.mark.parametrize(
    "mistake",
    [
        {"api_key": f"{KEY} "},
        {"url": "ftp://panel.example"},
        {"concurrency": 0},
        {"http": object()},
        {"rate": 7},
        {"error_phrases": {"": FollowersDataError}},
    ],
    ids=lambda mistake: next(iter(mistake)),
)
def test_the_key_is_in_no_frame_of_a_client_that_cannot_be_made(
    mistake: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as an argument, nor as a part of the environment; error reports show what frames hold."""
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", KEY)
    for arguments in ({"api_key": KEY} | mistake, mistake):
        with pytest.raises((FollowersDataError, ValueError, TypeError)) as caught:
            AsyncClient(**arguments)
        assert [text for text in told(caught.value) if KEY in text] == []
