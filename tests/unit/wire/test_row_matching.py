"""Which row belongs to which id: matched by what it says, or refused as a whole."""

from __future__ import annotations

import pytest

from followersdata_async._wire.row_matching import RowShape, UnmatchableError, match_rows

STATUS = RowShape(key="order", flat=frozenset({"status"}))
REFILL = RowShape(key="order", spare_key="refill", flat=frozenset({"refill"}))
A, B = {"status": "A"}, {"status": "B"}


@pytest.mark.parametrize(
    ("payload", "asked", "rows"),
    [
        ({"1": A, "2": B}, ("1", "2"), {"1": A, "2": B}),
        ({"2": B, "1": A}, ("1", "2"), {"1": A, "2": B}),
        ({"1": A, "9": B}, ("1", "2"), {"1": A}),
        ({"1": "Incorrect order ID"}, ("1", "2"), {"1": "Incorrect order ID"}),
        ({"8": A, "9": B}, ("1", "2"), {}),
        ({}, ("1", "2"), {}),
        (A, ("1",), {"1": A}),
        ({"order": "2", **B}, ("1", "2"), {"2": {"order": "2", **B}}),
        ([{"order": 2, **B}, {"order": "1", **A}], ("1", "2"), {"2": {"order": 2, **B}, "1": {"order": "1", **A}}),
        ([{"order": 1, **A}, {"order": 9, **B}], ("1", "2"), {"1": {"order": 1, **A}}),
        ([{"order": 1, **A}, {"order": 1, **A}], ("1",), {"1": {"order": 1, **A}}),
        ([{"order": 1, **A}, {"order": 1, **B}], ("1",), {"1": None}),
        ([{"order": 1, **A}, {"order": None, **B}], ("1", "2"), {"1": {"order": 1, **A}}),
        ([{"order": 1, **A}, "noise"], ("1",), {"1": {"order": 1, **A}}),
        ([A, B], ("1", "2"), {"1": A, "2": B}),
        ([A], ("ord_1",), {"ord_1": A}),
        ([], ("1", "2"), {}),
    ],
)
def test_rows_are_matched_by_the_id_that_they_name(
    payload: object, asked: tuple[str, ...], rows: dict[str, object]
) -> None:
    """A row nobody asked for is dropped; two that differ are as good as none."""
    assert match_rows(payload, asked, STATUS) == rows


def test_rows_keyed_by_their_refill_have_no_refill_of_their_own() -> None:
    """One family puts the order's id there; then it says nothing about a refill's id."""
    payload = [{"refill": 1, "status": "success"}, {"refill": 9, "status": "success"}]
    assert match_rows(payload, ("1", "2"), REFILL) == {"1": {"status": "success"}}


@pytest.mark.parametrize(
    ("payload", "asked"),
    [
        (None, ("1",)),
        ("text", ("1",)),
        (7, ("1",)),
        ({"message": "hello"}, ("1", "2")),
        (A, ("1", "2")),
        ({"order": "9", **A}, ("1", "2")),
        (["1", "2"], ("1", "2")),
        ([A], ("1", "2")),
        ([A, B], ("2", "1")),
        ([A, B], ("1", "b")),
        ([A, B, A], ("1", "2")),
    ],
)
def test_what_cannot_be_matched_is_refused_as_a_whole(payload: object, asked: tuple[str, ...]) -> None:
    """Never guessed: rows without ids belong to ids only if these went up, and were as many."""
    with pytest.raises(UnmatchableError):
        match_rows(payload, asked, STATUS)
