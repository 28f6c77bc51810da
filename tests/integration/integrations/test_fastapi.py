"""FastAPI apps as users write them: clients for their life, errors as problem details, values as documented."""

from __future__ import annotations

import math
import re
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Annotated, Any

import anyio
import anyio.lowlevel
import httpx
import jsonschema
import pytest
import uvicorn
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from followersdata_async import (
    AsyncClient,
    AuthenticationError,
    Balance,
    BatchResult,
    ConfigurationError,
    ConflictError,
    DecodeError,
    FollowersDataError,
    InsufficientFundsError,
    InvalidOrderError,
    LedgerError,
    NotSentError,
    NotSupportedError,
    OrderNotFoundError,
    OrderStatus,
    Outcome,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    PartialFailureError,
    PollTimeoutError,
    RateLimitedError,
    RequestTimeoutError,
    RequestTooLargeError,
    Service,
    ServiceNotFoundError,
    SpendingLimitError,
    TemporaryPanelError,
    errors,
    orders,
)
from followersdata_async.integrations.fastapi import PanelDep, install_error_handlers, lifespan, panel_named, panels_of
from followersdata_async.models import Receipt, ReceiptState
from followersdata_async.sandbox import Sandbox

ORDER = orders.Default(service=1, link="https://example.com/p/1", quantity=1000)


def client_of(sandbox: Sandbox, key: str = Sandbox.key) -> AsyncClient:
    """A client in process."""
    return AsyncClient(key, url=sandbox.url, http=sandbox.http(), retry=None)


async def ended(socket: WebSocket) -> None:
    """Accept it, and end it."""
    await socket.accept()
    await socket.close(1000)


def service(**settings: Any) -> FastAPI:
    """An app with a route for each kind of answer."""
    app = FastAPI(lifespan=lifespan(**settings))
    install_error_handlers(app)

    @app.get("/orders/{order}")
    async def show(order: int, panel: PanelDep) -> OrderStatus:
        return await panel.status(order)

    @app.get("/orders")
    async def show_many(first: int, last: int, panel: PanelDep) -> BatchResult[OrderStatus]:
        return await panel.multi_status(range(first, last + 1))

    @app.get("/outcomes")
    async def outcomes(panel: PanelDep) -> list[Outcome[OrderStatus]]:
        return list((await panel.multi_status([1, 10**9])).values())

    @app.get("/services")
    async def services(panel: PanelDep) -> list[Service]:
        return await panel.services()

    @app.post("/orders")
    async def place(panel: PanelDep) -> dict[str, object]:
        return {"order": (await panel.add(ORDER)).order}

    @app.get("/balance")
    async def balance(panel: Annotated[AsyncClient, Depends(panel_named("spare"))]) -> Balance:
        return await panel.balance()

    @app.websocket("/live/{order}")
    async def follow(socket: WebSocket, order: int, panel: PanelDep, how: str = "accepted") -> None:
        await {"accepted": socket.accept, "early": anyio.lowlevel.checkpoint, "closed": partial(ended, socket)}[how]()
        await panel.status(order)

    @app.websocket("/live")
    async def live(socket: WebSocket, panel: PanelDep) -> None:
        await socket.accept()
        await socket.send_json(str((await panel.balance()).balance))
        await socket.close()

    return app


@pytest.fixture(name="sandbox")
def _sandbox() -> Sandbox:
    return Sandbox(past=100, balances={"sandbox-spare": 7})


@pytest.fixture(name="client", params=["asyncio", "trio"])
def _client(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[TestClient]:
    app = service(panels={"main": lambda: client_of(sandbox), "spare": client_of(sandbox, "sandbox-spare")})
    with TestClient(app, backend=request.param, raise_server_exceptions=False) as client:
        yield client


def test_values_are_answered_as_they_are_documented(client: TestClient) -> None:
    """Each route's answer fits its response model, which has a name of its own where it is one value."""
    described = client.get("/openapi.json").json()
    for path, asked in {
        "/orders/{order}": "/orders/1",
        "/orders": "/orders?first=1&last=101",
        "/outcomes": "/outcomes",
        "/services": "/services",
        "/balance": "/balance",
    }.items():
        answer = client.get(asked)
        assert answer.status_code == 200, asked
        schema = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), schema | {"components": described["components"]})
    assert {"OrderStatus", "BatchResult_OrderStatus_", "Service", "Balance"} <= described["components"][
        "schemas"
    ].keys()
    status = client.get("/orders/1").json()
    assert isinstance(status["charge"], str)
    many = client.get("/orders?first=100&last=101").json()
    assert [outcome["outcome"] for outcome in many["outcomes"]] == ["ok", "refused"]
    assert many["requests"] == 1


def test_panels_are_reached_by_name_and_from_websockets(client: TestClient) -> None:
    """Each is its own account."""
    assert client.get("/balance").json() == {"balance": "7", "currency": "USD"}
    with client.websocket_connect("/live") as socket:
        assert socket.receive_json() == "1000.00000"


def test_an_error_closes_a_websocket(client: TestClient) -> None:
    """With the code for "the server could not", and a reason; one that is not accepted yet gets the problem."""
    with client.websocket_connect("/live/1000000000") as socket, pytest.raises(WebSocketDisconnect) as caught:
        socket.receive_json()
    assert (caught.value.code, caught.value.reason) == (1011, "There is no such order")
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/live/1000000000?how=early"):
        pass
    assert (denied.value.status_code, denied.value.json()["title"]) == (404, "There is no such order")
    with (
        client.websocket_connect("/live/1000000000?how=closed") as socket,
        pytest.raises(WebSocketDisconnect) as caught,
    ):
        socket.receive_json()
    assert caught.value.code == 1000


def test_a_server_that_cannot_refuse_a_websocket_closes_it(sandbox: Sandbox) -> None:
    """An answer before it is accepted is an extension, which not every server has."""
    app = service(panels=lambda: client_of(sandbox))
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def connect() -> None:
        async with app.router.lifespan_context(app) as state:
            scope = {"type": "websocket", "path": "/live/1000000000", "query_string": b"how=early", "headers": []}
            await app(scope | {"state": dict(state or {})}, receive, send)

    anyio.run(connect)
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1011)]


def test_a_dependency_can_be_overridden(sandbox: Sandbox) -> None:
    """By the function of its name, which is the same each time."""
    app = service(panels=lambda: client_of(sandbox))
    with TestClient(app) as client:
        app.dependency_overrides[panel_named("main")] = lambda: panels_of(app)["main"]
        app.dependency_overrides[panel_named("spare")] = lambda: panels_of(app)["main"]
        assert client.get("/balance").json()["balance"] == "1000.00000"


def test_without_arguments_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """And each run of the lifespan has a client of its own."""
    with Sandbox(serve=True, past=1) as sandbox:
        monkeypatch.setenv("FOLLOWERSDATA_API_KEY", sandbox.key)
        monkeypatch.setenv("FOLLOWERSDATA_API_URL", sandbox.url)
        app = service()
        for _ in range(2):
            with TestClient(app) as client:
                assert client.get("/orders/1").status_code == 200


def test_a_lifespan_runs_inside_with_open_clients_and_keeps_its_state(sandbox: Sandbox) -> None:
    """They are open when it starts, and still when it ends."""
    seen = []

    @asynccontextmanager
    async def mine(app: FastAPI) -> AsyncIterator[dict[str, object]]:
        seen.append(str((await panels_of(app)["main"].balance()).balance))
        yield {"mine": 7}
        seen.append(str((await panels_of(app)["main"].balance()).balance))

    app = service(panels=lambda: client_of(sandbox), inner=mine)

    @app.get("/mine")
    async def show(panel: PanelDep, request: Request) -> list[int]:
        return [len(await panel.services()), request.state.mine]

    with TestClient(app) as client:
        assert client.get("/mine").json() == [24, 7]
    assert seen == ["1000.00000"] * 2
    with pytest.raises(ConfigurationError, match="has no open panel"):
        panels_of(app)


def test_an_app_without_its_lifespan_says_what_is_missing() -> None:
    """In the way that most forget it: a test client that is not entered."""
    app = service(panels=AsyncClient("sandbox-key"))
    with pytest.raises(ConfigurationError, match=r"FastAPI\(lifespan=lifespan\(\)\).*with TestClient\(app\) as client"):
        panels_of(app)
    answer = TestClient(app, raise_server_exceptions=False).get("/orders/1")
    assert (answer.status_code, "TestClient" in answer.json()["detail"]) == (500, True)


def test_a_panel_that_nobody_named_is_an_error(sandbox: Sandbox) -> None:
    """With the names that there are."""
    with TestClient(service(panels=lambda: client_of(sandbox))) as client:
        assert client.get("/balance").json()["detail"] == "there is no panel 'spare': lifespan() was given main"
    with pytest.raises(ConfigurationError, match="one of the panels is named 'main', for PanelDep; these are spare"):
        lifespan({"spare": lambda: client_of(sandbox)})


# --- errors

STATUSES: dict[FollowersDataError, int] = {
    InvalidOrderError("Bad link", action="add"): 422,
    NotSupportedError("Cancel is not available", action="cancel"): 422,
    OrderNotFoundError("Incorrect order ID", action="status"): 404,
    ServiceNotFoundError("Incorrect service ID", action="add"): 404,
    ConflictError("You have active order with this link", action="add"): 409,
    InsufficientFundsError("Not enough funds on balance", action="add"): 402,
    RateLimitedError("Too many requests", action="add", retry_after=1.2): 503,
    TemporaryPanelError("try later", action="add"): 503,
    AuthenticationError("Invalid API key", action="add"): 500,
    PanelError("words that nobody knows", action="add"): 502,
    NotSentError("no network"): 503,
    OutcomeUnknownError("no answer", action="add"): 502,
    RequestTimeoutError("no answer in time"): 504,
    PanelUnavailableError("maintenance", retry_after=7.0): 502,
    DecodeError("cannot be read", action="add"): 502,
    PollTimeoutError("not all are final"): 504,
    PartialFailureError("some came to nothing"): 502,
    LedgerError("the database is away"): 503,
    RequestTooLargeError("10 MB"): 413,
    SpendingLimitError("used up"): 503,
    ConfigurationError("no key"): 500,
}
PASSING = {"ConflictError", "RateLimitedError", "TemporaryPanelError", "NotSentError", "RequestTimeoutError"}
PASSING |= {"PanelUnavailableError", "PollTimeoutError", "LedgerError"}
"""Errors of which the same request may come to something else, and which ordered nothing."""


@pytest.mark.parametrize(("error", "status"), STATUSES.items(), ids=lambda value: type(value).__name__)
def test_an_error_is_a_problem_with_a_fitting_status(error: FollowersDataError, status: int) -> None:
    """As RFC 9457 has it, with the panel's Retry-After, and whether it is safe and of use to ask again."""
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/broken")
    async def broken() -> None:
        raise error

    answer = TestClient(app).get("/broken")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == answer.json()["status"] == status
    retry_after = getattr(error, "retry_after", None)
    assert answer.headers.get("retry-after") == {None: None, 1.2: "2", 7.0: "7"}[retry_after]
    assert answer.json() == {
        "type": f"urn:followersdata:{type(error).__name__}",
        "title": answer.json()["title"],
        "status": status,
        "detail": str(error),
        "instance": "/broken",
        "retry": type(error).__name__ in PASSING,
    }
    assert re.fullmatch(r"[A-Z][\w' ]+", answer.json()["title"])


@pytest.mark.parametrize(
    "message", ["Server error", "System error", "Lỗi hệ thống", "There was an error. Try again later"]
)
def test_a_crash_that_the_panel_reports_is_not_to_be_repeated(
    client: TestClient, sandbox: Sandbox, message: str
) -> None:
    """It took the order before it crashed."""
    sandbox.next("refused", action="add", taken=True, message=message)
    taken = len(sandbox.orders())
    problem = client.post("/orders").json()
    assert problem["type"] == "urn:followersdata:OutcomeUnknownError"
    assert problem["retry"] is False
    assert len(sandbox.orders()) == taken + 1


def test_an_order_that_could_not_be_written_down_is_not_to_be_repeated() -> None:
    """It was sent: only its record is missing."""
    receipt = Receipt(ref="cart-81", panel="main", state=ReceiptState.PLACED, fields={}, order=7, intended_at=0.0)
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/broken")
    async def broken() -> None:
        raise LedgerError(receipt=receipt)

    assert TestClient(app).get("/broken").json()["retry"] is False


@pytest.mark.parametrize("asked", [-3.0, math.inf, math.nan])
def test_a_time_that_is_none_is_no_header(asked: float) -> None:
    """What a program puts into an error may be anything."""
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/broken")
    async def broken() -> None:
        raise RateLimitedError("Too many requests", retry_after=asked)

    assert "retry-after" not in TestClient(app).get("/broken").headers


@pytest.mark.parametrize(
    ("error", "level"), [(InsufficientFundsError(), "ERROR"), (PanelUnavailableError(), "WARNING")]
)
def test_an_error_is_logged(error: FollowersDataError, level: str, caplog: pytest.LogCaptureFixture) -> None:
    """Else nobody would hear of it: as an answer it is none of the server's."""
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/broken")
    async def broken() -> None:
        raise error

    TestClient(app).get("/broken")
    (record,) = [record for record in caplog.records if record.name.startswith("followersdata_async")]
    assert (record.levelname, record.getMessage()) == (level, f"{type(error).__name__}: {error}")


def test_every_class_of_error_has_a_status() -> None:
    """Those of tomorrow, too."""
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, FollowersDataError)
    ]
    tried = {type(error) for error in STATUSES}
    assert {class_ for class_ in classes if not class_.__subclasses__()} - tried == {
        errors.InvalidRequestError,
        errors.RefillNotFoundError,
    }


def test_the_key_is_in_no_problem(sandbox: Sandbox) -> None:
    """Also where the panel repeats it."""
    app = service(panels=lambda: client_of(sandbox, "sandbox-0123456789"))
    with TestClient(app) as client:
        sandbox.next("refused", message="the key sandbox-0123456789 is unwelcome")
        answer = client.post("/orders")
    assert "0123456789" not in answer.text + str(answer.headers)
    assert "unwelcome" in answer.json()["detail"]


# --- over real sockets


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The app behind uvicorn, in a thread; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def test_two_hundred_requests_at_once_cost_a_handful_of_the_panels() -> None:
    """Each handler asks for its own order; those of one moment share a request."""

    async def load(url: str) -> list[bytes]:
        port = httpx.URL(url).port or 0
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port)) for _ in range(200)]
            for order, stream in enumerate(streams, 1):
                await stream.send(b"GET /orders/%d HTTP/1.1\r\nHost: x\r\n\r\n" % order)
            return [await stream.receive() for stream in streams]

    with Sandbox(serve=True, past=1000, latency=0.05) as sandbox:
        app = service(panels=lambda: AsyncClient(sandbox.key, url=sandbox.url, coalesce_window=0.05))
        with running(app) as url:
            answers = anyio.run(load, url)
        assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
        assert sandbox.requests <= 8


def test_a_write_on_its_way_is_finished_when_the_service_ends() -> None:
    """The server is told to end while the panel has the order and has not answered."""
    answers: list[httpx.Response] = []
    with Sandbox(serve=True, faults=[{"fault": "late", "seconds": 0.5, "action": "add"}]) as sandbox:
        with running(service(panels=lambda: AsyncClient(sandbox.key, url=sandbox.url))) as url:
            thread = threading.Thread(target=lambda: answers.append(httpx.post(f"{url}/orders", timeout=60)))
            thread.start()
            while not sandbox.orders():
                pass
        thread.join()
        assert answers[0].json() == {"order": sandbox.orders()[0]["order"]}


def test_pydantic_is_imported_by_nobody_who_does_not_use_it() -> None:
    """Nor is FastAPI."""
    code = "import sys, followersdata_async; assert not {'pydantic', 'pydantic_core', 'fastapi'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_extra_it_says_what_to_install() -> None:
    """Where it is used."""
    code = "import sys; sys.modules['fastapi'] = None; import followersdata_async.integrations.fastapi"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "this integration needs its extra: pip install 'followersdata_async[fastapi]'" in done.stderr
