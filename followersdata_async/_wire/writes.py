"""From a panel's response to a write to what is known of its outcome (panel-api §4.2, §6.2, §8.2).

A write is accepted only if the response says so and nothing in it is against
that, and refused only if the panel gives a reason and nothing says that
something was done. Otherwise its outcome is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..errors import FollowersDataError, PanelError
from ..models import Cancellation, Failed, Ok, Outcome, PlacedOrder, Refill
from .batch_rows import ORDER_ID, OutcomesByText, decode_rows
from .converter import structure_row
from .envelope import (
    SERVER_ERROR,
    check_owners,
    make_rejection,
    no_usable_response,
    parse_payload,
    reject_deep_nesting,
    unreadable_response,
    unwrap_data,
)
from .error_shapes import is_bare_error
from .evidence import Evidence, collect_texts, find_denied_ids, weigh
from .json_values import Conflict
from .row_matching import RowShape, has_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from .messages import Request, Response
    from .panel_words import PanelWords

T = TypeVar("T")
_CLIENT_ERROR = 400


@reject_deep_nesting
def decode_placed_order(request: Request, response: Response, words: PanelWords) -> PlacedOrder:
    """Decode the response to a new order (panel-api §4.2)."""
    payload = parse_payload(request, response)
    return _conclude(request, words, payload, _read_placed_order, response)


@reject_deep_nesting
def decode_refills(request: Request, response: Response, words: PanelWords) -> OutcomesByText[Refill]:
    """Decode the refill of each order (panel-api §6.2)."""
    return _decode_batch(request, response, words, _REFILL_ROWS, _read_refill)


@reject_deep_nesting
def decode_cancellations(request: Request, response: Response, words: PanelWords) -> OutcomesByText[Cancellation]:
    """Decode the cancellation of each order (panel-api §8.2)."""
    return _decode_batch(request, response, words, _CANCEL_ROWS, _read_cancellation)


_REFILL_ROWS = RowShape(
    names=ORDER_ID,
    # One family of panels returns the order's id as the refill's.
    spare_names=(("refill", "status"), ("id", "")),
    flat=frozenset({"refill", "refill_id", "status", "success", "ok", "result"}),
)
_CANCEL_ROWS = RowShape(
    names=ORDER_ID,
    flat=frozenset({"cancel", "status", "success", "ok", "result", "canceled", "cancelled"}),
    lists=(("canceled", "cancel"), ("cancelled", "cancel")),
)


def _decode_batch(
    request: Request,
    response: Response,
    words: PanelWords,
    shape: RowShape,
    read: Callable[[object, Evidence], T | None],
) -> OutcomesByText[T]:
    """Return the outcome of each id that has a row.

    Next to rows, an error or a flag is about the other ids. With a single id,
    there are no others: then the whole response must agree with its row.
    """
    whole = parse_payload(request, response)
    payload = unwrap_data(whole)
    if len(request.ids) == 1 and not has_rows(payload, request.ids, shape):
        payload = whole
    if not _is_list_of_rows(payload) and not has_rows(payload, request.ids, shape):
        _check(request, words, weigh(request, whole, words), response)
    elif response.status >= SERVER_ERROR and len(request.ids) > 1:
        # The panel may have failed in the middle of the ids.
        raise no_usable_response(request, f"the panel answered HTTP {response.status}", response=response)
    check_owners(request, whole, shape)
    if not payload:
        raise unreadable_response(request, "the answer is empty")

    def parse(row: object) -> T:
        fields = row if isinstance(row, (dict, list)) else {request.action: row}
        if len(request.ids) > 1:
            return _conclude(request, words, fields, read)
        return _conclude_single(request, words, fields, read, whole, response)

    outcomes = decode_rows(request, payload, shape, parse)
    # Where there is nothing but rows, each id has one: two that differ are a conflict.
    has_more = isinstance(whole, dict) and len(request.ids) > 1 and not whole.keys() <= request.ids.keys()
    if not has_more:
        return outcomes
    contested = find_denied_ids(request, whole, words)
    return {
        text: _contest(request, outcome) if text in contested and isinstance(outcome, Ok) else outcome
        for text, outcome in outcomes.items()
    }


def _contest(request: Request, outcome: Ok[T]) -> Outcome[T]:
    """Return the outcome of an id that is accepted in one place of the response and rejected in another."""
    reported_id = outcome.value.refill if isinstance(outcome.value, Refill) else None
    reason = "the panel answered with an acceptance and with an error for this id"
    return Failed(outcome.id, no_usable_response(request, reason, reported_id=reported_id))


def _conclude_single(
    request: Request,
    words: PanelWords,
    row: object,
    read: Callable[[object, Evidence], T | None],
    whole: object,
    response: Response,
) -> T:
    """Return what was made, according to the row of the only id, unless the rest of the response is against it.

    A flag of success around a refusal only says that the request was processed.
    """
    evidence = weigh(request, whole, words)
    try:
        value = _conclude(request, words, row, read)
    except PanelError:
        if evidence.ids or evidence.traces:
            _check(request, words, evidence, response)
        raise
    _check(request, words, evidence, response)
    return value


def _is_list_of_rows(payload: object) -> bool:
    """Return whether a response is a list that cannot be one error for all ids."""
    return isinstance(payload, list) and (len(payload) > 1 or not all(map(is_bare_error, payload)))


def _conclude(
    request: Request,
    words: PanelWords,
    payload: object,
    read: Callable[[object, Evidence], T | None],
    response: Response | None = None,
) -> T:
    """Return what was made, according to a response or a row.

    Raises:
        PanelError: the panel has refused.
        OutcomeUnknownError: nothing proves either.
    """
    evidence = weigh(request, payload, words)
    _check(request, words, evidence, response)
    value = None if isinstance(payload, Conflict) else read(payload, evidence)
    if value is None:
        reason = "the answer does not say that the request was accepted"
        raise no_usable_response(request, reason, reported_id=evidence.reported_id)
    return value


def _check(request: Request, words: PanelWords, evidence: Evidence, response: Response | None = None) -> None:
    """Check that nothing is said against the write.

    Raises:
        PanelError: the panel has refused it.
        OutcomeUnknownError: the panel contradicts itself, or reports a fault of its own.
    """
    error = _find_error(request, words, evidence, response)
    if error is not None:
        raise error


def _find_error(
    request: Request, words: PanelWords, evidence: Evidence, response: Response | None
) -> FollowersDataError | None:
    status = response.status if response else 200
    reported_id = evidence.reported_id if len(request.ids) <= 1 or response is None else None
    if not (evidence.denials or status >= _CLIENT_ERROR):
        reason = "; ".join(evidence.doubts)
        return no_usable_response(request, reason, response=response, reported_id=reported_id) if reason else None
    if acceptance := evidence.find_acceptance():
        against = [f'"{message}"' for message in evidence.messages] or evidence.denials or [f"HTTP {status}"]
        reason = f"the panel answered with {acceptance} and with {against[0]}"
        return no_usable_response(request, reason, response=response, reported_id=reported_id)
    is_silent = not (evidence.messages or evidence.codes or evidence.doubts)
    if evidence.is_declined and is_silent and status < _CLIENT_ERROR:
        return PanelError("", http_status=status, action=request.action)
    # With HTTP 4xx, some panels send texts under the names of fields.
    messages = evidence.messages or (collect_texts(evidence.payload) if status >= _CLIENT_ERROR else [])
    return make_rejection(request, words, messages, evidence.codes, response=response)


# --- what was made


def _read_placed_order(_: object, evidence: Evidence) -> PlacedOrder | None:
    """Return the order of a response with exactly one id."""
    return structure_row(fields, PlacedOrder) if (fields := _read_id(evidence, "order")) else None


def _read_refill(row: object, evidence: Evidence) -> Refill | None:
    """Return the refill of a row with exactly one id, or of a row without any that confirms it."""
    if fields := _read_id(evidence, "refill"):
        return structure_row(fields, Refill)
    if evidence.ids or not evidence.is_confirmed:
        return None
    return Refill(extra=dict(row) if isinstance(row, dict) else {})


def _read_cancellation(row: object, evidence: Evidence) -> Cancellation | None:
    """Return the cancellation of a row that confirms it."""
    if not evidence.is_confirmed:
        return None
    fields = row if isinstance(row, dict) else {}
    return Cancellation(extra={name: value for name, value in fields.items() if name != "cancel"})


def _read_id(evidence: Evidence, name: str) -> dict[str, object] | None:
    """Return the fields of what was made, with its id under ``name``, if the response has exactly one id."""
    if not evidence.ids or evidence.reported_id is None:
        return None
    made = evidence.ids[0]
    return {**{key: value for key, value in made.fields.items() if key != made.name}, name: made.value}
