"""Ctrl-C while an order is being placed: the program learns the order's id, and ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading
import anyio
from followersdata_async import AsyncClient, FollowersDataError, orders
from followersdata_async.sandbox import Sandbox

fault, backend = sys.argv[1:]
# A program that was started in the background would ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main() -> None:
    async with AsyncClient(Sandbox.key, url=url, attempt_timeout=1.0, retry=None) as client:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            placed = await client.add(orders.Package(service=3, link="https://example.com/p/1"))
            print("placed", placed.order, flush=True)
        except FollowersDataError as error:
            print(type(error).__name__, flush=True)
        await anyio.sleep(10)
        print("never", flush=True)

from contextlib import ExitStack
from anyio.from_thread import start_blocking_portal

with ExitStack() as stack:
    portal = stack.enter_context(start_blocking_portal())
    sandbox = Sandbox(serve=True)
    stack.enter_context(portal.wrap_async_context_manager(sandbox))
    portal.call(lambda: sandbox.next(fault, action="add", seconds=0.6 if fault == "late" else 5.0))
    url = sandbox.url
    try:
        anyio.run(main, backend=backend)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(("fault", "told"), [("late", "placed 1"), ("dripping", "OutcomeUnknownError")])
def test_an_interrupted_program_knows_what_became_of_its_order(backend: str, fault: str, told: str) -> None:
    """It gets the value or the error as if nothing had happened, and is interrupted where it waits the next time."""
    command = [sys.executable, "-c", PROGRAM, fault, backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [told, "interrupted"]
    assert "ExceptionGroup" not in done.stderr
    assert done.returncode == 0
