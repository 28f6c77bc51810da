"""What an import takes: in a Python of its own each time, after what is imported anyway."""

from __future__ import annotations

import statistics
import subprocess
import sys

_ANYWAY = "import httpx, attrs, cattrs, anyio, anyio.abc, anyio.lowlevel; anyio.Lock, anyio.current_time"
_STATEMENTS = {
    "httpx, attrs, cattrs, anyio": ("", _ANYWAY),
    "followersdata_async, after those": (_ANYWAY, "import followersdata_async"),
    "with orders": (_ANYWAY, "import followersdata_async.orders, followersdata_async"),
    "babismm, with requests": ("", "import smm"),
}
"""Each with what comes before it. anyio loads its parts when they are first used, as every program does."""
_TIMED = "{before}\nimport time\nbegan = time.process_time()\n{statement}\nprint(time.process_time() - began)"


def run(*, quick: bool) -> list[dict[str, object]]:
    """Compare the milliseconds of CPU that statements take, in turns."""
    taken: dict[str, list[float]] = {name: [] for name in _STATEMENTS}
    for _ in range(10 if quick else 40):
        for name, (before, statement) in _STATEMENTS.items():
            taken[name].append(_milliseconds(before, statement))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    first = next(iter(medians.values()))
    return [
        {
            "benchmark": "imports",
            "case": "CPU of an import",
            "way": name,
            "ms": round(median, 1),
            "ratio": round(median / first, 2),
        }
        for name, median in medians.items()
    ]


def _milliseconds(before: str, statement: str) -> float:
    """The first run may compile, which the median passes over."""
    code = _TIMED.format(before=before, statement=statement)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return float(done.stdout) * 1000
