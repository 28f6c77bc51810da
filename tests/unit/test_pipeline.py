"""A limiter that all callers share, and that the panel's answers slow down."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from followersdata_async import orders
from followersdata_async._wire import decoding as answers
from followersdata_async._wire import encoding
from followersdata_async._wire.messages import Trail
from followersdata_async.errors import RateLimitedError
from tests.helpers.fakes import FakeTransport, answer, line

pytestmark = pytest.mark.anyio

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
EPOCH = 1792567680


class FakeLimiter:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.waits = 0
        self.pauses: list[float] = []

    async def wait(self) -> None:
        """Count it."""
        self.waits += 1

    def pause(self, duration: float) -> None:
        """Note it."""
        self.pauses.append(duration)


@pytest.mark.parametrize(
    ("headers", "pauses"),
    [
        ({}, []),
        ({"retry_after": "7"}, [7.0]),
        ({"retry_after": "0"}, []),
        ({"retry_after": "86400"}, [60.0]),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": DATE}, [30.0]),
        ({"x_ratelimit_remaining": "5", "x_ratelimit_reset": "9"}, []),
        ({"x_ratelimit_remaining": "0"}, []),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "9"}, [9.0]),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "-9"}, []),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH + 12), "date": DATE}, [12.0]),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH - 12), "date": DATE}, []),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH)}, []),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, []),
    ],
)
@pytest.mark.parametrize("status", [200, 429])
async def test_an_answer_that_asks_to_wait_slows_everybody_down(
    headers: dict[str, str], pauses: list[float], status: int
) -> None:
    """For a minute at the most; by whichever header, with whichever status."""
    transport = FakeTransport(lambda _: answer({"balance": "1"}, status=status, **headers))
    way = line(transport)
    way.limiter = limiter = FakeLimiter()
    call = way.ask(encoding.balance_request(), answers.balance, Trail())
    if status == 429:
        with pytest.raises(RateLimitedError):
            await call
    else:
        await call
    assert (limiter.waits, limiter.pauses) == (1, pauses)


class SharedLimiter(FakeLimiter):
    """Tells others of a pause, which takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.telling = anyio.Event()
        self.told = anyio.Event()

    async def pause(self, duration: float) -> None:  # type: ignore[override]
        """Note it, and tell."""
        self.pauses.append(duration)
        self.telling.set()
        await self.told.wait()


async def test_an_order_is_not_lost_while_others_are_told_to_wait() -> None:
    """Its answer is here when its caller is cancelled."""
    way = line(FakeTransport(lambda _: answer({"order": 7}, retry_after="5")))
    way.limiter = limiter = SharedLimiter()
    placed = []

    async def order() -> None:
        request = encoding.add_request(orders.Package(service=3, link="https://example.com/p/1").fields())
        placed.append(await way.ask(request, answers.placed_order, Trail()))

    async with anyio.create_task_group() as group:
        group.start_soon(order)
        await limiter.telling.wait()
        group.cancel_scope.cancel()
        limiter.told.set()
    assert [(one.order, limiter.pauses) for one in placed] == [(7, [5.0])]


class Odd:
    """A limiter that lets everything through, and cannot be told to pause."""

    async def wait(self) -> None:
        """It is always somebody's turn."""

    def pause(self, duration: float) -> Any:
        """Nothing that can be awaited."""
        return duration


async def test_a_limiter_that_fails_loses_no_order(caplog: pytest.LogCaptureFixture) -> None:
    """The answer is in hand; that the limiter is broken is for the log."""
    way = line(FakeTransport(lambda _: answer({"order": 1}, retry_after="5")))
    way.limiter = Odd()
    placed = await way.ask(encoding.add_request({}), answers.placed_order, Trail())
    assert placed.order == 1
    assert "the limiter could not be told to pause for 5.0 s" in caplog.text
