"""The parsers of what can be changed while the sandbox runs, given as JSON or as arguments. Pure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAX_DIGITS = 30


def parse_service_changes(changes: Mapping[str, object]) -> dict[str, object]:
    """Return the changes of a service in the form of JSON: rates as strings.

    Raises:
        ValueError: A service has no such member, or it cannot have this value.
    """
    for name, value in changes.items():
        if name not in _SERVICE_RULES:
            msg = f"a service has no {name!r} to change: it has {', '.join(_SERVICE_RULES)}"
            raise ValueError(msg)
        is_valid, expected = _SERVICE_RULES[name]
        if not is_valid(value):
            msg = f"{name} is {value!r}, but must be {expected}"
            raise ValueError(msg)
    return {name: str(value) if name == "rate" else value for name, value in changes.items()}


def parse_balance(value: object) -> Decimal:
    """Return the balance of an account.

    Raises:
        ValueError: It is not an exact amount of 0 or more.
    """
    if not _is_amount(value):
        msg = f"balance is {value!r}, but must be {_AMOUNT}"
        raise ValueError(msg)
    return Decimal(str(value))


_AMOUNT = 'an exact amount like "1.50", of 0 or more'


def _is_amount(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or len(str(value)) > _MAX_DIGITS:
        return False
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return False
    return amount.is_finite() and amount >= 0 and amount.adjusted() <= _MAX_DIGITS


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_SERVICE_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "rate": (_is_amount, _AMOUNT),
    "min": (_is_count, "a whole number from 1"),
    "max": (_is_count, "a whole number from 1"),
    "refill": (lambda value: isinstance(value, bool), "true or false"),
    "cancel": (lambda value: isinstance(value, bool), "true or false"),
    "enabled": (lambda value: isinstance(value, bool), "true or false"),
}
"""For each member of a service that can be changed: whether a value is valid, and a description of valid values."""
