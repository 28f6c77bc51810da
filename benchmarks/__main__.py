"""Benchmarks, side by side with what a user would write instead; ``soak`` counts instead of timing."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from . import bulk, coalescing, ledger, memory, observing, polling, sandbox, service, soak, transport
from .measure import table

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = list[dict[str, object]]

BENCHMARKS: dict[str, Callable[[argparse.Namespace], Rows]] = {
    "bulk": lambda arguments: [result.row() for result in bulk.run(quick=arguments.quick)],
    "coalescing": lambda arguments: coalescing.run(quick=arguments.quick),
    "ledger": lambda arguments: ledger.run(orders=arguments.orders // 10 if arguments.quick else arguments.orders),
    "memory": lambda arguments: memory.run(ids=arguments.ids // 10 if arguments.quick else arguments.ids),
    "observing": lambda arguments: observing.run(quick=arguments.quick),
    "polling": lambda arguments: polling.run(seed=arguments.seed),
    "sandbox": lambda arguments: sandbox.run(orders=arguments.orders // 10 if arguments.quick else arguments.orders),
    "service": lambda arguments: service.run(quick=arguments.quick),
    "transport": lambda arguments: [result.row() for result in transport.run(quick=arguments.quick)],
}


def main() -> int:
    """Run one benchmark, or all that compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*sorted(BENCHMARKS), "soak"], help="which; all but soak without it")
    parser.add_argument("--quick", action="store_true", help="less work: a few minutes for all")
    parser.add_argument("--adds", type=int, default=100_000, help="of soak: how many orders")
    parser.add_argument("--ids", type=int, default=1_000_000, help="of memory: how many ids")
    parser.add_argument(
        "--orders", type=int, default=1_000_000, help="of ledger and sandbox: how many orders there are"
    )
    parser.add_argument("--seed", type=int, default=1, help="of soak and polling: the script of what happens")
    parser.add_argument("--format", choices=("table", "json"), default="table", dest="how")
    arguments = parser.parse_args()
    if arguments.name == "soak":
        report = soak.run(adds=arguments.adds, seed=arguments.seed)
        sys.stdout.write(json.dumps(report, indent=2) + "\n" if arguments.how == "json" else table([report]))
        return 1 if report["duplicates"] or report["lost"] else 0
    rows: Rows = []
    for name in [arguments.name] if arguments.name else sorted(BENCHMARKS):
        sys.stderr.write(f"{name} …\n")
        rows += BENCHMARKS[name](arguments)
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if arguments.how == "json" else table(rows))
    return 0


sys.exit(main())
