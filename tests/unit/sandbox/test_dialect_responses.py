"""What dialects make of documented results, and how each reads a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from followersdata_async.sandbox.dialects import get_dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS = {"charge": "1", "start_count": "2", "status": "In progress", "remains": "3", "currency": "USD"}
ERROR = {"error": "Incorrect order ID"}
NO_ID = ERROR["error"]
WRONG_KEY = "Invalid API key"
ACCEPTED = {"order": 1, "cancel": 1}
MISSING = {"error": "Order ID is required parameter. Please check your API Manual"}


@pytest.mark.parametrize(
    ("dialect", "fields", "result", "status", "body"),
    [
        ("capital", {"action": "add"}, {"order": 1}, 200, {"Order": 1}),
        (
            "capital",
            {"action": "status", "orders": "1,2"},
            {"1": STATUS, "2": ERROR},
            200,
            {
                "1": {"Charge": "1", "Start_Count": "2", "Status": "In progress", "Remains": "3", "Currency": "USD"},
                "2": {"Error": "Incorrect order ID"},
            },
        ),
        (
            "capital",
            {"action": "cancel"},
            [{"order": 1, "cancel": ERROR}],
            200,
            [{"Order": 1, "Cancel": {"Error": NO_ID}}],
        ),
        ("yii", {"action": "add"}, {"order": 1}, 200, {"success": True, "data": {"order": 1}}),
        ("yii", {"action": "add"}, ERROR, 200, {"success": False, "data": {"message": NO_ID}}),
        ("laravel", {"action": "add"}, {"order": 1}, 200, {"status": "success", "order": 1}),
        (
            "laravel",
            {"action": "add"},
            {"error": "Bad link"},
            422,
            {"message": "The given data was invalid.", "errors": {"link": ["Bad link"]}},
        ),
        ("laravel", {"action": "balance"}, {"error": WRONG_KEY}, 401, {"status": "fail", "message": WRONG_KEY}),
        (
            "laravel",
            {"action": "status", "orders": "1,2"},
            {"1": {"status": "Completed"}, "2": ERROR},
            200,
            {
                "1": {"status": "success", "order_status": "Completed"},
                "2": {"status": "fail", "message": NO_ID},
            },
        ),
        (
            "laravel",
            {"action": "refill_status", "refill": "1"},
            {"status": "Completed"},
            200,
            {"status": "success", "refill_status": "Completed"},
        ),
        ("single-order", {"action": "status", "orders": "1"}, ERROR, 200, MISSING),
        ("single-order", {"action": "refill_status", "refills": "1"}, ERROR, 200, MISSING),
        ("single-order", {"action": "cancel", "order": "1"}, [ACCEPTED], 200, ACCEPTED),
        ("single-order", {"action": "cancel", "order": "1"}, [{"order": 1, "cancel": ERROR}], 200, ERROR),
        ("crash-200", {"action": "add"}, {"order": 1}, 200, {"order": 1}),
        ("crash-200", {"action": "add"}, {"order": 3}, 200, {"error": "Service temporarily unavailable"}),
        ("crash-200", {"action": "add"}, {"error": "Bad link"}, 200, {"error": "Bad link"}),
        (
            "crash-200",
            {"action": "cancel"},
            [ACCEPTED, {"order": 12, "cancel": 1}, {"order": 24, "cancel": ERROR}],
            200,
            [ACCEPTED, {"order": 12, "cancel": {"error": "Server error"}}, {"order": 24, "cancel": ERROR}],
        ),
    ],
)
def test_a_result_is_written_as_the_dialect_writes_it(
    dialect: str, fields: dict[str, str], result: Any, status: int, body: Any
) -> None:
    """And with its HTTP status."""
    response = get_dialect(dialect).create_response(fields, lambda _: result)
    assert (response.status, json.loads(response.body)) == (status, body)


def test_a_dialect_of_single_orders_carries_nothing_out_for_many() -> None:
    """The fields that name many do not reach the panel; a cancellation may name a single order."""
    seen: list[Any] = []

    def handle(fields: Mapping[str, str]) -> list[dict[str, int]]:
        seen.append(dict(fields))
        return [ACCEPTED]

    for fields in ({"action": "refill", "orders": "1,2"}, {"action": "cancel", "order": "7"}):
        get_dialect("single-order").create_response(fields, handle)
    assert seen == [{"action": "refill"}, {"action": "cancel", "order": "7", "orders": "7"}]
