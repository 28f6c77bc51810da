"""The backend: documented results for request fields, with the time as an argument."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async.sandbox.backend import Backend
from followersdata_async.sandbox.catalogue import create_catalogue

KEY = "sandbox-one"
DAY = 86400.0
LINK = "https://example.com/p/1"


@pytest.fixture(name="backend")
def _backend() -> Backend:
    return Backend(seed=1, started_at=1000.0, past=500)


def send(backend: Backend, action: str, now: float = 1000.0, key: str = KEY, **fields: str) -> object:
    """Return the result of a request."""
    return backend.handle({"key": key, "action": action, **fields}, now)


def add_order(backend: Backend, now: float = 1000.0, **fields: str) -> object:
    """Add an order of the first service, with other fields as given."""
    return send(backend, "add", now, **({"service": "1", "link": LINK, "quantity": "1000"} | fields))


@pytest.mark.parametrize("key", ["", "wrong", "Sandbox-key"])
def test_a_wrong_key_is_rejected(backend: Backend, key: str) -> None:
    """Keys start with ``sandbox-``, so that a real one is never taken."""
    assert send(backend, "balance", key=key) == {"error": "Invalid API key"}
    assert backend.handle({"action": "balance"}, 0.0) == {"error": "Invalid API key"}


@pytest.mark.parametrize("action", ["", "buy", "Status"])
def test_an_unknown_action_is_an_incorrect_request(backend: Backend, action: str) -> None:
    """A missing action, too."""
    assert send(backend, action) == {"error": "Incorrect request"}
    assert backend.handle({"key": KEY}, 0.0) == {"error": "Incorrect request"}


def test_the_first_services_are_the_documented_ones(backend: Backend) -> None:
    """Amounts and limits are strings."""
    rows = send(backend, "services")
    assert isinstance(rows, list)
    assert rows[0] == {
        "service": 1,
        "name": "Followers",
        "type": "Default",
        "category": "First Category",
        "rate": "0.90",
        "min": "50",
        "max": "10000",
        "refill": True,
        "cancel": True,
    }
    assert [row["service"] for row in rows] == list(range(1, 25))


def test_an_order_is_taken_and_charged(backend: Backend) -> None:
    """Its record has the exact price."""
    assert add_order(backend) == {"order": 501}
    assert send(backend, "balance") == {"balance": "999.10000", "currency": "USD"}
    assert [record.to_json() for record in backend.records] == [
        {
            "order": 501,
            "key": "sandbox-…",
            "service": 1,
            "link": LINK,
            "quantity": 1000,
            "fields": {"action": "add", "service": "1", "link": LINK, "quantity": "1000"},
            "charge": "0.90000",
            "taken_at": 1000.0,
        }
    ]


def test_prices_are_per_thousand_flat_for_packages_and_for_every_run(backend: Backend) -> None:
    """The lines of comments are their quantity."""
    add_order(backend, quantity="100", runs="5", interval="60")
    add_order(backend, service="2", comments="\n".join(["hi"] * 10))
    add_order(backend, service="3")
    charges = [str(record.charge) for record in backend.records]
    assert charges == ["0.45000", "0.08000", "4.50000"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"service": "99"}, "Incorrect service ID"),
        ({"service": "x"}, "Incorrect service ID"),
        ({"service": "9" * 19}, "Incorrect service ID"),
        ({"link": ""}, "Bad link"),
        ({"link": "nonsense"}, "Bad link"),
        ({"quantity": "49"}, "Quantity less than minimal 50"),
        ({"quantity": "x"}, "Quantity less than minimal 50"),
        ({"quantity": "10001"}, "Quantity more than maximum 10000"),
        ({"service": "2"}, "Quantity less than minimal 10"),
        ({"runs": "5"}, "Incorrect interval"),
        ({"interval": "5"}, "Incorrect runs"),
        ({"runs": "0", "interval": "5"}, "Incorrect runs"),
        ({"service": "2", "comments": "\n".join("x" * 1500)}, None),
        ({"quantity": "10000", "runs": "1000", "interval": "5"}, "Not enough funds on balance"),
    ],
)
def test_an_invalid_order_is_rejected_and_costs_nothing(
    backend: Backend, fields: dict[str, str], error: str | None
) -> None:
    """The error is the panel's, and there is no record."""
    result = add_order(backend, **fields)
    assert result == ({"error": error} if error else {"order": 501})
    assert (len(backend.records), send(backend, "balance")) == (
        (0, {"balance": "1000.00000", "currency": "USD"}) if error else (1, {"balance": "988.00000", "currency": "USD"})
    )


def get_status(backend: Backend, order: int, now: float = 1000.0) -> dict[str, Any]:
    """Return the status of an order."""
    row = send(backend, "status", now, order=str(order))
    assert isinstance(row, dict)
    return row


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


def test_the_status_of_many_orders_is_a_map_by_id(backend: Backend) -> None:
    """Unknown ids have an error, repeated ids appear once, and seeded orders exist from the start."""
    result = send(backend, "status", orders="1,500,501,x,1")
    assert isinstance(result, dict)
    assert list(result) == ["1", "500", "501", "x"]
    assert [result[id_] for id_ in ("501", "x")] == [{"error": "Incorrect order ID"}] * 2
    assert "status" in result["1"]


@pytest.mark.parametrize(
    ("action", "field"),
    [("status", "orders"), ("refill", "orders"), ("refill_status", "refills"), ("cancel", "orders")],
)
def test_more_than_a_hundred_ids_are_rejected(backend: Backend, action: str, field: str) -> None:
    """The whole request fails."""
    assert send(backend, action, **{field: ",".join(map(str, range(1, 102)))}) == {"error": "Maximum 100 ids"}
    assert "error" not in str(send(backend, "status", orders=",".join(map(str, range(1, 101)))))


def test_an_order_belongs_to_the_key_that_placed_it(backend: Backend) -> None:
    """Other keys cannot see it."""
    add_order(backend)
    assert send(backend, "status", key="sandbox-two", order="501") == {"error": "Incorrect order ID"}
    assert send(backend, "balance", key="sandbox-two") == {"balance": "1000.00000", "currency": "USD"}


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


def test_a_seeded_order_can_be_canceled_and_its_refund_goes_to_the_key_that_did(backend: Backend) -> None:
    """If it is in progress."""
    running = [order for order in range(1, 501) if get_status(backend, order)["status"] == "In progress"]
    results = send(backend, "cancel", orders=",".join(map(str, running[:50])))
    assert isinstance(results, list)
    accepted = [result["order"] for result in results if result["cancel"] == 1]
    ends = {order: get_status(backend, order, 1060.0) for order in accepted}
    assert {row["status"] for row in ends.values()} >= {"Canceled"}
    assert backend.get_balance(KEY) > backend.default_balance
    assert send(backend, "balance", 1e9) == send(backend, "balance", 1060.0)


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


def test_a_cancellation_requires_the_field_orders(backend: Backend) -> None:
    """Even for a single order."""
    assert send(backend, "cancel", order="1") == {"error": "Incorrect request"}


@given(st.integers(0, 2**64), st.lists(st.integers(1, 100), max_size=20))
def test_the_same_seed_and_requests_have_the_same_results(seed: int, ids: list[int]) -> None:
    """Nothing is random."""
    first, second = (Backend(seed=seed, past=100) for _ in range(2))
    orders = ",".join(map(str, ids))
    for action in ("services", "status", "refill", "cancel"):
        assert send(first, action, 500.0, orders=orders) == send(second, action, 500.0, orders=orders)


@given(st.integers(0, 2**64))
def test_every_catalogue_has_positive_prices_and_ordered_limits(seed: int) -> None:
    """Whatever the seed is."""
    for offer in create_catalogue(seed, 500).values():
        assert offer.rate > 0
        assert 0 < offer.min <= offer.max


@given(
    st.dictionaries(
        st.sampled_from(
            ["action", "key", "order", "orders", "refill", "refills", "service", "link", "quantity", "runs"]
        ),
        st.one_of(st.text(), st.sampled_from(["add", "status", "refill", "cancel", "1", "1,2", "sandbox-k", "a.b"])),
    ),
    st.floats(0, 1e12),
)
def test_any_fields_have_a_result(fields: dict[str, str], now: float) -> None:
    """No request raises an exception."""
    Backend(past=5).handle(fields, now)


# --- orders that place orders


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


SUBSCRIPTION = {"service": "15", "username": "someone", "min": "10", "max": "20", "delay": "5", "link": ""}


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


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"username": ""}, "Incorrect username"),
        ({"min": "0"}, "Incorrect min"),
        ({"max": "9"}, "Incorrect max"),
        ({"delay": "soon"}, "Incorrect delay"),
        ({"posts": "many"}, "Incorrect posts"),
        ({"posts": "1001"}, "Incorrect posts"),
        ({"old_posts": "-1"}, "Incorrect old posts"),
        ({"expiry": "31/02/2030"}, "Incorrect expiry"),
        ({"expiry": "tomorrow"}, "Incorrect expiry"),
        ({"expiry": "01/01/0001"}, "Incorrect expiry"),
        ({"expiry": "31/12/1969"}, "Incorrect expiry"),
    ],
)
def test_an_invalid_subscription_is_rejected(backend: Backend, fields: dict[str, str], error: str) -> None:
    """The error names the invalid field."""
    assert add_order(backend, **(SUBSCRIPTION | fields)) == {"error": error}


TRAFFIC = {"service": "16", "country": "US", "device": "5", "type_of_traffic": "3"}


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({}, {"order": 501}),
        ({"type_of_traffic": "1", "google_keyword": "shoes"}, {"order": 501}),
        ({"type_of_traffic": "2", "referring_url": "a.b"}, {"order": 501}),
        ({"country": ""}, {"error": "Incorrect country"}),
        ({"device": "6"}, {"error": "Incorrect device"}),
        ({"type_of_traffic": "4"}, {"error": "Incorrect type of traffic"}),
        ({"type_of_traffic": "1"}, {"error": "Incorrect google keyword"}),
        ({"type_of_traffic": "2", "referring_url": " "}, {"error": "Incorrect referring url"}),
        ({"runs": "1001", "interval": "1"}, {"error": "Incorrect runs"}),
    ],
)
def test_web_traffic_requires_a_country_a_device_and_a_type(
    backend: Backend, fields: dict[str, str], result: object
) -> None:
    """And each type requires its own field."""
    services = {offer.type: str(offer.service) for offer in backend.offers.values()}
    assert (services["Subscriptions"], services["Web Traffic"]) == (SUBSCRIPTION["service"], TRAFFIC["service"])
    assert add_order(backend, **(TRAFFIC | fields)) == result


def test_a_poll_requires_the_number_of_an_answer(backend: Backend) -> None:
    """A word is invalid."""
    poll = next(str(offer.service) for offer in backend.offers.values() if offer.type == "Poll")
    assert add_order(backend, service=poll, answer_number="yes") == {"error": "Incorrect answer number"}
    assert add_order(backend, service=poll, answer_number="2") == {"order": 501}


# --- changes


def test_a_disabled_service_is_neither_listed_nor_sold(backend: Backend) -> None:
    """Orders that were placed go on."""
    add_order(backend)
    backend.change_service(1, {"enabled": False})
    rows = send(backend, "services")
    assert isinstance(rows, list)
    assert [row["service"] for row in rows] == list(range(2, 25))
    assert add_order(backend) == {"error": "Disabled service ID"}
    assert get_status(backend, 501, 1e6)["status"] == "Partial"


def test_a_new_price_applies_to_new_orders(backend: Backend) -> None:
    """Older ones are refunded at their own price."""
    add_order(backend)
    backend.change_service(1, {"rate": "2.00", "max": 20000})
    add_order(backend, quantity="20000")
    assert [str(record.charge) for record in backend.records] == ["0.90000", "40.00000"]
    send(backend, "cancel", orders="501")
    assert Decimal(get_status(backend, 501, 1e6)["charge"]) < Decimal("0.9")


def test_one_per_link_rejects_a_second_order_for_an_active_link() -> None:
    """Until the first has ended. Another service has orders of its own."""
    backend = Backend(seed=1, started_at=1000.0, one_per_link=True)
    assert add_order(backend) == {"order": 1}
    active = "You have active order with this link. Please wait until order being completed."
    assert add_order(backend, now=1001.0) == {"error": active}
    assert add_order(backend, link="https://example.com/p/2") == {"order": 2}
    assert add_order(backend, service="3") == {"order": 3}
    assert add_order(backend, now=1e6) == {"order": 4}


def test_each_key_has_its_own_balance() -> None:
    """The default is a thousand."""
    backend = Backend(balances={"sandbox-poor": Decimal("0.50")})
    assert send(backend, "balance", key="sandbox-poor") == {"balance": "0.50", "currency": "USD"}
    assert send(backend, "balance") == {"balance": "1000.00000", "currency": "USD"}
    order = {"action": "add", "service": "1", "link": LINK, "quantity": "1000"}
    assert backend.handle(order | {"key": "sandbox-poor"}, 0.0) == {"error": "Not enough funds on balance"}
    assert backend.handle(order | {"key": KEY}, 0.0) == {"order": 1}


@pytest.mark.parametrize("size", [1, 17, 24, 5000])
def test_a_catalogue_can_have_any_size(size: int) -> None:
    """Each service appears once, under its number."""
    rows = send(Backend(services=size), "services")
    assert isinstance(rows, list)
    assert [row["service"] for row in rows] == list(range(1, size + 1))


def test_seeded_orders_are_not_stored() -> None:
    """Reading a status stores nothing."""
    backend = Backend(seed=5, past=10**12, started_at=1e9)
    for first in (1, 10**6, 10**12 - 99):
        rows = send(backend, "status", 1e9, orders=",".join(map(str, range(first, first + 100))))
        assert isinstance(rows, dict)
        assert all("charge" in row for row in rows.values())
    assert backend.lifecycles == {}


def test_seeded_orders_have_every_status() -> None:
    """Some are pending, some are in progress, most have ended."""
    backend = Backend(seed=5, past=2000, started_at=1e9)
    seen = {get_status(backend, order, 1e9)["status"] for order in range(1, 2001)}
    assert seen == {"Pending", "In progress", "Completed", "Partial"}
