"""When the next request may go: the arithmetic, with the time as an argument."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from followersdata_async.rate_limit.gcra import Gcra


@given(
    requests=st.integers(1, 20),
    burst=st.integers(1, 20),
    waits=st.lists(st.floats(0, 3), min_size=1, max_size=100),
)
def test_no_window_has_more_than_its_share(requests: int, burst: int, waits: list[float]) -> None:
    """In any second at most ``requests``, and of a burst those besides its first."""
    limit = Gcra(requests, 1.0, burst)
    now, gone = 0.0, []
    for wait in waits:
        now += wait * wait / 9
        now += limit.delay(now)
        limit.take(now)
        gone.append(now)
    tolerance = 1e-9
    for index, start in enumerate(gone):
        inside = [moment for moment in gone[index:] if moment < start + 1.0 - tolerance]
        assert len(inside) <= requests + burst - 1


@given(st.integers(1, 50), st.integers(1, 200))
def test_the_rate_is_reached(requests: int, count: int) -> None:
    """Nobody waits longer than the rate asks."""
    limit, now = Gcra(requests, 1.0), 0.0
    for _ in range(count):
        now += limit.delay(now)
        limit.take(now)
    assert abs(now - (count - 1) / requests) < 1e-6


def test_a_burst_may_go_after_a_quiet_while() -> None:
    """And then the rate holds."""
    limit = Gcra(10, 1.0, 3)
    delays = []
    for _ in range(5):
        delays.append(round(limit.delay(100.0), 9))
        limit.take(100.0)
    assert delays == [0.0, 0.0, 0.0, 0.1, 0.2]


def test_a_pause_holds_everybody_back_and_never_shortens() -> None:
    """Whatever was due before."""
    limit = Gcra(10, 1.0, 3)
    limit.pause(105.0)
    limit.pause(101.0)
    assert (limit.delay(100.0), limit.delay(105.0)) == (5.0, 0.0)
