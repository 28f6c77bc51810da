"""The lifecycles of orders, drip-feeds, subscriptions, refills and cancellations."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from followersdata_async.sandbox.backend import Backend
from tests.helpers.sandbox import DAY, KEY, SUBSCRIPTION, add_order, get_status, send


def collect_statuses(backend: Backend, order: int) -> list[str]:
    """Return the statuses of an order in their sequence over time."""
    seen: list[str] = []
    for now in range(1000, 6000, 5):
        row = send(backend, "status", float(now), order=str(order))
        assert isinstance(row, dict)
        if not seen or seen[-1] != row["status"]:
            seen.append(str(row["status"]))
    return seen


def test_orders_move_through_their_states() -> None:
    """Most are completed. A few are partial, and what remains is not charged."""
    backend = Backend(seed=3, started_at=1000.0)
    ends = {}
    for _ in range(40):
        add_order(backend)
    for order in range(1, 41):
        states = collect_statuses(backend, order)
        assert states[:2] == ["Pending", "In progress"]
        ends[states[-1]] = send(backend, "status", 1e9, order=str(order))
    assert ends.keys() == {"Completed", "Partial"}
    assert ends["Completed"]["remains"] == "0"  # type: ignore[index]
    partial = ends["Partial"]
    assert isinstance(partial, dict)
    left = Decimal(str(partial["remains"]))
    assert Decimal(str(partial["charge"])) == (Decimal("0.9") * (1000 - left) / 1000).quantize(Decimal("0.00001"))


def test_a_status_has_the_documented_members(backend: Backend) -> None:
    """All of them are strings."""
    add_order(backend)
    row = send(backend, "status", order="501")
    assert isinstance(row, dict)
    assert list(row) == ["charge", "start_count", "status", "remains", "currency"]
    assert all(isinstance(value, str) for value in row.values())


def add_refillable_order(backend: Backend) -> str:
    """Add an order that can be refilled after its end, and return its id."""
    add_order(backend)
    return "501"


def test_a_refill_moves_through_its_states(backend: Backend) -> None:
    """The id of a single refill is a string."""
    order = add_refillable_order(backend)
    assert send(backend, "refill", order=order) == {"error": "The order is not completed"}
    assert send(backend, "refill", 1e6, order=order) == {"refill": "1"}
    states = [send(backend, "refill_status", 1e6 + age, refill="1") for age in (0, 10, 1000)]
    assert states == [{"status": status} for status in ("Pending", "In progress", "Completed")]


def test_a_refill_may_be_rejected() -> None:
    """One of eight is."""
    backend = Backend(seed=3, started_at=1000.0)
    for _ in range(40):
        add_order(backend)
    send(backend, "refill", 1e6, orders=",".join(map(str, range(1, 41))))
    states = send(backend, "refill_status", 2e6, refills=",".join(map(str, range(1, 41))))
    assert isinstance(states, list)
    assert {row["status"] for row in states} == {"Completed", "Rejected"}


def test_refills_are_possible_from_a_day_to_a_month_after_the_end_once_a_day(backend: Backend) -> None:
    """Otherwise the error says why not."""
    order = add_refillable_order(backend)
    end = backend.lifecycles[501].ends_at
    again = {"error": "The order was completed or refill was requested less than 24 hours ago"}
    assert send(backend, "refill", end + DAY - 1, order=order) == again
    assert send(backend, "refill", end + DAY, order=order) == {"refill": "1"}
    assert send(backend, "refill", end + 2 * DAY - 1, order=order) == again
    assert send(backend, "refill", end + 2 * DAY, order=order) == {"refill": "2"}
    too_late = {"error": "Refill is not available for this order any more"}
    assert send(backend, "refill", end + 30 * DAY + 1, order=order) == too_late


def test_each_rejected_refill_has_its_own_error(backend: Backend) -> None:
    """For an unknown order, a service without refills, an unknown refill and one of another key."""
    add_order(backend, service="3")
    add_order(backend)
    result = send(backend, "refill", 1e6, orders="502,501,9999")
    assert result == [
        {"order": 502, "refill": 1},
        {"order": 501, "refill": {"error": "Refill is disabled for this service"}},
        {"order": 9999, "refill": {"error": "Incorrect order ID"}},
    ]
    states = send(backend, "refill_status", 1e6, refills="1,2,x")
    assert states == [
        {"refill": 1, "status": "Pending"},
        {"refill": 2, "status": {"error": "Refill not found"}},
        {"refill": "x", "status": {"error": "Refill not found"}},
    ]
    assert send(backend, "refill_status", 1e6, key="sandbox-two", refill="1") == {"error": "Refill not found"}


def test_a_cancellation_takes_effect_after_a_minute_and_refunds_what_was_not_delivered(backend: Backend) -> None:
    """It is accepted once, before the end, for services that allow it."""
    add_order(backend)
    add_order(backend, service="3")
    result = send(backend, "cancel", 1001.0, orders="501,502,9999")
    assert result == [
        {"order": 501, "cancel": 1},
        {"order": 502, "cancel": {"error": "Cancel is not available"}},
        {"order": 9999, "cancel": {"error": "Incorrect order ID"}},
    ]
    assert send(backend, "balance", 1060.9) == {"balance": "994.60000", "currency": "USD"}
    assert get_status(backend, 501, 1060.9)["status"] == "In progress"
    row = get_status(backend, 501, 1061.0)
    assert row["status"] == "Canceled"
    assert 0 < int(row["remains"]) < 1000
    paid_back = Decimal("0.9") - Decimal(row["charge"])
    assert send(backend, "balance", 1061.0) == {"balance": str(Decimal("994.60000") + paid_back), "currency": "USD"}
    assert send(backend, "balance", 1e9) == send(backend, "balance", 1061.0)
    assert send(backend, "cancel", 1002.0, orders="501") == [
        {"order": 501, "cancel": {"error": "Cancel already requested"}}
    ]
    add_order(backend, now=1002.0)
    done = [{"order": 503, "cancel": {"error": "Order already completed or canceled"}}]
    assert send(backend, "cancel", 1e6, orders="503") == done


def test_a_cancellation_within_the_last_minute_changes_nothing(backend: Backend) -> None:
    """The order ends before it takes effect."""
    add_order(backend)
    end = backend.lifecycles[501].ends_at
    assert send(backend, "cancel", end - 1, orders="501") == [{"order": 501, "cancel": 1}]
    row = get_status(backend, 501, end)
    assert row["status"] == "Partial"
    assert send(backend, "balance", 1e9) == {"balance": str(1000 - Decimal(row["charge"])), "currency": "USD"}


def test_what_remains_of_a_partial_order_is_refunded_once() -> None:
    """When it ends, to the key that placed it."""
    backend = Backend(seed=3, started_at=1000.0)
    for _ in range(40):
        add_order(backend)
    rows = [get_status(backend, order, 1e6) for order in range(1, 41)]
    charged = sum(Decimal(row["charge"]) for row in rows)
    assert {row["status"] for row in rows} == {"Completed", "Partial"}
    for now in (1e6, 2e6):
        assert send(backend, "balance", now) == {"balance": str(1000 - charged), "currency": "USD"}
    assert send(backend, "balance", key="sandbox-two") == {"balance": "1000.00000", "currency": "USD"}


def test_a_drip_feed_places_an_order_for_each_run(backend: Backend) -> None:
    """The first at once, then one each interval. It is completed when the last of them is."""
    assert add_order(backend, quantity="100", runs="3", interval="60") == {"order": 501}
    rows = [get_status(backend, 501, 1000.0 + hours * 3600) for hours in (0, 1, 2, 3)]
    assert [row["orders"] for row in rows] == [["502"], ["502", "503"], ["502", "503", "504"], ["502", "503", "504"]]
    assert [row["status"] for row in rows] == ["In progress"] * 3 + ["Completed"]
    assert rows[0] == {"charge": "0.27000", "status": "In progress", "currency": "USD", "runs": "3", "orders": ["502"]}
    assert get_status(backend, 502, 1000.0)["charge"] == "0.09000"
    assert [record.order for record in backend.records] == [501]


def test_children_are_placed_in_the_order_in_which_they_were_due() -> None:
    """Their ids do not depend on how often requests come."""

    def play(step: int) -> list[dict[str, Any]]:
        backend = Backend(seed=1, started_at=0.0)
        add_order(backend, 0.0, quantity="100", runs="4", interval="7")
        add_order(backend, 0.0, quantity="100", runs="5", interval="5")
        for now in range(0, 4000, step):
            send(backend, "balance", float(now))
        return [get_status(backend, order, 1e5) for order in range(1, 12)]

    assert play(4000) == play(10)


def test_a_canceled_drip_feed_refunds_the_runs_that_were_not_placed(backend: Backend) -> None:
    """Those that were placed go on."""
    add_order(backend, quantity="100", runs="10", interval="60")
    assert send(backend, "cancel", 5000.0, orders="501") == [{"order": 501, "cancel": 1}]
    row = get_status(backend, 501, 1e6)
    assert (row["status"], row["charge"], row["orders"]) == ("Canceled", "0.18000", ["502", "503"])
    assert send(backend, "balance", 1e6) == {"balance": "999.82000", "currency": "USD"}
    assert send(backend, "refill", 1e6, order="501") == {"error": "Refill is not available for this order"}


def test_a_subscription_places_an_order_for_each_new_post(backend: Backend) -> None:
    """With a quantity from min to max. It is completed when there was an order for each post."""
    assert add_order(backend, **SUBSCRIPTION, posts="3") == {"order": 501}
    first = get_status(backend, 501)
    assert (first["status"], first["posts"], first["orders"]) == ("Active", "3", [])
    last = get_status(backend, 501, 1000.0 + 3 * DAY)
    assert (last["status"], last["orders"]) == ("Completed", ["502", "503", "504"])
    children = [backend.lifecycles[order] for order in (502, 503, 504)]
    assert all(10 <= child.size <= 20 for child in children)


def test_a_subscription_without_a_number_of_posts_expires_after_a_month(backend: Backend) -> None:
    """By then almost every post had its order."""
    add_order(backend, **SUBSCRIPTION)
    row = get_status(backend, 501, 1000.0 + 60 * DAY)
    assert row["status"] == "Expired"
    assert int(row["posts"]) - 1 <= len(row["orders"]) <= int(row["posts"])


def test_a_subscription_expires_on_its_day(backend: Backend) -> None:
    """At its end. What was not delivered is refunded."""
    assert add_order(backend, **SUBSCRIPTION, posts="1000", expiry="02/01/1970") == {"order": 501}
    assert get_status(backend, 501, 2 * DAY - 1)["status"] == "Active"
    row = get_status(backend, 501, 2 * DAY)
    assert row["status"] == "Expired"
    paid_back = sum(backend.lifecycles[int(child)].refund for child in row["orders"])
    assert 1000 - backend.get_balance(KEY) == Decimal(row["charge"]) - paid_back
    assert 0 < Decimal(row["charge"]) < Decimal("0.1")
