"""The panel itself, as docs/panel-api.md documents it: values in, values out, the time handed in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async.sandbox.backend import World
from followersdata_async.sandbox.catalogue import catalogue

KEY = "sandbox-one"
DAY = 86400.0
LINK = "https://example.com/p/1"


@pytest.fixture(name="world")
def _world() -> World:
    return World(seed=1, born=1000.0, past=500)


def ask(world: World, action: str, now: float = 1000.0, key: str = KEY, **fields: str) -> object:
    """One request's answer."""
    return world.answer({"key": key, "action": action, **fields}, now)


def add(world: World, now: float = 1000.0, **fields: str) -> object:
    """Place an order of the first service, but for the fields given."""
    return ask(world, "add", now, **({"service": "1", "link": LINK, "quantity": "1000"} | fields))


@pytest.mark.parametrize("key", ["", "wrong", "Sandbox-key"])
def test_a_wrong_key_is_refused(world: World, key: str) -> None:
    """Keys start with ``sandbox-``, so that a real one is never taken."""
    assert ask(world, "balance", key=key) == {"error": "Invalid API key"}
    assert world.answer({"action": "balance"}, 0.0) == {"error": "Invalid API key"}


@pytest.mark.parametrize("action", ["", "buy", "Status"])
def test_an_unknown_action_is_an_incorrect_request(world: World, action: str) -> None:
    """Also none at all."""
    assert ask(world, action) == {"error": "Incorrect request"}
    assert world.answer({"key": KEY}, 0.0) == {"error": "Incorrect request"}


def test_the_catalogue_starts_as_documented(world: World) -> None:
    """Amounts and limits are texts."""
    rows = ask(world, "services")
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


def test_an_order_is_taken_and_charged(world: World) -> None:
    """The ledger has it with its exact price."""
    assert add(world) == {"order": 501}
    assert ask(world, "balance") == {"balance": "999.10000", "currency": "USD"}
    assert [entry.row() for entry in world.entries] == [
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


def test_prices_are_per_thousand_flat_for_packages_and_for_every_run(world: World) -> None:
    """Comments are counted by their lines."""
    add(world, quantity="100", runs="5", interval="60")
    add(world, service="2", comments="\n".join(["hi"] * 10))
    add(world, service="3")
    charges = [str(entry.charge) for entry in world.entries]
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
def test_an_order_that_is_wrong_is_refused_and_costs_nothing(
    world: World, fields: dict[str, str], error: str | None
) -> None:
    """In the panel's words, with nothing in the ledger."""
    answer = add(world, **fields)
    assert answer == ({"error": error} if error else {"order": 501})
    assert (len(world.entries), ask(world, "balance")) == (
        (0, {"balance": "1000.00000", "currency": "USD"}) if error else (1, {"balance": "988.00000", "currency": "USD"})
    )


def status_of(world: World, order: int, now: float = 1000.0) -> dict[str, Any]:
    """An order's row, of whichever it is."""
    row = ask(world, "status", now, order=str(order))
    assert isinstance(row, dict)
    return row


def statuses_over_time(world: World, order: int) -> list[str]:
    """The order's states as the clock moves on."""
    seen: list[str] = []
    for now in range(1000, 6000, 5):
        row = ask(world, "status", float(now), order=str(order))
        assert isinstance(row, dict)
        if not seen or seen[-1] != row["status"]:
            seen.append(str(row["status"]))
    return seen


def test_orders_move_through_their_states() -> None:
    """Most end completed; a few partial, with what remains not charged."""
    world = World(seed=3, born=1000.0)
    ends = {}
    for _ in range(40):
        add(world)
    for order in range(1, 41):
        states = statuses_over_time(world, order)
        assert states[:2] == ["Pending", "In progress"]
        ends[states[-1]] = ask(world, "status", 1e9, order=str(order))
    assert ends.keys() == {"Completed", "Partial"}
    assert ends["Completed"]["remains"] == "0"  # type: ignore[index]
    partial = ends["Partial"]
    assert isinstance(partial, dict)
    left = Decimal(str(partial["remains"]))
    assert Decimal(str(partial["charge"])) == (Decimal("0.9") * (1000 - left) / 1000).quantize(Decimal("0.00001"))


def test_a_row_is_as_documented(world: World) -> None:
    """Everything in it is a text."""
    add(world)
    row = ask(world, "status", order="501")
    assert isinstance(row, dict)
    assert list(row) == ["charge", "start_count", "status", "remains", "currency"]
    assert all(isinstance(value, str) for value in row.values())


def test_many_orders_are_a_map_by_id(world: World) -> None:
    """Unknown ones have their error; doubles collapse; past orders are there from the beginning."""
    answer = ask(world, "status", orders="1,500,501,x,1")
    assert isinstance(answer, dict)
    assert list(answer) == ["1", "500", "501", "x"]
    assert [answer[id_] for id_ in ("501", "x")] == [{"error": "Incorrect order ID"}] * 2
    assert "status" in answer["1"]


@pytest.mark.parametrize(
    ("action", "field"),
    [("status", "orders"), ("refill", "orders"), ("refill_status", "refills"), ("cancel", "orders")],
)
def test_more_than_a_hundred_ids_are_refused(world: World, action: str, field: str) -> None:
    """The whole request."""
    assert ask(world, action, **{field: ",".join(map(str, range(1, 102)))}) == {"error": "Maximum 100 ids"}
    assert "error" not in str(ask(world, "status", orders=",".join(map(str, range(1, 101)))))


def test_an_order_belongs_to_the_key_that_placed_it(world: World) -> None:
    """Past ones to everybody; what one key does to them is its own."""
    add(world)
    assert ask(world, "status", key="sandbox-two", order="501") == {"error": "Incorrect order ID"}
    assert ask(world, "balance", key="sandbox-two") == {"balance": "1000.00000", "currency": "USD"}


def refillable(world: World) -> str:
    """An order that may be refilled."""
    add(world)
    return "501"


def test_a_refill_lives_through_its_states(world: World) -> None:
    """A text for a single one, as documented."""
    order = refillable(world)
    assert ask(world, "refill", order=order) == {"error": "The order is not completed"}
    assert ask(world, "refill", 1e6, order=order) == {"refill": "1"}
    states = [ask(world, "refill_status", 1e6 + age, refill="1") for age in (0, 10, 1000)]
    assert states == [{"status": status} for status in ("Pending", "In progress", "Completed")]


def test_a_refill_may_be_rejected() -> None:
    """One of eight, as the seed has it."""
    world = World(seed=3, born=1000.0)
    for _ in range(40):
        add(world)
    ask(world, "refill", 1e6, orders=",".join(map(str, range(1, 41))))
    states = ask(world, "refill_status", 2e6, refills=",".join(map(str, range(1, 41))))
    assert isinstance(states, list)
    assert {row["status"] for row in states} == {"Completed", "Rejected"}


def test_refills_are_possible_from_a_day_to_a_month_after_the_end_once_a_day(world: World) -> None:
    """Before and after they are refused by name."""
    order = refillable(world)
    end = world.lives[501].ends_at
    again = {"error": "The order was completed or refill was requested less than 24 hours ago"}
    assert ask(world, "refill", end + DAY - 1, order=order) == again
    assert ask(world, "refill", end + DAY, order=order) == {"refill": "1"}
    assert ask(world, "refill", end + 2 * DAY - 1, order=order) == again
    assert ask(world, "refill", end + 2 * DAY, order=order) == {"refill": "2"}
    too_late = {"error": "Refill is not available for this order any more"}
    assert ask(world, "refill", end + 30 * DAY + 1, order=order) == too_late


def test_refills_are_refused_by_name(world: World) -> None:
    """No such order, not this service, no such refill, not this key's."""
    add(world, service="3")
    add(world)
    answer = ask(world, "refill", 1e6, orders="502,501,9999")
    assert answer == [
        {"order": 502, "refill": 1},
        {"order": 501, "refill": {"error": "Refill is disabled for this service"}},
        {"order": 9999, "refill": {"error": "Incorrect order ID"}},
    ]
    states = ask(world, "refill_status", 1e6, refills="1,2,x")
    assert states == [
        {"refill": 1, "status": "Pending"},
        {"refill": 2, "status": {"error": "Refill not found"}},
        {"refill": "x", "status": {"error": "Refill not found"}},
    ]
    assert ask(world, "refill_status", 1e6, key="sandbox-two", refill="1") == {"error": "Refill not found"}


def test_a_cancellation_takes_effect_after_a_minute_and_pays_back_what_was_not_delivered(world: World) -> None:
    """Asked once, only of services that allow it, only before the end."""
    add(world)
    add(world, service="3")
    answer = ask(world, "cancel", 1001.0, orders="501,502,9999")
    assert answer == [
        {"order": 501, "cancel": 1},
        {"order": 502, "cancel": {"error": "Cancel is not available"}},
        {"order": 9999, "cancel": {"error": "Incorrect order ID"}},
    ]
    assert ask(world, "balance", 1060.9) == {"balance": "994.60000", "currency": "USD"}
    assert status_of(world, 501, 1060.9)["status"] == "In progress"
    row = status_of(world, 501, 1061.0)
    assert row["status"] == "Canceled"
    assert 0 < int(row["remains"]) < 1000
    paid_back = Decimal("0.9") - Decimal(row["charge"])
    assert ask(world, "balance", 1061.0) == {"balance": str(Decimal("994.60000") + paid_back), "currency": "USD"}
    assert ask(world, "balance", 1e9) == ask(world, "balance", 1061.0)
    assert ask(world, "cancel", 1002.0, orders="501") == [
        {"order": 501, "cancel": {"error": "Cancel already requested"}}
    ]
    add(world, now=1002.0)
    done = [{"order": 503, "cancel": {"error": "Order already completed or canceled"}}]
    assert ask(world, "cancel", 1e6, orders="503") == done


def test_a_cancellation_that_comes_too_late_changes_nothing(world: World) -> None:
    """The order ends by itself within the minute that it takes."""
    add(world)
    end = world.lives[501].ends_at
    assert ask(world, "cancel", end - 1, orders="501") == [{"order": 501, "cancel": 1}]
    row = status_of(world, 501, end)
    assert row["status"] == "Partial"
    assert ask(world, "balance", 1e9) == {"balance": str(1000 - Decimal(row["charge"])), "currency": "USD"}


def test_a_past_order_can_be_canceled_and_pays_who_canceled_it(world: World) -> None:
    """One that is still on its way."""
    running = [order for order in range(1, 501) if status_of(world, order)["status"] == "In progress"]
    answers = ask(world, "cancel", orders=",".join(map(str, running[:50])))
    assert isinstance(answers, list)
    accepted = [answer["order"] for answer in answers if answer["cancel"] == 1]
    ends = {order: status_of(world, order, 1060.0) for order in accepted}
    assert {row["status"] for row in ends.values()} >= {"Canceled"}
    assert world.money_of(KEY) > world.money
    assert ask(world, "balance", 1e9) == ask(world, "balance", 1060.0)


def test_what_remains_of_a_partial_order_is_paid_back_once() -> None:
    """When it ends, to whom it cost."""
    world = World(seed=3, born=1000.0)
    for _ in range(40):
        add(world)
    rows = [status_of(world, order, 1e6) for order in range(1, 41)]
    charged = sum(Decimal(row["charge"]) for row in rows)
    assert {row["status"] for row in rows} == {"Completed", "Partial"}
    for now in (1e6, 2e6):
        assert ask(world, "balance", now) == {"balance": str(1000 - charged), "currency": "USD"}
    assert ask(world, "balance", key="sandbox-two") == {"balance": "1000.00000", "currency": "USD"}


def test_a_cancellation_takes_orders_alone(world: World) -> None:
    """Also for a single one."""
    assert ask(world, "cancel", order="1") == {"error": "Incorrect request"}


@given(st.integers(0, 2**64), st.lists(st.integers(1, 100), max_size=20))
def test_the_same_seed_and_calls_give_the_same_answers(seed: int, ids: list[int]) -> None:
    """No chance anywhere."""
    first, second = (World(seed=seed, past=100) for _ in range(2))
    orders = ",".join(map(str, ids))
    for action in ("services", "status", "refill", "cancel"):
        assert ask(first, action, 500.0, orders=orders) == ask(second, action, 500.0, orders=orders)


@given(st.integers(0, 2**64))
def test_every_catalogue_makes_sense(seed: int) -> None:
    """Prices above nothing, bounds in order."""
    for offer in catalogue(seed, 500).values():
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
def test_any_form_has_an_answer(fields: dict[str, str], now: float) -> None:
    """Never an exception."""
    World(past=5).answer(fields, now)


# --- orders that place orders


def test_a_drip_feed_places_an_order_for_each_run(world: World) -> None:
    """At once the first, then one each interval; it is completed when the last of them is."""
    assert add(world, quantity="100", runs="3", interval="60") == {"order": 501}
    rows = [status_of(world, 501, 1000.0 + hours * 3600) for hours in (0, 1, 2, 3)]
    assert [row["orders"] for row in rows] == [["502"], ["502", "503"], ["502", "503", "504"], ["502", "503", "504"]]
    assert [row["status"] for row in rows] == ["In progress"] * 3 + ["Completed"]
    assert rows[0] == {"charge": "0.27000", "status": "In progress", "currency": "USD", "runs": "3", "orders": ["502"]}
    assert status_of(world, 502, 1000.0)["charge"] == "0.09000"
    assert [entry.order for entry in world.entries] == [501]


def test_children_are_born_in_the_order_of_their_time_whenever_they_are_looked_for() -> None:
    """Ids are the same however often somebody asks."""

    def played(step: int) -> list[dict[str, Any]]:
        world = World(seed=1, born=0.0)
        add(world, 0.0, quantity="100", runs="4", interval="7")
        add(world, 0.0, quantity="100", runs="5", interval="5")
        for now in range(0, 4000, step):
            ask(world, "balance", float(now))
        return [status_of(world, order, 1e5) for order in range(1, 12)]

    assert played(4000) == played(10)


def test_a_canceled_drip_feed_pays_back_the_runs_that_were_not_placed(world: World) -> None:
    """Those that were are orders of their own."""
    add(world, quantity="100", runs="10", interval="60")
    assert ask(world, "cancel", 5000.0, orders="501") == [{"order": 501, "cancel": 1}]
    row = status_of(world, 501, 1e6)
    assert (row["status"], row["charge"], row["orders"]) == ("Canceled", "0.18000", ["502", "503"])
    assert ask(world, "balance", 1e6) == {"balance": "999.82000", "currency": "USD"}
    assert ask(world, "refill", 1e6, order="501") == {"error": "Refill is not available for this order"}


SUBSCRIPTION = {"service": "15", "username": "someone", "min": "10", "max": "20", "delay": "5", "link": ""}


def test_a_subscription_places_an_order_for_each_new_post(world: World) -> None:
    """Between min and max, some minutes after it; completed when all posts had theirs."""
    assert add(world, **SUBSCRIPTION, posts="3") == {"order": 501}
    first = status_of(world, 501)
    assert (first["status"], first["posts"], first["orders"]) == ("Active", "3", [])
    last = status_of(world, 501, 1000.0 + 3 * DAY)
    assert (last["status"], last["orders"]) == ("Completed", ["502", "503", "504"])
    children = [world.lives[order] for order in (502, 503, 504)]
    assert all(10 <= child.size <= 20 for child in children)


def test_a_subscription_without_posts_expires_after_a_month(world: World) -> None:
    """And pays back nothing of what was delivered."""
    add(world, **SUBSCRIPTION)
    row = status_of(world, 501, 1000.0 + 60 * DAY)
    assert row["status"] == "Expired"
    assert int(row["posts"]) - 1 <= len(row["orders"]) <= int(row["posts"])


def test_a_subscription_expires_on_its_day(world: World) -> None:
    """At the end of it; what was not delivered is paid back."""
    assert add(world, **SUBSCRIPTION, posts="1000", expiry="02/01/1970") == {"order": 501}
    assert status_of(world, 501, 2 * DAY - 1)["status"] == "Active"
    row = status_of(world, 501, 2 * DAY)
    assert row["status"] == "Expired"
    paid_back = sum(world.lives[int(child)].refund for child in row["orders"])
    assert 1000 - world.money_of(KEY) == Decimal(row["charge"]) - paid_back
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
def test_a_wrong_subscription_is_refused(world: World, fields: dict[str, str], error: str) -> None:
    """By the field that is wrong."""
    assert add(world, **(SUBSCRIPTION | fields)) == {"error": error}


TRAFFIC = {"service": "16", "country": "US", "device": "5", "type_of_traffic": "3"}


@pytest.mark.parametrize(
    ("fields", "answer"),
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
def test_web_traffic_says_where_it_comes_from(world: World, fields: dict[str, str], answer: object) -> None:
    """Its device and type are numbers with a meaning."""
    services = {offer.type: str(offer.service) for offer in world.offers.values()}
    assert (services["Subscriptions"], services["Web Traffic"]) == (SUBSCRIPTION["service"], TRAFFIC["service"])
    assert add(world, **(TRAFFIC | fields)) == answer


def test_a_poll_needs_the_number_of_an_answer(world: World) -> None:
    """Not a word."""
    poll = next(str(offer.service) for offer in world.offers.values() if offer.type == "Poll")
    assert add(world, service=poll, answer_number="yes") == {"error": "Incorrect answer number"}
    assert add(world, service=poll, answer_number="2") == {"order": 501}


# --- what is changed while it runs


def test_a_disabled_service_is_neither_shown_nor_sold(world: World) -> None:
    """Orders that there are go on."""
    add(world)
    world.change(1, {"enabled": False})
    rows = ask(world, "services")
    assert isinstance(rows, list)
    assert [row["service"] for row in rows] == list(range(2, 25))
    assert add(world) == {"error": "Disabled service ID"}
    assert status_of(world, 501, 1e6)["status"] == "Partial"


def test_a_new_price_is_for_new_orders(world: World) -> None:
    """And the old ones are paid back at theirs."""
    add(world)
    world.change(1, {"rate": "2.00", "max": 20000})
    add(world, quantity="20000")
    assert [str(entry.charge) for entry in world.entries] == ["0.90000", "40.00000"]
    ask(world, "cancel", orders="501")
    assert Decimal(status_of(world, 501, 1e6)["charge"]) < Decimal("0.9")


def test_one_order_for_each_link_where_a_panel_wants_it() -> None:
    """Until it is completed; of another service too."""
    world = World(seed=1, born=1000.0, one_per_link=True)
    assert add(world) == {"order": 1}
    active = "You have active order with this link. Please wait until order being completed."
    assert add(world, now=1001.0) == {"error": active}
    assert add(world, link="https://example.com/p/2") == {"order": 2}
    assert add(world, service="3") == {"order": 3}
    assert add(world, now=1e6) == {"order": 4}


def test_keys_have_balances_of_their_own() -> None:
    """Those that nobody mentioned have a thousand."""
    world = World(balances={"sandbox-poor": Decimal("0.50")})
    assert ask(world, "balance", key="sandbox-poor") == {"balance": "0.50", "currency": "USD"}
    assert ask(world, "balance") == {"balance": "1000.00000", "currency": "USD"}
    order = {"action": "add", "service": "1", "link": LINK, "quantity": "1000"}
    assert world.answer(order | {"key": "sandbox-poor"}, 0.0) == {"error": "Not enough funds on balance"}
    assert world.answer(order | {"key": KEY}, 0.0) == {"order": 1}


@pytest.mark.parametrize("size", [1, 17, 24, 5000])
def test_a_catalogue_has_any_size(size: int) -> None:
    """Each service once, under its number."""
    rows = ask(World(services=size), "services")
    assert isinstance(rows, list)
    assert [row["service"] for row in rows] == list(range(1, size + 1))


def test_millions_of_orders_are_not_stored() -> None:
    """Asking for any of them keeps none."""
    world = World(seed=5, past=10**12, born=1e9)
    for first in (1, 10**6, 10**12 - 99):
        rows = ask(world, "status", 1e9, orders=",".join(map(str, range(first, first + 100))))
        assert isinstance(rows, dict)
        assert all("charge" in row for row in rows.values())
    assert world.lives == {}


def test_past_orders_are_of_every_kind() -> None:
    """Some wait, some run, most are over."""
    world = World(seed=5, past=2000, born=1e9)
    seen = {status_of(world, order, 1e9)["status"] for order in range(1, 2001)}
    assert seen == {"Pending", "In progress", "Completed", "Partial"}
