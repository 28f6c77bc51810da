"""Ids and lines from arguments, files and standard input. Every id is checked before anything is sent."""

from __future__ import annotations

import csv
import io
import sys
from typing import TYPE_CHECKING

from .._batch.ids import format_ids
from ..models import format_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal
    from pathlib import Path

    from ..models import Id

STANDARD_INPUT = "-"


class UsageError(Exception):
    """A mistake in the command line, or in a file that it names. ``details`` are further lines."""

    def __init__(self, message: str, *, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = details


def check_amount(option: str, amount: Decimal | None) -> None:
    """Check that the amount of an option can be compared: NaN and infinity cannot.

    Raises:
        UsageError: the amount is not finite.
    """
    if amount is not None and not amount.is_finite():
        msg = f"{option} is an amount, and not {amount}"
        raise UsageError(msg)


def read_ids(arguments: Iterable[str], file: Path | None, column: str | None = None) -> list[Id]:
    """Return the ids of the arguments and of a file, each once, in the order of their first mention.

    With ``column``, the file is CSV and the ids are in that column.

    Raises:
        UsageError: there are no ids, or one is invalid. The message has the number of its line.
    """
    if column is not None and file is None:
        msg = "--column is the column of a CSV file: name it with --file"
        raise UsageError(msg)
    ids = list(format_ids(_parse_ids(arguments, file, column)).values())
    if not ids:
        msg = "no ids: give them as arguments, with --file, or on standard input with -"
        raise UsageError(msg)
    return ids


def read_lines(file: Path) -> list[str]:
    """Return the lines of a text file.

    Raises:
        UsageError: the file cannot be read.
    """
    return read_text(file).splitlines()


def read_text(file: Path) -> str:
    """Return a text file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return _decode(file.read_bytes(), str(file))
    except OSError as error:
        msg = f"{file}: {error.strerror or error}"
        raise UsageError(msg) from error


def _parse_ids(arguments: Iterable[str], file: Path | None, column: str | None) -> Iterator[Id]:
    for argument in arguments:
        if argument == STANDARD_INPUT:
            text = _decode(sys.stdin.buffer.read(), "standard input")
            yield from _parse_lines(text.splitlines(), "standard input")
        elif argument.startswith("-"):
            msg = (
                f"unknown option {argument.partition('=')[0]}; ids that begin with - come from --file or standard input"
            )
            raise UsageError(msg)
        else:
            yield _parse_id(argument, "argument")
    if file is not None and column is not None:
        yield from _parse_column(file, column)
    elif file is not None:
        yield from _parse_lines(read_lines(file), str(file))


def _parse_column(file: Path, column: str) -> Iterator[Id]:
    """Yield the ids in a column of a CSV file, by the name in its first row. Rows without an id are skipped."""
    rows = csv.DictReader(io.StringIO(read_text(file), newline=""), strict=True)
    try:
        names = list(rows.fieldnames or ())
        if names.count(column) != 1:
            problem = "two columns" if column in names else "no column"
            msg = f"{file} has {problem} {column!r}; it has {', '.join(map(repr, names)) or 'none'}"
            raise UsageError(msg)
        for row in rows:
            if text := (row[column] or "").strip():
                yield _parse_id(text, f"{file}:{rows.line_num}")
    except csv.Error as error:
        msg = f"{file} is no CSV after line {rows.line_num}: {error}"
        raise UsageError(msg) from error


def _parse_lines(lines: Iterable[str], name: str) -> Iterator[Id]:
    """Yield the id on each line. Blank lines are skipped."""
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            yield _parse_id(text, f"{name}:{number}")


def _parse_id(text: str, place: str) -> Id:
    try:
        return format_id(text)
    except ValueError as error:
        msg = f"{place}: {error}"
        raise UsageError(msg) from error


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"{name}:{line}: the file must be UTF-8 text: save it as UTF-8, or as CSV UTF-8"
        raise UsageError(msg) from error
