"""Values to rows, and rows to standard output in one of four formats."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TextIO, final

from attrs import asdict, frozen
from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._serialization import to_json
from ..models import Failed, Ok, Refused, Unreported
from .progress import escape_controls

if TYPE_CHECKING:
    from attrs import AttrsInstance

    from ..models import Change, Outcome

Format = Literal["table", "json", "jsonl", "csv"]


@final
@Parameter(name="*")
@frozen(kw_only=True)
class OutputOptions:
    """How results are written to standard output.

    Parameters
    ----------
    format
        How results are written to standard output.
    raw
        Write text in tables and CSV as it came: with control characters, and cells that a spreadsheet would run.
    """

    format: Format = "table"
    raw: Annotated[bool, Parameter(negative=())] = False


DEFAULT_OUTPUT = OutputOptions()
Row = Mapping[str, object]
CHANGE_COLUMNS = ("order", "before", "status", "charge", "start_count", "remains", "currency")

_TEXT_COLUMNS = frozenset({"name", "type", "category", "link", "error", "message", "url", "before", "after"})
_JOINED_COLUMNS = (("error", ": ", "message"), ("charge", " ", "currency"), ("balance", " ", "currency"))
_MIN_TEXT_WIDTH = 6
"""How narrow a column of text may become, in characters."""


def to_row(value: AttrsInstance) -> Row:
    """Return the fields of a model as a row, each in the form that JSON has for it."""
    return {name: to_json(part) for name, part in asdict(value, recurse=False).items()}


def outcome_to_row(outcome: Outcome[AttrsInstance]) -> Row:
    """Return an outcome as a row: its id, its name, and the fields of the value or the error."""
    match outcome:
        case Ok(id_, value):
            return {"id": id_, "outcome": "ok", **to_row(value)}
        case Refused(id_, error) | Failed(id_, error):
            kind = "refused" if isinstance(outcome, Refused) else "failed"
            return {"id": id_, "outcome": kind, "error": type(error).__name__, "message": error.message}
        case Unreported(id_):
            return {"id": id_, "outcome": "unreported"}


def change_to_row(change: Change) -> Row:
    """Return a change as a row: the order, the status before, and the fields of the status after."""
    before = None if change.before is None else change.before.status
    return {"order": change.order, "before": before, **to_row(change.after)}


def write_rows(rows: Sequence[Row], columns: Sequence[str], output: OutputOptions) -> None:
    """Write rows to standard output. Tables and CSV have only the given columns."""
    if output.format == "json":
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    elif output.format == "jsonl":
        for row in rows:
            write_json_line(row)
    elif output.format == "csv":
        writer = CsvWriter(sys.stdout, columns, is_raw=output.raw)
        writer.write_header()
        for row in rows:
            writer.write(row)
    else:
        write_table(rows, columns, is_raw=output.raw)


def write_row(row: Row, columns: Sequence[str], output: OutputOptions) -> None:
    """Write a single row: in JSON as an object instead of a list."""
    if output.format == "json":
        sys.stdout.write(json.dumps(row, indent=2) + "\n")
    else:
        write_rows([row], columns, output)


@final
class CsvWriter:
    """Writes rows as CSV that neither controls a terminal nor is run by a spreadsheet, unless it is raw.

    Control characters are escaped. Text that begins like a formula gets an
    apostrophe in front, as OWASP recommends against CSV injection. Amounts and
    counts, which may be negative, are left as they are.
    """

    def __init__(self, stream: TextIO, columns: Sequence[str], *, is_raw: bool = False) -> None:
        self._writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        self._is_raw = is_raw

    def write_header(self) -> None:
        """Write the names of the columns."""
        self._writer.writeheader()

    def write(self, row: Row) -> None:
        """Write a row."""
        if not self._is_raw:
            # A ref is the user's own, and what results are joined by.
            row = {name: value if name == "ref" else _make_harmless(value) for name, value in row.items()}
        self._writer.writerow(row)


def _make_harmless(value: object) -> object:
    if not isinstance(value, str) or _PLAIN_NUMBER.fullmatch(value):
        return value
    is_formula = value.lstrip(" \n\r").startswith(_FORMULA_SIGNS)
    return ("'" if is_formula else "") + escape_controls(value)


_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What begins a formula in a spreadsheet, also as full-width characters."""


def write_json_line(row: Row, *, flush: bool = False) -> None:
    """Write one row as a line of JSON. With ``flush``, a reader gets it at once."""
    sys.stdout.write(json.dumps(row) + "\n")
    if flush:
        sys.stdout.flush()


def write_table(rows: Sequence[Row], columns: Sequence[str], *, is_raw: bool = False) -> None:
    """Write a table: fitted to the width of a terminal, or with whole cells if the output is not a terminal."""
    format_cell = _format_raw_cell if is_raw else _format_cell
    if not sys.stdout.isatty():
        _write_plain_table(rows, columns, format_cell)
        return
    rows, columns = [_join_columns(row) for row in rows], _select_columns(columns, rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    total_width = 1
    for column in columns:
        # Ids, amounts and other short values are never cut or wrapped. Columns of text share the remaining width.
        is_short = column not in _TEXT_COLUMNS
        min_width = max((len(format_cell(row, column)) for row in rows), default=0) if is_short else _MIN_TEXT_WIDTH
        total_width += min_width + 2
        table.add_column(column.replace("_", "\n"), no_wrap=is_short, min_width=min_width, overflow="fold")
    for row in rows:
        table.add_row(*(Text(format_cell(row, column)) for column in columns))
    console = Console(file=sys.stdout, highlight=False)
    console.width = max(console.width, total_width)
    console.print(table)


def _write_plain_table(rows: Sequence[Row], columns: Sequence[str], format_cell: Callable[[Row, str], str]) -> None:
    """Write a table with every column and no cell cut, without the cost of measuring a terminal."""
    cells = [[format_cell(row, column) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    lines = ["", _format_line(heads, widths), " " + "─" * (sum(widths) + 2 * len(widths) - 2) + " "]
    lines += [_format_line(row, widths) for row in cells]
    sys.stdout.write("\n".join([*lines, "", ""]))


def _format_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return f" {'  '.join(padded)} "


def _format_cell(row: Row, column: str) -> str:
    return escape_controls(_format_raw_cell(row, column))


def _format_raw_cell(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def _join_columns(row: Row) -> Row:
    """Return the row with the error's message appended to its class, and the currency to the amount."""
    joined = {
        first: f"{row[first]}{separator}{row[second]}"
        for first, separator, second in _JOINED_COLUMNS
        if row.get(first) is not None and row.get(second) is not None
    }
    return {**row, **joined}


def _select_columns(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return the columns that have a value in some row and are not appended to another; without rows, all."""
    used = [column for column in columns if any(row.get(column) is not None for row in rows)] or columns
    appended = {second for first, _, second in _JOINED_COLUMNS if first in used}
    return [column for column in used if column not in appended]
