"""``services``: the catalogue, filtered and sorted, or how it differs from a saved one."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, final

from attrs import frozen

from ..._catalogue import COMPARED_FIELDS, DESCRIBING_FIELDS, services_diff
from ...models import Service, ServiceKind, format_id
from ..exit_codes import SUCCESS
from ..input import UsageError, check_amount
from ..options import DEFAULT_CONNECTION, ConnectionOptions
from ..output import DEFAULT_OUTPUT, OutputOptions, Row, to_row, write_rows
from ..progress import print_message, show_spinner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from types import UnionType

COLUMNS = ("service", "name", "type", "category", "rate", "min", "max", "refill", "cancel")
DIFF_COLUMNS = ("change", "service", "name", "what", "before", "after")
_FIELD_TYPES: Mapping[str, type | UnionType] = {
    "name": str,
    "type": str,
    "category": str | None,
    "min": int | None,
    "max": int | None,
    "refill": bool | None,
    "cancel": bool | None,
    "dripfeed": bool | None,
    "description": str | None,
    "average_time": str | None,
    "extra": dict,
}
"""The fields of a service in a saved catalogue that are used as they are in JSON."""


@final
@frozen(kw_only=True)
class ServiceFilter:
    """A filter of services, and the field to sort them by."""

    search: str | None = None
    max_rate: Decimal | None = None
    sort: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check that the rate is an amount."""
        check_amount("--max-rate", self.max_rate)

    def apply(self, services: Iterable[Service]) -> list[Service]:
        """Return the services that match, sorted; those without a value to sort by come last."""
        selected = [service for service in services if self._matches(service)]
        if self.sort is None:
            return selected
        get_value = attrgetter(self.sort)
        with_value = [service for service in selected if get_value(service) is not None]
        without_value = [service for service in selected if get_value(service) is None]
        return [*sorted(with_value, key=lambda service: _get_sort_key(get_value(service))), *without_value]

    def _matches(self, service: Service) -> bool:
        if self.max_rate is not None and (service.rate is None or service.rate > self.max_rate):
            return False
        text = f"{service.name} {service.category or ''} {service.type}".casefold()
        return all(word in text for word in (self.search or "").casefold().split())


def _get_sort_key(value: object) -> tuple[bool, object]:
    """Return a key that sorts numbers by value, before strings without regard to case."""
    return (True, value.casefold()) if isinstance(value, str) else (False, value)


async def services(
    *,
    search: str | None = None,
    max_rate: Decimal | None = None,
    sort: Literal["service", "name", "type", "category", "rate", "min", "max"] | None = None,
    diff: Path | None = None,
    ignore: str | None = None,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Show the catalogue, or what has changed in it.

    Parameters
    ----------
    search
        Only services whose name, category or type has all of these words.
    max_rate
        Only services that cost at most this for a thousand.
    sort
        By what to sort; without it as the panel does.
    diff
        Show what is different from this file, which --format json or jsonl has written.
    ignore
        Fields that --diff does not compare, joined by commas, such as average_time,extra.
    """
    selection = ServiceFilter(search=search, max_rate=max_rate, sort=sort)
    async with connection.create_client() as client:
        with show_spinner("reading the catalogue …"):
            catalogue = await client.services()
    if catalogue.unreadable:
        first = catalogue.unreadable[0]
        print_message(f"{len(catalogue.unreadable):,} rows cannot be read, the first one: {'; '.join(first.problems)}")
    if diff is None:
        return _write_services(catalogue, selection, output)
    ignored = frozenset(part.strip() for part in (ignore or "").split(",") if part.strip())
    return _write_changes(diff, catalogue, selection, ignored, output)


def _write_services(catalogue: Sequence[Service], selection: ServiceFilter, output: OutputOptions) -> int:
    """Write the services that match, and print how many there are."""
    selected = selection.apply(catalogue)
    write_rows([to_row(service) for service in selected], COLUMNS, output)
    if len(selected) < len(catalogue):
        print_message(f"{len(selected):,} of {len(catalogue):,} services")
    return SUCCESS


def _write_changes(
    file: Path, catalogue: Sequence[Service], selection: ServiceFilter, ignored: AbstractSet[str], output: OutputOptions
) -> int:
    """Write a row for each difference from the catalogue in a file, and print how many there are."""
    old, new = selection.apply(_read_catalogue(file)), selection.apply(_normalize_catalogue(catalogue))
    try:
        diff = services_diff(old, new, ignore=ignored)
    except ValueError as error:
        msg = f"--ignore: {error}"
        raise UsageError(msg) from error
    rows = [_create_row("added", service) for service in diff.added]
    rows += [_create_row("removed", service) for service in diff.removed]
    rows += [
        _create_row("repriced", after, "rate", to_row(before)["rate"], to_row(after)["rate"])
        for before, after in diff.repriced
    ]
    for change, pairs, names in (
        ("changed", diff.changed, COMPARED_FIELDS - {"rate"} - DESCRIBING_FIELDS),
        ("described", diff.described, DESCRIBING_FIELDS),
    ):
        for old_service, new_service in pairs:
            before, after = to_row(old_service), to_row(new_service)
            different = [name for name in after if name in names - ignored and before[name] != after[name]]
            rows += [_create_row(change, new_service, name, before[name], after[name]) for name in different]
    write_rows(rows, DIFF_COLUMNS, output)
    print_message(
        f"{len(diff.added):,} added, {len(diff.removed):,} removed, "
        f"{len(diff.repriced):,} repriced, {len(diff.changed):,} changed, {len(diff.described):,} described anew"
    )
    return SUCCESS


def _create_row(
    change: str, service: Service, field: str | None = None, before: object = None, after: object = None
) -> Row:
    row = {"change": change, "service": service.service, "name": service.name, "what": field}
    return row | {"before": before, "after": after}


def _read_catalogue(file: Path) -> list[Service]:
    """Return the services in a file: one JSON list, or an object on each line.

    Raises:
        UsageError: the file cannot be read, or is not a saved catalogue.
    """
    try:
        text = file.read_text("utf-8").strip()
        if not text:
            msg = f"{file} is empty: what has written it did not come to its end"
            raise UsageError(msg)
        rows = _load_json(text) if text.startswith("[") else [_load_json(line) for line in text.splitlines()]
        return [_parse_service(row) for row in rows]
    except OSError as error:
        msg = f"{file}: {error.strerror or error}"
        raise UsageError(msg) from error
    except (ValueError, TypeError, ArithmeticError) as error:
        msg = f"{file} is no catalogue that --format json or jsonl has written: {error}"
        raise UsageError(msg) from error


def _normalize_catalogue(catalogue: Iterable[Service]) -> list[Service]:
    """Return the catalogue as it would be read from a file, where amounts are strings."""
    return [_parse_service(to_row(service)) for service in catalogue]


def _load_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(text, parse_float=Decimal, parse_constant=_reject_constant)


def _reject_constant(name: str) -> NoReturn:
    msg = f"{name} is not a number in JSON"
    raise ValueError(msg)


def _parse_service(row: Any) -> Service:  # noqa: ANN401 - any JSON value
    """Return the service in a row. Its kind is left out, because it follows from the type.

    Raises:
        TypeError: the row, the id or another field has the wrong type.
        ValueError: the id or the rate is invalid.
    """
    if not isinstance(row, dict):
        msg = f"a service is an object, and not {str(row)[:40]!r}"
        raise TypeError(msg)
    fields: dict[str, Any] = {name: row.get(name) for name in _FIELD_TYPES} | {"extra": row.get("extra", {})}
    for name, value in fields.items():
        if not isinstance(value, _FIELD_TYPES[name]):
            msg = f"the {name} of a service cannot be {str(value)[:40]!r}"
            raise TypeError(msg)
    format_id(row.get("service"))
    return Service(service=row["service"], kind=ServiceKind.UNKNOWN, rate=_parse_rate(row.get("rate")), **fields)


def _parse_rate(value: object) -> Decimal | None:
    """Return the rate that a string or a number in JSON stands for, if there is one.

    Raises:
        ValueError: the value is not a finite number.
    """
    if value is None:
        return None
    with suppress(ArithmeticError):
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            amount = Decimal(value)
            if amount.is_finite():
                return amount
    msg = f"the rate of a service cannot be {str(value)[:40]!r}"
    raise ValueError(msg)
