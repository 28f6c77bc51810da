"""From the rows of a batch response to the outcome of each id (panel-api §5.3, §10.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ..errors import DecodeError, FollowersDataError, PanelError
from ..models import Failed, Id, Ok, Outcome, Refused
from .columns import build_oks
from .converter import UnreadableError
from .envelope import unreadable_response
from .json_values import Conflict
from .row_matching import RowShape, UnmatchableError, match_rows

if TYPE_CHECKING:
    from .messages import Request

T = TypeVar("T")
RowParser: TypeAlias = Callable[[object], T]
OutcomesByText: TypeAlias = Mapping[str, Outcome[T]]
"""Outcomes by the string that an id was sent as."""

ORDER_ID: tuple[str, ...] = ("order", "order_id", "orderId")
"""The fields with which a row names its order."""


def decode_rows(
    request: Request,
    payload: object,
    shape: RowShape,
    parse: RowParser[T],
    parse_plain: Callable[[Mapping[str, object]], Mapping[str, T]] = lambda _: {},
) -> OutcomesByText[T]:
    """Return the outcome of each id that has a row.

    ``parse`` returns the value of a row or raises the error of its id.
    ``parse_plain`` reads most rows, all together, and leaves the others to ``parse``.

    Raises:
        DecodeError, OutcomeUnknownError: it cannot be told which rows belong to which ids.
    """
    ids = request.ids
    rows: Mapping[str, object] = {}
    plain: Mapping[str, T] = {}
    if isinstance(payload, dict) and payload.keys() == ids.keys():
        rows, plain = payload, parse_plain(payload)
    # Plain rows name no id, so they belong to their keys, unless another row names the same id.
    if len(plain) < len(ids):
        matched = _match_rows(request, payload, shape)
        plain = {id_: plain[id_] for id_ in plain if matched.get(id_) is rows[id_]} if plain else parse_plain(matched)
        rows = matched
    outcomes: dict[str, Outcome[T]] = dict(
        zip(plain, build_oks(map(ids.__getitem__, plain), plain.values()), strict=True)
    )
    if len(plain) < len(rows):
        for text in rows.keys() - plain.keys():
            outcomes[text] = _decode_row(request, ids[text], rows[text], parse)
    return outcomes


def _match_rows(request: Request, payload: object, shape: RowShape) -> Mapping[str, object]:
    try:
        return match_rows(payload, request.ids, shape)
    except UnmatchableError as error:
        if isinstance(payload, list):
            raise DecodeError(str(error), action=request.action) from None
        raise unreadable_response(request, str(error)) from None


def _decode_row(request: Request, id_: Id, row: object, parse: RowParser[T]) -> Outcome[T]:
    try:
        return Ok(id_, parse(row))
    except PanelError as error:
        return Refused(id_, error)
    except UnreadableError as error:
        return Failed(id_, DecodeError("the row cannot be read", action=request.action, problems=error.problems))
    except FollowersDataError as error:
        return Failed(id_, error)


def check_object(row: object) -> Mapping[str, object]:
    """Return a row that is a single object.

    Raises:
        UnreadableError: it is not.
    """
    if isinstance(row, Conflict):
        raise UnreadableError(("two rows for this id differ",))
    if not isinstance(row, dict):
        raise UnreadableError(("an object was expected",))
    return row
