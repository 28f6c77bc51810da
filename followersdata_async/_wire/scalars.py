"""Single values as panels send them, each with a reader of its own (panel-api §2.1, §5.4, §11).

A second argument is nothing to them: cattrs names the type that it wants.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from ..models import OrderState, RefillState, ServiceKind

if TYPE_CHECKING:
    from ..models import Id

_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_DOTTED_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]+")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")

_FIRST_SIGNS = frozenset("+-.0123456789")
"""What a number begins with; most texts that are none begin with something else."""

_MOST_DIGITS = 4000
"""Python refuses to turn longer numbers into ``int``; no panel counts that far."""


def number_of(value: object, _: object = None) -> Decimal | None:
    """An exact number, or ``None`` for words, blanks and whatever is none.

    A comma is a thousands separator before groups of three, else the decimal
    sign: ``"1,234.50"`` is 1234.50, ``"1,250"`` is 1250, ``"0,27"`` is 0.27.
    """
    if isinstance(value, str):
        return Decimal(value) if _PLAIN.fullmatch(value) else _written(value.strip())
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value if isinstance(value, Decimal) and value.is_finite() else None


def _written(text: str) -> Decimal | None:
    if text[:1] not in _FIRST_SIGNS:
        return None
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if _THOUSANDS.fullmatch(text):
        return Decimal(text.replace(",", ""))
    if _DOTTED_THOUSANDS.fullmatch(text):
        return Decimal(text.replace(".", "").replace(",", "."))
    if _DECIMAL_COMMA.fullmatch(text):
        return Decimal(text.replace(",", "."))
    return None


def count_of(value: object, _: object = None) -> int | None:
    """A whole number, or ``None`` for everything else: fractions, words, blanks."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
        return int(value)
    number = number_of(value)
    if number is None or number.adjusted() > _MOST_DIGITS:
        return None
    whole = number.to_integral_value()
    return int(whole) if whole == number else None


def flag_of(value: object, _: object = None) -> bool | None:
    """Yes, no, or ``None`` for "not said"."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, Decimal)):
        return _FLAGS.get(str(value))
    if isinstance(value, str):
        return _FLAGS.get(value.strip().casefold())
    return None


_FLAGS = {
    "1": True, "true": True, "yes": True,
    "0": False, "2": False, "false": False, "no": False, "": False,
}  # fmt: skip


def id_of(value: object) -> Id:
    """An id as callers get it: ``int`` where it is a plain decimal number, else the text.

    Raises:
        ValueError: it is none: empty, a fraction, a sentence.
    """
    if isinstance(value, Decimal):
        value = count_of(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip()
        if _DECIMAL_ID.fullmatch(text):
            return int(text)
        if text.isprintable() and text and not _NO_ID.search(text):
            return text
    msg = "not an id"
    raise ValueError(msg)


def is_an_id(value: object) -> bool:
    """Whether a value can be the id of something that is there: not nothing, 0, a flag, or a sentence."""
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().casefold() in _NO_IDS):
        return False
    try:
        id_ = id_of(value)
    except ValueError:
        return False
    return not isinstance(id_, int) or id_ > 0


_NO_IDS = frozenset({"", "0", "false", "true", "no", "none", "null"})
_DECIMAL_ID = re.compile(r"0|[1-9][0-9]{0,39}")
_NO_ID = re.compile(r"[\s,]")


def text_of(value: object, _: object = None) -> str | None:
    """A text, a number as its text, or ``None``."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    return None


def folded(text: str) -> str:
    """A word without case, ``_``, ``-`` and blanks: how panels' spellings are compared."""
    return _folded_word(text) if len(text) <= _LONGEST_WORD else _folded(text)


def _folded(text: str) -> str:
    return _SEPARATORS.sub("", text.casefold())


_SEPARATORS = re.compile(r"[\s_-]+")
_LONGEST_WORD = 40
_folded_word = lru_cache(maxsize=512)(_folded)
"""Panels have few words, and say them again and again; long texts are not kept."""


def order_state_of(word: object, _: object = None) -> OrderState:
    """What an order's status word means; ``UNKNOWN`` for words nobody told us."""
    return _ORDER_STATES.get(folded(text_of(word) or ""), OrderState.UNKNOWN)


def refill_state_of(word: object, _: object = None) -> RefillState:
    """What a refill's status word means; ``UNKNOWN`` for words nobody told us."""
    return _REFILL_STATES.get(folded(text_of(word) or ""), RefillState.UNKNOWN)


def service_kind_of(word: object, _: object = None) -> ServiceKind:
    """What a service's type word means; ``UNKNOWN`` for words nobody told us."""
    return _SERVICE_KINDS.get(folded(text_of(word) or ""), ServiceKind.UNKNOWN)


_ORDER_STATES = {
    **{folded(state.value): state for state in OrderState if state is not OrderState.UNKNOWN},
    "inprogess": OrderState.IN_PROGRESS,
    "complete": OrderState.COMPLETED,
    "concluído": OrderState.COMPLETED,
    "cancelled": OrderState.CANCELED,
    "fail": OrderState.FAILED,
    "error": OrderState.FAILED,
    "rejected": OrderState.FAILED,
}

_REFILL_STATES = {
    **{folded(state.value): state for state in RefillState if state is not RefillState.UNKNOWN},
    "inprogess": RefillState.IN_PROGRESS,
    "complete": RefillState.COMPLETED,
    "concluído": RefillState.COMPLETED,
    "cancelled": RefillState.CANCELED,
    "fail": RefillState.FAILED,
    "error": RefillState.FAILED,
}

_SERVICE_KINDS = {
    **{folded(kind.value): kind for kind in ServiceKind if kind is not ServiceKind.UNKNOWN},
    "subscription": ServiceKind.SUBSCRIPTIONS,
}
