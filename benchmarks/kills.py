"""``followersdata place --file`` against a panel that fails by a script, killed at random moments and run again."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from .faulty import KEY
from .serving import serving

_MAX_RUNS = 10
"""Runs after the last kill, until nothing is left that was not sent."""
_MIB = 1024


def run(*, adds: int, seed: int, kills: int = 10, longest: float = 12.0) -> list[dict[str, object]]:
    """Place ``adds`` orders from a file, and compare the file of results with what the panel took.

    The command is killed ``kills`` times, after ``longest`` seconds at the latest.

    ``duplicates`` are refs that the panel took more than once; ``lost`` are those
    that it took and that are refused or not sent in the results, those that are
    placed in the results and that it did not take, and refs without a line.
    """
    chance = random.Random(seed)  # noqa: S311 - a script, not a secret
    with tempfile.TemporaryDirectory() as folder, serving("benchmarks.faulty", seed) as url:
        began = time.perf_counter()
        file = Path(folder) / "orders.csv"
        lines = (f"o-{number},3,https://example.com/{number}\n" for number in range(adds))
        file.write_text("id,service,link\n" + "".join(lines), encoding="utf-8")
        peaks = [_run(file, url, chance.uniform(1.0, longest)) for _ in range(kills)]
        for _ in range(_MAX_RUNS):
            peaks.append(_run(file, url, None))
            results = _read_results(file)
            if "not_sent" not in results.values():
                break
        taken = Counter(link.rpartition("/")[2] for link in _read_links(url))
        seconds = time.perf_counter() - began
    states = Counter(results.values())
    placed = {ref.partition("-")[2] for ref, state in results.items() if state == "placed"}
    unplaced = {ref.partition("-")[2] for ref, state in results.items() if state in {"refused", "not_sent"}}
    report: dict[str, object] = {
        "benchmark": "kills",
        "adds": adds,
        "runs": len(peaks),
        **{state: states[state] for state in ("placed", "refused", "not_sent", "unknown")},
        "duplicates": sum(taken.values()) - len(taken),
        "lost": len(taken.keys() & unplaced) + len(placed - taken.keys()) + adds - len(results),
        "peak_mib": round(max(peaks) / _MIB, 1),
        "seconds": round(seconds, 3),
    }
    return [report]


def _run(file: Path, url: str, seconds: float | None) -> int:
    """Run the command, and kill it after some seconds. Return its largest memory in KiB."""
    command = [sys.executable, "-m", "followersdata_async", "place", "--file", str(file), "--ref-column", "id", "--yes"]
    environment = os.environ | {
        "FOLLOWERSDATA_API_KEY": KEY,
        "FOLLOWERSDATA_API_URL": url,
        "FOLLOWERSDATA_LEDGER_URL": f"sqlite:///{file.parent}/orders.db",
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    if seconds is not None:
        time.sleep(seconds)
        # Not by Popen, which would wait for one that has ended by itself, and lose its memory.
        os.kill(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss


def _read_results(file: Path) -> dict[str, str]:
    """Return the state of each ref in the file of results."""
    with file.with_suffix(".results.csv").open(encoding="utf-8", newline="") as stream:
        return {row["ref"]: row["state"] for row in csv.DictReader(stream)}


def _read_links(url: str) -> list[str]:
    """Return the link of each order that the panel took. No fault applies to this request."""
    response = httpx.get(url.replace("/api/v2", "/__sandbox__/orders"), timeout=60)
    return [str(link) for link in response.json()]
