"""Values to rows, and rows to standard output in one of four formats."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
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

_TEXTS = frozenset({"name", "type", "category", "link", "error", "message", "url", "before", "after"})
_JOINED = (("error", ": ", "message"), ("charge", " ", "currency"), ("balance", " ", "currency"))
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


def write_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Write a table: fitted to a terminal, with every column and uncut for everything else."""
    width: int | None = _UNCUT
    word_gap = " "
    if sys.stdout.isatty():
        width, word_gap = None, "\n"
        rows, columns = [_joined(row) for row in rows], _used(columns, rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        # Whatever is short is whole, amounts above all; texts take the room that is left.
        table.add_column(column.replace("_", word_gap), no_wrap=column not in _TEXTS, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if row.get(column) is None else str(row[column])) for column in columns))
    Console(file=sys.stdout, width=width, highlight=False).print(table)


def _joined(row: Row) -> Row:
    """A row with an error's words behind its class, and the currency behind the amount."""
    joined = {
        first: f"{row[first]}{between}{row[second]}"
        for first, between, second in _JOINED
        if row.get(first) is not None and row.get(second) is not None
    }
    return {**row, **joined}


def _used(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """The columns that some row has something in and that are not joined to another; of no rows, all."""
    used = [column for column in columns if any(row.get(column) is not None for row in rows)] or columns
    behind = {second for first, _, second in _JOINED if first in used}
    return [column for column in used if column not in behind]
