"""Events as log lines."""

from __future__ import annotations

import logging

import anyio
import pytest

from followersdata_async import AsyncClient, FollowersDataError, RetryPolicy, orders
from followersdata_async.integrations.logging import log_to
from followersdata_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

NOW = RetryPolicy(initial_delay=0)


def lines(caplog: pytest.LogCaptureFixture, name: str) -> list[tuple[str, str]]:
    """What a logger has said, without seconds and the paths of tracebacks."""
    return [
        (
            record.levelname,
            record.getMessage().rpartition(",")[0] if record.levelno > logging.DEBUG else record.getMessage(),
        )
        for record in caplog.records
        if record.name == name
    ]


async def test_what_happens_is_logged_by_its_weight(caplog: pytest.LogCaptureFixture) -> None:
    """An order of which nobody knows is an error, a retry a warning, a call info, all else debug."""
    caplog.set_level(logging.DEBUG, "shop")
    sandbox = Sandbox(past=300)
    listener = log_to(logging.getLogger("shop"))
    async with AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http(), retry=NOW, on_event=listener) as panel:
        await panel.multi_status([*range(1, 200), 10**9])
        sandbox.next("broken")
        await panel.balance()
        with pytest.raises(FollowersDataError):
            await panel.refill(10**9)
        sandbox.next("dropped")
        with pytest.raises(FollowersDataError):
            await panel.add(orders.Package(service=3, link="https://example.com/p/1"))
    told = [line for line in lines(caplog, "shop") if line[0] != "DEBUG"]
    assert told == [
        ("INFO", "multi_status: 199 ok, 1 refused; 2 requests, 2 attempts"),
        ("WARNING", "balance: attempt 2 follows in 0.0 s"),
        ("INFO", "balance: 1 ok; 1 requests, 2 attempts"),
        ("WARNING", "refill: 1 refused; 1 requests, 1 attempts"),
        ("ERROR", "add: 1 unknown; 1 requests, 1 attempts"),
    ]
    debug = [message for level, message in lines(caplog, "shop") if level == "DEBUG"]
    assert len(debug) == 6
    assert "balance: request for 0 ids, attempt 1: PanelUnavailableError in " in "\n".join(debug)


async def test_shared_requests_looks_and_cancellations_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """By the library's own logger, where none is given."""
    caplog.set_level(logging.DEBUG, "followersdata_async")
    sandbox = Sandbox(past=10)
    async with AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http(), on_event=log_to()) as panel:
        async with anyio.create_task_group() as group:
            group.start_soon(panel.status, 1)
            group.start_soon(panel.status, 2)
        async with panel.watch([1]) as changes:
            async for _ in changes:
                break
        with anyio.CancelScope() as scope:
            scope.cancel()
            await panel.balance()
    told = "\n".join(message for _, message in lines(caplog, "followersdata_async"))
    assert "status: 2 calls share a request for 2 ids" in told
    assert "looking at 1 orders, " in told
    assert "balance: Cancelled" in told
