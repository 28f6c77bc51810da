"""Orders from the lines of a CSV file. Every line is checked before anything is sent."""

from __future__ import annotations

import csv
import io
import re
import shlex
from datetime import date
from typing import TYPE_CHECKING, final

from attrs import frozen

from .._validators import check_name
from ..models import Service, format_id
from ..orders import Raw, TypedOrder, for_service
from .input import UsageError, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_NUMBERS = frozenset(
    {
        "answer_number",
        "delay",
        "device",
        "interval",
        "max",
        "min",
        "old_posts",
        "posts",
        "quantity",
        "runs",
        "type_of_traffic",
    }
)
_DATES = frozenset({"expiry"})
_TEXTS = frozenset(
    {
        "comments",
        "country",
        "google_keyword",
        "groups",
        "hashtag",
        "hashtags",
        "keywords",
        "link",
        "media",
        "referring_url",
        "username",
        "usernames",
    }
)
_EXTRA = "extra."
_SERVICE = "service"
_MAX_SHOWN = 20


@final
@frozen
class OrderLine:
    """A line of the file: its number, and the order and its ref."""

    number: int
    ref: str
    order: TypedOrder | Raw
    service: Service


@final
class OrderFile:
    """A CSV file with an order on each line.

    Columns are named like the fields of an order, and ``extra.NAME`` is a field
    of the panel's own. Empty cells are left out.

    Raises:
        UsageError: the file cannot be read, or a column is missing or unknown.
    """

    def __init__(self, file: Path, ref_column: str, service: str | None, ignored_columns: Sequence[str] = ()) -> None:
        self._name = str(file)
        self._text, self._delimiter = _split_hint(read_text(file))
        self._ref_column = ref_column
        self._service = service
        self._ignored = {ref_column, _SERVICE, *ignored_columns}
        self._check_columns()

    def _open(self) -> csv.DictReader[str]:
        return csv.DictReader(io.StringIO(self._text, newline=""), delimiter=self._delimiter, strict=True)

    def _check_columns(self) -> None:
        columns = list(self._open().fieldnames or ())
        listed = ", ".join(map(repr, columns)) or "none"
        if twice := sorted({column for column in columns if columns.count(column) > 1}):
            msg = f"{self._name} has two columns {twice[0]!r}: rename one"
            raise UsageError(msg)
        if self._ref_column not in columns:
            msg = f"{self._name} has no column {self._ref_column!r}; it has {listed}. Name the one with --ref-column"
            raise UsageError(msg)
        if _SERVICE not in columns and self._service is None:
            msg = f"{self._name} has no column 'service'; it has {listed}. Add it, or give all lines one with --service"
            raise UsageError(msg)
        known = self._ignored | _NUMBERS | _DATES | _TEXTS
        if unknown := [column for column in columns if column not in known and not column.startswith(_EXTRA)]:
            named = ", ".join(map(repr, unknown))
            msg = (
                f"{self._name}: not fields of an order: {named}. Rename them, or pass "
                f"--ignore-columns {shlex.quote(','.join(unknown))}"
            )
            raise UsageError(msg)

    def read(self, services: Mapping[str, Service]) -> list[str]:
        """Check all lines. Return the refs, in order.

        Raises:
            UsageError: lines are wrong; it names the first 20 of them.
        """
        problems: list[str] = []
        numbers: dict[str, int] = {}
        for number, row in self._iterate_rows():
            try:
                line = self._parse(number, row, services)
                found = [f"{problem} (of {line.ref})" for problem in line.order.problems(line.service)]
                if (first := numbers.setdefault(line.ref, number)) != number:
                    found.append(f"the ref {line.ref!r} is on line {first}, too: give each order one of its own")
            except (ValueError, TypeError) as error:
                found = [str(error)]
            problems += [f"{self._name}:{number}: {problem}" for problem in found]
        if problems:
            msg = f"{self._name} has wrong lines, and nothing was sent:"
            raise UsageError(msg, details=limit_problems(problems))
        if not numbers:
            msg = f"{self._name} has no orders, only a header"
            raise UsageError(msg)
        return list(numbers)

    def iterate(self, services: Mapping[str, Service]) -> Iterator[OrderLine]:
        """Yield the lines of a file that was checked by ``read``."""
        for number, row in self._iterate_rows():
            yield self._parse(number, row, services)

    def _iterate_rows(self) -> Iterator[tuple[int, dict[str | None, str | list[str] | None]]]:
        """Yield each row with the number of its first line."""
        rows = self._open()
        try:
            rows.fieldnames  # noqa: B018 - reads the header
            number = rows.line_num + 1
            for row in rows:
                # Spreadsheets write rows of nothing but delimiters.
                if any(cell for cell in row.values()):
                    yield number, row
                number = rows.line_num + 1
        except csv.Error as error:
            msg = f"{self._name} is not CSV after line {rows.line_num}: {error}"
            raise UsageError(msg) from error

    def _parse(
        self, number: int, row: Mapping[str | None, str | list[str] | None], services: Mapping[str, Service]
    ) -> OrderLine:
        """Return the order of a row.

        Raises:
            TypeError, ValueError: a field is missing, unknown or wrong.
        """
        cells: dict[str, str] = {}
        for column, cell in row.items():
            if column is None or not isinstance(cell, str):
                cells_in_line = sum(1 if isinstance(each, str) else len(each or ()) for each in row.values())
                msg = f"the line must have {len(row) - (None in row)} cells, like the header, and has {cells_in_line}"
                raise ValueError(msg)
            if cell.strip():
                cells[column] = cell.strip()
        ref = cells.get(self._ref_column, "")
        if not ref:
            msg = f"the order has no ref: fill in {self._ref_column!r}"
            raise ValueError(msg)
        check_name(self._ref_column, ref)
        if (text := cells.get(_SERVICE) or self._service) is None:
            msg = "service is empty: fill it in, or give all lines one with --service"
            raise ValueError(msg)
        id_ = format_id(text)
        if (service := services.get(id_)) is None:
            msg = f"there is no service {id_}: look at followersdata services"
            raise ValueError(msg)
        fields: dict[str, object] = {
            column: _convert(column, cell)
            for column, cell in cells.items()
            if column not in self._ignored and not column.startswith(_EXTRA)
        }
        extra = {column.removeprefix(_EXTRA): cell for column, cell in cells.items() if column.startswith(_EXTRA)}
        if extra:
            fields["extra"] = extra
        return OrderLine(number, ref, for_service(service, **fields), service)


def limit_problems(problems: Sequence[str]) -> list[str]:
    """Return the first problems, and how many more there are."""
    more = [f"… and {len(problems) - _MAX_SHOWN:,} more"] if len(problems) > _MAX_SHOWN else []
    return [*problems[:_MAX_SHOWN], *more]


def _convert(column: str, cell: str) -> object:
    """Convert a cell to the type of its field.

    Raises:
        ValueError: it cannot be converted.
    """
    if column in _NUMBERS:
        if not (cell.isascii() and cell.isdigit()):
            msg = f"{column} must be a whole number in digits, got {cell!r}"
            raise ValueError(msg)
        return int(cell)
    if column in _DATES:
        try:
            return date.fromisoformat(cell)
        except ValueError:
            msg = f"{column} must be a date like 2026-12-31, got {cell!r}"
            raise ValueError(msg) from None
    return cell


def _split_hint(text: str) -> tuple[str, str]:
    """Return a text and its delimiter. Excel's files can begin with a line that names it: ``sep=;``."""
    first, _, rest = text.partition("\n")
    if re.fullmatch(r"sep=[,;\t]\r?", first):
        return rest, first[4]
    return text, _guess_delimiter(text)


def _guess_delimiter(text: str) -> str:
    """Return what separates the cells of the header: spreadsheets write semicolons or tabs in some countries."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)
