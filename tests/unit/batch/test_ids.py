"""Ids before they are sent, and their outcomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async._batch.ids import complete_outcomes, format_ids, split_ids
from followersdata_async.models import Failed, Ok, Unreported, format_id

IDS = st.one_of(st.integers(0, 30), st.integers(0, 30).map(str), st.from_regex(r"\A[a-z]{1,2}\Z"))


def test_an_id_is_asked_once_as_it_was_first_mentioned() -> None:
    """``7`` and ``"7"`` are one; ``"07"`` is another."""
    assert format_ids([7, "8", "7", 8, "07", 7]) == {"7": 7, "8": "8", "07": "07"}


@given(st.lists(IDS))
def test_every_id_is_kept_in_order(ids: list[int | str]) -> None:
    """Nothing is lost, nothing comes twice, the order is that of the first mention."""
    texts = [format_id(id_) for id_ in ids]
    unique = format_ids(ids)
    assert list(unique) == list(dict.fromkeys(texts))
    assert [format_id(id_) for id_ in unique.values()] == list(unique)


@pytest.mark.parametrize("ids", ["123", b"123", bytearray(b"1"), 123])
def test_a_single_id_is_no_iterable_of_ids(ids: object) -> None:
    """A text iterates over its letters: ``"123"`` would ask for the orders 1, 2 and 3."""
    with pytest.raises(TypeError, match=r"pass them as a list, e\.g\. \["):
        format_ids(ids)  # type: ignore[arg-type]


def test_missing_ids_are_unreported_and_other_ids_are_dropped() -> None:
    """Every id has one outcome, in the order of the ids."""
    outcomes = {"2": Ok("2", "two"), "9": Ok("9", "nine")}
    assert complete_outcomes(format_ids([1, "2"]), outcomes) == {"1": Unreported(1), "2": Ok("2", "two")}


@given(st.lists(IDS), st.dictionaries(st.integers(0, 30).map(str), st.booleans()))
def test_every_id_has_one_outcome_in_the_order_of_the_ids(ids: list[int | str], found: dict[str, bool]) -> None:
    """Law 1, whatever the outcomes are."""
    outcomes = {text: Ok(text, text) if good else Failed(text, ValueError()) for text, good in found.items()}  # type: ignore[arg-type]
    unique = format_ids(ids)
    assert list(complete_outcomes(unique, outcomes)) == list(unique)


@given(st.lists(IDS), st.integers(1, 9))
def test_chunks_are_full_and_lose_nothing(ids: list[int | str], size: int) -> None:
    """Only the last one can have room."""
    unique = format_ids(ids)
    chunks = list(split_ids(unique, size))
    assert [item for chunk in chunks for item in chunk.items()] == list(unique.items())
    assert all(len(chunk) == size for chunk in chunks[:-1])
