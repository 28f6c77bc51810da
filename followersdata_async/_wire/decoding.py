"""From a panel's response to the value or the outcomes that callers get.

Each function takes the request, its response and the panel's error phrases.
A rejection of the whole response is raised, a rejection of one id is its
outcome. The response to a request for one id is a batch of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from attrs import evolve, frozen

from ..errors import DecodeError, PanelError
from ..models import (
    Balance,
    Cancellation,
    Catalogue,
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
    UnreadableService,
)
from .acceptance import is_accepted, is_confirmation, is_failure, is_id, is_missing, is_refusal
from .columns import build_oks
from .converter import UnreadableError, structure_plain_services, structure_plain_statuses, structure_row
from .envelope import extract_payload, make_rejection, unreadable_response
from .error_shapes import ORDER_NAMES, REFILL_NAMES, find_known_message, find_row_error, has_inner_error
from .json_values import Conflict
from .row_matching import RowShape, UnmatchableError, match_rows
from .scalars import normalize_word, parse_text

if TYPE_CHECKING:
    from .error_phrases import ErrorPhrases
    from .messages import Request, Response

T = TypeVar("T")
Decode: TypeAlias = "Callable[[Request, Response, ErrorPhrases], T]"
RowParser = Callable[[object], T]
OutcomesByText = Mapping[str, Outcome[T]]
"""Outcomes by the string that an id was sent as."""


def _reject_deep_nesting(decode: Decode[T]) -> Decode[T]:
    """Return ``decode`` such that JSON that is nested too deep to be compared is an unreadable response."""

    @wraps(decode)
    def decode_safely(request: Request, response: Response, phrases: ErrorPhrases) -> T:
        try:
            return decode(request, response, phrases)
        except RecursionError:
            raise unreadable_response(request, "the answer is nested too deep") from None

    return decode_safely


@_reject_deep_nesting
def decode_services(request: Request, response: Response, phrases: ErrorPhrases) -> Catalogue:
    """Decode the catalogue (panel-api §3.2).

    A row that cannot be read costs that row. If none can, it is not a catalogue.
    """
    payload = extract_payload(request, response, phrases)
    if isinstance(payload, str) and normalize_word(payload) == "emptydata":
        return Catalogue()
    rows = list(payload.values()) if isinstance(payload, dict) else payload
    if not isinstance(rows, list):
        raise unreadable_response(request, "the catalogue is not a list")
    plain = structure_plain_services(dict(enumerate(rows)))
    services: list[Service] = []
    unreadable: list[UnreadableService] = []
    for index, row in enumerate(rows):
        try:
            services.append(plain.get(index) or _parse_service(row))
        except UnreadableError as error:
            unreadable.append(UnreadableService(row, error.problems))
    if unreadable and not services:
        raise unreadable_response(request, "the answer cannot be read", unreadable[0].problems)
    return Catalogue(services, unreadable=unreadable)


@_reject_deep_nesting
def decode_placed_order(request: Request, response: Response, phrases: ErrorPhrases) -> PlacedOrder:
    """Decode the response to a new order (panel-api §4.2)."""
    payload = _unwrap_single(extract_payload(request, response, phrases))
    return _parse_or_raise(request, payload, _parse_placed_order)


@_reject_deep_nesting
def decode_balance(request: Request, response: Response, phrases: ErrorPhrases) -> Balance:
    """Decode the account's balance (panel-api §9.2)."""
    payload = _unwrap_single(extract_payload(request, response, phrases))
    return _parse_or_raise(request, payload, _parse_balance)


@_reject_deep_nesting
def decode_order_statuses(request: Request, response: Response, phrases: ErrorPhrases) -> OutcomesByText[OrderStatus]:
    """Decode the status of each order (panel-api §5.3)."""
    payload = extract_payload(request, response, phrases, _STATUS_ROWS.shape)
    return _decode_rows(request, phrases, payload, _STATUS_ROWS, _parse_order_status, structure_plain_statuses)


@_reject_deep_nesting
def decode_refills(request: Request, response: Response, phrases: ErrorPhrases) -> OutcomesByText[Refill]:
    """Decode the refill of each order (panel-api §6.2)."""
    payload = extract_payload(request, response, phrases, _REFILL_ROWS.shape)
    return _decode_rows(request, phrases, payload, _REFILL_ROWS, _parse_refill)


@_reject_deep_nesting
def decode_refill_statuses(request: Request, response: Response, phrases: ErrorPhrases) -> OutcomesByText[RefillStatus]:
    """Decode the status of each refill (panel-api §7.2)."""
    payload = extract_payload(request, response, phrases, _REFILL_STATUS_ROWS.shape)
    return _decode_rows(request, phrases, payload, _REFILL_STATUS_ROWS, _parse_refill_status)


@_reject_deep_nesting
def decode_cancellations(request: Request, response: Response, phrases: ErrorPhrases) -> OutcomesByText[Cancellation]:
    """Decode the cancellation of each order (panel-api §8.2)."""
    payload = extract_payload(request, response, phrases, _CANCEL_ROWS.shape)
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


_ORDER_ID = ("order", "order_id", "orderId")

_STATUS_ROWS = _Layout(
    shape=RowShape(names=_ORDER_ID, flat=frozenset({"status", "charge", "remains", "start_count", "start_counter"}))
)
_REFILL_ROWS = _Layout(
    shape=RowShape(
        names=_ORDER_ID,
        # One family of panels returns the order's id as the refill's.
        spare_names=(("refill", "status"), ("id", "")),
        flat=frozenset({"refill", "status", "success"}),
    ),
    nested=("refill", "status"),
)
_REFILL_STATUS_ROWS = _Layout(shape=RowShape(names=("refill", "refill_id", "refillId"), flat=frozenset({"status"})))
_CANCEL_ROWS = _Layout(
    shape=RowShape(names=_ORDER_ID, flat=frozenset({"cancel", "status", "success"})), nested=("cancel", "status")
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
    ids = request.ids
    rows: Mapping[str, object] = {}
    plain: Mapping[str, T] = {}
    if isinstance(payload, dict) and payload.keys() == ids.keys():
        rows, plain = payload, parse_plain(payload)
    # Plain rows name no id, so they belong to their keys, unless another row names the same id.
    if len(plain) < len(ids):
        matched = _match_rows(request, payload, layout)
        plain = {id_: plain[id_] for id_ in plain if matched.get(id_) is rows[id_]} if plain else parse_plain(matched)
        rows = matched
    outcomes: dict[str, Outcome[T]] = dict(
        zip(plain, build_oks(map(ids.__getitem__, plain), plain.values()), strict=True)
    )
    if len(plain) < len(rows):
        for text in rows.keys() - plain.keys():
            outcomes[text] = _decode_row(request, phrases, ids[text], rows[text], layout, parse)
    if request.is_write and len(ids) == 1 and any(isinstance(outcome, Ok) for outcome in outcomes.values()):
        _check_rest(request, payload)
    return outcomes


def _check_rest(request: Request, payload: object) -> None:
    """Check that nothing in the response contradicts that the request for the only id was accepted.

    A response for many ids can report that some of them have failed.

    Raises:
        OutcomeUnknownError: something does.
    """
    try:
        _check_errors(payload)
        if isinstance(payload, dict):
            envelope = {name: payload.get(name) for name in ("status", "success")}
            _check_confirmed(envelope, lambda status: is_accepted(status) or isinstance(status, dict))
    except NotAcceptedError as error:
        raise unreadable_response(request, str(error), payload=payload) from None


def _match_rows(request: Request, payload: object, layout: _Layout) -> Mapping[str, object]:
    try:
        return match_rows(payload, request.ids, layout.shape)
    except UnmatchableError as error:
        if isinstance(payload, list):
            raise DecodeError(str(error), action=request.action) from None
        raise unreadable_response(request, str(error)) from None


def _decode_row(
    request: Request, phrases: ErrorPhrases, id_: Id, row: object, layout: _Layout, parse: RowParser[T]
) -> Outcome[T]:
    messages = _find_row_rejection(request, row, phrases, layout.nested)
    if messages is not None:
        error = make_rejection(request, phrases, row, messages)
        return Refused(id_, error) if isinstance(error, PanelError) else Failed(id_, error)
    try:
        value = parse(row)
        if request.is_write:
            _check_errors(row)
        return Ok(id_, value)
    except SilentRejectionError as error:
        return Refused(id_, PanelError(str(error), http_status=200, action=request.action))
    except NotAcceptedError as error:
        return Failed(id_, unreadable_response(request, str(error), payload=row))
    except UnreadableError as error:
        return Failed(id_, DecodeError("the row cannot be read", action=request.action, problems=error.problems))


def _find_row_rejection(
    request: Request, row: object, phrases: ErrorPhrases, nested: Sequence[str]
) -> list[str] | None:
    """Return the messages of a row that is a rejection, or has one in a main field, or ``None``."""
    messages = find_row_error(row, phrases)
    if messages is not None or not isinstance(row, dict):
        return messages
    for name in nested:
        inner = row.get(name)
        # A status is free text, which can look like a rejection. An error under it is an object.
        messages = None if name == "status" and isinstance(inner, str) else find_row_error(inner, phrases)
        if messages is None and request.is_write:
            messages = find_known_message(inner, phrases)
        if messages is not None:
            return messages
    return find_known_message(row, phrases) if request.is_write else None


class SilentRejectionError(ValueError):
    """A row is a rejection without a message."""


class NotAcceptedError(UnreadableError):
    """A row belongs to an id, but nothing in it says that the panel has accepted the request."""


def _parse_or_raise(request: Request, row: object, parse: RowParser[T]) -> T:
    try:
        return parse(row)
    except UnreadableError as error:
        raise unreadable_response(request, "the answer cannot be read", error.problems, payload=row) from None


def _unwrap_single(payload: object) -> object:
    """Return the only row of a list of one, else the payload itself."""
    return payload[0] if isinstance(payload, list) and len(payload) == 1 else payload


def _check_object(row: object) -> Mapping[str, object]:
    if isinstance(row, Conflict):
        raise UnreadableError(("two rows for this id differ",))
    if not isinstance(row, dict):
        raise UnreadableError(("an object was expected",))
    return row


# --- one row to a value


def _parse_service(row: object) -> Service:
    fields = _check_object(row)
    return structure_row(fields if "type" in fields else {**fields, "type": ""}, Service)


def _parse_balance(row: object) -> Balance:
    return structure_row(_check_object(row), Balance)


def _check_errors(row: object) -> None:
    """Check that no error stands anywhere next to what was accepted."""
    if has_inner_error(row):
        raise NotAcceptedError(("an error stands next to what was accepted",))


def _parse_placed_order(row: object) -> PlacedOrder:
    fields = _check_object(row)
    _check_confirmed(fields)
    if isinstance(inner := fields.get("order"), dict):
        fields = inner
        _check_confirmed(fields)
    _check_errors(row)
    for name in ORDER_NAMES:
        value = fields.get(name)
        if is_id(value):
            rest = {key: value for key, value in fields.items() if key != name}
            return structure_row({**rest, "order": value}, PlacedOrder)
        if not is_missing(value):
            break
    raise NotAcceptedError(("the answer has no order id",))


def _check_confirmed(fields: Mapping[str, object], is_confirming: Callable[[object], bool] = is_confirmation) -> None:
    """Check that the status and the flag of success, if any, do not contradict what else the panel says."""
    status, success = fields.get("status"), fields.get("success")
    if not (status in _CONFIRMING_STATUSES or is_confirming(status)):
        raise NotAcceptedError((f"the status is {status!r}",))
    if not (success is None or _says_success(success)):
        raise NotAcceptedError((f"success is {success!r}",))


def _says_success(success: object) -> bool:
    """Return whether the field ``success`` is a flag or a word that confirms, or a sentence about what was done."""
    return is_confirmation(success) or (
        isinstance(success, str) and not is_failure(success) and not is_refusal(success)
    )


_CONFIRMING_STATUSES = (None, "", 100, 200, 201, "100", "200", "201")
"""No status, or a code of success; words have a list of their own."""


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
    _check_confirmed(fields)
    for name in REFILL_NAMES:
        value = fields.get(name)
        if is_id(value):
            rest = {key: value for key, value in fields.items() if key != name}
            return structure_row({**rest, "refill": value}, Refill)
        if not is_missing(value) and value is not True:
            raise NotAcceptedError((f"{value!r} is not the id of a refill",))
    if fields.get("refill") is True or _is_success(fields):
        return Refill(extra=dict(fields))
    raise UnreadableError(("the row has no refill id",))


def _parse_cancellation(row: object) -> Cancellation:
    fields = row if isinstance(row, dict) else {"cancel": row}
    if "cancel" not in fields:
        if not _is_success(fields):
            raise UnreadableError(("the row does not say whether the cancellation was accepted",))
    elif is_refusal(fields["cancel"]):
        raise SilentRejectionError
    elif not is_accepted(fields["cancel"]):
        raise NotAcceptedError((f"{fields['cancel']!r} does not say that the cancellation was accepted",))
    _check_confirmed(fields, is_accepted)
    return Cancellation(extra={name: value for name, value in fields.items() if name != "cancel"})


def _is_success(fields: Mapping[str, object]) -> bool:
    """Return whether a row without an id or a flag reports success in another field."""
    word, success = fields.get("status"), fields.get("success")
    if isinstance(word, str) and normalize_word(word) in {"success", "ok", "successful"}:
        return True
    return _says_success(success)
