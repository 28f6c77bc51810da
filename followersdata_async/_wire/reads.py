"""From a panel's response to a read to the value or the outcomes that callers get.

Each function takes the request, its response and the panel's error words.
A rejection of the whole response is raised, a rejection of one id is its
outcome. The response to a request for one id is a batch of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from ..models import (
    Balance,
    Catalogue,
    Ok,
    OrderState,
    OrderStatus,
    RefillState,
    RefillStatus,
    Service,
    UnreadableService,
)
from .batch_rows import ORDER_ID, OutcomesByText, RowParser, check_object, decode_rows
from .catalogue_rows import find_rows, unify_names
from .converter import UnreadableError, structure_plain_services, structure_plain_statuses, structure_row
from .envelope import extract_payload, make_rejection, reject_deep_nesting, unreadable_response
from .error_shapes import collect_codes, find_error, find_row_error
from .row_matching import RowShape
from .scalars import normalize_word, parse_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .messages import Request, Response
    from .panel_words import PanelWords

T = TypeVar("T")
Status = TypeVar("Status", OrderStatus, RefillStatus)


@reject_deep_nesting
def decode_services(request: Request, response: Response, words: PanelWords) -> Catalogue:
    """Decode the catalogue (panel-api §3.2).

    A row that cannot be read costs that row. If none can, it is not a catalogue.
    """
    payload = extract_payload(request, response, words)
    if isinstance(payload, str) and normalize_word(payload) == "emptydata":
        return Catalogue()
    rows = find_rows(payload)
    if rows is None:
        raise unreadable_response(request, "the answer is not a catalogue")
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


@reject_deep_nesting
def decode_balance(request: Request, response: Response, words: PanelWords) -> Balance:
    """Decode the account's balance (panel-api §9.2)."""
    payload = _unwrap_single(extract_payload(request, response, words))
    return _parse_or_raise(request, payload, _parse_balance)


@reject_deep_nesting
def decode_order_statuses(request: Request, response: Response, words: PanelWords) -> OutcomesByText[OrderStatus]:
    """Decode the status of each order (panel-api §5.3)."""
    payload = extract_payload(request, response, words, _STATUS_ROWS)
    outcomes = _decode_rows(request, words, payload, _STATUS_ROWS, _parse_order_status, structure_plain_statuses)
    return _apply_own_words(outcomes, words.find_order_state) if words.states else outcomes


@reject_deep_nesting
def decode_refill_statuses(request: Request, response: Response, words: PanelWords) -> OutcomesByText[RefillStatus]:
    """Decode the status of each refill (panel-api §7.2)."""
    payload = extract_payload(request, response, words, _REFILL_STATUS_ROWS)
    outcomes = _decode_rows(request, words, payload, _REFILL_STATUS_ROWS, _parse_refill_status)
    return _apply_own_words(outcomes, words.find_refill_state) if words.states else outcomes


_STATUS_ROWS = RowShape(names=ORDER_ID, flat=frozenset({"status", "charge", "remains", "start_count", "start_counter"}))
_REFILL_STATUS_ROWS = RowShape(names=("refill", "refill_id", "refillId"), flat=frozenset({"status"}))


def _decode_rows(
    request: Request,
    words: PanelWords,
    payload: object,
    shape: RowShape,
    parse: RowParser[T],
    parse_plain: Callable[[Mapping[str, object]], Mapping[str, T]] = lambda _: {},
) -> OutcomesByText[T]:
    def parse_row(row: object) -> T:
        messages = _find_row_rejection(row, words)
        if messages is not None:
            raise make_rejection(request, words, messages, collect_codes(row))
        return parse(row)

    return decode_rows(request, payload, shape, parse_row, parse_plain)


def _apply_own_words(
    outcomes: OutcomesByText[Status], find_state: Callable[[str], OrderState | RefillState | None]
) -> OutcomesByText[Status]:
    """Return the outcomes with the states that a user's own words give them."""
    changed = dict(outcomes)
    for text, outcome in outcomes.items():
        if isinstance(outcome, Ok) and (state := find_state(outcome.value.status)) is not None:
            changed[text] = Ok(outcome.id, evolve(outcome.value, state=state))  # type: ignore[arg-type]
    return changed


def _find_row_rejection(row: object, words: PanelWords) -> list[str] | None:
    """Return the messages of a row that is a rejection, or has one under its status, or ``None``."""
    messages = find_row_error(row, words)
    if messages is None and isinstance(row, dict):
        # A status is free text, which can look like a rejection. An error under it is an object.
        return find_error(row.get("status"))
    return messages


def _parse_or_raise(request: Request, row: object, parse: RowParser[T]) -> T:
    try:
        return parse(row)
    except UnreadableError as error:
        raise unreadable_response(request, "the answer cannot be read", error.problems) from None


def _unwrap_single(payload: object) -> object:
    """Return the only row of a list of one, else the payload itself."""
    return payload[0] if isinstance(payload, list) and len(payload) == 1 else payload


# --- one row to a value


def _parse_service(row: object) -> Service:
    return structure_row({"type": "", **unify_names(dict(check_object(row)))}, Service)


def _parse_balance(row: object) -> Balance:
    return structure_row(check_object(row), Balance)


def _parse_order_status(row: object) -> OrderStatus:
    fields = _prefer_status(check_object(row), "order_status")
    if "start_counter" in fields:
        fields = dict(fields)
        fields.setdefault("start_count", fields.pop("start_counter"))
    return structure_row(_require_status(fields), OrderStatus)


def _parse_refill_status(row: object) -> RefillStatus:
    fields = check_object(row)
    if isinstance(inner := fields.get("status"), dict):
        fields = {**fields, **inner}
    return structure_row(_require_status(_prefer_status(fields, "refill_status")), RefillStatus)


def _prefer_status(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return a row with the state from the field ``name``, if it has one: then ``status`` is about the request."""
    if name not in fields:
        return fields
    return {**{key: value for key, value in fields.items() if key != name}, "status": fields[name]}


def _require_status(fields: Mapping[str, object]) -> Mapping[str, object]:
    if parse_text(fields.get("status")) is None:
        raise UnreadableError(("the row has no status",))
    return fields
