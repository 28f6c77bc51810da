"""A panel's words for "no", and the error class that each of them means (panel-api §10.3).

Panels share no codes: the same refusal comes as a sentence, as a key like
``neworder.error.not_enough_funds`` or as a number, in several languages. Texts
are compared without case, punctuation and ``_``; the first class below whose
words stand in the text decides, so the order of the table matters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import final

from attrs import field, frozen

from ..errors import (
    AuthenticationError,
    ConflictError,
    InsufficientFundsError,
    InvalidOrderError,
    InvalidRequestError,
    NotSupportedError,
    OrderNotFoundError,
    PanelError,
    RateLimitedError,
    RefillNotFoundError,
    ServiceNotFoundError,
    TemporaryPanelError,
)

_TABLE: tuple[tuple[type[PanelError], tuple[str, ...]], ...] = (
    (
        RateLimitedError,
        (
            r"rate limit",
            r"too many (failed )?(requests|attempts)",
            r"slow down",
            r"blocked for \d+ seconds",
        ),
    ),
    (
        AuthenticationError,
        (
            r"api key",
            r"(missing|invalid|incorrect|wrong|unknown) key",
            r"unauthenticated|unauthorized|authentication failed",
            r"api (access )?(is |has been )?disabled?",
            r"account (is |was |has been )?(not active|inactive|suspended|restricted|banned|disabled|blocked)",
        ),
    ),
    (
        TemporaryPanelError,
        (
            r"maintenance",
            r"temporarily",
            r"try (again )?later",
            r"server error",
        ),
    ),
    (
        InsufficientFundsError,
        (
            r"(not enough|insufficient|sufficient) (funds|balance|money)",
            r"balance (is )?(insufficient|not enough|too low)",
        ),
    ),
    (
        ConflictError,
        (
            r"active order with this link|until (the )?order being completed",
            r"the same link|link duplicate|identical order|too many orders",
            r"less than 24 hours",
            r"refill (is )?(already|in ?progress|pending)|refill will be available",
            r"already (been )?requested",
            r"refill task is not completed|no more refills|order is not completed",
        ),
    ),
    (
        RefillNotFoundError,
        (
            r"refill (request |id )?not found",
            r"(incorrect|invalid) refill",
        ),
    ),
    (
        OrderNotFoundError,
        (
            r"order not found|order does not exist",
            r"(incorrect|invalid) order ids?|order id is (invalid|incorrect)",
        ),
    ),
    (
        InvalidRequestError,
        (
            r"(incorrect|invalid) (request|parameters?|action|method)",
            r"unknown action|action is invalid",
            r"missing data|missing (required )?(order |orders )?parameter|parameter is required",
            r"(action|order|orders|refill|refills|service) field is required",
        ),
    ),
    (
        ServiceNotFoundError,
        (
            r"(incorrect|invalid|disabled|inactive) service",
            r"service (id )?(not found|does not exists?|is invalid)",
            r"service (is )?(disabled|inactive)",
        ),
    ),
    (
        InvalidOrderError,
        (
            r"(bad|invalid|incorrect) link|error link|link (field )?is (required|invalid|incorrect)|link format",
            r"quantity|minimum number|follow the limit|not a number",
            r"error comment",
            r"invalid interval|not support dripfeed",
            r"incorrect (runs|interval|comments?|usernames?|hashtags?|min|max|posts|delay|expiry|media)",
            r"incorrect (answer number|keywords|groups|country|device|type of traffic)",
        ),
    ),
    (
        NotSupportedError,
        (
            r"refill (is )?(disabled|not (allowed|available|supported))",
            r"cancel (is )?(disabled|not (allowed|available))|can ?(not|t) (be )?cancel|can t cancel",
            r"not eligible|already completed or cancell?ed",
            r"ordering is disabled",
        ),
    ),
)
"""Phrases as patterns over texts without case and punctuation, whole words only."""

_PATTERNS = tuple((class_, re.compile(rf"\b(?:{'|'.join(phrases)})\b")) for class_, phrases in _TABLE)

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
@frozen
class Words:
    """The table above, with a user's own words before it."""

    own: Mapping[str, type[PanelError]] = field(factory=dict, hash=False)

    def known(self, text: str) -> type[PanelError] | None:
        """The class that the text means, or ``None``."""
        plain = _plain(text)
        for words, class_ in self.own.items():
            if _plain(words) in plain:
                return class_
        for class_, pattern in _PATTERNS:
            if pattern.search(plain):
                return class_
        return None

    def verdict(self, texts: Iterable[str], codes: Iterable[str], status: int) -> tuple[type[PanelError] | None, str]:
        """The class and the text that decides it: texts before codes before the HTTP status.

        ``None`` for words that nobody knows, with the first of them.
        """
        said = [text for text in texts if text.strip()]
        for text in said:
            if class_ := self.known(text):
                return class_, text
        first = said[0] if said else ""
        for code in codes:
            if class_ := _CODES.get(code):
                return class_, first or code
        return _BY_STATUS.get(status), first


def _plain(text: str) -> str:
    """The text in lower case, its punctuation and ``_`` turned to single blanks."""
    # Turkish İ folds to i and a combining dot, which no plain i has.
    folded = unicodedata.normalize("NFKC", text.casefold()).replace("\u0307", "")
    return _PUNCTUATION.sub(" ", folded).strip()


_PUNCTUATION = re.compile(r"[\W_]+")
