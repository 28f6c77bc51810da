"""The values that callers hold: what the panel said, and one outcome for each id asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum, unique
from functools import cached_property
from typing import Any, ClassVar, Generic, NoReturn, Protocol, TypeAlias, TypeVar, final

from attrs import field, frozen

from ._serialization import Serializable
from .errors import FollowersDataError, PanelError, PartialFailureError

__all__ = [
    "Balance",
    "BatchResult",
    "Cancellation",
    "Catalogue",
    "Change",
    "Evidence",
    "Failed",
    "Id",
    "Ok",
    "OrderInput",
    "OrderState",
    "OrderStatus",
    "Outcome",
    "PlacedOrder",
    "Receipt",
    "ReceiptState",
    "Refill",
    "RefillState",
    "RefillStatus",
    "Refused",
    "Service",
    "ServiceKind",
    "UnreadableService",
    "Unreported",
    "WatchEvent",
    "format_id",
]

Id: TypeAlias = int | str
"""An order's, refill's or service's id: opaque. ``7`` and ``"7"`` are the same."""

MAX_CHUNK_SIZE = 100
"""The most ids that one request can carry (panel-api §2.2)."""


def format_id(value: object) -> str:
    """Return the string that an id is sent as, and by which ids are compared.

    Raises:
        TypeError: it is neither ``int`` nor ``str`` (``bool`` is not an id).
        ValueError: it is empty, or has a comma, a blank or a control character.
    """
    if type(value) is int:
        return str(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        msg = f"an id is an int or a str, not {type(value).__name__}"
        raise TypeError(msg)
    # Of a member of an enum, and of any other subclass, str() may be something else than its value.
    text = str.__str__(value) if isinstance(value, str) else int.__repr__(value)
    if not text:
        msg = "an id is empty: leave it out, or give the id that add() returned"
        raise ValueError(msg)
    if "," in text or any(not sign.isprintable() or sign.isspace() for sign in text):
        msg = f"the id {text[:40]!r} has a comma, a blank or a control character: pass ids one by one, as a list"
        raise ValueError(msg)
    return text


class OrderState(Enum):
    """What an order's status word means (panel-api §5.4)."""

    PENDING = "pending"
    PROCESSING = "processing"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    PARTIAL = "partial"
    CANCELED = "canceled"
    REFUNDED = "refunded"
    FAILED = "failed"
    PAUSED = "paused"
    ACTIVE = "active"
    EXPIRED = "expired"
    AWAITING = "awaiting"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the panel will change the order no more."""
        return self in _FINAL_ORDER_STATES


_FINAL_ORDER_STATES = frozenset(
    {
        OrderState.COMPLETED,
        OrderState.PARTIAL,
        OrderState.CANCELED,
        OrderState.REFUNDED,
        OrderState.FAILED,
        OrderState.EXPIRED,
    }
)


class RefillState(Enum):
    """What a refill's status word means (panel-api §7.3)."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELED = "canceled"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the panel will change the refill no more."""
        return self in _FINAL_REFILL_STATES


_FINAL_REFILL_STATES = frozenset(
    {
        RefillState.COMPLETED,
        RefillState.REJECTED,
        RefillState.CANCELED,
        RefillState.FAILED,
    }
)


class ServiceKind(Enum):
    """The service types that panels know (panel-api §4.3): which fields an order takes."""

    DEFAULT = "default"
    PACKAGE = "package"
    SEO = "seo"
    CUSTOM_COMMENTS = "custom_comments"
    CUSTOM_COMMENTS_PACKAGE = "custom_comments_package"
    MENTIONS = "mentions"
    MENTIONS_WITH_HASHTAGS = "mentions_with_hashtags"
    MENTIONS_CUSTOM_LIST = "mentions_custom_list"
    MENTIONS_HASHTAG = "mentions_hashtag"
    MENTIONS_USER_FOLLOWERS = "mentions_user_followers"
    MENTIONS_MEDIA_LIKERS = "mentions_media_likers"
    COMMENT_LIKES = "comment_likes"
    COMMENT_REPLIES = "comment_replies"
    POLL = "poll"
    INVITES_FROM_GROUPS = "invites_from_groups"
    SUBSCRIPTIONS = "subscriptions"
    WEB_TRAFFIC = "web_traffic"
    UNKNOWN = "unknown"


@final
class _NoFields(dict[str, object]):
    """An empty mapping that can't be changed, so that all values can share it."""

    __slots__ = ()

    def _reject(self: Any, *_: object, **__: object) -> NoReturn:
        msg = "extra can't be changed: copy it with dict()"
        raise TypeError(msg)

    __setitem__ = __delitem__ = __ior__ = setdefault = update = pop = popitem = clear = _reject

    def __reduce__(self) -> str:
        return "NO_FIELDS"


NO_FIELDS: Mapping[str, object] = _NoFields()


def _extra() -> Mapping[str, object]:
    """Return the field for what this library does not know, as it came; left out of the hash, as mappings have none."""
    return field(default=NO_FIELDS, hash=False)


@final
@frozen(kw_only=True, weakref_slot=False)
class Service(Serializable):
    """One row of the catalogue (panel-api §3.2).

    ``rate`` is the price of 1000, or of the whole for packages and
    subscriptions, in the account's currency; ``None`` if the panel gives no
    amount. ``refill``, ``cancel`` and ``dripfeed`` are ``None`` if the panel
    does not say. ``description`` and ``average_time`` are its texts, if it
    sends any.
    """

    service: Id
    name: str
    type: str
    kind: ServiceKind
    category: str | None = None
    rate: Decimal | None = None
    min: int | None = None
    max: int | None = None
    refill: bool | None = None
    cancel: bool | None = None
    dripfeed: bool | None = None
    description: str | None = None
    average_time: str | None = None
    extra: Mapping[str, object] = _extra()


@final
@frozen
class UnreadableService:
    """A row of the catalogue without a readable id or name: the row as it came, and a line for each problem."""

    row: object
    problems: tuple[str, ...]


@final
class Catalogue(list[Service]):
    """The services of a panel, in its order (panel-api §3.2). ``unreadable`` has the rows that are left out."""

    def __init__(self, services: Iterable[Service] = (), *, unreadable: Iterable[UnreadableService] = ()) -> None:
        super().__init__(services)
        self.unreadable: tuple[UnreadableService, ...] = tuple(unreadable)


class OrderInput(Protocol):
    """An order that can be placed: any class of ``followersdata_async.orders``, or one of your own."""

    def fields(self) -> Mapping[str, str]:
        """Return the form fields of the order, without ``key`` and ``action`` (panel-api §4.1)."""
        ...


@final
@frozen(kw_only=True)
class PlacedOrder(Serializable):
    """An order that the panel took (panel-api §4.2)."""

    order: Id
    charge: Decimal | None = None
    currency: str | None = None
    extra: Mapping[str, object] = _extra()


@final
@frozen(kw_only=True, weakref_slot=False)
class OrderStatus(Serializable):
    """How an order is doing (panel-api §5.2).

    ``status`` is the panel's word, ``state`` what it means; ``charge`` is what
    the order has cost, in ``currency``; ``orders`` are the children of a
    drip-feed or subscription. A count the panel did not give as a whole number
    is ``None``.
    """

    status: str
    state: OrderState
    charge: Decimal | None = None
    start_count: int | None = None
    remains: int | None = None
    currency: str | None = None
    runs: int | None = None
    posts: int | None = None
    orders: tuple[Id, ...] = ()
    extra: Mapping[str, object] = _extra()

    @property
    def is_final(self) -> bool:
        """Whether the panel will change the order no more."""
        return self.state.is_final


@final
@frozen
class Change(Serializable):
    """An order that was seen to be another than before; at its first sighting ``before`` is ``None``."""

    order: Id
    before: OrderStatus | None
    after: OrderStatus


@final
@frozen(kw_only=True)
class Refill(Serializable):
    """A refill that the panel took on (panel-api §6.2). ``refill`` is ``None`` where it gave no id."""

    refill: Id | None = None
    extra: Mapping[str, object] = _extra()


@final
@frozen(kw_only=True)
class RefillStatus(Serializable):
    """How a refill is doing (panel-api §7.2)."""

    status: str
    state: RefillState
    extra: Mapping[str, object] = _extra()

    @property
    def is_final(self) -> bool:
        """Whether the panel will change the refill no more."""
        return self.state.is_final


@final
@frozen(kw_only=True)
class Cancellation(Serializable):
    """A cancellation that was *asked for*, not carried out: the order's status tells (panel-api §8.2).

    ``accepted`` is always true; a refusal is an outcome of its own.
    """

    accepted: bool = True
    extra: Mapping[str, object] = _extra()


@final
@frozen(kw_only=True)
class Balance(Serializable):
    """What the account has, in ``currency`` (panel-api §9.2)."""

    balance: Decimal
    currency: str | None = None


T_co = TypeVar("T_co", covariant=True)


@final
@frozen(weakref_slot=False)
class Ok(Serializable, Generic[T_co]):
    """The panel answered for this id."""

    outcome: ClassVar[str] = "ok"
    json_fields: ClassVar[Mapping[str, object]] = {"outcome": str}
    id: Id
    value: T_co


@final
@frozen
class Refused(Serializable):
    """The panel said no to this id.

    ``is_shared``: it rejected several ids together, and which of them was to
    blame was not found out, as that would have taken too many requests.
    """

    outcome: ClassVar[str] = "refused"
    json_fields: ClassVar[Mapping[str, object]] = {"outcome": str}
    id: Id
    error: PanelError
    is_shared: bool = field(default=False, kw_only=True)


@final
@frozen
class Unreported(Serializable):
    """The answer does not mention this id: neither an error nor proof of absence."""

    outcome: ClassVar[str] = "unreported"
    json_fields: ClassVar[Mapping[str, object]] = {"outcome": str}
    id: Id


@final
@frozen
class Failed(Serializable):
    """The request that carried this id brought no usable answer for it.

    Of a write, ``error`` is a ``NotSentError`` or an ``OutcomeUnknownError``
    where that is what happened.
    """

    outcome: ClassVar[str] = "failed"
    json_fields: ClassVar[Mapping[str, object]] = {"outcome": str}
    id: Id
    error: FollowersDataError


Outcome: TypeAlias = Ok[T_co] | Refused | Unreported | Failed
"""What happened to one id: a closed union, made for ``match`` and ``assert_never``."""

WatchEvent: TypeAlias = Change | Refused | Unreported | Failed
"""What ``watch`` yields: a change of an order, or with ``include_failures`` a failed poll."""


@final
class BatchResult(Serializable, Mapping[Id, Outcome[T_co]]):
    """Exactly one outcome for each id asked, in the order asked.

    Keyed by what the caller passed; as ``7`` and ``"7"`` are the same order,
    either finds it. ``requests`` is how many requests were sent, retries
    included.
    """

    json_fields: ClassVar[Mapping[str, object]] = {"outcomes": tuple[Outcome[T_co], ...], "requests": int}

    def __init__(self, outcomes: Iterable[Outcome[T_co]] = (), *, requests: int = 0) -> None:
        self._values: dict[Id, T_co | Refused | Unreported | Failed] = {}
        self.requests = requests
        texts: set[str] = set()
        for outcome in outcomes:
            text = format_id(outcome.id)
            if text in texts:
                msg = f"two outcomes for the id {outcome.id!r}"
                raise ValueError(msg)
            texts.add(text)
            self._values[outcome.id] = outcome.value if isinstance(outcome, Ok) else outcome

    @classmethod
    def from_values(cls, values: dict[Id, T_co | Refused | Unreported | Failed], *, requests: int) -> BatchResult[T_co]:
        """Build a result from the value, or the other outcome, of each id.

        An ``Ok`` is made when it is asked for: a million of them would take a
        good part of the garbage collector's time.
        """
        result = cls(requests=requests)
        result._values = values
        return result

    def __getitem__(self, key: Id) -> Outcome[T_co]:
        """Return the outcome of one id, given as ``int`` or ``str``."""
        try:
            text = format_id(key)
        except (TypeError, ValueError):
            raise KeyError(key) from None
        number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_ID_DIGITS else text
        for id_ in (key, text, number):
            if id_ in self._values and format_id(id_) == text:
                return _make_outcome(id_, self._values[id_])
        raise KeyError(key)

    def __iter__(self) -> Iterator[Id]:
        """Iterate over the ids, in the order asked."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many ids were asked."""
        return len(self._values)

    def __repr__(self) -> str:
        """Counts only: a batch may hold millions."""
        return (
            f"<BatchResult of {len(self)} ids: {len(self.ok)} ok, {len(self.refused)} refused, "
            f"{len(self.unreported)} unreported, {len(self.failed)} failed; {self.requests} requests>"
        )

    @property
    def outcomes(self) -> tuple[Outcome[T_co], ...]:
        """All outcomes, in the order asked."""
        return tuple(itertools.starmap(_make_outcome, self._values.items()))

    @cached_property
    def ok(self) -> Mapping[Id, T_co]:
        """The values of the ids that the panel answered for."""
        return {
            id_: value for id_, value in self._values.items() if not isinstance(value, (Refused, Unreported, Failed))
        }

    @cached_property
    def refused(self) -> Mapping[Id, PanelError]:
        """The ids that the panel said no to, and why."""
        return {id_: value.error for id_, value in self._values.items() if isinstance(value, Refused)}

    @cached_property
    def failed(self) -> Mapping[Id, FollowersDataError]:
        """The ids whose request brought no usable answer, and why."""
        return {id_: value.error for id_, value in self._values.items() if isinstance(value, Failed)}

    @cached_property
    def errors(self) -> Mapping[Id, FollowersDataError]:
        """The exceptions of all refused and failed ids, in the order asked."""
        return {id_: value.error for id_, value in self._values.items() if isinstance(value, (Refused, Failed))}

    @cached_property
    def unreported(self) -> tuple[Id, ...]:
        """The ids that the answers do not mention. They are no errors: ask again, or look."""
        return tuple(id_ for id_, value in self._values.items() if isinstance(value, Unreported))

    def raise_for_errors(self) -> None:
        """Raise if any id was refused or failed; unreported ids are no errors.

        Raises:
            PartialFailureError: with this result as ``.result``.
        """
        if not self.errors:
            return
        shown = "; ".join(f"{id_}: {error}" for id_, error in list(self.errors.items())[:_ERRORS_SHOWN])
        msg = f"{len(self.errors)} of {len(self)} ids came to nothing, among them {shown}"
        raise PartialFailureError(msg, result=self)


def _make_outcome(id_: Id, value: T_co | Refused | Unreported | Failed) -> Outcome[T_co]:
    return value if isinstance(value, (Refused, Unreported, Failed)) else Ok(id_, value)


_ERRORS_SHOWN = 3
_MAX_ID_DIGITS = 4000
"""Python does not convert longer strings to ``int``."""


@final
@unique
class ReceiptState(Enum):
    """The state of an order on record."""

    INTENDED = "intended"
    """On record, and not sent yet."""
    PLACED = "placed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    """Proven: it was not sent, or the panel wanted fewer requests. The same ref may be placed again."""
    UNKNOWN = "unknown"
    """It was being sent, and no response is on record. It is never sent again: check the panel, then ``resolve``."""


@final
@frozen(kw_only=True)
class Receipt(Serializable):
    """The record of an order under a ref of the caller's. Times are seconds since 1970.

    ``fields`` are the order's form fields, ``order`` is its id at the panel.
    ``error`` and ``message`` are the class and the message of the exception, if
    there was one. ``cost`` and ``balance_before`` are the caller's: the money
    at risk, and the balance to compare with.
    """

    ref: str
    panel: str
    state: ReceiptState
    fields: Mapping[str, str]
    order: Id | None = None
    charge: Decimal | None = None
    currency: str | None = None
    error: str | None = None
    message: str | None = None
    cost: Decimal | None = None
    balance_before: Decimal | None = None
    intended_at: float
    sent_at: float | None = None
    settled_at: float | None = None

    @property
    def can_be_sent(self) -> bool:
        """Whether the same ref is sent, the next time that it is placed.

        So it is if the order was not sent, or if it was rejected because of the
        account: its balance or its key. It was not placed then, and may be later.
        """
        if self.state is ReceiptState.REFUSED:
            return self.error in ACCOUNT_ERRORS
        return self.state in {ReceiptState.INTENDED, ReceiptState.NOT_SENT}


ACCOUNT_ERRORS = ("AuthenticationError", "InsufficientFundsError")
"""The names of the rejections that are about the account, and not about the order."""


@final
@frozen(kw_only=True)
class Evidence(Serializable):
    """Evidence to decide the outcome of an unknown order. Code never decides it.

    ``spent`` is the difference between the balance before the order and now,
    ``None`` if the former is not on record. It includes other orders of the
    account.
    """

    receipt: Receipt
    balance: Decimal
    currency: str | None
    spent: Decimal | None
