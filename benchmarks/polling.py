"""A simulated day: how many requests it takes to notice that orders are final, and how soon that is."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import final

from attrs import define, field, frozen
from followersdata_async._pacing import Observation, PollPolicy, Schedule, compute_next_poll, estimate_time_left

ORDERS = 20_000
SIZE = 100
_DAY = 86_400.0
_HOUR = 3_600.0
_STEPS = 12

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

    def remains(self, now: float) -> int:
        """What is not delivered yet."""
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


def run(*, seed: int = 1, orders: int = ORDERS) -> list[dict[str, object]]:
    """Compare our schedule with a fixed interval of the same mean delay, and with the newest hundred each minute."""
    lives = list(_lives(random.Random(seed), orders))  # noqa: S311 - a script, not a secret
    ours = _ours(lives, PollPolicy())
    interval = _interval_of(lives, ours.mean_delay)
    ways = {
        "followersdata_async": ours,
        f"all, every {interval:.0f} s": _fixed(lives, interval, _everyone),
        "the newest hundred, every minute": _fixed(lives, 60.0, _newest),
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


def _lives(chance: random.Random, orders: int) -> Iterable[Life]:
    placed = sorted(_time_of_day(chance) for _ in range(orders))
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


def _time_of_day(chance: random.Random) -> float:
    """More orders come in the evening than at night."""
    while True:
        time = chance.random()
        if chance.random() < 0.6 + 0.4 * math.sin(2 * math.pi * (time - 0.4)):
            return time * _DAY


@final
@define
class _Known:
    """What our way knows of an order."""

    moved_at: float
    is_started: bool = False
    began: tuple[int, float] = field(default=(0, 0.0))


def _ours(lives: Sequence[Life], policy: PollPolicy) -> Noticed:
    schedule = Schedule(size=SIZE, max_chunk_wait=policy.max_chunk_wait)
    coming = iter(lives)
    coming_next = next(coming, None)
    known: dict[str, _Known] = {}
    requests, now, delays = 0, 0.0, []
    while (now := min(schedule.next_at(), coming_next.placed_at if coming_next else math.inf)) < _DAY:
        while coming_next and coming_next.placed_at <= now:
            schedule.put(str(coming_next.order), now)
            known[str(coming_next.order)] = _Known(now)
            coming_next = next(coming, None)
        for chunk in schedule.chunks_due(now):
            requests += 1
            for order in chunk:
                life = lives[int(order)]
                if life.final_at <= now:
                    delays.append(now - life.final_at)
                    del known[order]
                else:
                    schedule.put(order, compute_next_poll(_sighting(known[order], life, now), policy))
    return Noticed(requests, delays, _unnoticed(lives[int(order)] for order in known))


def _sighting(known: _Known, life: Life, now: float) -> Observation:
    remains = life.remains(now)
    if known.is_started != (life.starts_at <= now) or not known.began[0]:
        known.moved_at = now if known.began[0] else known.moved_at
        known.is_started = life.starts_at <= now
        known.began = (remains, now)
    remained, since = known.began
    return Observation(
        at=now,
        moved_at=known.moved_at,
        rest=estimate_time_left(initial_remains=remained, remains=remains, elapsed=now - since),
    )


def _fixed(lives: Sequence[Life], interval: float, chosen: Callable[[Sequence[Life]], Sequence[Life]]) -> Noticed:
    open_, coming, requests, delays = list[Life](), 0, 0, list[float]()
    now = interval
    while now < _DAY:
        while coming < len(lives) and lives[coming].placed_at <= now:
            open_.append(lives[coming])
            coming += 1
        asked = chosen(open_)
        requests += -(-len(asked) // SIZE)
        final = {life.order for life in asked if life.final_at <= now}
        delays += [now - life.final_at for life in asked if life.final_at <= now]
        open_ = [life for life in open_ if life.order not in final]
        now += interval
    return Noticed(requests, delays, _unnoticed(open_))


def _everyone(lives: Sequence[Life]) -> Sequence[Life]:
    return lives


def _newest(lives: Sequence[Life]) -> Sequence[Life]:
    return lives[-SIZE:]


def _unnoticed(lives: Iterable[Life]) -> list[float]:
    """The delays of those that were final before the day was over, and that nobody noticed."""
    return [_DAY - life.final_at for life in lives if life.final_at < _DAY]


def _interval_of(lives: Sequence[Life], mean_delay: float) -> float:
    """The fixed interval whose mean delay is the given one, by halving."""
    low, high = 1.0, 7_200.0
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _fixed(lives, middle, _everyone).mean_delay > mean_delay else (middle, high)
    return low


_HALVINGS = 16
