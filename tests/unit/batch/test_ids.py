"""Ids before they are asked, and outcomes put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async._batch.ids import merged, unique
from followersdata_async.models import BatchResult, Failed, Ok, Unreported, id_text

IDS = st.one_of(st.integers(0, 30), st.integers(0, 30).map(str), st.from_regex(r"\A[a-z]{1,2}\Z"))


def test_an_id_is_asked_once_as_it_was_first_mentioned() -> None:
    """``7`` and ``"7"`` are one; ``"07"`` is another."""
    assert unique([7, "8", "7", 8, "07", 7]) == [7, "8", "07"]


@given(st.lists(IDS))
def test_unique_keeps_every_id_and_its_order(ids: list[int | str]) -> None:
    """Nothing is lost, nothing comes twice, the order is that of the first mention."""
    texts = [id_text(id_) for id_ in ids]
    assert [id_text(id_) for id_ in unique(ids)] == list(dict.fromkeys(texts))


@pytest.mark.parametrize("ids", ["123", b"123", bytearray(b"1"), 123])
def test_a_single_id_is_no_iterable_of_ids(ids: object) -> None:
    """A text iterates over its letters: ``"123"`` would ask for the orders 1, 2 and 3."""
    with pytest.raises(TypeError, match=r"pass them as a list, e\.g\. \["):
        unique(ids)  # type: ignore[arg-type]


def test_what_is_missing_is_unreported_and_what_nobody_asked_is_dropped() -> None:
    """Every id asked has one outcome, in that order."""
    found = {"2": Ok("2", "two"), "9": Ok("9", "nine")}
    result: BatchResult[str] = merged([1, "2"], found, requests=1)
    assert list(result.values()) == [Unreported(1), Ok("2", "two")]
    assert result.requests == 1


@given(st.lists(IDS, unique_by=id_text), st.dictionaries(st.integers(0, 30).map(str), st.booleans()))
def test_merged_has_one_outcome_for_each_id_in_the_order_asked(asked: list[int | str], found: dict[str, bool]) -> None:
    """Law 1, for whatever was found."""
    outcomes = {text: Ok(text, text) if good else Failed(text, ValueError()) for text, good in found.items()}  # type: ignore[arg-type]
    assert [id_text(id_) for id_ in merged(asked, outcomes, requests=0)] == [id_text(id_) for id_ in asked]
