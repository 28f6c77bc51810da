"""Which fields get their documented names."""

from __future__ import annotations

import pytest

from followersdata_async._wire.field_names import unify_names
from followersdata_async._wire.json_values import Conflict


@pytest.mark.parametrize(
    ("payload", "unified"),
    [
        ({"Order": 1}, {"order": 1}),
        ({"ORDER_ID": 1, "Start-Count": 2}, {"order_id": 1, "start_count": 2}),
        ({"orderId": 1, "startCount": 2, "refillStatus": "x"}, {"order_id": 1, "start_count": 2, "refill_status": "x"}),
        ({"serviceId": 1, "averageTime": "5"}, {"serviceId": 1, "average_time": "5"}),
        (
            {"1": {"Charge": "1", "Status": "x"}, "2": {"Error": "y"}},
            {"1": {"charge": "1", "status": "x"}, "2": {"error": "y"}},
        ),
        ([{"Order": 1, "Refill": {"Error": "x"}}], [{"order": 1, "refill": {"error": "x"}}]),
        ({"data": {"1": {"Status": "x"}}}, {"data": {"1": {"status": "x"}}}),
        ([{"error": "x"}, {"Status": "y"}], [{"error": "x"}, {"status": "y"}]),
        (Conflict([{"Order": 1}, {"Order": 2}]), Conflict([{"order": 1}, {"order": 2}])),
        # Both stand: neither is preferred, and the documented one keeps its name.
        ({"order": 1, "Order": 2}, {"order": 1, "Order": 2}),
        ({"Order": 1, "ORDER": 2}, {"Order": 1, "ORDER": 2}),
        # Others keep their names, and so do ids.
        ({"Speed": 1, "ORD-5": {"x": 1}}, {"Speed": 1, "ORD-5": {"x": 1}}),
        ({"Speed": 1, "Status": "x"}, {"Speed": 1, "status": "x"}),
        ("Order", "Order"),
        (None, None),
        ([], []),
        ({}, {}),
    ],
)
def test_fields_get_their_documented_names(payload: object, unified: object) -> None:
    """In any case, with any separators, at any depth."""
    assert unify_names(payload) == unified


def test_a_response_with_documented_names_is_left_as_it_is() -> None:
    """It is not copied."""
    payload = {"1": {"status": "x", "charge": 1}, "2": {"status": "y", "Other": 1}}
    assert unify_names(payload) is payload
