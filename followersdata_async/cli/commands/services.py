"""The catalogue on the command line: a choice of it, and what has changed since it was last written."""

from __future__ import annotations

import json
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, final

from attrs import frozen

from ..._catalogue import services_diff
from ..._wire import decoding as answers
from ..._wire import encoding
from ..._wire.error_phrases import Words
from ..._wire.messages import Answer
from ...errors import FollowersDataError
from ..exit_codes import SUCCESS
from ..input import UsageError, check_amount
from ..output import Format, to_row, write_rows
from ..progress import print_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ...models import Service

COLUMNS = ("service", "name", "type", "category", "rate", "min", "max", "refill", "cancel")
DIFF_COLUMNS = ("change", "service", "name", "what", "before", "after")


@final
@frozen(kw_only=True)
class Choice:
    """Which services to show, and in which order."""

    search: str | None = None
    max_rate: Decimal | None = None
    sort: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what is no amount."""
        check_amount("--max-rate", self.max_rate)

    def of(self, services: Iterable[Service]) -> list[Service]:
        """Those that fit; where some have no value to sort by, they come last."""
        chosen = [service for service in services if self._fits(service)]
        if self.sort is None:
            return chosen
        value = attrgetter(self.sort)
        return [
            *sorted((one for one in chosen if value(one) is not None), key=lambda one: _key(value(one))),
            *(one for one in chosen if value(one) is None),
        ]

    def _fits(self, service: Service) -> bool:
        if self.max_rate is not None and service.rate > self.max_rate:
            return False
        text = f"{service.name} {service.category or ''} {service.type}".casefold()
        return all(word in text for word in (self.search or "").casefold().split())


def _key(value: object) -> tuple[bool, object]:
    """Numbers by their size, before texts by their letters."""
    return (True, value.casefold()) if isinstance(value, str) else (False, value)


def listed(catalogue: Sequence[Service], choice: Choice, format: Format) -> int:
    """Write the services that were chosen."""
    chosen = choice.of(catalogue)
    write_rows([to_row(service) for service in chosen], COLUMNS, format)
    if len(chosen) < len(catalogue):
        print_message(f"{len(chosen):,} of {len(catalogue):,} services")
    return SUCCESS


def compared(file: Path, catalogue: Sequence[Service], choice: Choice, format: Format) -> int:
    """Write what has changed since a file was written: a row for each fact."""
    old, new = choice.of(_catalogue_in(file)), choice.of(_as_written(catalogue))
    diff = services_diff(old, new)
    rows = [_row("added", one, None, None, None) for one in diff.added]
    rows += [_row("removed", one, None, None, None) for one in diff.removed]
    rows += [_row("repriced", is_, "rate", was.rate, is_.rate) for was, is_ in diff.repriced]
    for was, is_ in diff.changed:
        before, after = to_row(was), to_row(is_)
        facts = [name for name in after if name not in {"service", "rate", "kind"} and before[name] != after[name]]
        rows += [_row("changed", is_, name, before[name], after[name]) for name in facts]
    write_rows(rows, DIFF_COLUMNS, format)
    print_message(
        f"{len(diff.added):,} added, {len(diff.removed):,} removed, "
        f"{len(diff.repriced):,} repriced, {len(diff.changed):,} changed"
    )
    return SUCCESS


def _row(change: str, service: Service, what: str | None, before: object, after: object) -> dict[str, object]:
    facts = {"change": change, "service": service.service, "name": service.name, "what": what}
    return facts | {"before": before, "after": after}


def _catalogue_in(file: Path) -> list[Service]:
    """What a file has: a list, or an object on each line."""
    try:
        text = file.read_text("utf-8").strip()
        if not text:
            msg = f"{file} is empty: what has written it did not come to its end"
            raise UsageError(msg)
        rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
        return _services_of(rows)
    except OSError as error:
        msg = f"{file}: {error.strerror or error}"
        raise UsageError(msg) from error
    except (ValueError, TypeError, FollowersDataError) as error:
        msg = f"{file} is no catalogue that --format json or jsonl has written: {error}"
        raise UsageError(msg) from error


def _as_written(catalogue: Iterable[Service]) -> list[Service]:
    """A catalogue as a file would have it, which knows no numbers with a point but texts."""
    return _services_of([to_row(service) for service in catalogue])


def _services_of(rows: Iterable[Mapping[str, Any]]) -> list[Service]:
    """Services from their rows, read like a panel's answer."""
    told = [{name: row[name] for name in row if name not in {"kind", "extra"}} | row.get("extra", {}) for row in rows]
    answer = Answer(status=200, body=json.dumps(told).encode())
    return answers.services(encoding.services_request(), answer, Words({}))
