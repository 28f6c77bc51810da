"""Orders before they are sent: one class for each service type (panel-api §4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, final

from attrs import Attribute, field, frozen
from attrs.validators import optional

from .checks import filled_text, whole_number
from .models import Id, id_text

__all__ = ["CustomComments", "Default", "Order", "Package", "Raw"]


class Order(Protocol):
    """Whatever can be ordered: it knows the form's fields."""

    def fields(self) -> Mapping[str, str]:
        """The form's fields, without key and action."""
        ...


def _id(_: object, __: Attribute[Id], value: Id) -> None:
    id_text(value)


def _extra_fields(_: object, attribute: Attribute[Mapping[str, str]], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for pair in value.items() for part in pair):
        msg = f"{attribute.name} maps texts to texts: write numbers as texts"
        raise TypeError(msg)
    if taken := sorted({"key", "action"} & value.keys()):
        msg = f"{attribute.name} may not hold {' or '.join(taken)}: the client sends those itself"
        raise ValueError(msg)


def _lines(lines: Iterable[object] | str) -> tuple[str, ...]:
    """The lines of a text, or of many, without blank ones: some panels charge for those."""
    parts: list[str] = []
    for part in (lines,) if isinstance(lines, str) else lines:
        if not isinstance(part, str):
            msg = f"comments are texts, not {type(part).__name__}"
            raise TypeError(msg)
        parts.append(part)
    return tuple(line.strip() for part in parts for line in part.splitlines() if line.strip())


def _some(_: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value:
        msg = f"{attribute.name} has no line that is not blank"
        raise ValueError(msg)


def _form(fields: Mapping[str, object], extra: Mapping[str, str]) -> dict[str, str]:
    """The form's fields as texts: those that are given, then the extra ones, which win."""
    return {name: str(value) for name, value in fields.items() if value is not None} | dict(extra)


@final
@frozen(kw_only=True)
class Default:
    """``quantity`` of a service for a ``link``; as drip-feed, ``runs`` times, every ``interval`` minutes.

    A drip-feed is charged ``quantity * runs`` at once.
    """

    service: Id = field(validator=_id)
    link: str = field(validator=filled_text)
    quantity: int = field(validator=whole_number(1))
    runs: int | None = field(default=None, validator=optional(whole_number(1)))
    interval: int | None = field(default=None, validator=optional(whole_number(1)))
    extra: Mapping[str, str] = field(factory=dict, validator=_extra_fields, hash=False)

    def __attrs_post_init__(self) -> None:
        """Refuse half a drip-feed."""
        if (self.runs is None) != (self.interval is None):
            msg = "a drip-feed takes both runs and interval: give both, or neither"
            raise ValueError(msg)

    def fields(self) -> Mapping[str, str]:
        """The form's fields, without key and action."""
        return _form(
            {
                "service": self.service,
                "link": self.link,
                "quantity": self.quantity,
                "runs": self.runs,
                "interval": self.interval,
            },
            self.extra,
        )


@final
@frozen(kw_only=True)
class Package:
    """A package for a ``link``: it has no quantity, and the service's rate is its whole price."""

    service: Id = field(validator=_id)
    link: str = field(validator=filled_text)
    extra: Mapping[str, str] = field(factory=dict, validator=_extra_fields, hash=False)

    def fields(self) -> Mapping[str, str]:
        """The form's fields, without key and action."""
        return _form({"service": self.service, "link": self.link}, self.extra)


@final
@frozen(kw_only=True)
class CustomComments:
    """Comments for a ``link``, one for each line; blank lines are dropped, as some panels charge for them.

    ``comments``: a text of lines, or many texts. How many there are is sent as
    ``quantity``: some panels want it, and the others ignore it.
    """

    service: Id = field(validator=_id)
    link: str = field(validator=filled_text)
    comments: tuple[str, ...] = field(converter=_lines, validator=_some)
    extra: Mapping[str, str] = field(factory=dict, validator=_extra_fields, hash=False)

    def fields(self) -> Mapping[str, str]:
        """The form's fields, without key and action."""
        return _form(
            {
                "service": self.service,
                "link": self.link,
                "comments": "\n".join(self.comments),
                "quantity": len(self.comments),
            },
            self.extra,
        )


@final
@frozen(kw_only=True)
class Raw:
    """Any fields for a ``service``, sent as they are: for types that this library does not know."""

    service: Id = field(validator=_id)
    extra: Mapping[str, str] = field(factory=dict, validator=_extra_fields, hash=False)

    def fields(self) -> Mapping[str, str]:
        """The form's fields, without key and action."""
        return _form({"service": self.service}, self.extra)
