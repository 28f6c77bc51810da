"""Ids from arguments, a file or standard input; all are checked before anything is sent."""

from __future__ import annotations

import csv
import io
import sys
from typing import TYPE_CHECKING

from .._batch.ids import format_ids
from ..models import format_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal
    from pathlib import Path

    from ..models import Id

STANDARD_INPUT = "-"


class UsageError(Exception):
    """Something in the command line or in a file that it names is wrong."""


def check_amount(option: str, amount: Decimal | None) -> None:
    """Refuse NaN and infinity, which compare with nothing.

    Raises:
        UsageError: it is no amount.
    """
    if amount is not None and not amount.is_finite():
        msg = f"{option} is an amount, and not {amount}"
        raise UsageError(msg)


def ids_from(arguments: Iterable[str], file: Path | None, column: str | None = None) -> list[Id]:
    """The ids, each once, in the order of their first mention; of a CSV file, those in a column.

    Raises:
        UsageError: there are none, or one cannot be read; of a file, with the line's number.
    """
    if column is not None and file is None:
        msg = "--column is the column of a CSV file: name it with --file"
        raise UsageError(msg)
    ids = list(format_ids(_each(arguments, file, column)).values())
    if not ids:
        msg = "no ids: give them as arguments, with --file, or on standard input with -"
        raise UsageError(msg)
    return ids


def lines_of(file: Path) -> list[str]:
    """A text file's lines.

    Raises:
        UsageError: it cannot be read.
    """
    return _text_of(file).splitlines()


def _text_of(file: Path) -> str:
    try:
        return _decoded(file.read_bytes(), str(file))
    except OSError as error:
        msg = f"{file}: {error.strerror or error}"
        raise UsageError(msg) from error


def _each(arguments: Iterable[str], file: Path | None, column: str | None) -> Iterator[Id]:
    for argument in arguments:
        if argument == STANDARD_INPUT:
            text = _decoded(sys.stdin.buffer.read(), "standard input")
            yield from _ids_of(text.splitlines(), "standard input")
        elif argument.startswith("-"):
            msg = (
                f"unknown option {argument.partition('=')[0]}; ids that begin with - come from --file or standard input"
            )
            raise UsageError(msg)
        else:
            yield _id_of(argument, "argument")
    if file is not None and column is not None:
        yield from _ids_in_column(file, column)
    elif file is not None:
        yield from _ids_of(lines_of(file), str(file))


def _ids_in_column(file: Path, column: str) -> Iterator[Id]:
    """The ids in a CSV file's column, by the name in its first row; rows without one are passed over."""
    rows = csv.DictReader(io.StringIO(_text_of(file), newline=""), strict=True)
    try:
        names = list(rows.fieldnames or ())
        if names.count(column) != 1:
            how_many = "two columns" if column in names else "no column"
            msg = f"{file} has {how_many} {column!r}; it has {', '.join(map(repr, names)) or 'none'}"
            raise UsageError(msg)
        for row in rows:
            if text := (row[column] or "").strip():
                yield _id_of(text, f"{file}:{rows.line_num}")
    except csv.Error as error:
        msg = f"{file} is no CSV after line {rows.line_num}: {error}"
        raise UsageError(msg) from error


def _ids_of(lines: Iterable[str], name: str) -> Iterator[Id]:
    """One id a line; blank lines are passed over."""
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            yield _id_of(text, f"{name}:{number}")


def _id_of(text: str, place: str) -> Id:
    try:
        return format_id(text)
    except ValueError as error:
        msg = f"{place}: {error}"
        raise UsageError(msg) from error


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"{name}:{line}: this is no UTF-8 text; save the ids as plain text, one a line"
        raise UsageError(msg) from error
