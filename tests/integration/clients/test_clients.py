"""Other clients against the sandbox: all of their methods, and every kind of error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import smm as babismm
import smmpy

from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK = "https://example.com/p/1"


@pytest.fixture(name="sandbox")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox(serve=True, speed=0, past=100) as sandbox:
        yield sandbox


@pytest.fixture(name="client", params=["babismm", "smmpy"])
def _client(request: pytest.FixtureRequest, sandbox: Sandbox) -> Any:
    return create_client(request.param, sandbox, sandbox.key)


def create_client(library: str, sandbox: Sandbox, key: str) -> Any:
    """Return a client of this library."""
    return babismm.SMM(sandbox.url, key) if library == "babismm" else smmpy.smm(sandbox.url, key)


def test_every_method_of_another_client_succeeds(client: Any, sandbox: Sandbox) -> None:
    """From the catalogue to the end of a refill."""
    assert client.get_services()[0]["service"] == 1
    order = client.add_order(1, LINK, 1000)["order"]
    assert client.add_order(2, LINK, 10, comments="\n".join(["hi"] * 10)) == {"order": order + 1}
    fed = client.add_order(1, LINK, 100, runs=2, interval=5)["order"]
    assert client.get_balance() == {"balance": "998.84000", "currency": "USD"}
    assert client.get_status(order)["status"] == "Pending"
    assert client.get_status(fed)["runs"] == "2"
    assert set(client.get_multi_status([order, 1, 2])) == {str(order), "1", "2"}
    assert client.cancel_orders([order + 1, 10**6])[0] == {"order": order + 1, "cancel": 1}
    sandbox.advance(2 * 86400)
    refill = client.create_refill(order)["refill"]
    assert client.create_multi_refill([order])[0]["refill"].keys() == {"error"}
    assert client.get_refill_status(refill) == {"status": "Pending"}
    assert client.get_multi_refill_status([refill])[0]["status"] == "Pending"
    assert [taken["order"] for taken in sandbox.orders()] == [order, order + 1, fed]


@pytest.mark.parametrize("library", ["babismm", "smmpy"])
def test_other_clients_raise_the_errors_of_the_panel(sandbox: Sandbox, library: str) -> None:
    """With its message."""
    with pytest.raises(Exception, match="Invalid API key"):
        create_client(library, sandbox, "real-key").get_balance()
    client = create_client(library, sandbox, sandbox.key)
    with pytest.raises(Exception, match="Quantity less than minimal 50"):
        client.add_order(1, LINK, 1)
    sandbox.next("refused", message="Not enough funds on balance")
    with pytest.raises(Exception, match="Not enough funds on balance"):
        client.add_order(1, LINK, 1000)
    sandbox.next("broken", status=503)
    with pytest.raises(Exception, match="503"):
        client.add_order(1, LINK, 1000)
    assert sandbox.orders() == []


def test_the_other_clients_are_the_installed_ones() -> None:
    """And not modules of ours with the same name."""
    assert all("site-packages" in str(sys.modules[name].__file__) for name in ("smm", "smmpy"))
