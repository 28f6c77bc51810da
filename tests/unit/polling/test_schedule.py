"""Orders by the time at which they are due, in chunks."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from followersdata_async._polling.schedule import Schedule


def scheduled(dues: list[float], *, size: int = 3) -> Schedule:
    """Orders named by their place, due then."""
    schedule = Schedule(size=size, max_chunk_wait=30.0)
    for index, due in enumerate(dues):
        schedule.add(str(index), due)
    return schedule


def test_an_empty_schedule_is_never_due() -> None:
    """And has nothing to give."""
    schedule = scheduled([])
    assert (schedule.next_due_at(), schedule.pop_chunks(1e9)) == (math.inf, [])


def test_orders_that_fit_into_one_request_go_together_as_soon_as_one_is_due() -> None:
    """The others cost nothing."""
    schedule = scheduled([50.0, 10.0, 99.0])
    assert (schedule.pop_chunks(9.9), schedule.next_due_at()) == ([], 10.0)
    assert schedule.pop_chunks(10.0) == [["1", "0", "2"]]


def test_of_more_orders_one_that_is_due_waits_for_others() -> None:
    """For a full request, or for as long as the policy says; then it is filled up with those due next."""
    schedule = scheduled([10.0, 50.0, 15.0, 90.0])
    assert schedule.pop_chunks(20.0) == []
    assert schedule.next_due_at() == 40.0
    assert schedule.pop_chunks(39.9) == []
    assert schedule.pop_chunks(40.0) == [["0", "2", "1"]]
    assert schedule.next_due_at() == 90.0


def test_a_full_request_waits_for_nobody() -> None:
    """As many as are full; the rest waits, or fits into one."""
    assert scheduled([1.0] * 7 + [500.0] * 3).pop_chunks(1.0) == [["0", "1", "2"], ["3", "4", "5"]]
    assert scheduled([1.0] * 7).pop_chunks(1.0) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


@given(st.lists(st.floats(0, 1000), max_size=40), st.integers(1, 9))
def test_every_order_is_asked_once_and_none_is_late(dues: list[float], size: int) -> None:
    """Whoever wakes when it is told to, meets each order at its time, or at most ``max_chunk_wait`` later."""
    schedule = scheduled(dues, size=size)
    asked: list[str] = []
    while (now := schedule.next_due_at()) < math.inf:
        for chunk in schedule.pop_chunks(now):
            assert 0 < len(chunk) <= size
            assert now >= min(dues[int(order)] for order in chunk)
            assert all(now <= dues[int(order)] + 30.0 for order in chunk)
            asked += chunk
    assert sorted(asked, key=int) == [str(index) for index in range(len(dues))]
