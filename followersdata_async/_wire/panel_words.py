"""What the messages mean with which panels reject requests (panel-api §10.3), and a user's own words.

Panels share no codes: the same rejection is a sentence, a key like
``neworder.error.not_enough_funds`` or a number, in several languages. The
phrases are in ``error_phrases.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any, final

from attrs import field, frozen

from .. import errors
from ..errors import (
    AuthenticationError,
    InsufficientFundsError,
    InvalidOrderError,
    InvalidRequestError,
    OrderNotFoundError,
    PanelError,
    ServiceNotFoundError,
    TemporaryPanelError,
)
from ..models import OrderState, RefillState
from .scalars import normalize_status, normalize_text


@final
@frozen
class Meaning:
    """What a message means: an error class, and whether the panel reports a fault of its own.

    A certain fault outweighs all other messages of the response. An uncertain
    one only counts if no message gives a reason.
    """

    error_class: type[PanelError]
    is_fault: bool = False
    is_certain: bool = False


_ID_IS_MISSING = "id is missing"
"""What a phrase in the table can say besides its meaning: then the panel has done nothing."""


@cache
def _load_table() -> Sequence[Mapping[str, Any]]:
    """Read the table at the first rejection: it takes longer than importing this module."""
    text = files(__name__.rpartition(".")[0]).joinpath("error_phrases.toml").read_text(encoding="utf-8")
    meanings: Sequence[Mapping[str, Any]] = tomllib.loads(text)["meaning"]
    return meanings


@cache
def _compile_patterns() -> Sequence[tuple[Meaning, re.Pattern[str]]]:
    return [
        (
            Meaning(
                getattr(errors, group["class"]), is_fault="fault" in group, is_certain=group.get("fault") == "certain"
            ),
            _compile(group["phrases"]),
        )
        for group in _load_table()
    ]


@cache
def _compile_id_is_missing() -> re.Pattern[str]:
    phrases = [phrase for group in _load_table() for phrase in group["phrases"]]
    return _compile(phrase for phrase in phrases if phrase.get("says") == _ID_IS_MISSING)


def _compile(phrases: Iterable[Mapping[str, str]]) -> re.Pattern[str]:
    patterns = [
        phrase["pattern"] if "pattern" in phrase else re.escape(normalize_text(phrase["phrase"])) for phrase in phrases
    ]
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b")


_CODES: Mapping[str, type[PanelError]] = {
    "101": InvalidRequestError,
    "102": AuthenticationError,
    "103": AuthenticationError,
    "104": OrderNotFoundError,
    "105": ServiceNotFoundError,
    "107": InvalidOrderError,
    "108": InvalidOrderError,
    "109": InvalidOrderError,
    "110": InvalidOrderError,
}
"""The numbers of one family; its 113 is left out, as it means two things (panel-api §10.3)."""

_BY_STATUS: Mapping[int, type[PanelError]] = {
    401: AuthenticationError,
    402: InsufficientFundsError,
    403: AuthenticationError,
}


@final
@frozen(eq=False)
class PanelWords:
    """What a panel's words mean: the table of phrases, preceded by a user's own, and a user's own words for states."""

    own: Mapping[str, type[PanelError]] = field(factory=dict, hash=False)
    states: Mapping[str, OrderState | RefillState] = field(factory=dict, hash=False)
    """By the word as ``normalize_status`` returns it."""

    def find_order_state(self, status: str) -> OrderState | None:
        """Return the state that a user's own words give an order's status, or ``None``."""
        state = self.states.get(normalize_status(status))
        return state if isinstance(state, OrderState) else None

    def find_refill_state(self, status: str) -> RefillState | None:
        """Return the state that a user's own words give a refill's status, or ``None``."""
        state = self.states.get(normalize_status(status))
        return state if isinstance(state, RefillState) else None

    def says_id_is_missing(self, message: str) -> bool:
        """Return whether a rejection says that the request has no order id: then the panel has done nothing."""
        return _compile_id_is_missing().search(normalize_text(message)) is not None

    def find_meaning(self, message: str) -> Meaning | None:
        """Return what a message means, or ``None`` if none of its phrases is known.

        JSON in it is the response of the panel's own supplier. What that says is
        no refusal by the panel.
        """
        own_part, quotation, _ = message.partition('{"')
        meaning = self._find_meaning(own_part)
        return Meaning(TemporaryPanelError, is_fault=True) if meaning is None and quotation else meaning

    def _find_meaning(self, message: str) -> Meaning | None:
        normalized = normalize_text(message)
        for phrase, class_ in self.own.items():
            if normalize_text(phrase) in normalized:
                return Meaning(class_)
        for meaning, pattern in _compile_patterns():
            if pattern.search(normalized):
                return meaning
        return None

    def classify(self, messages: Iterable[str], codes: Iterable[str], status: int) -> tuple[Meaning | None, str]:
        """Return what a rejection means, and the message that decides it.

        Messages count before codes, codes before the HTTP status. The meaning
        is ``None`` if none of them is known; then the message is the first one.
        With HTTP 4xx the panel has checked the request, so faults do not count.
        """
        filled = list(islice((message for message in messages if message.strip()), _MAX_MESSAGES))
        known = [(meaning, message) for message in filled if (meaning := self.find_meaning(message)) is not None]
        if _CLIENT_ERROR <= status < _SERVER_ERROR:
            known = [
                (Meaning(meaning.error_class), message)
                for meaning, message in known
                if not meaning.is_fault or meaning.error_class is not PanelError
            ]
        if known:
            return min(known, key=lambda found: (not found[0].is_certain, found[0].is_fault))
        first = filled[0] if filled else ""
        for code in codes:
            if class_ := _CODES.get(code):
                return Meaning(class_), first or code
        by_status = _BY_STATUS.get(status)
        return Meaning(by_status) if by_status else None, first


_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_MAX_MESSAGES = 50
"""Of more messages than these, only the first ones are looked at."""
