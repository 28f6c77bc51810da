"""Exit codes, and which one an error or the outcomes of a batch stand for (docs/command-line.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import (
    AuthenticationError,
    ConfigurationError,
    FollowersDataError,
    LedgerError,
    NotSentError,
    PanelError,
    SpendingLimitError,
    is_unknown,
)
from ..models import Failed, Ok

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Outcome

SUCCESS = 0
REFUSED = 1
USAGE = 2
CONFIGURATION = 3
NETWORK = 4
UNKNOWN = 5
SOME_FAILED = 6
BALANCE_LOW = 7
INTERRUPTED = 130


def get_exit_code(error: FollowersDataError) -> int:
    """Return the exit code of a command that ended with an error."""
    if isinstance(error, (ConfigurationError, AuthenticationError)):
        return CONFIGURATION
    # An error with a receipt means that an order was being sent and that its outcome is not on record.
    if is_unknown(error) or (isinstance(error, LedgerError) and error.receipt is not None):
        return UNKNOWN
    return REFUSED if isinstance(error, (PanelError, SpendingLimitError)) else NETWORK


def get_batch_exit_code(outcomes: Iterable[Outcome[object]]) -> int:
    """Return the exit code of a command over many ids.

    One unknown outcome decides it. It is ``NETWORK`` if every id failed before its request was sent.
    """
    code = SUCCESS
    is_any_sent = False
    for outcome in outcomes:
        is_any_sent = is_any_sent or not (isinstance(outcome, Failed) and isinstance(outcome.error, NotSentError))
        if isinstance(outcome, Failed) and is_unknown(outcome.error):
            return UNKNOWN
        if not isinstance(outcome, Ok):
            code = SOME_FAILED
    return code if is_any_sent or code == SUCCESS else NETWORK
