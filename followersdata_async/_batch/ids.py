"""Ids of a batch call: validated and formatted once, then carried as pairs of string and id."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ..models import Id, Unreported, format_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..models import Outcome

T = TypeVar("T")

Ids: TypeAlias = dict[str, Id]
"""Ids in order, keyed by the string that is sent; the values are what the caller passed."""


def format_ids(ids: Iterable[Id]) -> Ids:
    """Validate ids and key them by the string that is sent. ``7`` and ``"7"`` are one id; the first one counts.

    Raises:
        TypeError: ``ids`` is a single id, or an item is not an id.
        ValueError: an id is empty, or has a comma, a blank or a control character.
    """
    check_iterable(ids)
    given = list(ids)
    if set(map(type, given)) == {int}:
        # Integers need no validation.
        return dict(zip(map(str, given), given, strict=True))
    by_text: Ids = {}
    for id_ in given:
        by_text.setdefault(format_id(id_), id_)
    return by_text


def check_iterable(ids: object) -> None:
    """Check that ``ids`` is not a single id: a string would be split into characters.

    Raises:
        TypeError: it is a string, bytes or a number.
    """
    if isinstance(ids, (str, bytes, bytearray, int)):
        msg = f"ids is one {type(ids).__name__}: pass them as a list, e.g. [{ids!r}]"
        raise TypeError(msg)


def split_ids(ids: Mapping[str, Id], size: int) -> Iterator[Ids]:
    """Split ids into chunks of at most ``size``."""
    items = iter(ids.items())
    while chunk := dict(islice(items, size)):
        yield chunk


def complete_outcomes(ids: Mapping[str, Id], outcomes: Mapping[str, Outcome[T]]) -> dict[str, Outcome[T]]:
    """Return one outcome for each id, in the order of the ids.

    An id without an outcome is unreported. Outcomes for other ids are dropped.
    """
    if list(outcomes) == list(ids):
        return dict(outcomes)
    return {text: outcomes.get(text) or Unreported(id_) for text, id_ in ids.items()}
