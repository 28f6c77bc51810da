"""An async SDK for followersdata.com and the panels that speak its protocol.

``AsyncClient`` calls the panel; ``orders`` are what it can be asked to place;
``errors`` has every exception, and ``models`` every value it returns.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from . import errors, models
from ._batch.stream import Outcomes
from ._catalogue import ServicesDiff, services_diff
from ._polling.policy import PollPolicy
from ._polling.watch import Changes
from ._retry import RetryPolicy
from ._serialization import to_json
from .client import AsyncClient
from .errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DecodeError,
    FollowersDataError,
    InsufficientFundsError,
    InvalidOrderError,
    InvalidRequestError,
    LedgerError,
    NotSentError,
    NotSupportedError,
    OrderNotFoundError,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    PartialFailureError,
    PollTimeoutError,
    RateLimitedError,
    RefillNotFoundError,
    RequestTimeoutError,
    ServiceNotFoundError,
    TemporaryPanelError,
    TransportError,
)
from .models import (
    Balance,
    BatchResult,
    Cancellation,
    Change,
    Failed,
    Id,
    Ok,
    OrderState,
    OrderStatus,
    Outcome,
    PlacedOrder,
    Refill,
    RefillState,
    RefillStatus,
    Refused,
    Service,
    ServiceKind,
    Unreported,
)
from .rate_limit import RateLimit

if TYPE_CHECKING:
    from types import ModuleType

    from . import orders

__all__ = [
    "AsyncClient",
    "AuthenticationError",
    "Balance",
    "BatchResult",
    "Cancellation",
    "Change",
    "Changes",
    "ConfigurationError",
    "ConflictError",
    "DecodeError",
    "Failed",
    "FollowersDataError",
    "Id",
    "InsufficientFundsError",
    "InvalidOrderError",
    "InvalidRequestError",
    "LedgerError",
    "NotSentError",
    "NotSupportedError",
    "Ok",
    "OrderNotFoundError",
    "OrderState",
    "OrderStatus",
    "Outcome",
    "OutcomeUnknownError",
    "Outcomes",
    "PanelError",
    "PanelUnavailableError",
    "PartialFailureError",
    "PlacedOrder",
    "PollPolicy",
    "PollTimeoutError",
    "RateLimit",
    "RateLimitedError",
    "Refill",
    "RefillNotFoundError",
    "RefillState",
    "RefillStatus",
    "Refused",
    "RequestTimeoutError",
    "RetryPolicy",
    "Service",
    "ServiceKind",
    "ServiceNotFoundError",
    "ServicesDiff",
    "TemporaryPanelError",
    "TransportError",
    "Unreported",
    "errors",
    "models",
    "orders",
    "services_diff",
    "to_json",
]


def __getattr__(name: str) -> ModuleType:
    """``orders``, when it is first used: its classes take as long to make as a third of all the others."""
    if name == "orders":
        return import_module(".orders", __name__)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
