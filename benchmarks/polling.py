"""A simulated day: how many requests it takes to notice that orders are final, and how soon that is."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, final

import anyio
from attrs import frozen

from followersdata_async import Ok, OrderState, OrderStatus
from followersdata_async.ledger import Ledger

if TYPE_CHECKING:
    from followersdata_async import AsyncClient, Id

SIZE = 100
_DAY = 86_400.0
_HOUR = 3_600.0
_STEPS = 12
_ROUND = 30.0
"""Seconds between two rounds of the ledger: as long as a watch lets a request fill up."""

_SERVICES = (
    # share of the orders, median seconds until they start and until they are done, with the spread of each
    (0.45, 180.0, 0.8, 1_200.0, 1.0),  # likes, views
    (0.40, 900.0, 1.0, 3 * _HOUR, 1.2),  # followers
    (0.12, 1_800.0, 1.0, 18 * _HOUR, 0.8),  # delivered slowly
    (0.03, 48 * _HOUR, 1.0, 0.0, 0.0),  # stuck, then cancelled
)
_SILENT = 0.25
"""The share of orders whose ``remains`` does not move before they are done."""


@final
@frozen(kw_only=True)
class Life:
    """One order: when it is placed, starts and is final, and how its delivery goes, in twelve uneven steps."""

    order: int
    placed_at: float
    starts_at: float
    final_at: float
    quantity: int
    is_silent: bool
    delivered: Sequence[float]

    def get_status(self, now: float) -> OrderStatus:
        """Return the panel's status at a time."""
        if now >= self.final_at:
            return OrderStatus(status="Completed", state=OrderState.COMPLETED, remains=0)
        if now < self.starts_at:
            return OrderStatus(status="Pending", state=OrderState.PENDING, remains=self.quantity)
        return OrderStatus(status="In progress", state=OrderState.IN_PROGRESS, remains=self._count_remains(now))

    def _count_remains(self, now: float) -> int:
        if self.is_silent or now < self.starts_at:
            return self.quantity
        steps = (now - self.starts_at) / (self.final_at - self.starts_at) * _STEPS
        step = min(int(steps), _STEPS - 1)
        before, after = self.delivered[step], self.delivered[step + 1]
        return self.quantity - int(self.quantity * (before + (after - before) * (steps - step)))


@final
@frozen
class Noticed:
    """What a way of polling came to: the delays of the ends that it noticed, and of the others until the day ended."""

    requests: int
    delays: Sequence[float]
    missed: Sequence[float]

    @property
    def mean_delay(self) -> float:
        """Seconds from an order's end until it is noticed, at the latest at the end of the day."""
        return (sum(self.delays) + sum(self.missed)) / (len(self.delays) + len(self.missed))


def run(*, seed: int, orders: int) -> list[dict[str, object]]:
    """Compare a ledger's polling with a fixed interval of the same mean delay, and with the newest hundred."""
    lives = list(_draw_lives(random.Random(seed), orders))  # noqa: S311 - a script, not a secret
    ours = anyio.run(_poll_by_ledger, lives)
    interval = _find_interval(lives, ours.mean_delay)
    ways = {
        "followersdata_async": ours,
        f"all, every {interval:.0f} s": _poll_at_interval(lives, interval, _choose_all),
        "the newest hundred, every minute": _poll_at_interval(lives, 60.0, _choose_newest),
    }
    fixed = next(way for name, way in ways.items() if name.startswith("all"))
    return [
        {
            "benchmark": "polling",
            "orders": orders,
            "way": name,
            "requests": way.requests,
            "ratio": round(way.requests / fixed.requests, 2),
            "mean_delay_s": round(way.mean_delay, 1),
            "noticed": len(way.delays),
            "missed": len(way.missed),
        }
        for name, way in ways.items()
    ]


def _draw_lives(chance: random.Random, orders: int) -> Iterable[Life]:
    placed = sorted(_draw_time_of_day(chance) for _ in range(orders))
    for order, placed_at in enumerate(placed):
        _, start, start_spread, duration, spread = chance.choices(_SERVICES, [row[0] for row in _SERVICES])[0]
        starts_at = placed_at + chance.lognormvariate(math.log(start), start_spread)
        steps = [chance.lognormvariate(0, 1) for _ in range(_STEPS)]
        yield Life(
            order=order,
            placed_at=placed_at,
            starts_at=starts_at,
            final_at=starts_at + (chance.lognormvariate(math.log(duration), spread) if duration else 0.0),
            quantity=chance.randint(100, 5000),
            is_silent=chance.random() < _SILENT,
            delivered=[sum(steps[:step]) / sum(steps) for step in range(_STEPS + 1)],
        )


def _draw_time_of_day(chance: random.Random) -> float:
    """Return a random time. More orders come in the evening than at night."""
    while True:
        time = chance.random()
        if chance.random() < 0.6 + 0.4 * math.sin(2 * math.pi * (time - 0.4)):
            return time * _DAY


@final
class _Clock:
    """The time of the simulated day."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@final
class _Outcomes:
    """The status of each order at one moment, as a stream of the client."""

    def __init__(self, lives: Iterable[Life], now: float) -> None:
        self._lives = list(lives)
        self._now = now
        self.requests = -(-len(self._lives) // SIZE)

    async def __aiter__(self) -> AsyncIterator[Ok[OrderStatus]]:
        """Yield one outcome for each order."""
        for life in self._lives:
            yield Ok(life.order, life.get_status(self._now))


@final
class _NoListeners:
    is_active = False


@final
class _Panel:
    """A client of a panel on which the orders of the day are delivered."""

    events = _NoListeners()

    def __init__(self, lives: Sequence[Life], clock: _Clock) -> None:
        self._lives = lives
        self._clock = clock

    @asynccontextmanager
    async def stream_status(self, ids: Iterable[Id]) -> AsyncIterator[_Outcomes]:
        """Return the statuses of orders."""
        yield _Outcomes((self._lives[int(id_)] for id_ in ids), self._clock.now)


async def _poll_by_ledger(lives: Sequence[Life]) -> Noticed:
    """Track each order when it is placed, and poll what is due every half a minute."""
    clock = _Clock()
    client: AsyncClient = _Panel(lives, clock)  # type: ignore[assignment]  # polling uses no more of it
    requests, delays, tracked = 0, list[float](), 0
    with TemporaryDirectory() as folder:
        async with Ledger(f"sqlite:///{Path(folder)}/orders.db", clock=clock) as ledger:
            while clock.now < _DAY:
                placed = bisect_right(lives, clock.now, key=lambda life: life.placed_at)
                await ledger.track(range(tracked, placed))
                tracked = placed
                report = await ledger.poll_once(
                    client, max_requests=-(-len(lives) // SIZE), deadline=_HOUR, lease=_HOUR
                )
                requests += report.requests
                final = [change.order for change in report.changes if change.after.is_final]
                delays += [clock.now - lives[int(order)].final_at for order in final]
                clock.now += _ROUND
            open_orders = {int(order) for order in range(len(lives))} - await _find_final(ledger)
    return Noticed(requests, delays, _list_missed(lives[order] for order in open_orders))


async def _find_final(ledger: Ledger) -> set[int]:
    return {int(recorded.change.order) async for recorded in ledger.changes() if recorded.change.after.is_final}


def _poll_at_interval(
    lives: Sequence[Life], interval: float, choose: Callable[[Sequence[Life]], Sequence[Life]]
) -> Noticed:
    open_, coming, requests, delays = list[Life](), 0, 0, list[float]()
    now = interval
    while now < _DAY:
        while coming < len(lives) and lives[coming].placed_at <= now:
            open_.append(lives[coming])
            coming += 1
        asked = choose(open_)
        requests += -(-len(asked) // SIZE)
        final = {life.order for life in asked if life.final_at <= now}
        delays += [now - life.final_at for life in asked if life.final_at <= now]
        open_ = [life for life in open_ if life.order not in final]
        now += interval
    return Noticed(requests, delays, _list_missed(open_))


def _choose_all(lives: Sequence[Life]) -> Sequence[Life]:
    return lives


def _choose_newest(lives: Sequence[Life]) -> Sequence[Life]:
    return lives[-SIZE:]


def _list_missed(lives: Iterable[Life]) -> list[float]:
    """Return the delays, until the end of the day, of orders that were final before and not noticed."""
    return [_DAY - life.final_at for life in lives if life.final_at < _DAY]


def _find_interval(lives: Sequence[Life], mean_delay: float) -> float:
    """Return the fixed interval whose mean delay is the given one, found by halving."""
    low, high = 1.0, 7_200.0
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        is_longer = _poll_at_interval(lives, middle, _choose_all).mean_delay > mean_delay
        low, high = (low, middle) if is_longer else (middle, high)
    return low


_HALVINGS = 16
