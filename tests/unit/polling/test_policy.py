"""When to try again, and when to look again: pure decisions, by table."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async._pacing import (
    PollPolicy,
    RetryBudget,
    RetryPolicy,
    Schedule,
    Sighting,
    check_poll_policy,
    cost_of_retry,
    delay_before_retry,
    next_due,
    rest_at_pace,
)
from followersdata_async.errors import (
    AuthenticationError,
    ConflictError,
    DecodeError,
    FollowersDataError,
    InsufficientFundsError,
    NotSentError,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    RateLimitedError,
    RequestTimeoutError,
    TemporaryPanelError,
)

POLICY = RetryPolicy(max_attempts=4, initial_delay=1.0, max_delay=3.0, max_retry_after=60.0)


@pytest.mark.parametrize(
    ("error", "read", "write"),
    [
        (NotSentError(), True, True),
        (RequestTimeoutError(), True, False),
        (PanelUnavailableError(), True, False),
        (RateLimitedError(), True, False),
        (TemporaryPanelError(), True, False),
        (OutcomeUnknownError(), False, False),
        (AuthenticationError(), False, False),
        (InsufficientFundsError(), False, False),
        (ConflictError(), False, False),
        (PanelError(), False, False),
        (DecodeError(), False, False),
        (FollowersDataError(), False, False),
    ],
)
def test_reads_are_repeated_after_passing_trouble_and_writes_only_if_nothing_left(
    error: FollowersDataError, read: bool, write: bool
) -> None:
    """Law 3: what costs money is not sent twice; a refused key is not tried again."""
    decisions = [
        delay_before_retry(error, repeatable=repeatable, attempt=1, policy=POLICY, chance=0.5) is not None
        for repeatable in (True, False)
    ]
    assert decisions == [read, write]


@pytest.mark.parametrize(
    ("attempt", "chance", "delay"),
    [(1, 1.0, 1.0), (1, 0.5, 0.5), (1, 0.0, 0.0), (2, 1.0, 2.0), (3, 1.0, 3.0), (4, 1.0, None), (5, 1.0, None)],
)
def test_delays_double_up_to_the_longest_and_attempts_end(attempt: int, chance: float, delay: float | None) -> None:
    """Full jitter: anything between nothing and the longest."""
    decision = delay_before_retry(NotSentError(), repeatable=True, attempt=attempt, policy=POLICY, chance=chance)
    assert decision == delay


def test_a_patient_policy_does_not_overflow() -> None:
    """``2.0 ** 5000`` is no float."""
    policy = RetryPolicy(max_attempts=10_000)
    assert delay_before_retry(NotSentError(), repeatable=True, attempt=5000, policy=policy, chance=1.0) == 20.0


@pytest.mark.parametrize("class_", [RateLimitedError, PanelUnavailableError])
@pytest.mark.parametrize(("asked", "delay"), [(0.0, 0.0), (7.0, 7.0), (60.0, 60.0), (61.0, None)])
def test_retry_after_is_honoured_up_to_a_bound(
    class_: type[RateLimitedError | PanelUnavailableError], asked: float, delay: float | None
) -> None:
    """A panel that asks for an hour gets its error at once."""
    error = class_(retry_after=asked)
    assert delay_before_retry(error, repeatable=True, attempt=1, policy=POLICY, chance=0.5) == delay


def test_an_outage_empties_the_budget_and_successes_fill_it() -> None:
    """35 retries of 14 tokens, then no more until something succeeds."""
    budget = RetryBudget()
    cost = cost_of_retry(PanelUnavailableError())
    taken = [budget.take(cost) for _ in range(40)]
    assert taken == [True] * 35 + [False] * 5
    budget.give(cost)
    assert budget.take(cost)
    budget.give(10_000)
    assert budget.tokens == budget.most


def test_a_retry_after_throttling_is_cheaper() -> None:
    """The panel is well, it only wants fewer requests."""
    assert (cost_of_retry(RateLimitedError()), cost_of_retry(NotSentError())) == (5, 14)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("max_attempts", 0, ValueError),
        ("max_attempts", 1.5, TypeError),
        ("max_attempts", True, TypeError),
        ("initial_delay", -1, ValueError),
        ("max_delay", math.nan, ValueError),
        ("max_retry_after", math.inf, ValueError),
        ("initial_delay", "1", TypeError),
        ("initial_delay", True, TypeError),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(field: str, value: object, error: type[Exception]) -> None:
    """The message names the field."""
    with pytest.raises(error, match=f"^{field} is "):
        RetryPolicy(**{field: value})  # type: ignore[arg-type]


# --- looking again

PACE = PollPolicy(min_delay=10.0, max_delay=100.0, age_factor=0.5, eta_factor=0.25, max_chunk_wait=30.0)


@pytest.mark.parametrize(
    ("seen", "delay"),
    [
        ({"moved_at": 1000.0}, 10.0),
        ({"moved_at": 980.0}, 10.0),
        ({"moved_at": 960.0}, 20.0),
        ({"moved_at": 0.0}, 100.0),
        ({"moved_at": 0.0, "rest": 200.0}, 50.0),
        ({"moved_at": 0.0, "rest": 1.0}, 10.0),
        ({"moved_at": 999.0, "rest": 1e9}, 100.0),
        ({"moved_at": 0.0, "failures": 1}, 10.0),
        ({"moved_at": 0.0, "rest": 5.0, "failures": 3}, 40.0),
        ({"moved_at": 0.0, "failures": 5}, 100.0),
        ({"moved_at": 0.0, "failures": 10**6}, 100.0),
        ({"moved_at": 0.0, "failures": 1, "pause": 60.0}, 60.0),
        ({"moved_at": 0.0, "failures": 9, "pause": 600.0}, 600.0),
    ],
)
def test_the_delay_before_the_next_look(seen: dict[str, float], delay: float) -> None:
    """By how long it has been the same, by its pace, by failures; what the panel asked for outweighs the bounds."""
    assert next_due(Sighting(at=1000.0, **seen), PACE) == 1000.0 + delay  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("remained", "remains", "rest"),
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
def test_the_rest_at_the_pace_so_far(remained: int | None, remains: int | None, rest: float | None) -> None:
    """Nothing is said of an order that does not move, or that moves backwards."""
    assert rest_at_pace(remained=remained, remains=remains, elapsed=60.0) == rest


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


def scheduled(dues: list[float], *, size: int = 3) -> Schedule:
    """Orders named by their place, due then."""
    schedule = Schedule(size=size, max_chunk_wait=30.0)
    for index, due in enumerate(dues):
        schedule.put(str(index), due)
    return schedule


def test_an_empty_schedule_is_never_due() -> None:
    """And has nothing to give."""
    schedule = scheduled([])
    assert (schedule.next_at(), schedule.chunks_due(1e9)) == (math.inf, [])


def test_orders_that_fit_into_one_request_go_together_as_soon_as_one_is_due() -> None:
    """The others cost nothing."""
    schedule = scheduled([50.0, 10.0, 99.0])
    assert (schedule.chunks_due(9.9), schedule.next_at()) == ([], 10.0)
    assert schedule.chunks_due(10.0) == [["1", "0", "2"]]


def test_of_more_orders_one_that_is_due_waits_for_company() -> None:
    """For a full request, or for as long as the policy says; then it is filled up with those due next."""
    schedule = scheduled([10.0, 50.0, 15.0, 90.0])
    assert schedule.chunks_due(20.0) == []
    assert schedule.next_at() == 40.0
    assert schedule.chunks_due(39.9) == []
    assert schedule.chunks_due(40.0) == [["0", "2", "1"]]
    assert schedule.next_at() == 90.0


def test_a_full_request_waits_for_nobody() -> None:
    """As many as are full; the rest waits, or fits into one."""
    assert scheduled([1.0] * 7 + [500.0] * 3).chunks_due(1.0) == [["0", "1", "2"], ["3", "4", "5"]]
    assert scheduled([1.0] * 7).chunks_due(1.0) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


@given(st.lists(st.floats(0, 1000), max_size=40), st.integers(1, 9))
def test_every_order_is_asked_once_and_none_is_late(dues: list[float], size: int) -> None:
    """Whoever wakes when it is told to, meets each order at its time, or at most ``company`` later."""
    schedule = scheduled(dues, size=size)
    asked: list[str] = []
    while (now := schedule.next_at()) < math.inf:
        for chunk in schedule.chunks_due(now):
            assert 0 < len(chunk) <= size
            assert now >= min(dues[int(order)] for order in chunk)
            assert all(now <= dues[int(order)] + 30.0 for order in chunk)
            asked += chunk
    assert sorted(asked, key=int) == [str(index) for index in range(len(dues))]
