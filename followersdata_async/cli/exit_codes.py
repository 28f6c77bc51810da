"""What happened, as an exit code (docs/command-line.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import (
    AuthenticationError,
    ConfigurationError,
    FollowersDataError,
    LedgerError,
    NotSentError,
    PanelError,
    is_unknown,
)
from ..models import Failed, Ok

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Outcome

WELL = 0
REFUSED = 1
USAGE = 2
CONFIGURATION = 3
NETWORK = 4
UNKNOWN = 5
SOME_FAILED = 6
BELOW = 7
INTERRUPTED = 130


def exit_code_of(error: FollowersDataError) -> int:
    """The code for a command that ended in an error."""
    if isinstance(error, (ConfigurationError, AuthenticationError)):
        return CONFIGURATION
    # With a receipt, an order was being sent, and its record does not say what became of it.
    if is_unknown(error) or (isinstance(error, LedgerError) and error.receipt is not None):
        return UNKNOWN
    return REFUSED if isinstance(error, PanelError) else NETWORK


def exit_code_of_batch(outcomes: Iterable[Outcome[object]]) -> int:
    """The code for a command over many ids: an unknown outcome outweighs all others; 4 where nothing has left."""
    code = WELL
    has_left = False
    for outcome in outcomes:
        has_left = has_left or not (isinstance(outcome, Failed) and isinstance(outcome.error, NotSentError))
        if isinstance(outcome, Failed) and is_unknown(outcome.error):
            return UNKNOWN
        if not isinstance(outcome, Ok):
            code = SOME_FAILED
    return code if has_left or code is WELL else NETWORK
