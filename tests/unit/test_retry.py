"""The dumb loop: it does what the decision says, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async._pacing import RetryPolicy
from followersdata_async._wire.messages import Request, Trail
from followersdata_async.errors import (
    FollowersDataError,
    InsufficientFundsError,
    NotSentError,
    OutcomeUnknownError,
    PanelUnavailableError,
    RateLimitedError,
    RequestTimeoutError,
)
from tests.helpers.fakes import Naps, retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio

READ = Request("balance")
WRITE = Request("add", (("link", "x.y"),), repeatable=False)


def failing(*errors: FollowersDataError) -> Callable[[], Awaitable[str]]:
    """An attempt that raises these one after another, then succeeds."""
    left = list(errors)

    async def attempt() -> str:
        await anyio.lowlevel.checkpoint()
        if left:
            raise left.pop(0)
        return "done"

    return attempt


async def test_a_read_is_repeated_until_it_succeeds() -> None:
    """With a delay before each, and the budget whole in the end."""
    naps = Naps()
    loop = retrying(RetryPolicy(), naps=naps)
    attempt = failing(PanelUnavailableError(), RateLimitedError(retry_after=7.0))
    assert await loop.run(READ, Trail(), attempt) == "done"
    assert naps.taken == [0.25, 7.0]
    assert loop.budget.tokens == 500 - 14 - 5 + 5


async def test_attempts_end() -> None:
    """What the last one ended in is raised."""
    naps = Naps()
    errors = [PanelUnavailableError(f"number {number}") for number in range(1, 9)]
    with pytest.raises(PanelUnavailableError, match=r"^number 4$"):
        await retrying(RetryPolicy(max_attempts=4), naps=naps).run(READ, Trail(), failing(*errors))
    assert len(naps.taken) == 3


async def test_without_a_policy_there_is_one_attempt() -> None:
    """``retry=None`` means none."""
    with pytest.raises(NotSentError):
        await retrying(None).run(READ, Trail(), failing(NotSentError()))


async def test_a_write_is_repeated_only_when_nothing_left() -> None:
    """Proven not sent: again. Anything else: never."""
    assert await retrying(RetryPolicy()).run(WRITE, Trail(), failing(NotSentError())) == "done"
    for error in (OutcomeUnknownError(), RateLimitedError(), InsufficientFundsError()):
        with pytest.raises(type(error)):
            await retrying(RetryPolicy()).run(WRITE, Trail(), failing(error))


async def test_an_unknown_outcome_tells_when_it_was_sent() -> None:
    """So that a human can find it in the panel's list."""
    with pytest.raises(OutcomeUnknownError) as caught:
        await retrying(RetryPolicy()).run(WRITE, Trail(), failing(OutcomeUnknownError()))
    assert caught.value.at == 1_700_000_000.0


async def test_an_empty_budget_stops_retries() -> None:
    """An outage is not answered with a flood."""
    loop = retrying(RetryPolicy())
    loop.budget.tokens = 13
    with pytest.raises(PanelUnavailableError):
        await loop.run(READ, Trail(), failing(PanelUnavailableError()))


async def test_a_delay_longer_than_the_time_left_is_not_slept() -> None:
    """The error is raised at once instead of a time-out later."""
    naps = Naps()
    with pytest.raises(RateLimitedError):
        await retrying(RetryPolicy(), naps=naps, timeout=5.0).run(
            READ, Trail(), failing(RateLimitedError(retry_after=6.0))
        )
    assert naps.taken == []


@pytest.mark.parametrize(
    ("request_", "sent", "error"),
    [
        (READ, True, RequestTimeoutError),
        (READ, False, RequestTimeoutError),
        (WRITE, False, NotSentError),
        (WRITE, True, OutcomeUnknownError),
        (WRITE, None, OutcomeUnknownError),
    ],
)
async def test_when_the_time_is_over_a_write_says_what_is_known(
    request_: Request, sent: bool | None, error: type[FollowersDataError]
) -> None:
    """Not sent where that is proven, unknown for the rest."""
    trail = Trail()

    async def attempt() -> str:
        trail.sent = sent
        return await anyio.sleep_forever()

    with pytest.raises(error) as caught:
        await retrying(RetryPolicy(), timeout=0.001).run(request_, trail, attempt)
    if isinstance(caught.value, OutcomeUnknownError):
        assert (caught.value.asked, caught.value.sent) == ({"link": "x.y"}, sent)


async def test_cancellation_passes_through() -> None:
    """A caller that leaves is not told of time-outs."""
    reached = anyio.Event()

    async def attempt() -> str:
        reached.set()
        return await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(retrying(RetryPolicy()).run, READ, Trail(), attempt)
        await reached.wait()
        group.cancel_scope.cancel()
    assert group.cancel_scope.cancelled_caught
