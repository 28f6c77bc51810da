"""A limit for one process: fair, exact, and it gives back what a cancelled wait held."""

from __future__ import annotations

import anyio
import pytest

from followersdata_async import RateLimit
from followersdata_async.rate_limit.local import PauseLimit
from tests.helpers.fakes import Clock, StepCounter

pytestmark = pytest.mark.anyio


def limit_of(requests: int, clock: Clock, **settings: float) -> RateLimit:
    """A limit on that clock."""
    return RateLimit(requests, clock=clock, sleep=clock.sleep, **settings)  # type: ignore[arg-type]


async def test_requests_go_in_the_order_in_which_they_asked() -> None:
    """Evenly spaced, each sleeping once."""
    clock = Clock()
    limit = limit_of(10, clock, per=1.0)
    gone: list[tuple[int, float]] = []

    async def ask(number: int) -> None:
        await limit.wait()
        gone.append((number, round(clock.now - 100.0, 6)))

    async with limit._turn:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(ask, number)
                await anyio.wait_all_tasks_blocked()
            limit._turn.release()
        await limit._turn.acquire()
    assert gone == [(number, round(number / 10, 6)) for number in range(20)]
    assert clock.sleeps == 19


async def test_a_cancelled_wait_takes_nothing_with_it() -> None:
    """The next one goes when the cancelled one would have."""
    never = anyio.Event()
    clock = Clock()

    async def stuck(_: float) -> None:
        await never.wait()

    limit = RateLimit(1, per=10.0, clock=clock, sleep=stuck)
    await limit.wait()
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(limit.wait)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    clock.now += 10.0
    with anyio.fail_after(5):
        await limit.wait()


async def test_a_pause_that_comes_while_somebody_waits_holds_them_too() -> None:
    """They look again when they wake."""
    clock = Clock()
    limit = limit_of(10, clock)
    await limit.wait()

    async def sleep(delay: float) -> None:
        if not paused:
            paused.append(True)
            limit.pause(5.0)
        await clock.sleep(delay)

    paused: list[bool] = []
    object.__setattr__(limit, "_sleep", sleep)
    await limit.wait()
    assert clock.now == pytest.approx(105.0)


async def test_without_a_rate_only_pauses_are_waited_for() -> None:
    """Everybody goes at once when the longest of them is over."""
    clock = Clock()
    limit = PauseLimit(clock, clock.sleep)
    await limit.wait()
    assert clock.sleeps == 0
    limit.pause(60.0)
    limit.pause(1.0)
    await limit.wait()
    await limit.wait()
    assert (clock.now, clock.sleeps) == (160.0, 1)


async def test_a_pause_that_comes_during_a_pause_is_waited_for() -> None:
    """Those that wait look again when they wake."""
    clock = Clock()

    async def sleep(delay: float) -> None:
        if clock.sleeps == 0:
            limit.pause(20.0)
        await clock.sleep(delay)

    limit = PauseLimit(clock, sleep)
    limit.pause(10.0)
    await limit.wait()
    assert clock.now == 120.0


async def test_without_a_pause_nobody_gives_way() -> None:
    """A request costs no turn of the event loop."""
    counter = StepCounter()
    limit = PauseLimit()
    async with anyio.create_task_group() as group:
        group.start_soon(counter.run)
        for _ in range(100):
            await limit.wait()
        assert counter.steps == 0
        group.cancel_scope.cancel()


async def test_on_real_time() -> None:
    """As a client uses it."""
    limit = RateLimit(1000)
    began = anyio.current_time()
    for _ in range(5):
        await limit.wait()
    assert anyio.current_time() - began >= 0.004


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """The panel has asked for both."""
    clock = Clock()
    limit = limit_of(10, clock)
    limit.pause(60.0)
    limit.pause(1.0)
    await limit.wait()
    assert clock.now == pytest.approx(160.0)


@pytest.mark.parametrize(
    ("requests", "settings", "error"),
    [
        (0, {}, ValueError),
        (-1, {}, ValueError),
        (1.5, {}, TypeError),
        (1, {"per": 0}, ValueError),
        (1, {"per": float("nan")}, ValueError),
        (1, {"per": "1"}, TypeError),
        (1, {"burst": 0}, ValueError),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(
    requests: object, settings: dict[str, object], error: type[Exception]
) -> None:
    """The message names the number."""
    with pytest.raises(error):
        RateLimit(requests, **settings)  # type: ignore[arg-type]


def test_a_limit_shows_its_numbers() -> None:
    """And nothing of its inside."""
    assert repr(RateLimit(10, per=2.0)) == "RateLimit(requests=10, per=2.0, burst=1)"
