"""What can be changed while the sandbox runs, read from JSON or from a caller's arguments. Pure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_DIGITS = 30


def terms_from(said: Mapping[str, object]) -> dict[str, object]:
    """A service's new terms, as JSON can have them.

    Raises:
        ValueError: there is no such term, or none has this value.
    """
    for name, value in said.items():
        if name not in _TERMS:
            msg = f"a service has no {name!r} to change: it has {', '.join(_TERMS)}"
            raise ValueError(msg)
        is_right, words = _TERMS[name]
        if not is_right(value):
            msg = f"{name} is {value!r}, but must be {words}"
            raise ValueError(msg)
    return {name: str(value) if name == "rate" else value for name, value in said.items()}


def balance_from(said: object) -> Decimal:
    """What an account has.

    Raises:
        ValueError: it is no amount.
    """
    if not _is_amount(said):
        msg = f"balance is {said!r}, but must be {_AMOUNT}"
        raise ValueError(msg)
    return Decimal(str(said))


_AMOUNT = 'an exact amount like "1.50", of 0 or more'


def _is_amount(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or len(str(value)) > _MOST_DIGITS:
        return False
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return False
    return amount.is_finite() and amount >= 0 and amount.adjusted() <= _MOST_DIGITS


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_TERMS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "rate": (_is_amount, _AMOUNT),
    "min": (_is_count, "a whole number from 1"),
    "max": (_is_count, "a whole number from 1"),
    "refill": (lambda value: isinstance(value, bool), "true or false"),
    "cancel": (lambda value: isinstance(value, bool), "true or false"),
    "enabled": (lambda value: isinstance(value, bool), "true or false"),
}
"""Of what can be changed of a service: whether a value is right, and what is."""
