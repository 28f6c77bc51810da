"""Benchmarks, side by side with what a user would write instead; ``soak`` counts instead of timing."""

from __future__ import annotations

import argparse
import json
import sys

from . import bulk, soak, transport
from .measure import Result, table

BENCHMARKS = {"bulk": bulk.run, "transport": transport.run}


def main() -> int:
    """Run one benchmark, or all that compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*sorted(BENCHMARKS), "soak"], help="which; all but soak without it")
    parser.add_argument("--quick", action="store_true", help="less work: a few minutes for all")
    parser.add_argument("--adds", type=int, default=100_000, help="of soak: how many orders")
    parser.add_argument("--seed", type=int, default=1, help="of soak: the script of the failures")
    parser.add_argument("--format", choices=("table", "json"), default="table", dest="how")
    arguments = parser.parse_args()
    if arguments.name == "soak":
        report = soak.run(adds=arguments.adds, seed=arguments.seed)
        sys.stdout.write(json.dumps(report, indent=2) + "\n" if arguments.how == "json" else table([report]))
        return 1 if report["duplicates"] or report["lost"] else 0
    names = [arguments.name] if arguments.name else sorted(BENCHMARKS)
    results: list[Result] = []
    for name in names:
        sys.stderr.write(f"{name} …\n")
        results += BENCHMARKS[name](quick=arguments.quick)
    rows = [result.row() for result in results]
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if arguments.how == "json" else table(rows))
    return 0


sys.exit(main())
