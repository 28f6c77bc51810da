"""When a request is sent again: pure decisions, by table."""

from __future__ import annotations

import math

import pytest

from followersdata_async._retry import RetryBudget, RetryPolicy, compute_retry_delay, get_retry_after, get_retry_cost
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

POLICY = RetryPolicy(max_attempts=4, initial_delay=1.0, max_delay=3.0)


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
        compute_retry_delay(error, is_write=is_write, attempt=1, policy=POLICY, max_retry_after=60.0, random_value=0.5)
        is not None
        for is_write in (False, True)
    ]
    assert decisions == [read, write]


@pytest.mark.parametrize(
    ("attempt", "random_value", "delay"),
    [(1, 1.0, 1.0), (1, 0.5, 0.5), (1, 0.0, 0.0), (2, 1.0, 2.0), (3, 1.0, 3.0), (4, 1.0, None), (5, 1.0, None)],
)
def test_delays_double_up_to_the_longest_and_attempts_end(
    attempt: int, random_value: float, delay: float | None
) -> None:
    """Full jitter: anything between nothing and the longest."""
    decision = compute_retry_delay(
        NotSentError(), is_write=False, attempt=attempt, policy=POLICY, max_retry_after=60.0, random_value=random_value
    )
    assert decision == delay


def test_a_patient_policy_does_not_overflow() -> None:
    """``2.0 ** 5000`` is no float."""
    policy = RetryPolicy(max_attempts=10_000)
    assert (
        compute_retry_delay(
            NotSentError(), is_write=False, attempt=5000, policy=policy, max_retry_after=60.0, random_value=1.0
        )
        == 20.0
    )


@pytest.mark.parametrize("class_", [RateLimitedError, PanelUnavailableError])
@pytest.mark.parametrize(("asked", "delay"), [(0.0, 0.0), (7.0, 7.0), (60.0, 60.0), (61.0, None)])
def test_retry_after_is_honoured_up_to_a_bound(
    class_: type[RateLimitedError | PanelUnavailableError], asked: float, delay: float | None
) -> None:
    """A panel that asks for an hour gets its error at once."""
    error = class_(retry_after=asked)
    assert (
        compute_retry_delay(error, is_write=False, attempt=1, policy=POLICY, max_retry_after=60.0, random_value=0.5)
        == delay
    )


def test_an_outage_empties_the_budget_and_successes_fill_it() -> None:
    """35 retries of 14 tokens, then no more until something succeeds."""
    budget = RetryBudget()
    cost = get_retry_cost(PanelUnavailableError())
    taken = [budget.take(cost) for _ in range(40)]
    assert taken == [True] * 35 + [False] * 5
    budget.refund(cost)
    assert budget.take(cost)
    budget.refund(10_000)
    assert budget.tokens == budget.max_tokens


def test_a_retry_after_throttling_is_cheaper() -> None:
    """The panel is well, it only wants fewer requests."""
    assert (get_retry_cost(RateLimitedError()), get_retry_cost(NotSentError())) == (5, 14)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("max_attempts", 0, ValueError),
        ("max_attempts", 1.5, TypeError),
        ("max_attempts", True, TypeError),
        ("initial_delay", -1, ValueError),
        ("max_delay", math.nan, ValueError),
        ("initial_delay", "1", TypeError),
        ("initial_delay", True, TypeError),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(field: str, value: object, error: type[Exception]) -> None:
    """The message names the field."""
    with pytest.raises(error, match=f"^{field} is "):
        RetryPolicy(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (RateLimitedError(retry_after=7.0), 7.0),
        (PanelUnavailableError(retry_after=7.0), 7.0),
        (PanelUnavailableError(), None),
        (NotSentError(), None),
        (None, None),
    ],
)
def test_retry_after_is_read_from_the_errors_that_have_it(
    error: FollowersDataError | None, delay: float | None
) -> None:
    """All others ask for no delay."""
    assert get_retry_after(error) == delay
