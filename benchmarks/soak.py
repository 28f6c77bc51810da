"""Never twice, never lost: many orders through a panel that fails by a script, with callers that give up at random."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import final

import anyio
import httpx
from attrs import define, field

from followersdata_async import AsyncClient, NotSentError, OutcomeUnknownError, PanelError, RetryPolicy, orders

from .faulty import KEY
from .serving import serving

_WORKERS = 50
_IMPATIENT = 0.05
"""The share of callers that are cancelled, some before and some after their order has left."""
_WRONG = 0.02
"""The share of orders that the panel refuses."""


@final
@define
class Told:
    """What every caller was told about its order, by the order's link."""

    placed: set[str] = field(factory=set)
    refused: set[str] = field(factory=set)
    not_sent: set[str] = field(factory=set)
    unknown: set[str] = field(factory=set)


def run(*, adds: int, seed: int) -> list[dict[str, object]]:
    """Place ``adds`` orders, then compare what callers were told with what the panel took.

    ``duplicates`` are orders that the panel took beyond the callers' intents;
    ``lost`` are those that it took and whose caller was told "refused" or
    "not sent", and those that a caller was told are placed and that are not.
    """
    with serving("benchmarks.faulty", seed) as url:
        began = time.perf_counter()
        told = anyio.run(_place_all, url, adds, seed)
        seconds = time.perf_counter() - began
        taken = Counter(_read_links(url))
    report: dict[str, object] = {
        "benchmark": "soak",
        "adds": adds,
        "placed": len(told.placed),
        "refused": len(told.refused),
        "not_sent": len(told.not_sent),
        "unknown": len(told.unknown),
        "duplicates": sum(taken.values()) - len(taken),
        "lost": len(taken.keys() & (told.refused | told.not_sent)) + len(told.placed - taken.keys()),
        "seconds": round(seconds, 3),
    }
    return [report]


def _read_links(url: str) -> list[str]:
    """Return the link of each order that the panel took. No fault applies to this request."""
    response = httpx.get(url.replace("/api/v2", "/__sandbox__/orders"), timeout=60)
    return [str(link) for link in response.json()]


async def _place_all(url: str, adds: int, seed: int) -> Told:
    told = Told()
    left = iter(range(adds))
    retry = RetryPolicy(initial_delay=0.001, max_delay=0.01)
    async with AsyncClient(KEY, url=url, concurrency=_WORKERS, attempt_timeout=2.0, retry=retry) as panel:

        async def worker(number: int) -> None:
            chance = random.Random(seed * _WORKERS + number)  # noqa: S311 - a script, not a secret
            for index in left:
                await _place(panel, told, index, chance)

        async with anyio.create_task_group() as group:
            for number in range(_WORKERS):
                group.start_soon(worker, number)
    return told


async def _place(panel: AsyncClient, told: Told, index: int, chance: random.Random) -> None:
    link = f"https://example.com/{index}" if chance.random() > _WRONG else f"nowhere {index}"
    patience = chance.random() * 0.05 if chance.random() < _IMPATIENT else None
    with anyio.move_on_after(patience) as scope:
        try:
            await panel.add(orders.Package(service=3, link=link))
        except NotSentError:
            told.not_sent.add(link)
        except OutcomeUnknownError:
            told.unknown.add(link)
        except PanelError:
            told.refused.add(link)
        else:
            told.placed.add(link)
    if scope.cancelled_caught:
        told.unknown.add(link)
