"""Parsers for single values as panels send them (panel-api §2.1, §5.4, §11).

The unused second argument of most of them is the target type that cattrs passes.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING

from ..models import OrderState, RefillState, ServiceKind

if TYPE_CHECKING:
    from ..models import Id

_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_DOTTED_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]+")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")

_NUMBER_INITIALS = frozenset("+-.0123456789")
"""The first characters of numbers: a cheap check, as most strings that are not numbers start differently."""

MAX_DIGITS = 100
_MAX_NUMBER = 1_000
"""Longer numbers are no values: no panel counts that far, and ``float`` and databases could not hold them."""


_LARGE = 10**18


def parse_decimal(value: object, _: object = None) -> Decimal | None:
    """Parse an exact number. Return ``None`` for anything else.

    A comma before groups of three digits separates thousands, otherwise it is
    the decimal sign: ``"1,234.50"`` is 1234.50, ``"1,250"`` is 1250, ``"0,27"`` is 0.27.
    """
    if isinstance(value, str):
        if len(value) > _MAX_NUMBER:
            return None
        number = Decimal(value) if _PLAIN.fullmatch(value) else _parse_written(value.strip())
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        number = value if isinstance(value, Decimal) and value.is_finite() else None
    return None if number is None or abs(number.adjusted()) > MAX_DIGITS else number


def parse_amount(value: object, _: object = None) -> Decimal | None:
    """Parse an exact amount of money: a number, also with a currency before or after it, and blanks between thousands.

    ``"$1.20"``, ``"0.30$"``, ``"1,20 EUR"`` and ``"1 234,50"`` are amounts,
    ``"Free"`` and ``"10-20"`` are not.
    """
    number = parse_decimal(value)
    if (
        number is None
        and isinstance(value, str)
        and len(value) <= _MAX_NUMBER
        and (match := _AMOUNT.fullmatch(value.strip()))
    ):
        digits = match["number"]
        number = parse_decimal(
            match["sign"] + (_BLANKS.sub("", digits) if _BLANK_THOUSANDS.fullmatch(digits) else digits)
        )
    return number


_CURRENCY = (
    r"(?:US\$|R\$|[$€£¥₺₽₫₹₴₦₩₸]"
    r"|(?i:USD|USDT|EUR|GBP|TRY|TL|BRL|RUB|VND|INR|Rs\.?|UAH|IDR|Rp|CNY|JPY|KZT|NGN|PKR|PLN|AED))"
)
_AMOUNT = re.compile(rf"(?P<sign>[+-]?)(?:{_CURRENCY}\s*)?(?P<number>[0-9.][0-9.,\s\u00a0\u202f]*?)(?:\s*{_CURRENCY})?")
_BLANKS = re.compile(r"[\s\u00a0\u202f]+")
_BLANK_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+(?:[.,][0-9]+)?")


def parse_limit(value: object, _: object = None) -> int | None:
    """Parse the smallest or greatest quantity of a service: an integer, also as ``"5k"`` or ``"1.5M"``."""
    number = parse_int(value)
    if number is None and isinstance(value, str) and (match := _LIMIT.fullmatch(value.strip())):
        number = parse_int(Decimal(match[1].replace(",", ".")) * 1000 ** (1 + "kmb".index(match[2].lower())))
    return number


# Three digits behind a point may be thousands, so they are not read.
_LIMIT = re.compile(r"([0-9]{1,9}(?:[.,][0-9]{1,2})?)\s*([kKmMbB])")


def parse_title(value: object, _: object = None) -> str | None:
    """Return a string, as ``parse_text`` does, with its HTML entities as characters."""
    text = parse_text(value)
    return _ENTITY.sub(lambda entity: unescape(entity[0]), text) if text and "&" in text else text


_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]*|#[0-9]+|#x[0-9A-Fa-f]+);")


def _parse_written(text: str) -> Decimal | None:
    if text[:1] not in _NUMBER_INITIALS:
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


def parse_int(value: object, _: object = None) -> int | None:
    """Parse an integer. Return ``None`` for anything else: fractions, words, blanks."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS:
        return int(value)
    if type(value) is int and abs(value) < _LARGE:
        return value
    number = parse_decimal(value)
    if number is None:
        return None
    whole = number.to_integral_value()
    return int(whole) if whole == number else None


def parse_bool(value: object, _: object = None) -> bool | None:
    """Parse a boolean. Return ``None`` where the panel gives none."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, Decimal)):
        return FLAGS.get(str(value))
    if isinstance(value, str):
        return FLAGS.get(value.strip().casefold())
    return None


FLAGS = {
    "1": True, "true": True, "yes": True,
    "0": False, "2": False, "false": False, "no": False, "": False,
}  # fmt: skip


def parse_id(value: object) -> Id:
    """Parse an id: to ``int`` if it is a plain decimal number, else to ``str``.

    Raises:
        ValueError: it is not an id but empty, a fraction or a sentence.
    """
    if isinstance(value, Decimal):
        value = parse_int(value)
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


_DECIMAL_ID = re.compile(r"0|[1-9][0-9]{0,39}")
_NO_ID = re.compile(r"[\s,]")


def parse_text(value: object, _: object = None) -> str | None:
    """Return a string as it is and a number as a string. Return ``None`` for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    return None


def normalize_word(text: str) -> str:
    """Return a word without case, ``_``, ``-`` and blanks, to compare the spellings of panels."""
    return _normalize_short_word(text) if len(text) <= _MAX_WORD else _normalize(text)


def _normalize(text: str) -> str:
    return _SEPARATORS.sub("", text.casefold())


_SEPARATORS = re.compile(r"[\s_-]+")
_MAX_WORD = 40
_normalize_short_word = lru_cache(maxsize=512)(_normalize)
"""Panels repeat few words, so they are cached. Long strings are not."""


def normalize_text(text: str) -> str:
    """Return the text in lower case, without accents, with punctuation and ``_`` replaced by single blanks.

    Of a long text, only its beginning counts: a panel's message can have a megabyte.
    """
    letters = unicodedata.normalize("NFKD", text[:_MAX_TEXT].casefold()).translate(_UNDECOMPOSED)
    return _PUNCTUATION.sub(" ", _ACCENTS.sub("", letters)).strip()


_MAX_TEXT = 4_000
_UNDECOMPOSED = str.maketrans({"\u0131": "i", "\u0111": "d"})
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
_PUNCTUATION = re.compile(r"[\W_]+")


@lru_cache(maxsize=512)
def find_plain_state(word: str) -> OrderState | None:
    """Return the state of a status word that cannot be an error, ``None`` for any other string.

    Cached by the word as it came, so that known words are not normalized again.
    """
    if len(word) > _MAX_WORD or can_be_error_word(word):
        return None
    return parse_order_state(word)


def can_be_error_word(word: str) -> bool:
    """Return whether a status word can mean "failed" or be an error code: a cheap check, true of few words."""
    return normalize_word(word)[:1] in _ERROR_INITIALS


_ERROR_INITIALS = frozenset("ef+.0123456789")
"""The first characters of words for "failed", and of numbers."""


def parse_order_state(word: object, _: object = None) -> OrderState:
    """Return the state that an order's status word stands for, ``UNKNOWN`` for unknown words."""
    text = parse_text(word) or ""
    return ORDER_STATES.get(normalize_word(text)) or ORDER_STATES.get(normalize_status(text), OrderState.UNKNOWN)


def parse_refill_state(word: object, _: object = None) -> RefillState:
    """Return the state that a refill's status word stands for, ``UNKNOWN`` for unknown words."""
    text = parse_text(word) or ""
    return REFILL_STATES.get(normalize_word(text)) or REFILL_STATES.get(normalize_status(text), RefillState.UNKNOWN)


def normalize_status(text: str) -> str:
    """Return a status without case, accents, punctuation and blanks, to compare it with words of any language."""
    return normalize_text(text).replace(" ", "")


def parse_service_kind(word: object, _: object = None) -> ServiceKind:
    """Return the kind that a service's type stands for, ``UNKNOWN`` for unknown types."""
    return _SERVICE_KINDS.get(normalize_word(parse_text(word) or ""), ServiceKind.UNKNOWN)


_OTHER_WORDS = {
    OrderState.PENDING: "beklemede bekliyor pendente ожидание вожидании ожидает dangcho choxuly",
    OrderState.PROCESSING: "hazirlaniyor isleniyor processando обрабатывается вобработке dangxuly",
    OrderState.IN_PROGRESS: "inprogess islemde devamediyor yukleniyor emandamento emprogresso вработе впроцессе "
    "выполняется dangchay dangthuchien",
    OrderState.COMPLETED: "complete success successful done finished delivered tamamlandi teslimedildi bitti concluido "
    "completo finalizado завершен завершено выполнен выполнено готово hoanthanh hoantat selesai",
    OrderState.PARTIAL: "partially partiallycompleted partialcompleted kismi kismen kismentamamlandi parcial "
    "частично частичновыполнен motphan hoanthanhmotphan",
    OrderState.CANCELED: "cancelled iptal iptaledildi cancelado cancelada отменен отменено отмена dahuy huy dibatalkan",
    OrderState.REFUNDED: "iadeedildi iade reembolsado estornado возвращен возврат hoantien dahoantien",
    OrderState.FAILED: "fail error rejected basarisiz hata falhou erro ошибка thatbai loi gagal",
    OrderState.PAUSED: "onhold hold durduruldu askida pausado приостановлен tamdung",
}
"""Words of other panels and languages, as ``normalize_status`` returns them."""

ORDER_STATES = {
    **{normalize_word(state.value): state for state in OrderState if state is not OrderState.UNKNOWN},
    **{word: state for state, words in _OTHER_WORDS.items() for word in words.split()},
}

_REFILL_STATE_OF = {
    OrderState.PENDING: RefillState.PENDING,
    OrderState.PROCESSING: RefillState.IN_PROGRESS,
    OrderState.IN_PROGRESS: RefillState.IN_PROGRESS,
    OrderState.COMPLETED: RefillState.COMPLETED,
    OrderState.CANCELED: RefillState.CANCELED,
    OrderState.FAILED: RefillState.FAILED,
}

REFILL_STATES = {
    "processing": RefillState.IN_PROGRESS,
    **{word: _REFILL_STATE_OF[state] for word, state in ORDER_STATES.items() if state in _REFILL_STATE_OF},
    **{normalize_word(state.value): state for state in RefillState if state is not RefillState.UNKNOWN},
    **dict.fromkeys(["reddedildi", "rejeitado", "recusado", "отклонен", "отклонено", "bituchoi"], RefillState.REJECTED),
}

_SERVICE_KINDS = {
    **{normalize_word(kind.value): kind for kind in ServiceKind if kind is not ServiceKind.UNKNOWN},
    "subscription": ServiceKind.SUBSCRIPTIONS,
}
