"""Repeats, medians and ratios: the ways take turns, so that a noisy moment hits them all."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import final

import anyio
from attrs import evolve, frozen

NOISY = 0.25
"""A spread of the repeats above this share of their median makes a number doubtful."""

Way = Callable[[], Awaitable[int]]
"""One way to do the work: it returns how many requests it made, or orders it asked."""


@final
@frozen(kw_only=True)
class Result:
    """The CPU and the rate of one way, each with its ratio to the way that all are compared with."""

    benchmark: str
    case: str
    way: str
    cpu_us: float
    cpu_ratio: float
    per_second: float
    ratio: float
    spread: float
    connections: int | None = None

    @property
    def is_noisy(self) -> bool:
        """Whether something else was running."""
        return self.spread > NOISY

    def row(self) -> dict[str, object]:
        """Return the result as a row. ``cpu_us`` is the client's microseconds of CPU for one unit of work."""
        return {
            "benchmark": self.benchmark,
            "case": self.case,
            "way": self.way,
            "cpu_us": round(self.cpu_us),
            "cpu_ratio": round(self.cpu_ratio, 2),
            "per_second": round(self.per_second),
            "ratio": round(self.ratio, 2),
            "spread": round(self.spread, 2),
            "noisy": self.is_noisy,
            **({} if self.connections is None else {"connections": self.connections}),
        }


@final
@frozen
class _Run:
    units: int
    seconds: float
    cpu: float
    connections: int = 0

    @property
    def per_second(self) -> float:
        return self.units / self.seconds


def compared(
    benchmark: str,
    case: str,
    ways: Mapping[str, Way],
    *,
    against: str,
    repeats: int = 3,
    connections: Callable[[], int] | None = None,
) -> list[Result]:
    """Run every way ``repeats`` times, in turns, and compare the medians with one of them.

    ``connections`` tells how many the server has seen so far, that of the question included.
    """
    runs: dict[str, list[_Run]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            before = connections() if connections else 0
            run = anyio.run(_timed, way)
            runs[name].append(evolve(run, connections=connections() - before - 1) if connections else run)
    rates = {name: statistics.median(run.per_second for run in runs[name]) for name in ways}
    cpu = {name: statistics.median(run.cpu / run.units * 1e6 for run in runs[name]) for name in ways}
    return [
        Result(
            benchmark=benchmark,
            case=case,
            way=name,
            cpu_us=cpu[name],
            cpu_ratio=cpu[name] / cpu[against],
            per_second=rates[name],
            ratio=rates[name] / rates[against],
            spread=_spread([run.per_second for run in runs[name]]),
            connections=round(statistics.median(run.connections for run in runs[name])) if connections else None,
        )
        for name in ways
    ]


async def _timed(way: Way) -> _Run:
    gc.collect()
    cpu, began = time.process_time(), time.perf_counter()
    units = await way()
    return _Run(units, time.perf_counter() - began, time.process_time() - cpu)


def _spread(rates: list[float]) -> float:
    return (max(rates) - min(rates)) / statistics.median(rates)


def table(rows: list[dict[str, object]]) -> str:
    """Rows as aligned text."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([str(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in cells
    )
