"""Law 3 under everything at once: no order twice, none lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_five_thousand_orders_are_taken_once_and_none_is_lost() -> None:
    """Through a panel that fails by a script and refuses connections, with callers that give up at random."""
    command = [sys.executable, "-m", "benchmarks", "soak", "--adds", "5000", "--seed", "7", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (report,) = json.loads(done.stdout)
    facts = ["adds", "placed", "refused", "not_sent", "unknown", "duplicates", "lost", "seconds"]
    assert list(report) == ["benchmark", *facts]
    assert (report["duplicates"], report["lost"]) == (0, 0)
    assert report["placed"] + report["refused"] + report["not_sent"] + report["unknown"] == report["adds"] == 5000
    # How many orders find nobody listening depends on how fast they are sent.
    assert report["placed"] > 2500


def test_a_file_of_orders_survives_kills() -> None:
    """Each ref is taken once at the most, and has a line of results that is true."""
    command = [sys.executable, "-m", "benchmarks", "kills", "--adds", "400", "--kills", "2", "--seed", "7"]
    done = subprocess.run([*command, "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=True)
    (report,) = json.loads(done.stdout)
    assert (report["duplicates"], report["lost"], report["not_sent"]) == (0, 0, 0)
    assert sum(report[state] for state in ("placed", "refused", "unknown")) == 400
    # Those that were being sent at a kill, and those whose response the script lost.
    assert report["unknown"] < 200
