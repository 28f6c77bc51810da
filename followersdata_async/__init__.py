"""Async SDK for followersdata.com and other panels with the same API.

``AsyncClient`` is the client. ``orders`` has a class for each type of order,
``models`` the values that the client returns, ``errors`` its exceptions and
``events`` what it reports to listeners.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from . import errors, events, models
from ._batch.outcomes import Outcomes
from ._catalogue import ServicesDiff, services_diff
from ._instrumentation import Listeners
from ._polling.policy import PollPolicy
from ._polling.watch import Changes
from ._retry import RetryPolicy
from ._serialization import Json, to_json
from ._transport import HttpClient
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
    RequestTooLargeError,
    ServiceNotFoundError,
    SpendingLimitError,
    TemporaryPanelError,
    TransportError,
)
from .models import (
    Balance,
    BatchResult,
    Cancellation,
    Catalogue,
    Change,
    Failed,
    Id,
    Ok,
    OrderInput,
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
    UnreadableService,
    Unreported,
    WatchEvent,
)
from .rate_limit import Limiter, RateLimit, SharedLimiter

if TYPE_CHECKING:
    from types import ModuleType

    from . import orders

__all__ = [
    "AsyncClient",
    "AuthenticationError",
    "Balance",
    "BatchResult",
    "Cancellation",
    "Catalogue",
    "Change",
    "Changes",
    "ConfigurationError",
    "ConflictError",
    "DecodeError",
    "Failed",
    "FollowersDataError",
    "HttpClient",
    "Id",
    "InsufficientFundsError",
    "InvalidOrderError",
    "InvalidRequestError",
    "Json",
    "LedgerError",
    "Limiter",
    "Listeners",
    "NotSentError",
    "NotSupportedError",
    "Ok",
    "OrderInput",
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
    "RequestTooLargeError",
    "RetryPolicy",
    "Service",
    "ServiceKind",
    "ServiceNotFoundError",
    "ServicesDiff",
    "SharedLimiter",
    "SpendingLimitError",
    "TemporaryPanelError",
    "TransportError",
    "UnreadableService",
    "Unreported",
    "WatchEvent",
    "errors",
    "events",
    "models",
    "orders",
    "services_diff",
    "to_json",
]


def __getattr__(name: str) -> ModuleType:
    """Import ``orders`` when it is first used: it takes a third of the time of all other modules."""
    if name == "orders":
        return import_module(".orders", __name__)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
