"""From a panel's response to the value or the outcomes that callers get.

Each function takes the request, its response and the panel's error phrases.
A rejection of the whole response is raised, a rejection of one id is its
outcome. The response to a request for one id is a batch of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve, frozen

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
)
from .columns import build_oks
from .converter import UnreadableError, structure_plain_services, structure_plain_statuses, structure_row
from .envelope import extract_payload, make_rejection, unreadable_response
from .error_shapes import find_row_error
from .row_matching import RowShape, UnmatchableError, match_rows
from .scalars import is_id, normalize_word, parse_bool, parse_text

if TYPE_CHECKING:
    from .error_phrases import ErrorPhrases
    from .messages import Request, Response

T = TypeVar("T")
RowParser = Callable[[object], T]
OutcomesByText = Mapping[str, Outcome[T]]
"""Outcomes by the string that an id was sent as."""


def decode_services(request: Request, response: Response, phrases: ErrorPhrases) -> list[Service]:
    """Decode the catalogue (panel-api §3.2)."""
    payload = extract_payload(request, response, phrases)
    if isinstance(payload, str) and normalize_word(payload) == "emptydata":
        return []
    rows = list(payload.values()) if isinstance(payload, dict) else payload
    if not isinstance(rows, list):
        raise unreadable_response(request, "the catalogue is not a list")
    plain = structure_plain_services(dict(enumerate(rows)))
    return [plain.get(index) or _parse_or_raise(request, row, _parse_service) for index, row in enumerate(rows)]


def decode_placed_order(request: Request, response: Response, phrases: ErrorPhrases) -> PlacedOrder:
    """Decode the response to a new order (panel-api §4.2)."""
    payload = _unwrap_single(extract_payload(request, response, phrases))
    return _parse_or_raise(request, payload, _parse_placed_order)


def decode_balance(request: Request, response: Response, phrases: ErrorPhrases) -> Balance:
    """Decode the account's balance (panel-api §9.2)."""
    payload = _unwrap_single(extract_payload(request, response, phrases))
    return _parse_or_raise(request, payload, _parse_balance)


def decode_order_statuses(request: Request, response: Response, phrases: ErrorPhrases) -> OutcomesByText[OrderStatus]:
    """Decode the status of each order (panel-api §5.3)."""
    payload = extract_payload(request, response, phrases)
    return _decode_rows(request, phrases, payload, _STATUS_ROWS, _parse_order_status, structure_plain_statuses)


def decode_refills(request: Request, response: Response, phrases: ErrorPhrases) -> OutcomesByText[Refill]:
    """Decode the refill of each order (panel-api §6.2)."""
    payload = extract_payload(request, response, phrases)
    return _decode_rows(request, phrases, payload, _REFILL_ROWS, _parse_refill)


def decode_refill_statuses(request: Request, response: Response, phrases: ErrorPhrases) -> OutcomesByText[RefillStatus]:
    """Decode the status of each refill (panel-api §7.2)."""
    payload = extract_payload(request, response, phrases)
    return _decode_rows(request, phrases, payload, _REFILL_STATUS_ROWS, _parse_refill_status)


def decode_cancellations(request: Request, response: Response, phrases: ErrorPhrases) -> OutcomesByText[Cancellation]:
    """Decode the cancellation of each order (panel-api §8.2)."""
    payload = extract_payload(request, response, phrases)
    layout = _CANCEL_ROWS
    if isinstance(payload, dict) and isinstance(accepted := payload.get("canceled"), list):
        payload = [{"order": id_, "cancel": True} for id_ in accepted]
        layout = _ACCEPTED_CANCELLATIONS
    return _decode_rows(request, phrases, payload, layout, _parse_cancellation)


# --- rows of a batch to outcomes


@frozen(kw_only=True, eq=False)
class _Layout:
    """How the rows of an action are laid out.

    ``nested`` are the fields under which a row's error can stand.
    ``can_be_empty``: an empty response is valid, even to a write.
    """

    shape: RowShape
    nested: Sequence[str] = ("status",)
    can_be_empty: bool = False


_STATUS_ROWS = _Layout(
    shape=RowShape(key="order", flat=frozenset({"status", "charge", "remains", "start_count", "start_counter"}))
)
_REFILL_ROWS = _Layout(
    shape=RowShape(key="order", spare_key="refill", flat=frozenset({"refill", "status", "success"})),
    nested=("refill", "status"),
)
_REFILL_STATUS_ROWS = _Layout(shape=RowShape(key="refill", flat=frozenset({"status"})))
_CANCEL_ROWS = _Layout(
    shape=RowShape(key="order", flat=frozenset({"cancel", "status", "success"})), nested=("cancel", "status")
)
_ACCEPTED_CANCELLATIONS = evolve(_CANCEL_ROWS, nested=("status",), can_be_empty=True)


def _decode_rows(
    request: Request,
    phrases: ErrorPhrases,
    payload: object,
    layout: _Layout,
    parse: RowParser[T],
    parse_plain: Callable[[Mapping[str, object]], Mapping[str, T]] = lambda _: {},
) -> OutcomesByText[T]:
    """Return the outcome of each id that has a row.

    ``parse_plain`` reads most rows, all together, and leaves the others to ``parse``.
    """
    if not payload and request.is_write and not layout.can_be_empty:
        raise unreadable_response(request, "the answer is empty")
    try:
        rows = match_rows(payload, tuple(request.ids), layout.shape)
    except UnmatchableError as error:
        if isinstance(payload, list):
            raise DecodeError(str(error), action=request.action) from None
        raise unreadable_response(request, str(error)) from None
    ids = request.ids
    plain = parse_plain(rows)
    outcomes: dict[str, Outcome[T]] = dict(
        zip(plain, build_oks(map(ids.__getitem__, plain), plain.values()), strict=True)
    )
    if len(plain) < len(rows):
        for text in rows.keys() - plain.keys():
            outcomes[text] = _decode_row(request, phrases, ids[text], rows[text], layout, parse)
    return outcomes


def _decode_row(
    request: Request, phrases: ErrorPhrases, id_: Id, row: object, layout: _Layout, parse: RowParser[T]
) -> Outcome[T]:
    rejected = _find_rejection(row, phrases, layout.nested)
    if rejected is not None:
        part, messages = rejected
        error = make_rejection(request, phrases, part, messages)
        return Refused(id_, error) if isinstance(error, PanelError) else Failed(id_, error)
    try:
        return Ok(id_, parse(row))
    except SilentRejectionError as error:
        return Refused(id_, PanelError(str(error), http_status=200, action=request.action))
    except UnreadableError as error:
        return Failed(id_, DecodeError("the row cannot be read", action=request.action, problems=error.problems))


def _find_rejection(row: object, phrases: ErrorPhrases, nested: Sequence[str]) -> tuple[object, list[str]] | None:
    """Return the part of a row that is a rejection, with its messages: the row, or one of its main fields."""
    messages = find_row_error(row, phrases)
    if messages is not None:
        return row, messages
    if not isinstance(row, dict):
        return None
    for name in nested:
        inner = row.get(name)
        # A status is free text, which can look like a rejection. An error under it is an object.
        messages = None if name == "status" and isinstance(inner, str) else find_row_error(inner, phrases)
        if messages is not None:
            return inner, messages
    return None


class SilentRejectionError(ValueError):
    """A row is a rejection without a message."""


def _parse_or_raise(request: Request, row: object, parse: RowParser[T]) -> T:
    try:
        return parse(row)
    except UnreadableError as error:
        raise unreadable_response(request, "the answer cannot be read", error.problems) from None


def _unwrap_single(payload: object) -> object:
    """Return the only row of a list of one, else the payload itself."""
    return payload[0] if isinstance(payload, list) and len(payload) == 1 else payload


def _check_object(row: object) -> Mapping[str, object]:
    if not isinstance(row, dict):
        raise UnreadableError(("an object was expected",))
    return row


# --- one row to a value


def _parse_service(row: object) -> Service:
    fields = _check_object(row)
    return structure_row(fields if "type" in fields else {**fields, "type": ""}, Service)


def _parse_balance(row: object) -> Balance:
    return structure_row(_check_object(row), Balance)


def _parse_placed_order(row: object) -> PlacedOrder:
    fields = _check_object(row)
    if isinstance(inner := fields.get("order"), dict):
        fields = inner
    for name in ("order", "order_id", "orderId", "id"):
        value = fields.get(name)
        if is_id(value):
            rest = {key: value for key, value in fields.items() if key != name}
            return structure_row({**rest, "order": value}, PlacedOrder)
        if not _is_missing(value):
            break
    raise UnreadableError(("the answer has no order id",))


def _is_missing(value: object) -> bool:
    """Return whether a panel gives no id with this value (``False`` equals 0)."""
    return value is None or value == 0 or (isinstance(value, str) and value.strip() in {"", "0"})


def _parse_order_status(row: object) -> OrderStatus:
    fields = _check_object(row)
    if "start_counter" in fields:
        fields = dict(fields)
        fields.setdefault("start_count", fields.pop("start_counter"))
    return structure_row(_require_status(fields), OrderStatus)


def _parse_refill_status(row: object) -> RefillStatus:
    fields = _check_object(row)
    if isinstance(inner := fields.get("status"), dict):
        fields = {**fields, **inner}
    return structure_row(_require_status(fields), RefillStatus)


def _require_status(fields: Mapping[str, object]) -> Mapping[str, object]:
    if parse_text(fields.get("status")) is None:
        raise UnreadableError(("the row has no status",))
    return fields


def _parse_refill(row: object) -> Refill:
    fields = row if isinstance(row, dict) else {"refill": row}
    refill = fields.get("refill")
    if is_id(refill):
        return structure_row(fields, Refill)
    if refill is True or (_is_missing(refill) and _is_success(fields)):
        return Refill(extra=dict(fields))
    raise UnreadableError(("the row has no refill id",))


def _parse_cancellation(row: object) -> Cancellation:
    fields = row if isinstance(row, dict) else {"cancel": row}
    if "cancel" not in fields and not _is_success(fields):
        raise UnreadableError(("the row does not say whether the cancellation was accepted",))
    if "cancel" in fields and (fields["cancel"] is None or parse_bool(fields["cancel"]) is False):
        raise SilentRejectionError
    return Cancellation(extra={name: value for name, value in fields.items() if name != "cancel"})


def _is_success(fields: Mapping[str, object]) -> bool:
    word = fields.get("status")
    if isinstance(word, str) and normalize_word(word) in {"success", "ok", "successful"}:
        return True
    success = fields.get("success")
    return bool(success) and parse_bool(success) is not False
