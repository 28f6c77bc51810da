"""The base class of orders: validation of fields, form fields, and the price before sending."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Context, Decimal
from enum import Enum
from typing import Any, ClassVar, final

from attrs import Attribute, field, frozen
from attrs import fields as attributes

from .._validators import check_characters, check_encodable
from ..models import Id, Service, ServiceKind, format_id

_THOUSAND = Decimal(1000)
_LINE_BREAKS = "\r\n\t"
"""What may be in a field of lines, such as comments."""
_EXACT = Context(prec=10_000)
_FLAT_KINDS = frozenset({ServiceKind.PACKAGE, ServiceKind.CUSTOM_COMMENTS_PACKAGE, ServiceKind.SUBSCRIPTIONS})


def _id(_: object, __: Attribute[Id], value: Id) -> None:
    format_id(value)


def _copy(value: Any) -> Mapping[str, str]:  # noqa: ANN401 - a caller's, before it is validated
    """Copy a mapping, which its owner may use again for the next order."""
    copied: Mapping[str, str] = dict(value) if isinstance(value, Mapping) else value
    return copied


def _extra_fields(_: object, attribute: Attribute[Mapping[str, str]], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for pair in value.items() for part in pair):
        msg = f"{attribute.name} maps texts to texts: write numbers as texts"
        raise TypeError(msg)
    for name, part in value.items():
        check_encodable(attribute.name, name)
        check_encodable(attribute.name, part)
        check_characters(f"a name in {attribute.name}", name)
        check_characters(f"{attribute.name}[{name!r}]", part, allowed="" if name == "link" else _LINE_BREAKS)
    if taken := sorted({"key", "action", "service"} & value.keys()):
        msg = f"{attribute.name} may not hold {' or '.join(taken)}: those are not fields of the panel's own"
        raise ValueError(msg)


def split_lines(lines: Iterable[str] | str) -> tuple[str, ...]:
    """Return the lines of a string, or of many, without blank ones.

    Raises:
        ValueError: a line has a control character.
    """
    return tuple(line.strip() for part in _texts(lines) for line in part.splitlines() if line.strip())


def _texts(lines: object) -> Iterable[str]:
    parts = lines if isinstance(lines, Iterable) and not isinstance(lines, str) else (lines,)
    for part in parts:
        if not isinstance(part, str):
            msg = f"lines are a text, or many texts, and not {type(part).__name__}"
            raise TypeError(msg)
        check_encodable("a line", part)
        check_characters("a line", part, allowed=_SPLITTING)
        yield part


_SPLITTING = "\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Tabs, and what ends a line for ``str.splitlines``."""


def non_empty_lines(_: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    """Check that there is a line."""
    if not value:
        msg = f"{attribute.name} has no line that is not blank"
        raise ValueError(msg)


def format_field(value: object) -> str:
    """Format a form field: lines are joined, dates are written as panels write them, of an enum it is the value."""
    if isinstance(value, tuple):
        return "\n".join(value)
    if isinstance(value, Enum):
        value = value.value
    return value.strftime("%d/%m/%Y") if isinstance(value, date) else str(value)


@frozen(kw_only=True)
class TypedOrder:
    """The base class of the orders whose service type is known."""

    kind: ClassVar[ServiceKind]
    counts: ClassVar[str | None] = None
    """The field whose lines are the quantity. Some panels require the quantity, the others ignore it."""

    service: Id = field(validator=_id)
    extra: Mapping[str, str] = field(factory=dict, converter=_copy, validator=_extra_fields, hash=False)

    def fields(self) -> Mapping[str, str]:
        """Return the form fields without ``key`` and ``action``. ``extra`` overrides the others."""
        given = {attribute.name: getattr(self, attribute.name) for attribute in attributes(type(self))}
        del given["extra"]
        if self.counts is not None:
            given["quantity"] = self._amount()
        return {name: format_field(value) for name, value in given.items() if value is not None} | dict(self.extra)

    def problems(self, service: Service) -> tuple[str, ...]:
        """Check the order against its service's row of the catalogue, and return what is wrong. Sends nothing.

        ``min`` and ``max`` are not checked for a drip-feed: panels disagree
        whether they apply to one run or to all (panel-api §3.2).
        """
        if problem := find_wrong_service(self.service, service):
            return (problem,)
        replaced = self._find_replaced_fields()
        found = [f"extra replaces {name}, which is not checked: set the field itself" for name in replaced]
        if service.kind not in {self.kind, ServiceKind.UNKNOWN}:
            found.append(f"service {service.service} is of the type {service.type!r}, not {self.kind.value!r}")
        found += find_missing_rate(service)
        amount, runs = self._amount(), self._runs()
        if runs is not None and service.dripfeed is False:
            found.append(f"service {service.service} has no drip-feed: leave out runs and interval")
        if amount is not None and runs is None:
            found += find_wrong_amount("quantity", amount, service)
        return tuple(found)

    def cost(self, service: Service) -> Decimal:
        """Return the exact price in the account's currency, before the order is sent (panel-api §3.2).

        Rates are per 1000, and a drip-feed pays for every run. Packages and
        subscriptions cost the service's whole rate.

        Raises:
            ValueError: it is the row of another service, ``extra`` replaces a field, or the service has no rate.
        """
        _check_id(self.service, service)
        if replaced := self._find_replaced_fields():
            msg = f"extra replaces {', '.join(replaced)}, so nobody can tell the price: set the field itself"
            raise ValueError(msg)
        if self.kind in _FLAT_KINDS:
            return _get_rate(service)
        return _price(service, self._amount() or 0, self._runs())

    def _find_replaced_fields(self) -> list[str]:
        """Return the order's own fields that ``extra`` overrides."""
        own = {attribute.name for attribute in attributes(type(self))}
        return sorted((own | {"quantity"} if self.counts else own) & self.extra.keys())

    def _amount(self) -> int | None:
        """Return the quantity of one run."""
        amount: int | None = (
            len(getattr(self, self.counts)) if self.counts is not None else getattr(self, "quantity", None)
        )
        return amount

    def _runs(self) -> int | None:
        runs: int | None = getattr(self, "runs", None)
        return runs


def _price(service: Service, amount: int, runs: int | None) -> Decimal:
    """Compute a price exactly, independent of the program's decimal context."""
    return _EXACT.divide(_EXACT.multiply(_get_rate(service), amount * (1 if runs is None else runs)), _THOUSAND)


def _get_rate(service: Service) -> Decimal:
    if service.rate is None:
        msg = f"{find_missing_rate(service)[0]}, so nobody can tell the price: ask the panel"
        raise ValueError(msg)
    return service.rate


def find_wrong_service(id_: Id, service: Service) -> str | None:
    """Return what is wrong if a row of the catalogue is another service's."""
    if format_id(id_) == format_id(service.service):
        return None
    return f"the order is for service {id_}, and this is the row of {service.service}"


def find_missing_rate(service: Service) -> tuple[str, ...]:
    """Return what is wrong if the panel gives no amount as a service's rate."""
    return () if service.rate is not None else (f"service {service.service} has no rate that can be read",)


def _check_id(id_: Id, service: Service) -> None:
    if problem := find_wrong_service(id_, service):
        raise ValueError(problem)


def find_wrong_amount(name: str, amount: int, service: Service) -> list[str]:
    """Return what is wrong if an amount is outside a service's bounds."""
    if service.min is not None and amount < service.min:
        return [f"{name} is {amount}, and the least is {service.min}"]
    if service.max is not None and amount > service.max:
        return [f"{name} is {amount}, and the most is {service.max}"]
    return []


def check_drip_feed(runs: int | None, interval: int | None) -> None:
    """Check that a drip-feed has both of its fields."""
    if (runs is None) != (interval is None):
        msg = "a drip-feed takes both runs and interval: give both, or neither"
        raise ValueError(msg)


@final
@frozen(kw_only=True)
class Raw:
    """An order of any fields, sent as they are, for service types that this library does not know."""

    service: Id = field(validator=_id)
    extra: Mapping[str, str] = field(factory=dict, converter=_copy, validator=_extra_fields, hash=False)

    def fields(self) -> Mapping[str, str]:
        """Return the form fields without ``key`` and ``action``."""
        return {"service": str(self.service)} | dict(self.extra)

    def problems(self, service: Service) -> tuple[str, ...]:
        """Check that a row of the catalogue is the order's own, and return what is wrong."""
        if problem := find_wrong_service(self.service, service):
            return (problem,)
        return find_missing_rate(service)

    def cost(self, service: Service) -> Decimal:
        """Return the price before sending, from the fields ``quantity`` and ``runs``.

        Raises:
            ValueError: it is the row of another service, or no quantity, runs or rate to tell the price from.
        """
        _check_id(self.service, service)
        if service.kind in _FLAT_KINDS:
            return _get_rate(service)
        runs = _parse_number("runs", self.extra["runs"]) if "runs" in self.extra else None
        return _price(service, _parse_number("quantity", self.extra.get("quantity", "")), runs)


def _parse_number(name: str, text: str) -> int:
    """Parse a number as panels do, also with a sign and blanks."""
    if _NUMBER.fullmatch(text) is None:
        msg = f"the fields have no {name} to tell the price from: {text[:20]!r}"
        raise ValueError(msg)
    return int(text)


_NUMBER = re.compile(r"\s*\+?[0-9]{1,18}\s*")
