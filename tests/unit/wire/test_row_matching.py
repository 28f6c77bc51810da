"""Which row belongs to which id: matched by what it says, or refused as a whole."""

from __future__ import annotations

import pytest

from followersdata_async._wire.json_values import Conflict
from followersdata_async._wire.row_matching import RowShape, UnmatchableError, match_rows

STATUS = RowShape(names=("order", "order_id"), flat=frozenset({"status"}))
REFILL = RowShape(names=("order",), spare_names=(("refill", "status"), ("id", "")), flat=frozenset({"refill"}))
A, B = {"status": "A"}, {"status": "B"}


def named(id_: object, status: str, name: str = "order") -> dict[str, object]:
    """A row that names an id."""
    return {name: id_, "status": status}


@pytest.mark.parametrize(
    ("payload", "asked", "rows"),
    [
        ({"1": A, "2": B}, "1 2", {"1": A, "2": B}),
        ({"2": B, "1": A}, "1 2", {"1": A, "2": B}),
        ({"1": A, "9": B}, "1 2", {"1": A}),
        ({"1": "Incorrect order ID"}, "1 2", {"1": "Incorrect order ID"}),
        ({"8": A, "9": B}, "1 2", {}),
        ({}, "1 2", {}),
        (A, "1", {"1": A}),
        (named("2", "B"), "1 2", {"2": named("2", "B")}),
        # A row's own id goes before its key, unless nobody asked for it.
        ({"1": named(2, "B"), "2": named(1, "A")}, "1 2", {"1": named(1, "A"), "2": named(2, "B")}),
        ({"1": named(7, "A")}, "1 2", {"1": named(7, "A")}),
        ({"1": A, "2": named(1, "B")}, "1 2", {"1": [A, named(1, "B")]}),
        # PHP writes a list with a hole as an object keyed by position.
        ({"0": named(1, "A"), "2": named(3, "B")}, "1 2 3", {"1": named(1, "A"), "3": named(3, "B")}),
        ({"0": named(1, "A"), "2": {"error": "x"}}, "1 2 3", {"1": named(1, "A")}),
        ({"1": named(70, "A"), "2": {"error": "x"}}, "2 70 71", {"70": named(70, "A")}),
        ({"0": named(1, "A", "id"), "2": named(3, "B", "id")}, "1 2 3", {"1": A, "3": B}),
        # What names an id elsewhere is another row of it.
        ({"1": A, "2": B, "last": named(1, "C")}, "1 2", {"1": [A, named(1, "C")], "2": B}),
        # A row that names two ids is of neither.
        ({"1": {"order": 1, "order_id": 2, **A}, "2": B}, "1 2", {"2": B}),
        ([{"order": 1, "order_id": 2, **A}, named(2, "B")], "1 2", {"2": named(2, "B")}),
        # Lists.
        ([named(2, "B"), named("1", "A")], "1 2", {"2": named(2, "B"), "1": named("1", "A")}),
        (
            [named(2, "B", "order_id"), named(1, "A", "order_id")],
            "1 2",
            {
                "2": named(2, "B", "order_id"),
                "1": named(1, "A", "order_id"),
            },
        ),
        ([named(2, "B", "id"), named(1, "A", "id")], "1 2", {"2": B, "1": A}),
        ([named(8, "A", "id"), named(9, "B", "id")], "1 2", {"1": named(8, "A", "id"), "2": named(9, "B", "id")}),
        ([named(1, "A"), named(9, "B")], "1 2", {"1": named(1, "A")}),
        ([named(1, "A"), named(1, "A")], "1", {"1": named(1, "A")}),
        ([named(1, "A"), named(1, "B")], "1", {"1": [named(1, "A"), named(1, "B")]}),
        ([named(1, "A"), named(None, "B")], "1 2", {"1": named(1, "A")}),
        ([named(1, "A"), "noise"], "1", {"1": named(1, "A")}),
        ([A, B], "1 2", {"1": A, "2": B}),
        ([A], "ord_1", {"ord_1": A}),
        ([], "1 2", {}),
        # Wrapped once more.
        ({"orders": {"1": A, "2": B}}, "1 2", {"1": A, "2": B}),
        ({"status": "success", "result": {"2": B}}, "1 2", {"2": B}),
        ({"status": "success", "orders": {"1": A}}, "1", {"1": A}),
        ({"data": [named(2, "B")], "total": 1}, "1 2", {"2": named(2, "B")}),
        ({"response": named(2, "B")}, "1 2", {"2": named(2, "B")}),
    ],
)
def test_rows_are_matched_by_the_id_that_they_name(payload: object, asked: str, rows: dict[str, object]) -> None:
    """A row nobody asked for is dropped; two that differ are a conflict."""
    found = match_rows(payload, dict.fromkeys(asked.split()), STATUS)
    assert found == rows
    assert all(type(row) is Conflict for row in found.values() if isinstance(row, list))


def test_rows_keyed_by_their_refill_have_no_refill_of_their_own() -> None:
    """One family puts the order's id there; then it says nothing about a refill's id."""
    payload = [{"refill": 1, "status": "success"}, {"refill": 3, "status": "success"}]
    assert match_rows(payload, dict.fromkeys("123"), REFILL) == {"1": {"status": "success"}, "3": {"status": "success"}}


def test_ids_of_refills_are_not_taken_for_ids_of_orders() -> None:
    """If none of them was requested, the rows are in the order of the ids; if some were, nobody can tell."""
    payload = [{"refill": 70, "status": "success"}, {"refill": 71, "status": "success"}]
    assert match_rows(payload, dict.fromkeys("12"), REFILL) == {"1": payload[0], "2": payload[1]}
    with pytest.raises(UnmatchableError):
        match_rows([{"refill": 2, "status": "success"}, payload[1]], dict.fromkeys("12"), REFILL)
    plain = [{"refill": 1}, {"refill": 2}]
    assert match_rows(plain, dict.fromkeys("12"), REFILL) == {"1": plain[0], "2": plain[1]}


@pytest.mark.parametrize(
    ("payload", "asked"),
    [
        (None, "1"),
        ("text", "1"),
        (7, "1"),
        ({"message": "hello"}, "1 2"),
        (A, "1 2"),
        (named("9", "A"), "1 2"),
        (["1", "2"], "1 2"),
        ([A], "1 2"),
        ([A, B], "2 1"),
        ([A, B], "1 b"),
        ([A, B, A], "1 2"),
        # Positions in a list with a hole say nothing.
        ({"0": A, "2": B}, "1 2 3"),
        # Wrapped, but nothing in it was asked for, or there are two of it.
        ({"orders": {"8": A}}, "1 2"),
        ({"orders": {}}, "1 2"),
        ({"orders": {"1": A}, "others": {"2": B}}, "1 2"),
        (Conflict([A, B]), "1 2"),
    ],
)
def test_what_cannot_be_matched_is_refused_as_a_whole(payload: object, asked: str) -> None:
    """Never guessed: rows without ids belong to ids only if these went up, and were as many."""
    with pytest.raises(UnmatchableError):
        match_rows(payload, dict.fromkeys(asked.split()), STATUS)
