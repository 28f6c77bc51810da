"""A limiter that all callers share, and that the panel's answers slow down."""

from __future__ import annotations

import pytest
from fakes import FakeTransport, answer, line

from followersdata_async.errors import RateLimitedError
from followersdata_async.wire import answers, encoding
from followersdata_async.wire.messages import Trail

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
