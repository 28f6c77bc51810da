"""What a value proves in the response to a write: that there is an id, that the panel said yes, or that it said no.

Each question is answered here and nowhere else. What is not in a definition
proves nothing. The tokens that can be ids are the one open set.
"""

from __future__ import annotations

import re

from .scalars import FLAGS, ORDER_STATES, REFILL_STATES, normalize_word, parse_bool, parse_decimal, parse_id, parse_int


def is_id(value: object) -> bool:
    """Return whether a value is the id of something that exists: a positive integer, or a token that is no status word.

    Panels also write ``"null"``, ``"Denied"`` or -1 where an id should be.
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
    words = _WORD.findall(id_.casefold())
    return bool(words) and normalize_word(id_) not in _STATUS_WORDS and _FAILURE_WORDS.isdisjoint(words)


_WORD = re.compile(r"[^\W\d_]+|[0-9]+")


def is_missing(value: object) -> bool:
    """Return whether a panel gives nothing with this value: null, 0, false or an empty string."""
    return value is None or value == 0 or (isinstance(value, str) and value.strip().casefold() in _NOTHING)


_NOTHING = frozenset({"", "0", "null", "none"})


def is_accepted(value: object) -> bool:
    """Return whether a value accepts a cancellation: a flag, a number, a word, an id, or an object of these."""
    if isinstance(value, dict):
        return any(is_accepted(value[name]) for name in _CONFIRMING_FIELDS if not isinstance(value.get(name, {}), dict))
    if value is True or (not isinstance(value, str) and is_id(value)):
        return True
    if not isinstance(value, str):
        return False
    is_canceled = normalize_word(value) in {"canceled", "cancelled"}
    return is_canceled or is_confirmation(value) or (is_id(value) and any(map(str.isdigit, value)))


_CONFIRMING_FIELDS = ("status", "success", "pending", "cancel", "canceled", "cancelled")


def is_confirmation(value: object) -> bool:
    """Return whether a status or flag says that a request has succeeded, or names a state of work that was accepted."""
    if isinstance(value, str):
        word = normalize_word(value)
        return word in _ACCEPTED_WORDS or FLAGS.get(word) is True
    return value is True or value == 1


def is_failure(value: object) -> bool:
    """Return whether a status says that a request has failed."""
    if isinstance(value, str):
        return normalize_word(value) in {"error", "fail", "failed", "failure", "false", "0"}
    return value is not None and value == 0


def is_refusal(value: object) -> bool:
    """Return whether a flag says no. 2, a flag elsewhere, can be the number of a cancellation."""
    return parse_bool(value) is False and parse_int(value) in {None, 0}


_FAILURE_WORDS = frozenset({
    "error", "errors", "fail", "failed", "failure", "reject", "rejected", "deny", "denied", "decline", "declined",
    "refused", "invalid", "incorrect", "wrong", "duplicate", "duplicated", "forbidden", "unauthorized",
    "unauthenticated", "undefined", "missing", "not", "cannot", "unable", "exception", "timeout", "insufficient",
    "disabled", "inactive", "unsupported", "unavailable", "blocked", "banned", "maintenance", "null", "nan", "hata",
    "hatalı", "hatası", "başarısız", "geçersiz", "reddedildi", "yetersiz", "bulunamadı", "erro", "falha", "falhou",
    "inválido", "rejeitado", "recusado", "negado", "rechazado", "gagal", "ошибка", "отказ", "отклонен", "отклонён",
    "отклонено", "неверный", "не", "lỗi",
})  # fmt: skip
"""Words of a failure: a token with one of them is a message, not an id."""

_ACCEPTED_WORDS = frozenset({
    "success", "successful", "successfully", "succeeded", "ok", "okay", "accepted", "requested", "submitted",
    "created", "placed", "queued", "scheduled", "approved", "received", "sent", "started", "done", "pending",
    "processing", "inprogress", "inprogess", "awaiting", "waiting", "active", "new", "completed", "complete",
    "finished", "başarılı", "tamam", "sucesso", "concluído", "успешно", "принято",
    "thànhcông", "sukses", "berhasil",
})  # fmt: skip
"""Words with which panels confirm that they have accepted something, as ``normalize_word`` returns them."""

_STATUS_WORDS = (
    frozenset(ORDER_STATES)
    | frozenset(REFILL_STATES)
    | frozenset(FLAGS)
    | _ACCEPTED_WORDS
    | {"none", "nil", "nothing", "empty", "unknown", "inf", "infinity", "on", "off"}
)
"""Words that are never the id of an order or refill."""
