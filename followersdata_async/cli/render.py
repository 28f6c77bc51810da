"""Values to rows, and rows to standard output in one of four formats."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Literal

from attrs import asdict
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..models import Failed, Ok, Refused, Unreported

if TYPE_CHECKING:
    from attrs import AttrsInstance

    from ..models import Outcome

Format = Literal["table", "json", "jsonl", "csv"]
Row = Mapping[str, object]

_UNCUT = 100_000
"""Columns of a table that no terminal cuts."""


def plain(value: object) -> object:
    """A value as JSON has it: amounts as texts, so that they stay exact."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def row_of(value: AttrsInstance) -> Row:
    """A model's fields as a row."""
    return {name: plain(part) for name, part in asdict(value, recurse=False).items()}


def row_of_outcome(outcome: Outcome[AttrsInstance]) -> Row:
    """An outcome as a row: its id, what it is, and the value's fields or the error."""
    match outcome:
        case Ok(id_, value):
            return {"id": id_, "outcome": "ok", **row_of(value)}
        case Refused(id_, error) | Failed(id_, error):
            kind = "refused" if isinstance(outcome, Refused) else "failed"
            return {"id": id_, "outcome": kind, "error": type(error).__name__, "message": error.message}
        case Unreported(id_):
            return {"id": id_, "outcome": "unreported"}


def write(rows: Sequence[Row], columns: Sequence[str], how: Format) -> None:
    """Write rows to standard output; tables and CSV have the given columns alone."""
    if how == "json":
        sys.stdout.write(json.dumps(rows, indent=2, default=str) + "\n")
    elif how == "jsonl":
        for row in rows:
            write_line(row)
    elif how == "csv":
        writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        write_table(rows, columns)


def write_one(row: Row, columns: Sequence[str], how: Format) -> None:
    """Write a single value: as JSON an object, not a list."""
    if how == "json":
        sys.stdout.write(json.dumps(row, indent=2, default=str) + "\n")
    else:
        write([row], columns, how)


def write_line(row: Row) -> None:
    """Write one row as a line of JSON."""
    sys.stdout.write(json.dumps(row, default=str) + "\n")


def write_table(rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Write a table: fitted to a terminal, uncut for everything else."""
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(Text("" if row.get(column) is None else str(row[column])) for column in columns))
    width = None if sys.stdout.isatty() else _UNCUT
    Console(file=sys.stdout, width=width, highlight=False).print(table)
