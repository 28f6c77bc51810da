"""What every test may ask for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import HealthCheck, settings

from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


# How fast a machine is says nothing about the code; under coverage even drawing the first text takes seconds.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops."""
    return str(request.param)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox on a port, for code that runs its own event loop."""
    sandbox = Sandbox(serve=True, past=30_000)
    entered, leaving = threading.Event(), threading.Event()

    async def serve() -> None:
        async with sandbox:
            entered.set()
            await anyio.to_thread.run_sync(leaving.wait)

    thread = threading.Thread(target=anyio.run, args=(serve,))
    thread.start()
    entered.wait()
    yield sandbox
    leaving.set()
    thread.join()
