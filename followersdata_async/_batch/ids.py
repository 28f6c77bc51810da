"""Ids before they are asked, each once; and their outcomes as one result, in the caller's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..models import BatchResult, Unreported, id_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..models import Id, Outcome

T = TypeVar("T")


def unique(ids: Iterable[Id]) -> list[Id]:
    """The ids in the order of their first mention; ``7`` and ``"7"`` are one.

    Raises:
        TypeError: ``ids`` is a single id, or something in it is no id.
        ValueError: an id is empty, or has a comma, a blank or a control character.
    """
    checked_iterable(ids)
    first_mentions: dict[str, Id] = {}
    for id_ in ids:
        first_mentions.setdefault(id_text(id_), id_)
    return list(first_mentions.values())


def checked_iterable(ids: object) -> None:
    """Refuse what iterates, but not over ids: a text would be cut into its letters.

    Raises:
        TypeError: ``ids`` is a text, bytes or a single number.
    """
    if isinstance(ids, (str, bytes, bytearray, int)):
        msg = f"ids is one {type(ids).__name__}: pass them as a list, e.g. [{ids!r}]"
        raise TypeError(msg)


def merged(asked: Sequence[Id], outcomes: Mapping[str, Outcome[T]], *, requests: int) -> BatchResult[T]:
    """The outcomes of all chunks as one result: one for each id asked, in that order."""
    return BatchResult(in_order(asked, outcomes), requests=requests)


def in_order(asked: Sequence[Id], outcomes: Mapping[str, Outcome[T]]) -> list[Outcome[T]]:
    """One outcome for each id asked, in that order.

    ``outcomes`` is keyed by the ids' texts. An id without an outcome is
    unreported; an outcome for an id that nobody asked is dropped.
    """
    return [outcomes.get(id_text(id_)) or Unreported(id_) for id_ in asked]
