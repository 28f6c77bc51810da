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
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..models import Failed, Ok, Refused, Unreported
from .progress import escape_controls

if TYPE_CHECKING:
    from attrs import AttrsInstance

    from ..models import Outcome

Format = Literal["table", "json", "jsonl", "csv"]
Row = Mapping[str, object]

_TEXTS = frozenset({"name", "type", "category", "link", "error", "message", "url", "before", "after"})
_JOINED = (("error", ": ", "message"), ("charge", " ", "currency"), ("balance", " ", "currency"))
_LEAST_OF_A_TEXT = 6
"""How narrow a text's column may get."""


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
    if not sys.stdout.isatty():
        _write_plain_table(rows, columns)
        return
    rows, columns = [_joined(row) for row in rows], _used(columns, rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    narrowest = 1
    for column in columns:
        # Whatever is short is whole, ids and amounts above all; texts take the room that is left.
        is_whole = column not in _TEXTS
        least = max((len(_cell(row, column)) for row in rows), default=0) if is_whole else _LEAST_OF_A_TEXT
        narrowest += least + 2
        table.add_column(column.replace("_", "\n"), no_wrap=is_whole, min_width=least, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row, column)) for column in columns))
    console = Console(file=sys.stdout, highlight=False)
    console.width = max(console.width, narrowest)
    console.print(table)


def _write_plain_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """The same for programs, without a terminal's cost: every column, and no cell cut."""
    cells = [[_cell(row, column) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    lines = ["", _line(heads, widths), " " + "─" * (sum(widths) + 2 * len(widths) - 2) + " "]
    lines += [_line(row, widths) for row in cells]
    sys.stdout.write("\n".join([*lines, "", ""]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return f" {'  '.join(padded)} "


def _cell(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else escape_controls(str(value))


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
