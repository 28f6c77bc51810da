"""Every exception: the tree, its facts, its words, and that it travels."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from followersdata_async import errors
from followersdata_async.errors import (
    AuthenticationError,
    DecodeError,
    FollowersDataError,
    NotSentError,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    PartialFailureError,
    PollTimeoutError,
    RateLimitedError,
)
from followersdata_async.models import BatchResult, Unreported

CLASSES = [getattr(errors, name) for name in errors.__all__]
RESULT: BatchResult[object] = BatchResult([Unreported(7)], requests=1)
FILLED: list[FollowersDataError] = [
    NotSentError("nothing left", action="add", http_status=None),
    PanelUnavailableError("HTML", action="status", http_status=502, retry_after=3.0),
    OutcomeUnknownError("cut", action="add", asked={"link": "x.y"}, at=1.5, sent=True, http_status=500),
    AuthenticationError("Invalid API key", http_status=200, action="status", result=RESULT),
    RateLimitedError("slow down", http_status=429, action="status", retry_after=2.0),
    DecodeError("no", action="status", problems=("one", "two")),
    PollTimeoutError("late", result=RESULT),
    PartialFailureError("some", result=RESULT),
]


@pytest.mark.parametrize("class_", CLASSES)
def test_every_class_can_be_made_without_arguments_and_is_of_the_tree(class_: type[FollowersDataError]) -> None:
    """Every keyword has a default, and one root catches all."""
    assert isinstance(class_(), FollowersDataError)


@pytest.mark.parametrize("error", [*FILLED, *(class_("said") for class_ in CLASSES)], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301 - our own bytes
def test_exceptions_pickle_and_copy_with_all_their_facts(error: FollowersDataError, travel: object) -> None:
    """An exception that crosses a process or a queue arrives whole."""
    arrived = travel(error)  # type: ignore[operator]
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    facts = {name: value for name, value in vars(error).items() if name != "result"}
    assert {name: value for name, value in vars(arrived).items() if name != "result"} == facts


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The drawing names each class once, and nothing else."""
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert sorted([*drawn, "FollowersDataError"]) == errors.__all__


def test_an_unknown_outcome_says_how_to_look_before_repeating() -> None:
    """Whoever reads it next knows what to do."""
    error = OutcomeUnknownError("the connection broke", action="add")
    assert str(error) == (
        "add: the outcome is unknown: the connection broke. Do not repeat it before you have looked: "
        "compare the balance, and search the panel's order list for the link."
    )


def test_a_panel_error_has_the_panels_words_and_an_advice() -> None:
    """``message`` is the panel's text alone; the sentence round it is ours."""
    error = AuthenticationError("Invalid API key", action="status")
    assert error.message == "Invalid API key"
    assert str(error) == (
        'status: the panel answered "Invalid API key". '
        "Check the key (FOLLOWERSDATA_API_KEY) and the account; this call sends nothing more."
    )
    assert str(PanelError()).startswith("request: the panel answered an error without a text.")


def test_a_decode_error_shows_three_problems_at_most() -> None:
    """Never a hundred of them."""
    error = DecodeError("the row cannot be read", action="status", problems=("a", "b", "c", "d"))
    assert (
        str(error) == "status: the row cannot be read (a; b; c). Please report it, with the answer and without your key"
    )
    assert str(DecodeError("no")).startswith("answer: no. Please report it")
