"""Metrics of a ledger, by the real SDK: what its database says, read in the background, and nobody is harmed by it."""

from __future__ import annotations

import logging
import re
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from followersdata_async import AsyncClient, ConfigurationError, LedgerError, orders
from followersdata_async.integrations.opentelemetry import LedgerMetrics
from followersdata_async.ledger import Ledger, LedgerHealth, ReceiptState, SpendingLimit
from followersdata_async.sandbox import Sandbox
from tests.helpers.panels import Breaking
from tests.helpers.sandbox import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[3] / "docs" / "observing.md"
NAME = "followersdata.ledger."
HEALTH = LedgerHealth(
    panel="main",
    at=1e9,
    intents=dict.fromkeys(ReceiptState, 3),
    unknown=3,
    unknown_for_an_hour=2,
    oldest_unknown=4000.5,
    orders_open=7,
    orders_due=5,
    orders_overdue=4,
    lag=90.25,
    spending_left={"per_hour": Decimal("0.1"), "per_day": Decimal("1.25"), "orders_per_hour": Decimal(2)},
)


@pytest.fixture(scope="module", params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The only event loop that database drivers know."""
    return str(request.param)


class Meters:
    """A provider of a test's own, and what it was told."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader])

    def _metrics(self) -> list[Any]:
        data = self._reader.get_metrics_data()
        scopes = [] if data is None else [scope for each in data.resource_metrics for scope in each.scope_metrics]
        return [metric for scope in scopes for metric in scope.metrics]

    def units(self) -> dict[str, str]:
        """The unit of each metric."""
        return {metric.name: metric.unit for metric in self._metrics()}

    def values(self, name: str) -> dict[tuple[str, ...], Any]:
        """The points of one metric, by their attributes beside the panel's name; that of another panel is first."""
        points = [
            point for metric in self._metrics() if metric.name == NAME + name for point in metric.data.data_points
        ]
        return {tuple(value for value in point.attributes.values() if value != "main"): point.value for point in points}


class Reading:
    """A ledger that is read as a test wants it."""

    def __init__(self, *readings: LedgerHealth | Exception | None) -> None:
        self.left = list(readings)
        self.asked: list[dict[str, Any]] = []
        self.is_done = anyio.Event()

    async def health(self, **arguments: Any) -> LedgerHealth:
        """Return, raise or wait for ever."""
        self.asked.append(arguments)
        await anyio.lowlevel.checkpoint()
        if not self.left:
            self.is_done.set()
            return HEALTH
        reading = self.left.pop(0)
        if reading is None:
            await anyio.sleep_forever()
        if isinstance(reading, Exception):
            raise reading
        assert reading is not None
        return reading


def make_metrics(reading: Reading, meters: Meters, **settings: Any) -> LedgerMetrics:
    """The metrics of a ledger that is read as a test wants it."""
    ledger: Any = reading
    return LedgerMetrics(ledger, meter_provider=meters.provider, **settings)


async def test_each_number_is_a_metric_as_the_guide_says() -> None:
    """With its unit."""
    meters, reading = Meters(), Reading(HEALTH)
    assert await make_metrics(reading, meters, overdue=300).record() is HEALTH
    assert reading.asked == [{"panel": "main", "overdue": 300}]
    assert meters.values("intents") == {(state.value,): 3 for state in ReceiptState}
    assert {name: meters.values(name)[()] for name in ("unknown_orders", "unknown_orders_for_an_hour")} == {
        "unknown_orders": 3,
        "unknown_orders_for_an_hour": 2,
    }
    assert meters.values("oldest_unknown_age") == {(): 4000.5}
    assert [meters.values(name)[()] for name in ("open_orders", "due_orders", "overdue_orders")] == [7, 5, 4]
    assert meters.values("poll.lag") == {(): 90.25}
    assert meters.values("spending_left") == {("per_hour",): 0.1, ("per_day",): 1.25}
    assert meters.values("orders_left") == {("orders_per_hour",): 2}
    assert meters.values("readings") == {(): 1}
    rows = re.findall(r"^\| `(followersdata\.ledger\.[a-z._]+)` \| (\S+) \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == meters.units()


async def test_what_is_settled_falls_back_to_nothing(tmp_path: Path) -> None:
    """A real ledger; of another panel by its name."""
    meters, clock = Meters(), ManualClock()
    limit = SpendingLimit(per_day=Decimal(5))
    async with (
        Sandbox() as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http()) as client,
        Ledger(f"sqlite:///{tmp_path}/orders.db", clock=clock, spending_limit=limit) as ledger,
    ):

        async def cut_off() -> None:
            raise ConnectionError

        order = orders.Default(service=1, link="https://example.com/p/1", quantity=1000)
        broken: Any = Breaking(client, after=cut_off)
        with pytest.raises(ConnectionError):
            await ledger.place(broken, order, ref="a", panel="spare", cost=Decimal("0.9"))
        main, spare = (
            LedgerMetrics(ledger, panel=panel, meter_provider=meters.provider) for panel in ("main", "spare")
        )
        clock.now += 3600
        requests = sandbox.requests
        await main.record()
        await spare.record()
        assert sandbox.requests == requests
        assert meters.values("unknown_orders_for_an_hour") == {(): 0, ("spare",): 1}
        assert meters.values("oldest_unknown_age") == {(): 0.0, ("spare",): 3600.0}
        assert meters.values("spending_left") == {("per_day",): 5.0, ("spare", "per_day"): 4.1}
        await ledger.resolve("a", placed=False)
        await spare.record()
        assert meters.values("unknown_orders_for_an_hour") == {(): 0, ("spare",): 0}
        assert meters.values("intents")["spare", "not_sent"] == 1
        assert meters.values("intents")["spare", "unknown"] == 0


async def test_it_reads_in_the_background_whatever_happens(caplog: pytest.LogCaptureFixture) -> None:
    """A reading that fails or hangs is counted and logged, and the next one is taken."""
    meters = Meters()
    reading = Reading(LedgerError("no disk"), None, RuntimeError("a mistake"), HEALTH)
    with caplog.at_level(logging.WARNING, logger="followersdata_async"):
        async with make_metrics(reading, meters, every=0.2):
            await reading.is_done.wait()
    counted = meters.values("readings")
    assert {name for (name,) in counted.keys() - {()}} == {"LedgerError", "TimeoutError", "RuntimeError"}
    assert sum(counted[name,] for name in ("LedgerError", "TimeoutError", "RuntimeError")) == 3
    assert counted[()] >= 1
    assert "the ledger's metrics keep their last values: LedgerError: no disk" in caplog.text


async def test_an_error_of_the_application_is_its_own() -> None:
    """It is raised as it is, and the reading that it ends is no failure."""
    meters, reading = Meters(), Reading(None)
    metrics = make_metrics(reading, meters)
    with pytest.raises(KeyError):
        async with metrics:
            while reading.left:
                await anyio.lowlevel.checkpoint()
            raise KeyError
    with anyio.CancelScope() as scope:
        async with metrics:
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert meters.values("readings") == {}
    async with metrics:
        await reading.is_done.wait()
    assert meters.values("readings") == {(): 1}


async def test_it_is_entered_once_at_a_time() -> None:
    """Or it would read twice."""
    async with make_metrics(Reading(), Meters()) as metrics:
        with pytest.raises(ConfigurationError, match="can be entered once at a time"):
            await metrics.__aenter__()
    await metrics.__aexit__(None, None, None)


def test_an_app_opens_it_with_its_ledger(tmp_path: Path) -> None:
    """In the lifespan; the first reading does not wait for a minute."""
    meters = Meters()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with (
            Ledger(f"sqlite:///{tmp_path}/orders.db") as ledger,
            LedgerMetrics(ledger, meter_provider=meters.provider),
        ):
            yield

    with TestClient(FastAPI(lifespan=lifespan)) as client:
        while not meters.values("readings"):
            assert client.get("/nothing").status_code == 404
    assert meters.values("readings") == {(): 1}


async def test_without_an_sdk_nothing_happens() -> None:
    """And the numbers are returned all the same."""
    ledger: Any = Reading(HEALTH)
    assert await LedgerMetrics(ledger).record() is HEALTH


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"panel": ""}, ValueError),
        ({"every": 0}, ValueError),
        ({"every": "60"}, TypeError),
        ({"overdue": -1}, ValueError),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    """By name."""
    with pytest.raises(error, match=next(iter(settings))):
        make_metrics(Reading(), Meters(), **settings)
