"""An order from the command line, where the catalogue says little."""

from __future__ import annotations

import json
from decimal import Decimal

import anyio
import pytest

from followersdata_async.cli.commands.add import submit_order
from followersdata_async.cli.options import ConsentOptions, OrderOptions
from followersdata_async.cli.output import OutputOptions
from followersdata_async.models import Service, ServiceKind


class FakeClient:
    """A panel whose only service is of a type that nobody knows."""

    def __init__(self, rate: str = "0.90") -> None:
        self._rate = Decimal(rate)

    async def services(self) -> list[Service]:
        """The catalogue."""
        kind = ServiceKind.UNKNOWN
        return [Service(service=1, name="Spread", type="Likes spread", kind=kind, rate=self._rate)]


def test_price_has_no_exponent(capsys: pytest.CaptureFixture[str]) -> None:
    """However low the rate is."""
    client, order = FakeClient(rate="1E-7"), OrderOptions(link="a.b", quantity=1000)

    async def send(*_: object) -> int:
        return 0

    assert (
        anyio.run(submit_order, client, "1", order, ConsentOptions(dry_run=True), OutputOptions(format="json"), send)
        == 0
    )
    assert json.loads(capsys.readouterr().out)["price"] == "0.0000001"
    assert (
        anyio.run(submit_order, client, "1", order, ConsentOptions(yes=True), OutputOptions(format="json"), send) == 0
    )
    assert capsys.readouterr().err == "Spread (Likes spread): the price is 0.0000001\n"


@pytest.mark.parametrize(
    ("fields", "price"), [(OrderOptions(link="a.b"), None), (OrderOptions(link="a.b", quantity=1000), "0.9")]
)
def test_order_of_an_unknown_type_is_sent_unchanged(
    fields: OrderOptions, price: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its price is printed if the fields determine it, and as unknown if they do not."""
    client = FakeClient()
    dry, wet = ConsentOptions(dry_run=True), ConsentOptions(yes=True)
    sent: list[Decimal | None] = []

    async def send(_: object, cost: Decimal | None) -> int:
        sent.append(cost)
        return 5

    assert anyio.run(submit_order, client, "1", fields, dry, OutputOptions(format="json"), send) == 0
    shown = json.loads(capsys.readouterr().out)["price"]
    assert shown is None if price is None else Decimal(shown) == Decimal(price)
    assert sent == []
    assert anyio.run(submit_order, client, "1", fields, wet, OutputOptions(format="json"), send) == 5
    assert ("the price is unknown" in capsys.readouterr().err) is (price is None)
    assert sent == [price and Decimal(price)]
