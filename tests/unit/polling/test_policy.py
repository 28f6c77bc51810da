"""When an order is polled again: pure decisions, by table."""

from __future__ import annotations

import math

import pytest

from followersdata_async._polling.policy import (
    Observation,
    PollPolicy,
    check_poll_policy,
    compute_next_poll,
    estimate_time_left,
)
from followersdata_async._polling.tracker import TrackedOrder
from followersdata_async.errors import PanelUnavailableError
from followersdata_async.models import Failed, OrderState

PACE = PollPolicy(min_delay=10.0, max_delay=100.0, age_factor=0.5, eta_factor=0.25, max_chunk_wait=30.0)


@pytest.mark.parametrize(
    ("seen", "delay"),
    [
        ({"changed_at": 1000.0}, 10.0),
        ({"changed_at": 980.0}, 10.0),
        ({"changed_at": 960.0}, 20.0),
        ({"changed_at": 0.0}, 100.0),
        ({"changed_at": 0.0, "time_left": 200.0}, 50.0),
        ({"changed_at": 0.0, "time_left": 1.0}, 10.0),
        ({"changed_at": 999.0, "time_left": 1e9}, 100.0),
        ({"changed_at": 0.0, "failures": 1}, 10.0),
        ({"changed_at": 0.0, "time_left": 5.0, "failures": 3}, 40.0),
        ({"changed_at": 0.0, "failures": 5}, 100.0),
        ({"changed_at": 0.0, "failures": 10**6}, 100.0),
        ({"changed_at": 0.0, "failures": 1, "retry_after": 60.0}, 60.0),
        ({"changed_at": 0.0, "failures": 9, "retry_after": 600.0}, 600.0),
    ],
)
def test_the_delay_before_the_next_look(seen: dict[str, float], delay: float) -> None:
    """By how long it has been the same, by its pace, by failures; what the panel asks for outweighs the bounds."""
    assert compute_next_poll(Observation(at=1000.0, **seen), PACE) == 1000.0 + delay  # type: ignore[arg-type]


def test_a_client_says_how_long_a_panel_can_delay_a_poll() -> None:
    """By its own ``max_retry_after``, whatever the policy is."""
    for asked, cap, due_at in (
        (600.0, 0.0, 10.0),
        (600.0, 300.0, 300.0),
        (600.0, 900.0, 600.0),
        (1_700_000_000.0, 60.0, 60.0),
    ):
        order = TrackedOrder(7, changed_at=0.0)
        limited = Failed(7, PanelUnavailableError(retry_after=asked))
        order.record_outcome(limited, 0.0, PACE, max_retry_after=cap)
        assert order.due_at == due_at


@pytest.mark.parametrize(
    ("before", "after", "time_left"),
    [
        (100, 50, 60.0),
        (100, 99, 5940.0),
        (100, 0, 0.0),
        (100, 100, None),
        (100, 150, None),
        (100, -5, None),
        (None, 5, None),
        (5, None, None),
    ],
)
def test_the_rest_at_the_pace_so_far(before: int | None, after: int | None, time_left: float | None) -> None:
    """Nothing is said of an order that does not move, or that moves backwards."""
    assert estimate_time_left(before=before, after=after, elapsed=60.0) == time_left


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"min_delay": 0}, ValueError),
        ({"min_delay": "5"}, TypeError),
        ({"max_delay": math.inf}, ValueError),
        ({"max_delay": 1.0}, ValueError),
        ({"age_factor": 0}, ValueError),
        ({"age_factor": -1.0}, ValueError),
        ({"age_factor": math.nan}, ValueError),
        ({"age_factor": "0.5"}, TypeError),
        ({"eta_factor": True}, TypeError),
        ({"max_chunk_wait": -1}, ValueError),
        ({"max_not_found": 0}, ValueError),
        ({"final_states": []}, ValueError),
        ({"final_states": ["partial"]}, TypeError),
        ({"final_states": OrderState.PARTIAL}, TypeError),
        ({"max_not_found": 1.5}, TypeError),
    ],
)
def test_a_pace_that_makes_no_sense_is_refused(changes: dict[str, object], error: type[Exception]) -> None:
    """Before anything is asked."""
    with pytest.raises(error, match=next(iter(changes))):
        PollPolicy(**changes)  # type: ignore[arg-type]


def test_a_pace_is_a_policy() -> None:
    """And nothing else."""
    assert check_poll_policy(PACE) is PACE
    with pytest.raises(TypeError, match=r"^poll_policy must be a PollPolicy, got None$"):
        check_poll_policy(None)


def test_the_time_left_of_any_count_is_a_number() -> None:
    """Panels write numbers that no float can hold."""
    assert estimate_time_left(before=10**400, after=5 * 10**399, elapsed=60.0) == 60.0
