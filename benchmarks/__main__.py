"""Benchmarks, side by side with what a user would write instead; ``kills`` and ``soak`` count instead of timing."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .measure import Result, table

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = list[dict[str, object]]

_TAKES: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    **dict.fromkeys(
        ("bulk", "catalogue", "coalescing", "decoding", "imports", "observing", "service", "transport"),
        lambda arguments: {"quick": arguments.quick},
    ),
    **dict.fromkeys(
        ("ledger", "sandbox"),
        lambda arguments: {"orders": arguments.orders // 10 if arguments.quick else arguments.orders},
    ),
    "memory": lambda arguments: {"ids": arguments.ids // 10 if arguments.quick else arguments.ids},
    "polling": lambda arguments: {"seed": arguments.seed, "orders": 2_000 if arguments.quick else 20_000},
    "kills": lambda arguments: {"adds": arguments.adds, "seed": arguments.seed, "kills": arguments.kills},
    "soak": lambda arguments: {"adds": arguments.adds, "seed": arguments.seed},
}
"""What each benchmark's ``run`` takes."""
_COMPARED = sorted(_TAKES.keys() - {"kills", "soak"})


def main() -> int:
    """Run one benchmark, or all that compare."""
    arguments = _arguments()
    rows: Rows = []
    for name in [arguments.name] if arguments.name else _COMPARED:
        sys.stderr.write(f"{name} …\n")
        found = _found(name, arguments) if arguments.name else _found_apart(name)
        rows += found
        if arguments.save:
            _save(arguments.save, name, found)
    written = {"table": table, "json": lambda rows: json.dumps(rows, indent=2) + "\n", "svg": _svg}[arguments.how]
    sys.stdout.write(written(rows))
    if noisy := sum(bool(row.get("noisy")) for row in rows):
        sys.stderr.write(f"{noisy} of {len(rows)} numbers are noisy: something else was running; run them again\n")
    return 1 if any(row.get("duplicates") or row.get("lost") for row in rows) else 0


def _found(name: str, arguments: argparse.Namespace) -> Rows:
    """A benchmark's rows. Each imports what it alone compares with."""
    try:
        module = importlib.import_module(f".{name}", __package__)
    except ModuleNotFoundError as error:
        sys.exit(f"{name} compares with {error.name}: run it by nox -s benchmarks -- {name}, which installs that")
    found = module.run(**_TAKES[name](arguments))
    return [row.row() if isinstance(row, Result) else row for row in found]


def _found_apart(name: str) -> Rows:
    """The same in a process of its own, so that no benchmark's memory or imports are those of another."""
    command = [sys.executable, "-m", "benchmarks", *sys.argv[1:], name, "--format=json", "--save="]
    rows: Rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # noqa: S603 - ourselves
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(_TAKES), help="which; all but kills and soak without it")
    parser.add_argument("--quick", action="store_true", help="less work: a few minutes for all")
    parser.add_argument("--adds", type=int, default=100_000, help="of kills and soak: how many orders")
    parser.add_argument("--kills", type=int, default=10, help="of kills: how often the command is killed")
    parser.add_argument("--ids", type=int, default=1_000_000, help="of memory: how many ids")
    parser.add_argument(
        "--orders", type=int, default=1_000_000, help="of ledger and sandbox: how many orders there are"
    )
    parser.add_argument("--seed", type=int, default=1, help="of kills, soak and polling: the script of what happens")
    parser.add_argument("--format", choices=("table", "json", "svg"), default="table", dest="how")
    parser.add_argument(
        "--save",
        type=lambda folder: Path(folder) if folder else None,
        help="a folder for each benchmark's numbers, with the machine, and picture",
    )
    return parser.parse_args()


def _save(folder: Path, name: str, rows: Rows) -> None:
    """A benchmark's rows with the machine that they were measured on, and their picture."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"machine": _machine(), "rows": rows}
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (folder / f"{name}.svg").write_text(_svg(rows), encoding="utf-8")


def _svg(rows: Rows) -> str:
    from . import charts  # noqa: PLC0415 - what draws takes long to import, and is seldom needed

    return charts.drawn(rows).decode()


def _machine() -> str:
    processors = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(": ")[2] for line in processors.splitlines() if line.startswith("model name")]
    kind = names[0] if names else platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {kind}, {platform.system()}, Python {platform.python_version()}"


sys.exit(main())
