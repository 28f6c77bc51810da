"""What a sandbox reads and keeps of strangers: bodies, orders, the log and the state file are bounded."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from followersdata_async import PanelError, orders
from followersdata_async.sandbox import Quota, Sandbox
from followersdata_async.sandbox.backend import Backend
from followersdata_async.sandbox.rate_limit import RateLimiter
from tests.helpers.sandbox import ORDER, add_order, create_client, send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

JSON_TYPE = {"Content-Type": "application/json"}
FULL = "This sandbox keeps no more than {} orders: reset it, or raise max_orders"
DAY = 86400.0


# --- bodies


@pytest.mark.parametrize("path", ["/api/v2", "/__sandbox__/faults"])
@pytest.mark.parametrize(("settings", "limit"), [({}, 1024 * 1024), ({"max_body_bytes": 100}, 100)])
async def test_a_body_that_is_too_long_is_http_413(path: str, settings: dict[str, Any], limit: int) -> None:
    """It is not carried out, counted or logged, and takes no fault; one byte less is read."""
    async with Sandbox(faults=["late"], **settings) as sandbox, sandbox.http() as http:
        form = f"key={sandbox.key}&action=add&service=3&link=a.b&x=".encode()
        url, headers = f"https://sandbox.invalid{path}", JSON_TYPE
        response = await http.post(url, content=form.ljust(limit + 1, b"x"), headers=headers)
        assert response.status_code == 413
        assert f"the body must be at most {limit} bytes, got more: send less, or raise max_body_bytes" in response.text
        assert (sandbox.orders(), sandbox.log(), sandbox.requests) == ([], [], 0)
        assert [fault["fault"] for fault in sandbox.faults()] == ["late"]
        sandbox.clear()
        assert (await http.post(url, content=form.ljust(limit, b"x"), headers=headers)).status_code != 413


async def test_a_body_is_too_long_in_parts_as_well() -> None:
    """Without a Content-Length."""

    async def send_parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 40

    async with Sandbox(max_body_bytes=100) as sandbox, sandbox.http() as http:
        assert (await http.post(sandbox.url, content=send_parts())).status_code == 413


async def test_a_query_is_bounded_as_a_body_is() -> None:
    """The panel takes fields from both."""
    async with Sandbox(max_body_bytes=100) as sandbox:
        for length, status in ((100, 200), (101, 413)):
            response = await request_query(sandbox, b"x" * length)
            assert response["status"] == status


async def request_query(sandbox: Sandbox, query: bytes) -> dict[str, Any]:
    """Send a query, which httpx would not send if it were long, and return the start of the response."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        pytest.fail("a GET has no body")

    scope = {"type": "http", "method": "GET", "path": "/api/v2", "query_string": query, "headers": []}
    await sandbox.app(scope, receive, send)
    return sent[0]


async def test_without_a_bound_a_body_may_have_any_length() -> None:
    """For an order of very many lines."""
    async with Sandbox(max_body_bytes=None) as sandbox, sandbox.http() as http:
        form = {"key": sandbox.key, "action": "balance", "x": "x" * 2_000_000}
        assert "balance" in (await http.post(sandbox.url, data=form)).json()


@pytest.mark.parametrize("name", ["max_body_bytes", "max_orders", "max_logged_requests"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_bound_below_one_is_an_error(name: str, value: int) -> None:
    """None is no bound."""
    settings: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=rf"^{name} must be a whole number from 1, got {value}: take None for no bou"):
        Sandbox(**settings)


# --- orders


async def test_a_full_sandbox_rejects_orders() -> None:
    """They are not charged. Those that it took are kept, and a reset makes room."""
    async with Sandbox(max_orders=2, past=5) as sandbox, create_client(sandbox) as panel:
        await panel.add(ORDER)
        await panel.add(ORDER)
        before = await panel.balance()
        for _ in range(2):
            with pytest.raises(PanelError, match=FULL.format(2)):
                await panel.add(ORDER)
        assert (await panel.balance(), len(sandbox.orders())) == (before, 2)
        assert (await panel.multi_status(range(1, 8))).errors == {}
        sandbox.reset()
        await panel.add(ORDER)


def test_a_sandbox_keeps_a_hundred_thousand_orders() -> None:
    """Unless it is told otherwise."""
    assert Sandbox()._panel.backend.max_orders == 100_000
    assert Sandbox(max_orders=None)._panel.backend.max_orders is None


def test_a_wrong_order_is_told_so_also_by_a_full_sandbox() -> None:
    """A test of validation does not depend on how many orders there are."""
    backend = Backend(max_orders=1)
    add_order(backend)
    assert add_order(backend, quantity="1") == {"error": "Quantity less than minimal 50"}
    assert add_order(backend) == {"error": FULL.format(1)}


def test_the_children_of_an_order_count() -> None:
    """From the beginning, as they are placed whatever the bound is."""
    backend = Backend(max_orders=10)
    assert add_order(backend, runs="10", interval="1", quantity="100") == {"error": FULL.format(10)}
    assert add_order(backend, runs="9", interval="1", quantity="100") == {"order": 1}
    assert add_order(backend) == {"error": FULL.format(10)}
    backend.catch_up(1e6)
    assert len(backend.lifecycles) == 10
    assert len(backend.records) == 1


def test_refills_and_cancellations_count() -> None:
    """They are kept as well, also of past orders, of which there may be any number."""
    backend = Backend(seed=1, started_at=1000.0, past=1000, max_orders=3)
    ids = ",".join(map(str, range(1, 101)))
    canceled = send(backend, "cancel", orders=ids)
    refilled = send(backend, "refill", 1000.0 + 3 * DAY, orders=ids)
    assert isinstance(canceled, list)
    assert isinstance(refilled, list)
    assert sum(row["cancel"] == 1 for row in canceled) == 3 == len(backend.lifecycles)
    assert {"error": FULL.format(3)} in [row["cancel"] for row in canceled]
    assert {"error": FULL.format(3)} in [row["refill"] for row in refilled]
    assert not any(isinstance(row["refill"], int) for row in refilled)


def test_a_long_order_counts_as_several() -> None:
    """One for each 4 KiB, so that the bound is one of memory."""
    backend = Backend(max_orders=10)
    add_order(backend, note="x" * 4096 * 8)
    assert backend.kept == 9
    add_order(backend)
    assert add_order(backend) == {"error": FULL.format(10)}


def test_a_key_has_a_bounded_length() -> None:
    """It is kept with each order."""
    backend = Backend()
    assert "balance" in str(send(backend, "balance", key="sandbox-".ljust(256, "x")))
    assert send(backend, "balance", key="sandbox-".ljust(257, "x")) == {"error": "Invalid API key"}


# --- the log and the rate limit


async def test_the_log_has_the_last_requests() -> None:
    """A thousand, or as many as it is told."""
    for settings, kept in (({}, 1000), ({"max_logged_requests": 3}, 3), ({"max_logged_requests": None}, 1002)):
        sandbox = Sandbox(speed=0, **settings)
        for number in range(1002):
            sandbox._panel.handle_request({"key": "", "number": str(number)})
        assert [row["fields"] for row in sandbox.log()] == [{"number": str(n)} for n in range(1002 - kept, 1002)]
        assert sandbox.requests == 1002


async def test_the_log_has_fewer_requests_if_they_are_long() -> None:
    """Within 16 MiB, and always the last one."""
    sandbox = Sandbox()
    for _ in range(20):
        sandbox._panel.handle_request({"x": "x" * 1_000_000})
    assert len(sandbox.log()) == 16
    sandbox._panel.handle_request({"x": "x" * 20_000_000})
    assert len(sandbox.log()) == 1
    sandbox._panel.handle_request({"x": "y"})
    assert [row["fields"] for row in sandbox.log()] == [{"x": "y"}]


def test_a_rate_limiter_keeps_the_last_ten_thousand_keys() -> None:
    """Anyone can invent keys."""
    limiter = RateLimiter(Quota(requests=1, per=1e9, says="status"))
    for number in range(10_001):
        _, rejection = limiter.check(f"sandbox-{number}", 0.0)
        assert rejection is None
    assert limiter.check("sandbox-10000", 0.0)[1] is not None
    assert limiter.check("sandbox-1", 0.0)[1] is not None
    assert limiter.check("sandbox-0", 0.0)[1] is None
    assert len(limiter._request_times) == 10_000


# --- the state file


def read_events(state: Path) -> list[str]:
    """Return the data of the requests in a state file."""
    with sqlite3.connect(state) as file:
        rows = file.execute("SELECT facts FROM happened WHERE what = 'asked' ORDER BY number").fetchall()
    file.close()
    return [data for (data,) in rows]


async def test_requests_that_change_nothing_are_not_in_the_state_file(tmp_path: Path) -> None:
    """With a wrong key, wrong fields, or to a full sandbox."""
    state = tmp_path / "sandbox.db"
    async with Sandbox(state=state, max_orders=1, past=5) as sandbox, create_client(sandbox) as panel:
        for key in ("", "wrong", "sandbox-".ljust(300, "x"), sandbox.key):
            sandbox._panel.handle_request({"key": key, "action": "add", "service": "1", "link": "x" * 1000})
        placed = await panel.add(ORDER)
        for _ in range(3):
            with pytest.raises(PanelError):
                await panel.add(ORDER)
            await panel.cancel([placed.order, 1, 2, 3])
            await panel.multi_refill([placed.order, 1, 2, 3])
    assert len(read_events(state)) == 1
    async with Sandbox(state=state, past=5) as sandbox:
        assert [row["order"] for row in sandbox.orders()] == [placed.order]


async def test_a_state_file_is_kept_whole_under_a_lower_bound(tmp_path: Path) -> None:
    """Only new orders are rejected."""
    state = tmp_path / "sandbox.db"
    async with Sandbox(state=state) as sandbox, create_client(sandbox) as panel:
        for _ in range(3):
            await panel.add(orders.Package(service=3, link="a.b"))
        taken = sandbox.orders()
    async with Sandbox(state=state, max_orders=2) as sandbox, create_client(sandbox) as panel:
        assert sandbox.orders() == taken
        with pytest.raises(PanelError, match=FULL.format(2)):
            await panel.add(ORDER)
    async with Sandbox(state=state, max_orders=4) as sandbox, create_client(sandbox) as panel:
        assert (await panel.add(ORDER)).order == 4
