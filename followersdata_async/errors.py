"""Every exception that leaves this library.

::

    FollowersDataError
    ├── ConfigurationError            no key, a bad address, http:// to another machine; used outside its loop or
    │                                 its `async with`, or closed meanwhile
    ├── TransportError                no whole, readable answer
    │   ├── NotSentError              proven: not a byte of the request left; safe to send again
    │   │   └── RequestTooLargeError  larger than the client's max_request_bytes
    │   ├── RequestTimeoutError       no answer in time
    │   └── PanelUnavailableError     HTML, maintenance page, 5xx, empty or cut answer
    ├── OutcomeUnknownError           a write left and no readable answer came; it is never sent again
    ├── PanelError                    the panel said no
    │   ├── AuthenticationError       about the key or the account
    │   ├── InvalidRequestError       about the form of the request
    │   ├── InvalidOrderError         about link, quantity, interval, comments …
    │   ├── ServiceNotFoundError      incorrect, missing or disabled service
    │   ├── OrderNotFoundError        no such order
    │   ├── RefillNotFoundError       no such refill
    │   ├── InsufficientFundsError    the balance does not cover it
    │   ├── ConflictError             not now: may succeed later
    │   ├── NotSupportedError         never: not for this service or order
    │   ├── RateLimitedError          too many requests
    │   └── TemporaryPanelError       the panel says: try again later
    ├── DecodeError                   says yes, but cannot be read
    ├── PollTimeoutError              orders were not final in time
    ├── LedgerError                   the ledger's database could not be read or written
    ├── SpendingLimitError            an order is over the ledger's spending limit, and was not sent
    └── PartialFailureError           only from BatchResult.raise_for_errors()

A caller's mistake is a ``ValueError`` or ``TypeError``, raised before anything
is sent. All exceptions can be pickled and copied, and none holds the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from .models import BatchResult, Id, OrderStatus, Receipt

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "ConflictError",
    "DecodeError",
    "FollowersDataError",
    "InsufficientFundsError",
    "InvalidOrderError",
    "InvalidRequestError",
    "LedgerError",
    "NotSentError",
    "NotSupportedError",
    "OrderNotFoundError",
    "OutcomeUnknownError",
    "PanelError",
    "PanelUnavailableError",
    "PartialFailureError",
    "PollTimeoutError",
    "RateLimitedError",
    "RefillNotFoundError",
    "RequestTimeoutError",
    "RequestTooLargeError",
    "ServiceNotFoundError",
    "SpendingLimitError",
    "TemporaryPanelError",
    "TransportError",
]


class FollowersDataError(Exception):
    """The root of the tree: catches whatever this library raises by itself.

    ``message`` has at most 2,000 characters of a longer text, whose length is
    ``message_length``.
    """

    def __init__(self, message: str = "") -> None:
        self.message_length: int = len(message)
        if len(message) > _MAX_MESSAGE:
            message = f"{message[:_MAX_MESSAGE]}… ({len(message):,} characters)"
        super().__init__(message)
        self.message = message


_MAX_MESSAGE = 2_000


class ConfigurationError(FollowersDataError):
    """The client cannot work as it is set up or used, or it was closed; nothing more was sent."""


class TransportError(FollowersDataError):
    """No whole, readable answer came."""

    def __init__(
        self,
        message: str = "",
        *,
        action: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.action = action
        self.http_status = http_status


class NotSentError(TransportError):
    """Proven: not a byte of the request left this machine, so it is safe to send it again."""


class RequestTooLargeError(NotSentError):
    """A request is larger than ``max_request_bytes`` of the client. Nothing was sent."""


class RequestTimeoutError(TransportError):
    """No answer came in time. Only raised for reads: a write ends as not sent or unknown."""


class PanelUnavailableError(TransportError):
    """The panel, or something before it, sent no answer that is one.

    ``retry_after``: seconds that the answer asked to wait, or ``None``.
    """

    def __init__(
        self,
        message: str = "",
        *,
        action: str | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, action=action, http_status=http_status)
        self.retry_after = retry_after


class OutcomeUnknownError(FollowersDataError):
    """A write may have been carried out, and nobody can say. It is never sent again by code.

    ``action`` and ``asked`` (the form's fields without the key) say what was
    sent, ``at`` when it was sent (seconds since 1970), ``sent`` whether bytes
    were seen to leave (``None`` if the transport cannot tell). ``reported_id``
    is the id of the order or refill that the panel sent next to an error.
    """

    def __init__(
        self,
        message: str = "",
        *,
        action: str | None = None,
        asked: Mapping[str, str] | None = None,
        at: float | None = None,
        sent: bool | None = None,
        http_status: int | None = None,
        reported_id: Id | None = None,
    ) -> None:
        super().__init__(message)
        self.action = action
        self.reported_id = reported_id
        self.asked: dict[str, str] = dict(asked or {})
        self.at = at
        self.sent = sent
        self.http_status = http_status

    def __str__(self) -> str:
        """Say what happened and how to look before anything is repeated."""
        look = _HOW_TO_LOOK.get(self.action or "", "look at the panel")
        return (
            f"{self.action or 'write'}: the outcome is unknown: {self.message}. "
            f"Do not repeat it before you have looked: {look}."
        )


_HOW_TO_LOOK = {
    "add": "compare the balance, and search the panel's order list for the link",
    "refill": "ask the order's refill history on the panel's site",
    "cancel": "ask the order's status, which tells whether a cancellation is under way",
}


class PanelError(FollowersDataError):
    """The panel rejected the request. ``message`` is its own text, ``http_status`` and ``action`` where it came from.

    ``is_recognized`` is ``False`` if neither the text nor a code is known, so
    that nothing but the panel's word says that it did nothing.
    """

    advice: ClassVar[str] = "The words are the panel's own; ask its support if they do not help."

    def __init__(
        self,
        message: str = "",
        *,
        http_status: int | None = None,
        action: str | None = None,
        is_recognized: bool = True,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.action = action
        self.is_recognized = is_recognized

    def __str__(self) -> str:
        """Say what was asked, the panel's words, and what to do next."""
        words = f'"{self.message}"' if self.message else "an error without a text"
        return f"{self.action or 'request'}: the panel answered {words}. {self.advice}"


class AuthenticationError(PanelError):
    """The key or the account was refused. It is never retried: panels block clients that insist.

    ``result``: what a batch call knew when the key was refused, else ``None``.
    """

    advice = "Check the key (FOLLOWERSDATA_API_KEY) and the account; this call sends nothing more."

    def __init__(
        self,
        message: str = "",
        *,
        http_status: int | None = None,
        action: str | None = None,
        result: BatchResult[object] | None = None,
    ) -> None:
        super().__init__(message, http_status=http_status, action=action)
        self.result = result


class InvalidRequestError(PanelError):
    """The panel did not understand the request: an unknown action or a missing field."""

    advice = "The panel may not support this action, or not under this address."


class InvalidOrderError(PanelError):
    """Something about the order is wrong: its link, quantity, interval, comments and so on."""

    advice = "Mend the order's fields; the service's min and max are in services()."


class ServiceNotFoundError(PanelError):
    """The service does not exist, or is switched off."""

    advice = "Read services() again: catalogues change."


class OrderNotFoundError(PanelError):
    """The panel does not know the order, or not for this key."""

    advice = "Check the id and that it belongs to this key."


class RefillNotFoundError(PanelError):
    """The panel does not know the refill, or not for this key."""

    advice = "Check that it is the refill's id and not the order's."


class InsufficientFundsError(PanelError):
    """The balance does not cover the order."""

    advice = "Top up the balance, then order again."


class ConflictError(PanelError):
    """Not now: the same link is active, a refill ran lately, or it was already asked for."""

    advice = "It may succeed later: wait until the order before it is done, or a day for a refill."


class NotSupportedError(PanelError):
    """Refill or cancel is not for this service or order."""

    advice = "Service.refill and Service.cancel say what a service offers."


class RateLimitedError(PanelError):
    """The panel wants fewer requests. ``retry_after``: seconds to wait, or ``None`` if it did not say."""

    advice = "Ask less often: give the client rate_limit=RateLimit(…), or a lower concurrency."

    def __init__(
        self,
        message: str = "",
        *,
        http_status: int | None = None,
        action: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, http_status=http_status, action=action)
        self.retry_after = retry_after


class TemporaryPanelError(PanelError):
    """The panel answers, but asks to come back later: maintenance, a fault of its own."""

    advice = "Try again later."


class DecodeError(FollowersDataError):
    """The answer is whole and says yes, but cannot be read.

    ``problems`` names each field that did not fit.
    """

    def __init__(
        self,
        message: str = "",
        *,
        action: str | None = None,
        problems: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.action = action
        self.problems = problems

    def __str__(self) -> str:
        """Say what could not be read, field by field."""
        details = "; ".join(self.problems[:_PROBLEMS_SHOWN])
        what = f"{self.action or 'answer'}: {self.message}" + (f" ({details})" if details else "")
        unknown = ". The outcome is unknown: do not repeat it before you have looked" if is_unknown(self) else ""
        return f"{what}{unknown}. Please report it, with the answer and without your key"


_PROBLEMS_SHOWN = 3


def is_unknown(error: Exception) -> bool:
    """Return whether the outcome of a write is unknown. This is the only place that decides it."""
    return isinstance(error, OutcomeUnknownError) or (
        isinstance(error, DecodeError) and error.action in {"add", "refill", "cancel"}
    )


class PollTimeoutError(FollowersDataError):
    """Orders were not final in time. ``result``: what is known of each so far, final or not."""

    def __init__(self, message: str = "", *, result: BatchResult[OrderStatus] | None = None) -> None:
        super().__init__(message)
        self.result = result


class LedgerError(FollowersDataError):
    """The ledger's database could not be read or written.

    ``receipt``: what became of an order, where that could not be written down
    and is on record as unknown; without one, nothing was sent.
    """

    def __init__(self, message: str = "", *, receipt: Receipt | None = None) -> None:
        super().__init__(message)
        self.receipt = receipt


class SpendingLimitError(FollowersDataError):
    """An order is over the ledger's spending limit. Nothing was sent.

    ``limit`` is the name of the argument of ``SpendingLimit``, ``ref`` the order's,
    and ``left`` what is left of the limit: an amount, or a number of orders.
    ``frees_at`` is when enough of it will be free again, in seconds since 1970;
    ``None`` if it never will for an order of this ``cost``.
    """

    def __init__(
        self,
        message: str = "",
        *,
        limit: str | None = None,
        ref: str | None = None,
        cost: Decimal | None = None,
        left: Decimal | None = None,
        frees_at: float | None = None,
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.ref = ref
        self.cost = cost
        self.left = left
        self.frees_at = frees_at


class PartialFailureError(FollowersDataError):
    """Some ids of a batch came to nothing. ``result`` has every outcome, the good ones too."""

    def __init__(self, message: str = "", *, result: BatchResult[object] | None = None) -> None:
        super().__init__(message)
        self.result = result
