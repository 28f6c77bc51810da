"""What a single value in the response to a write proves: that there is an id, that the panel said yes, or no.

Each question is answered here and nowhere else, by a closed definition. What
is not in it proves nothing.
"""

from __future__ import annotations

import re

from ..models import OrderState
from .scalars import (
    FLAGS,
    ORDER_STATES,
    REFILL_STATES,
    normalize_status,
    normalize_text,
    parse_bool,
    parse_decimal,
    parse_id,
    parse_order_state,
)

# --- ids


def is_id(value: object) -> bool:
    """Return whether a value is the id of something that exists: a positive integer, or a token that is no message.

    Panels also write ``"null"``, ``"Denied"`` or -1 where an id should be. A
    token has a digit or is hexadecimal, and has no word of a status in it.
    """
    if isinstance(value, bool):
        return False
    try:
        id_ = parse_id(value)
    except ValueError:
        return False
    if isinstance(id_, int):
        return id_ > 0
    number = parse_decimal(id_)
    if number is not None:
        return number > 0 and number == number.to_integral_value()
    return _is_token(id_)


def _is_token(text: str) -> bool:
    if len(text) > _MAX_ID or not _TOKEN.fullmatch(text) or _NO_TOKEN.fullmatch(text) or not text.strip("0_-"):
        return False
    if not _DIGIT.search(text):
        return _LETTERS_OF_HEX.fullmatch(text) is not None
    words = [word.casefold() for word in _WORD.findall(text)]
    if len(_DIGITS.findall(text)) > 1:
        # In a random token, short words are coincidence.
        return _NO_ID_WORDS.isdisjoint(word for word in words if len(word) >= _LONG_WORD)
    # Beside a single number, a long word is one of a message: notfound404.
    return all(word in _PREFIXES or (len(word) < _LONG_WORD and word not in _NO_ID_WORDS) for word in words)


_MAX_ID = 100
_LONG_WORD = 5
_PREFIXES = frozenset({"order", "orders", "refill"})
_TOKEN = re.compile(r"[A-Za-z0-9]+(?:[_-]+[A-Za-z0-9]+)*")
_NO_TOKEN = re.compile(
    r"(?:e|err|error|http|min|max|no|ok|code|line|status|sql|sqlstate|bad|wait|retry)[_-]?[0-9]+"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}|(?![0-9a-fA-F]{8})[0-9]+[_-]?[A-Za-z]+",
    re.IGNORECASE,
)
"""Codes, limits, dates and amounts: ``E404``, ``2026-01-01``, ``100USD``."""
_LETTERS_OF_HEX = re.compile(r"[a-f]{8,}|[A-F]{8,}")
_DIGIT = re.compile(r"[1-9]")
_DIGITS = re.compile(r"[0-9]+")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def is_missing(value: object) -> bool:
    """Return whether a value says nothing at all: null or an empty string."""
    return value is None or (isinstance(value, str) and value.strip().casefold() in {"", "null", "none"})


# --- yes and no


def is_confirmation(value: object) -> bool:
    """Return whether a status or flag says that a request has succeeded."""
    if isinstance(value, str):
        return parse_bool(value) is True or says_success(value)
    return value == 1


def is_state_of_work(value: object) -> bool:
    """Return whether a status names a state of work that goes on: it contradicts nothing, and confirms nothing."""
    if not isinstance(value, str):
        return False
    return normalize_status(value) in _STATE_WORDS or parse_order_state(value) in _STATES_OF_WORK


_STATES_OF_WORK = frozenset(OrderState) - {
    OrderState.CANCELED, OrderState.REFUNDED, OrderState.FAILED, OrderState.EXPIRED, OrderState.UNKNOWN,
}  # fmt: skip


def is_failure(value: object) -> bool:
    """Return whether a status or flag says that a request has failed."""
    if isinstance(value, str):
        return normalize_status(value) in _FAILING_WORDS
    return value == 0


def says_success(text: str) -> bool:
    """Return whether a sentence says that something was done: it has a word for that, and none that denies it."""
    words = frozenset(normalize_text(text).split())
    return not words.isdisjoint(_WORDS_OF_SUCCESS) and words.isdisjoint(_DENYING_WORDS)


def reports_progress(text: str) -> bool:
    """Return whether a message begins with what was done or is going on. Conditions for later may follow."""
    first = _SENTENCE_END.split(text, maxsplit=1)[0]
    words = frozenset(normalize_text(first).split())
    is_good = not words.isdisjoint(_WORDS_OF_SUCCESS | _WORDS_OF_PROGRESS)
    return is_good and words.isdisjoint(_DENYING_WORDS - _CONDITIONS) and not says_failure(first)


_SENTENCE_END = re.compile(r"[.!;\n]")


def says_failure(text: str, *, is_cancellation: bool = False) -> bool:
    """Return whether a sentence has a word for something that was not done, or was undone."""
    words = frozenset(normalize_text(text).split())
    return not words.isdisjoint(_WORDS_OF_FAILURE) or (not is_cancellation and not words.isdisjoint(_UNDOING_WORDS))


def reports_making(text: str) -> bool:
    """Return whether a message says that something was made or charged, whatever it says beside that."""
    words = normalize_text(text).split()
    return any(
        word in _MAKING_WORDS and _NEGATIONS.isdisjoint(words[max(0, index - 4) : index])
        for index, word in enumerate(words)
    )


def is_accepted(value: object) -> bool:
    """Return whether the value of a cancellation accepts it: a flag, the number of the cancellation, or a word."""
    if isinstance(value, str):
        words = frozenset(normalize_text(value).split())
        is_word = normalize_status(value) in _CANCELING_WORDS or parse_bool(value) is True
        says_so = not words.isdisjoint(_WORDS_OF_SUCCESS - _WORDS_OF_WORK) and words.isdisjoint(_DENYING_WORDS)
        return is_word or (says_so and words.isdisjoint(_WORDS_OF_WORK)) or is_id(value)
    return value is True or is_id(value)


def is_declined(value: object) -> bool:
    """Return whether the value of a cancellation is a flag that says no. 2, a flag elsewhere, can be its number."""
    if isinstance(value, str):
        return value.strip().casefold() in {"0", "false", "no"}
    return value == 0


# Words of Turkish, Portuguese, Russian and Vietnamese stand here as ``normalize_text`` returns them.

_WORDS_OF_SUCCESS = frozenset({
    "success", "successful", "successfully", "succeeded", "ok", "okay", "accepted", "placed", "created", "submitted",
    "queued", "received", "requested", "confirmed", "approved", "added", "scheduled", "done", "sent", "started",
    "basarili", "basariyla", "olusturuldu", "alindi", "eklendi", "tamam", "sucesso", "criado", "recebido",
    "solicitado", "успешно", "создан", "принят", "принято", "cong", "sukses", "berhasil",
})  # fmt: skip

_WORDS_OF_WORK = frozenset({"done", "sent", "started", "placed", "running", "completed"})
"""Words of success that say of an order that it can no longer be canceled."""

_WORDS_OF_FAILURE = frozenset({
    "failed", "fail", "failure", "rejected", "declined", "denied", "refused", "unsuccessful", "duplicate", "not",
    "unable", "cannot", "error", "reddedildi", "basarisiz", "edilemedi", "hata", "recusado", "rejeitado",
    "falhou", "erro", "отклонен", "отклонено", "ошибка", "choi", "loi", "gagal",
})  # fmt: skip
_UNDOING_WORDS = frozenset({
    "canceled", "cancelled", "refund", "refunded", "iptal", "iade", "cancelado", "cancelada", "estornado",
    "reembolsado", "отменен", "отменено", "возврат", "huy",
})  # fmt: skip
_MAKING_WORDS = frozenset({
    "created", "placed", "saved", "queued", "charged", "deducted", "debited", "olusturuldu", "criado", "создан",
    "создано", "списаны", "списано",
})  # fmt: skip
_NEGATIONS = frozenset({
    "not", "no", "cannot", "t", "never", "before", "after", "until", "if", "must", "only", "already", "unable", "be",
    "failed", "nao", "не", "khong", "degil", "too", "max", "maximum",
})  # fmt: skip

_DENYING_WORDS = frozenset({
    "not", "no", "cannot", "t", "never", "before", "after", "until", "already", "fail", "failed", "fails", "failure",
    "unsuccessful", "error", "errors", "rejected", "denied", "refused", "must", "should", "only", "if", "degil",
    "basarisiz", "edilemedi", "hata", "hatasi", "nao", "erro", "falha", "не", "нет", "ошибка", "khong", "loi", "gagal",
})  # fmt: skip
"""A sentence with one of these may say the contrary, or name a condition."""

_CONDITIONS = frozenset({"before", "after", "until", "only", "if", "should"})
_WORDS_OF_PROGRESS = frozenset(
    {"thank", "thanks", "processed", "processing", "progress", "queue", "islemde", "processando", "обработке"}
)

_STATE_WORDS = frozenset({
    "pending", "processing", "running", "inprogress", "inprogess", "awaiting", "waiting", "active", "new",
    "completed", "complete", "finished", "inqueue", "queue", "beklemede", "islemde", "isleniyor", "pendente",
    "emandamento", "processando", "concluido", "вобработке", "ожидание", "dangcho", "dangxuly",
})  # fmt: skip

_CANCELING_WORDS = frozenset({
    "canceled", "cancelled", "canceling", "cancelling", "pending", "processing", "inprogress", "awaiting", "waiting",
    "cancelado", "cancelada", "отменен", "отменено", "dahuy", "iptaledildi",
})  # fmt: skip
"""Words with which panels accept a cancellation. ``completed`` is not one: a completed order is not canceled."""

_FAILING_WORDS = frozenset({
    "error", "errors", "err", "fail", "failed", "failure", "unsuccessful", "false", "no", "0", "reject", "rejected",
    "deny", "denied", "decline", "declined", "refused", "invalid", "canceled", "cancelled", "ko", "nok", "hata",
    "hatali", "basarisiz", "reddedildi", "gecersiz", "erro", "falha", "falhou", "rejeitado", "recusado", "negado",
    "ошибка", "отказ", "отклонен", "отклонено", "loi", "thatbai", "gagal",
})  # fmt: skip

_NO_ID_WORDS = (
    (_WORDS_OF_SUCCESS | _DENYING_WORDS | _STATE_WORDS | _CANCELING_WORDS | _FAILING_WORDS)
    | frozenset({*ORDER_STATES, *REFILL_STATES, *FLAGS})
    | {
        "none", "null", "nil", "nan", "undefined", "unknown", "empty", "missing", "exception", "timeout", "duplicate",
        "insufficient", "unable", "unavailable", "disabled", "blocked", "banned", "maintenance", "wrong", "incorrect",
    }
)  # fmt: skip
"""A token with one of these words is a message."""
