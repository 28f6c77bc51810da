"""The backend: documented results for request fields, with the time as an argument."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async.sandbox.backend import Backend
from tests.helpers.sandbox import KEY, LINK, add_order, get_status, send


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
