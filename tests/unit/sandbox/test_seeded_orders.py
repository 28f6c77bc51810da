"""The orders from before the sandbox started."""

from __future__ import annotations

from followersdata_async.sandbox.backend import Backend
from tests.helpers.sandbox import KEY, get_status, send


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
