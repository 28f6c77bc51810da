"""Law 7 over real sockets: memory is bounded by what is in flight, not by how many ids there are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_fifty_thousand_ids_take_no_more_memory_than_a_hundred() -> None:
    """As few requests as there can be, and a few MiB; all of them at once would take forty."""
    command = [sys.executable, "-m", "benchmarks", "memory", "--ids", "50000", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    streamed, gathered = json.loads(done.stdout)
    assert (streamed["ids"], streamed["requests"]) == (50_000, 500)
    assert gathered["requests"] == 50
    assert streamed["growth_mib"] < 20
