"""What the response to a write says for and against the write having been carried out.

All of it is read, at every level, because panels contradict themselves: an id
next to an error, ``success`` in an envelope that says "rejected". A write is
accepted if the response says so and nothing is said against it. It is refused
if the panel gives a reason and nothing says that something was done. In all
other cases the outcome is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import final

from attrs import define, field, frozen

from ..errors import ConflictError
from .acceptance import (
    is_accepted,
    is_confirmation,
    is_declined,
    is_failure,
    is_id,
    is_missing,
    is_state_of_work,
    reports_making,
    reports_progress,
    says_failure,
    says_success,
)
from .json_values import Conflict
from .messages import Request
from .panel_words import PanelWords
from .scalars import normalize_word, parse_id, parse_int, parse_text


@final
@frozen(eq=False)
class ReportedId:
    """An id, with the object that it stands in and the name of its field."""

    value: object
    fields: Mapping[str, object]
    name: str


@final
@define(eq=False)
class Evidence:
    """What a response, or a row of it, says. ``payload`` is the response or row.

    For the write: ``ids`` stand where the panel puts the id of what it has
    made; ``is_confirmed``, a flag or status says yes. ``traces``, which are ids
    elsewhere, and ``says_success``, a sentence, prove nothing, but a write with
    one of them cannot be called refused.

    Against it: ``denials`` are the values that say no; ``is_declined``, one of
    them is the flag of a cancellation. ``doubts`` are values that say neither.
    """

    payload: object = None
    ids: list[ReportedId] = field(factory=list)
    traces: list[object] = field(factory=list)
    is_confirmed: bool = False
    says_success: bool = False
    denials: list[str] = field(factory=list)
    is_declined: bool = False
    doubts: list[str] = field(factory=list)
    messages: list[str] = field(factory=list)
    codes: list[str] = field(factory=list)

    @property
    def reported_id(self) -> object:
        """The id that the response reports, or ``None`` if there is none, or more than one."""
        found = {str(parse_id(value)): value for value in [id_.value for id_ in self.ids] or self.traces}
        return next(iter(found.values())) if len(found) == 1 else None

    def find_acceptance(self) -> str:
        """Return what says that the write was carried out, or an empty string."""
        if self.ids or self.traces:
            return "more than one id" if self.reported_id is None else f"the id {self.reported_id}"
        return "a confirmation" if self.is_confirmed or self.says_success else ""


def weigh(request: Request, payload: object, words: PanelWords) -> Evidence:
    """Read all that a response to a write, or a row of it, says for and against the write."""
    reader = _Reader(request, words, Evidence(payload))
    reader.read(payload)
    return reader.evidence


_ID_NAMES: Mapping[str, tuple[str, ...]] = {
    "add": ("order", "orderid"),
    "refill": ("refill", "refillid"),
    "cancel": ("cancel", "canceled", "cancelled"),
}
"""The fields that say what was made, or for a cancellation, whether it was accepted."""
_CONTAINERS = frozenset({"data", "result", "results", "response", "payload", "order", "orders", "refill", "refills"})
"""Fields whose objects are still about what was made. All others may be about something else, such as the service."""
_FOREIGN_OBJECTS = frozenset({"service", "user", "account", "customer", "client", "provider", "supplier", "dripfeed"})
"""Objects with an id and a status of their own, which say nothing about what was made."""
_ECHOES = frozenset({"order"})
"""Fields with the id of the order that was asked for, unless it is the order that was made."""
_ERROR_FIELDS = frozenset({"exception", "failed", "failure", "failures", "rejected", "refunded", "hata", "erro"})
"""Fields of errors, besides those whose name has ``error`` or begins with ``err``."""
_MESSAGE_FIELDS = frozenset({"message", "messages", "msg", "msgs", "detail", "reason", "text", "mesaj", "mensagem"})
_STATUS_FIELDS = frozenset({
    "status", "statuscode", "statustext", "httpstatus", "httpcode", "orderstatus", "refillstatus", "state", "success",
    "issuccess", "successful", "succeeded", "accepted", "placed", "created", "code", "ok", "pending",
})  # fmt: skip
_TRACE_NAMES = re.compile(r"(?:new|existing|created|placed)?order(?:s|ids?|numbers?|no)?")
"""Fields that can have the id of an order, besides those where it belongs."""
_MAX_DEPTH = 7
_MAX_TEXTS = 200


@final
@define(eq=False)
class _Reader:
    request: Request
    words: PanelWords
    evidence: Evidence
    texts_read: int = 0

    def read(self, value: object, *, parent: str = "", is_inside: bool = True, depth: int = 0) -> None:
        """Read a value and all that is in it.

        ``parent`` is the name of the field that it stands in. ``is_inside``: it
        is still about what was made.
        """
        if depth > _MAX_DEPTH:
            self.evidence.doubts.append("the answer is nested too deep")
        elif isinstance(value, dict):
            self._read_ids(value, parent, is_inside=is_inside)
            for name, part in value.items():
                self._read_field(name, part, is_inside=is_inside, depth=depth)
        elif isinstance(value, list):
            for part in value:
                self.read(part, parent=parent, is_inside=is_inside, depth=depth + 1)
        elif is_inside and is_id(value):
            if self.request.action != "cancel" and str(value) not in self.request.ids:
                self.evidence.traces.append(value)
        elif is_inside and isinstance(value, str):
            self._read_message(value)

    def _read_ids(self, fields: Mapping[str, object], parent: str, *, is_inside: bool) -> None:
        action = self.request.action
        if action == "cancel":
            return
        found = self._find_ids(fields, _ID_NAMES[action])
        if not found and is_inside and self._has_spare_id(fields, parent):
            found = self._find_ids(fields, ("id",))
        if is_inside:
            self.evidence.ids += found
        else:
            self.evidence.traces += [id_.value for id_ in found]

    def _has_spare_id(self, fields: Mapping[str, object], parent: str) -> bool:
        """Return whether the ``id`` of an object can be that of what was made."""
        if self.request.action == "add":
            is_service = str(fields.get("id")) == dict(self.request.fields).get("service") and len(fields) > 1
            return not (is_service or "jsonrpc" in fields or {"name", "rate"} <= fields.keys())
        is_of_order = any(str(fields.get(name)) in self.request.ids for name in ("order", "order_id"))
        return parent in _ID_NAMES["refill"] or is_of_order

    def _find_ids(self, fields: Mapping[str, object], names: Iterable[str]) -> list[ReportedId]:
        return [
            ReportedId(part, fields, name)
            for name, value in fields.items()
            if normalize_word(name) in names
            for part in (value if isinstance(value, Conflict) else [value])
            if is_id(part) and not self._is_echo(part, fields)
        ]

    def _is_echo(self, value: object, fields: Mapping[str, object]) -> bool:
        """Return whether a refill's id is the order's: one family of panels returns it next to an error."""
        has_inner_status = self.request.action == "refill" and isinstance(fields.get("status"), dict)
        return has_inner_status and str(value) in self.request.ids

    def _read_field(self, name: str, value: object, *, is_inside: bool, depth: int) -> None:
        if isinstance(value, Conflict):
            for part in value:
                self._read_field(name, part, is_inside=is_inside, depth=depth + 1)
            return
        key = normalize_word(name)
        if key in _FOREIGN_OBJECTS or (key == "refill" and self.request.action == "add"):
            self._read_error(value.get("error") if isinstance(value, dict) else None)
            return
        self._read_traces(key, value)
        kind = self._find_kind(key, value)
        self._read_value(kind, key, value, is_inside=is_inside)
        is_row = name in self.request.ids or name.isdecimal()
        is_echo = kind == "main" or key in _ECHOES
        if isinstance(value, (dict, list)) or (kind == "container" and not is_echo):
            self.read(value, parent=key, is_inside=is_inside and (is_row or bool(kind)), depth=depth + 1)

    def _find_kind(self, key: str, value: object) -> str:
        """Return what a field is about, or an empty string if that is something else."""
        if key in _ID_NAMES[self.request.action]:
            return "main"
        if key in _ERROR_FIELDS or key.startswith("err") or "error" in key:
            return "error"
        if key in _MESSAGE_FIELDS:
            return "message"
        if key in _STATUS_FIELDS or (key == "type" and is_failure(value)):
            return "status"
        if key == "result" and isinstance(value, (bool, str)):
            return "status"
        return "container" if key in _CONTAINERS else ""

    def _read_value(self, kind: str, key: str, value: object, *, is_inside: bool) -> None:
        match kind:
            case "main":
                self._read_main(key, value)
            case "error":
                self._read_error(value, is_plain=key in {"error", "errors"})
            case "message":
                for text in collect_texts(value):
                    self._read_message(text, is_inside=is_inside)
            case "status" if is_inside or is_failure(value):
                self._read_status(key, value)

    def _read_traces(self, key: str, value: object) -> None:
        """Read ids from a field that can have one, such as ``order_number``, or ``orders`` with rows by id."""
        if self.request.action != "add" or key in _ID_NAMES["add"] or not _TRACE_NAMES.fullmatch(key):
            return
        if isinstance(value, dict):
            found = [name for name in value if is_id(name)] + [value.get("id")]
        else:
            found = value if isinstance(value, list) else [value]
        self.evidence.traces += filter(is_id, found)

    def _read_error(self, value: object, *, is_plain: bool = True) -> None:
        if is_empty_error(value) or (not is_plain and isinstance(value, str) and is_confirmation(value)):
            return
        self.evidence.denials.append("an error")
        if code := parse_text(value):
            self.evidence.codes.append(code.strip())
        for text in collect_texts(value):
            if self._can_read_more():
                self.evidence.messages.append(text)
                self.evidence.says_success |= self._reports_making(text)

    def _reports_making(self, text: str) -> bool:
        """Return whether an error says that something was made. A conflict is with another order."""
        meaning = self.words.find_meaning(text)
        if meaning is None:
            return says_success(text) or reports_making(text)
        return meaning.error_class is not ConflictError and reports_making(text)

    def _read_message(self, text: str, *, is_inside: bool = True) -> None:
        """Read a message. Elsewhere than inside, only the report of a fault counts."""
        if not self._can_read_more():
            return
        meaning = self.words.find_meaning(text)
        if not is_inside and not (meaning and meaning.is_fault):
            return
        self.evidence.messages.append(text)
        if meaning is not None and (meaning.is_fault or not reports_progress(text)):
            self.evidence.denials.append("an error")
        elif says_failure(text, is_cancellation=self.request.action == "cancel") and not reports_progress(text):
            self.evidence.doubts.append(f'it says "{text}"')
        self.evidence.says_success |= self._reports_making(text)

    def _can_read_more(self) -> bool:
        """Return whether there were few texts so far. Nothing is concluded from a response that has thousands."""
        self.texts_read += 1
        if self.texts_read == _MAX_TEXTS:
            self.evidence.doubts.append(f"it has more than {_MAX_TEXTS} messages")
        return self.texts_read < _MAX_TEXTS

    def _read_status(self, key: str, value: object) -> None:
        if is_missing(value) or (key != "success" and isinstance(value, (dict, list))):
            return
        code = parse_int(value)
        if code is not None and (code not in {0, 1} or key == "code"):
            self._read_code(key, code)
        elif self.request.action == "cancel" and isinstance(value, str) and is_accepted(value):
            self.evidence.is_confirmed |= is_confirmation(value)
        elif is_failure(value):
            self.evidence.denials.append(f"the {key} {value!r}")
        elif isinstance(value, str) and self._says_no(value):
            self.evidence.denials.append("an error")
            self.evidence.messages.append(value)
        elif isinstance(value, str) and self.request.action != "cancel" and says_failure(value):
            self.evidence.denials.append(f"the {key} {value!r}")
        elif is_confirmation(value):
            self.evidence.is_confirmed = True
        elif is_state_of_work(value):
            # Beside a refusal of a refill, it is the state of the order.
            self.evidence.says_success |= self.request.action == "add"
        else:
            self.evidence.doubts.append(f"the {key} is {value!r}")

    def _says_no(self, text: str) -> bool:
        meaning = self.words.find_meaning(text)
        return meaning is not None and (meaning.is_fault or not says_success(text))

    def _read_code(self, key: str, code: int) -> None:
        """Read a number: of HTTP, or of the panels that number their errors."""
        if key != "success" and (code >= _FIRST_REDIRECT or code in _ERROR_CODES):
            self.evidence.denials.append(f"the {key} {code}")
            self.evidence.codes.append(str(code))
        elif key == "success" or code not in _NEUTRAL_CODES:
            self.evidence.doubts.append(f"the {key} is {code}")

    def _read_main(self, key: str, value: object) -> None:
        """Read the field that says what was made, if it is not an id."""
        evidence, action = self.evidence, self.request.action
        if isinstance(value, (dict, list)):
            evidence.is_confirmed |= key in _LISTS_OF_ACCEPTED and isinstance(value, list) and any(map(is_id, value))
        elif action == "cancel" and is_declined(value):
            evidence.is_declined = True
            evidence.denials.append(f"{key} {value!r}")
        elif action != "add" and isinstance(value, str) and self._says_no(value):
            evidence.denials.append("an error")
            evidence.messages.append(value)
        elif (action == "cancel" and is_accepted(value)) or (action == "refill" and value is True):
            evidence.is_confirmed = True
        elif not (is_missing(value) or is_id(value)):
            evidence.doubts.append(f"{key} is {value!r}")
            evidence.says_success |= is_confirmation(value)


def find_denied_ids(request: Request, payload: object, words: PanelWords) -> frozenset[str]:
    """Return the requested ids that something in a response is against: a row, or a field or list of errors."""
    denied: set[str] = set()
    _collect_denied(request, payload, words, denied, is_error=False, depth=0)
    return frozenset(denied)


def _collect_denied(
    request: Request, value: object, words: PanelWords, denied: set[str], *, is_error: bool, depth: int
) -> None:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for part in value:
            if is_error and str(part) in request.ids:
                denied.add(str(part))
            _collect_denied(request, part, words, denied, is_error=is_error, depth=depth + 1)
    if not isinstance(value, dict):
        return
    named = {str(value[name]) for name in ("order", "order_id") if name in value} & request.ids.keys()
    if named and (is_error or weigh(request, value, words).denials):
        denied |= named
    # Elsewhere, a key can be a position.
    has_keyed_errors = is_error or not _LISTS_OF_ACCEPTED.isdisjoint(value)
    for name, part in value.items():
        if has_keyed_errors and name in request.ids and (is_error or weigh(request, part, words).denials):
            denied.add(name)
        key = normalize_word(name)
        is_list_of_errors = is_error or key in _ERROR_FIELDS | _LISTS_OF_DENIED or "error" in key
        _collect_denied(request, part, words, denied, is_error=is_list_of_errors, depth=depth + 1)


_LISTS_OF_DENIED = frozenset({"notcanceled", "notcancelled", "skipped", "invalid", "refused"})
_ERROR_CODES = range(101, 115)
_FIRST_REDIRECT = 300
_LISTS_OF_ACCEPTED = frozenset({"canceled", "cancelled"})
_NEUTRAL_CODES = frozenset({0, 1, 100, 200, 201, 202})
"""Codes that panels send with errors as well."""


_EMPTY_ERRORS = frozenset({"", "0", "false", "no", "none", "null", "noerror", "noerrors"})
_MAX_EMPTY_ERROR = 20


def is_empty_error(value: object) -> bool:
    """Return whether the value of an error field reports no error."""
    if isinstance(value, str):
        text = value.strip(" .-")
        return len(text) <= _MAX_EMPTY_ERROR and normalize_word(text) in _EMPTY_ERRORS
    if isinstance(value, dict):
        is_ok = any(isinstance(part, str) and normalize_word(part) in {"ok", "success"} for part in value.values())
        rest = [part for part in value.values() if not (is_ok and isinstance(part, str))]
        return all(map(is_empty_error, rest))
    return all(map(is_empty_error, value)) if isinstance(value, list) else not value


def collect_texts(value: object, depth: int = 0) -> list[str]:
    """Return the texts in a value, without numbers."""
    if isinstance(value, str):
        return [] if value.strip().isdecimal() or not value.strip() else [value]
    if depth == _MAX_DEPTH or not isinstance(value, (dict, list)):
        return []
    parts = value.values() if isinstance(value, dict) else value
    return [text for part in parts for text in collect_texts(part, depth + 1)]
