"""``python -m benchmarks [name] [--quick] [--format table|json]``."""

from __future__ import annotations

import argparse
import json
import sys

from . import bulk, transport
from .measure import Result, table

BENCHMARKS = {"bulk": bulk.run, "transport": transport.run}


def main() -> int:
    """Run one benchmark, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), help="which one; all of them without it")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and less work: about a minute")
    parser.add_argument("--format", choices=("table", "json"), default="table", dest="how")
    arguments = parser.parse_args()
    names = [arguments.name] if arguments.name else sorted(BENCHMARKS)
    results: list[Result] = []
    for name in names:
        sys.stderr.write(f"{name} …\n")
        results += BENCHMARKS[name](quick=arguments.quick)
    rows = [result.row() for result in results]
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if arguments.how == "json" else table(rows))
    return 0


sys.exit(main())
