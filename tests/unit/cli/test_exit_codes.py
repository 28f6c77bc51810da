"""What happened, as an exit code."""

from __future__ import annotations

import pytest

from followersdata_async.cli.exit_codes import get_batch_exit_code, get_exit_code
from followersdata_async.errors import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    FollowersDataError,
    InsufficientFundsError,
    LedgerError,
    NotSentError,
    OrderNotFoundError,
    OutcomeUnknownError,
    PanelUnavailableError,
    SpendingLimitError,
)
from followersdata_async.models import Failed, Ok, Outcome, Receipt, ReceiptState, Refused, Unreported

RECEIPT = Receipt(ref="cart-81", panel="main", state=ReceiptState.PLACED, fields={}, order=23501, intended_at=0.0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InsufficientFundsError(), 1),
        (ConfigurationError(), 3),
        (AuthenticationError(), 3),
        (NotSentError(), 4),
        (PanelUnavailableError(), 4),
        (DecodeError(), 4),
        (OutcomeUnknownError(), 5),
        (LedgerError(), 4),
        (SpendingLimitError(), 1),
        (LedgerError(receipt=RECEIPT), 5),
    ],
)
def test_error_has_its_exit_code(error: FollowersDataError, code: int) -> None:
    """1 for a refusal, 3 for key or configuration, 4 for the network, 5 for an unknown outcome."""
    assert get_exit_code(error) == code


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 0),
        ([Ok(1, "x")], 0),
        ([Ok(1, "x"), Unreported(2)], 6),
        ([Refused(1, OrderNotFoundError()), Ok(2, "x")], 6),
        ([Failed(1, PanelUnavailableError())], 6),
        ([Unreported(1), Failed(2, OutcomeUnknownError()), Ok(3, "x")], 5),
    ],
)
def test_unknown_outcome_decides_the_exit_code_of_a_batch(outcomes: list[Outcome[str]], code: int) -> None:
    """Otherwise it is 6 if some ids failed."""
    assert get_batch_exit_code(outcomes) == code
