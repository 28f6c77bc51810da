"""The panel itself, as docs/panel-api.md documents it: values in, values out, the time handed in."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async.sandbox.catalogue import catalogue
from followersdata_async.sandbox.world import World

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
    again = "The order was completed or refill was requested less than 24 hours ago"
    assert ask(world, "refill", 1e6 + DAY - 1, order=order) == {"error": again}
    assert ask(world, "refill", 1e6 + DAY, order=order) == {"refill": "2"}


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


def test_a_cancellation_pays_back_what_was_not_delivered(world: World) -> None:
    """Asked once, only of services that allow it, only before the end."""
    add(world)
    add(world, service="3")
    answer = ask(world, "cancel", 1001.0, orders="501,502,9999")
    assert answer == [
        {"order": 501, "cancel": 1},
        {"order": 502, "cancel": {"error": "Cancel is not available"}},
        {"order": 9999, "cancel": {"error": "Incorrect order ID"}},
    ]
    assert ask(world, "balance", 1001.0) == {"balance": "995.50000", "currency": "USD"}
    row = ask(world, "status", 1001.0, order="501")
    assert isinstance(row, dict)
    assert (row["status"], row["charge"], row["remains"]) == ("Canceled", "0.00000", "1000")
    assert ask(world, "cancel", 1002.0, orders="501") == [
        {"order": 501, "cancel": {"error": "Cancel already requested"}}
    ]
    add(world, now=1002.0)
    done = [{"order": 503, "cancel": {"error": "Order already completed or canceled"}}]
    assert ask(world, "cancel", 1e6, orders="503") == done


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
    for offer in catalogue(seed).values():
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
