"""A panel's answer to the value or the outcomes that callers get.

Every reader takes the request, its answer and the words for refusals. What
holds for the whole answer is raised; what holds for one id is its outcome.
A call for one id is read as a batch of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import DecodeError, PanelError
from ..models import (
    Balance,
    Cancellation,
    Failed,
    Id,
    Ok,
    OrderStatus,
    Outcome,
    PlacedOrder,
    Refill,
    RefillStatus,
    Refused,
    Service,
    Unreported,
    id_text,
)
from .converter import UnreadableError, structured
from .envelope import payload_of, refusal, unreadable
from .error_shapes import row_texts
from .row_matching import Shape, UnmatchableError, rows_by_id
from .scalars import flag_of, folded, text_of

if TYPE_CHECKING:
    from .error_phrases import Words
    from .messages import Answer, Request

T = TypeVar("T")
RowReader = Callable[[object], T]


def services(request: Request, answer: Answer, words: Words) -> list[Service]:
    """The catalogue (panel-api §3.2)."""
    payload = payload_of(request, answer, words)
    if isinstance(payload, str) and folded(payload) == "emptydata":
        return []
    rows = list(payload.values()) if isinstance(payload, dict) else payload
    if not isinstance(rows, list):
        raise unreadable(request, "the catalogue is not a list")
    return [_whole(request, row, _service) for row in rows]


def placed_order(request: Request, answer: Answer, words: Words) -> PlacedOrder:
    """What became of a new order (panel-api §4.2)."""
    return _whole(request, _sole(payload_of(request, answer, words)), _placed_order)


def balance(request: Request, answer: Answer, words: Words) -> Balance:
    """The account's balance (panel-api §9.2)."""
    payload = _sole(payload_of(request, answer, words))
    return _whole(request, payload, lambda row: structured(_mapping(row), Balance))


def order_statuses(
    request: Request, answer: Answer, words: Words, asked: Sequence[Id]
) -> Mapping[str, Outcome[OrderStatus]]:
    """Each order's status (panel-api §5.3)."""
    payload = payload_of(request, answer, words)
    return _outcomes(request, words, payload, asked, _STATUS_ROWS, _order_status)


def refills(request: Request, answer: Answer, words: Words, asked: Sequence[Id]) -> Mapping[str, Outcome[Refill]]:
    """Each order's refill (panel-api §6.2)."""
    payload = payload_of(request, answer, words)
    return _outcomes(request, words, payload, asked, _REFILL_ROWS, _refill, nested=("refill", "status"))


def refill_statuses(
    request: Request, answer: Answer, words: Words, asked: Sequence[Id]
) -> Mapping[str, Outcome[RefillStatus]]:
    """Each refill's status (panel-api §7.2)."""
    payload = payload_of(request, answer, words)
    return _outcomes(request, words, payload, asked, _REFILL_STATUS_ROWS, _refill_status)


def cancellations(
    request: Request, answer: Answer, words: Words, asked: Sequence[Id]
) -> Mapping[str, Outcome[Cancellation]]:
    """Each order's cancellation (panel-api §8.2)."""
    payload = payload_of(request, answer, words)
    if isinstance(payload, dict) and isinstance(accepted := payload.get("canceled"), list):
        payload = [{"order": id_, "cancel": True} for id_ in accepted]
        return _outcomes(request, words, payload, asked, _CANCEL_ROWS, _cancellation, nothing=True)
    return _outcomes(request, words, payload, asked, _CANCEL_ROWS, _cancellation, nested=("cancel", "status"))


def one(request: Request, id_: Id, read: Callable[[], Mapping[str, Outcome[T]]]) -> T:
    """The value of the only id that was asked.

    Raises:
        PanelError: the panel said no to it.
        DecodeError: of a read: the answer cannot be read, or does not mention it.
        OutcomeUnknownError: the same of a write.
    """
    try:
        outcome = read().get(id_text(id_), Unreported(id_))
        if isinstance(outcome, Ok):
            return outcome.value
        if isinstance(outcome, Unreported):
            raise unreadable(request, "the answer does not mention the id asked")
        raise outcome.error
    except DecodeError as error:
        raise unreadable(request, error.message, error.problems) from None


_STATUS_ROWS = Shape(key="order", flat=frozenset({"status", "charge", "remains", "start_count", "start_counter"}))
_REFILL_ROWS = Shape(key="order", spare_key="refill", flat=frozenset({"refill", "status", "success"}))
_REFILL_STATUS_ROWS = Shape(key="refill", flat=frozenset({"status"}))
_CANCEL_ROWS = Shape(key="order", flat=frozenset({"cancel", "status", "success"}))


# --- a batch: rows to outcomes


def _outcomes(
    request: Request,
    words: Words,
    payload: object,
    asked: Sequence[Id],
    shape: Shape,
    read: RowReader[T],
    *,
    nested: Sequence[str] = ("status",),
    nothing: bool = False,
) -> Mapping[str, Outcome[T]]:
    """Each row's outcome by its id's text. ``nothing``: even of a write, an empty answer is one."""
    if not payload and not request.repeatable and not nothing:
        raise unreadable(request, "the answer is empty")
    ids = {id_text(id_): id_ for id_ in asked}
    try:
        rows = rows_by_id(payload, tuple(ids), shape)
    except UnmatchableError as error:
        if isinstance(payload, list):
            raise DecodeError(str(error), action=request.action) from None
        raise unreadable(request, str(error)) from None
    return {text: _outcome(request, words, ids[text], row, read, nested) for text, row in rows.items()}


def _outcome(
    request: Request, words: Words, id_: Id, row: object, read: RowReader[T], nested: Sequence[str]
) -> Outcome[T]:
    refused = _row_refusal(row, words, nested)
    if refused is not None:
        culprit, texts = refused
        error = refusal(request, words, culprit, texts)
        return Refused(id_, error) if isinstance(error, PanelError) else Failed(id_, error)
    try:
        return Ok(id_, read(row))
    except SilentRefusalError as error:
        return Refused(id_, PanelError(str(error), http_status=200, action=request.action))
    except UnreadableError as error:
        return Failed(id_, DecodeError("the row cannot be read", action=request.action, problems=error.problems))


def _row_refusal(row: object, words: Words, nested: Sequence[str]) -> tuple[object, list[str]] | None:
    """What in a row says no, and its texts: the row itself, or what stands under one of its main fields."""
    texts = row_texts(row, words)
    if texts is not None:
        return row, texts
    if not isinstance(row, dict):
        return None
    for name in nested:
        inner = row.get(name)
        # A status is a free word, which may look like a refusal; an error under it is an object.
        texts = None if name == "status" and isinstance(inner, str) else row_texts(inner, words)
        if texts is not None:
            return inner, texts
    return None


class SilentRefusalError(ValueError):
    """A row says no without a word."""


def _whole(request: Request, row: object, read: RowReader[T]) -> T:
    """The value of an answer, or of a catalogue's row, that must be readable."""
    try:
        return read(row)
    except UnreadableError as error:
        raise unreadable(request, "the answer cannot be read", error.problems) from None


def _sole(payload: object) -> object:
    """The only row of a list of one, else the payload itself."""
    return payload[0] if isinstance(payload, list) and len(payload) == 1 else payload


def _mapping(row: object) -> Mapping[str, object]:
    if not isinstance(row, dict):
        raise UnreadableError(("an object was expected",))
    return row


# --- one row each


def _service(row: object) -> Service:
    fields = _mapping(row)
    return structured(fields if "type" in fields else {**fields, "type": ""}, Service)


def _placed_order(row: object) -> PlacedOrder:
    fields = _mapping(row)
    if isinstance(inner := fields.get("order"), dict):
        fields = inner
    for name in ("order", "order_id", "orderId", "id"):
        if not _is_no_id(fields.get(name)):
            rest = {key: value for key, value in fields.items() if key != name}
            return structured({**rest, "order": fields[name]}, PlacedOrder)
    raise UnreadableError(("the answer has no order id",))


def _is_no_id(value: object) -> bool:
    """Whether a panel says "no id" with a value; ``False`` is 0 here."""
    return value is None or value == 0 or (isinstance(value, str) and value.strip() in {"", "0"})


def _order_status(row: object) -> OrderStatus:
    fields = _mapping(row)
    if "start_counter" in fields:
        fields = dict(fields)
        fields.setdefault("start_count", fields.pop("start_counter"))
    return structured(_with_status(fields), OrderStatus)


def _refill_status(row: object) -> RefillStatus:
    fields = _mapping(row)
    if isinstance(inner := fields.get("status"), dict):
        fields = {**fields, **inner}
    return structured(_with_status(fields), RefillStatus)


def _with_status(fields: Mapping[str, object]) -> Mapping[str, object]:
    if text_of(fields.get("status")) is None:
        raise UnreadableError(("the row has no status",))
    return fields


def _refill(row: object) -> Refill:
    fields = row if isinstance(row, dict) else {"refill": row}
    given = fields.get("refill")
    if not _is_no_id(given) and given is not True:
        return structured(fields, Refill)
    if given is True or _says_success(fields):
        return Refill(extra=dict(fields))
    raise UnreadableError(("the row has no refill id",))


def _cancellation(row: object) -> Cancellation:
    fields = row if isinstance(row, dict) else {"cancel": row}
    if "cancel" not in fields and not _says_success(fields):
        raise UnreadableError(("the row does not say whether the cancellation was accepted",))
    if "cancel" in fields and (fields["cancel"] is None or flag_of(fields["cancel"]) is False):
        raise SilentRefusalError
    return Cancellation(extra={name: value for name, value in fields.items() if name != "cancel"})


def _says_success(fields: Mapping[str, object]) -> bool:
    word = fields.get("status")
    if isinstance(word, str) and folded(word) in {"success", "ok", "successful"}:
        return True
    success = fields.get("success")
    return bool(success) and flag_of(success) is not False
