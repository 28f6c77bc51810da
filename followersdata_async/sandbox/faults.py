"""The faults that can be injected into responses, and the script that applies them in order. Pure.

A fault is never random: it applies to the next requests that match it, a given
number of times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import final

from attrs import asdict, define, evolve, field, fields_dict, frozen

from .dialects import Json, Response

_HTML = "text/html; charset=UTF-8"
_REDIRECT_URL = "https://elsewhere.invalid/api/v2"
MAX_SECONDS: float = 3600.0
MAX_TIMES: int = 1_000_000
ACTIONS: tuple[str, ...] = ("services", "add", "status", "refill", "refill_status", "cancel", "balance")
_REASON_PHRASES = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


@final
@frozen(kw_only=True)
class FaultKind:
    """A kind of fault: its description, the options that it takes, and whether the panel carries the request out."""

    description: str
    options: tuple[str, ...] = ()
    taken: bool = False


FAULT_KINDS: Mapping[str, FaultKind] = {
    "late": FaultKind(description="the answer comes after some seconds", options=("action", "seconds"), taken=True),
    "limited": FaultKind(
        description="HTTP 429, with Retry-After if retry_after is given", options=("action", "taken", "retry_after")
    ),
    "broken": FaultKind(
        description="a page of HTML with status 500, 502 or 503", options=("action", "taken", "status", "retry_after")
    ),
    "maintenance": FaultKind(description="a maintenance page with HTTP 200", options=("action", "taken")),
    "refused": FaultKind(
        description="an error in the panel's form, with your message", options=("action", "taken", "message")
    ),
    "empty": FaultKind(description="an empty body with HTTP 200", options=("action", "taken"), taken=True),
    "cut": FaultKind(description="half of the body, and the connection ends", options=("action",), taken=True),
    "garbage": FaultKind(description="a body that is not JSON", options=("action", "taken"), taken=True),
    "wrong_ids": FaultKind(description="rows of other ids than were asked", options=("action",), taken=True),
    "missing_ids": FaultKind(description="every second row is missing, the first too", options=("action",), taken=True),
    "unread": FaultKind(description="the connection is reset before the request is read"),
    "dropped": FaultKind(description="the connection ends without an answer", options=("action", "taken"), taken=True),
    "redirected": FaultKind(description="a redirect to another host", options=("action", "status")),
    "dripping": FaultKind(
        description="the answer comes byte by byte, each after some seconds", options=("action", "seconds"), taken=True
    ),
}
"""The kinds of faults by name, in the order of the sandbox's page."""

STATUSES: Mapping[str, tuple[int, ...]] = {"broken": tuple(_REASON_PHRASES), "redirected": (301, 302, 307, 308)}
_DEFAULT_SECONDS = {"late": 30.0, "dripping": 0.5}


@final
@frozen(kw_only=True)
class Fault:
    """A fault that applies to the next ``times`` requests of ``action``, or of any action.

    ``times=None`` means every request, until the faults are cleared. Without
    ``taken`` the kind decides whether the panel carries the request out.
    """

    fault: str
    times: int | None = 1
    action: str | None = None
    taken: bool | None = None
    seconds: float | None = None
    status: int | None = None
    retry_after: int | None = None
    message: str | None = None

    def __attrs_post_init__(self) -> None:
        if (problem := _check_fault(self)) is not None:
            raise ValueError(problem)

    @property
    def is_taken(self) -> bool:
        """Whether the panel carries the request out."""
        return FAULT_KINDS[self.fault].taken if self.taken is None else self.taken

    @property
    def has_panel_response(self) -> bool:
        """Whether there is a response of the panel for the fault to spoil."""
        return self.is_taken or self.fault == "refused"

    @property
    def delay(self) -> float:
        """Seconds before the response, or before each byte of it."""
        return _DEFAULT_SECONDS.get(self.fault, 0.0) if self.seconds is None else self.seconds

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Return whether the fault applies to a request with these fields."""
        if self.action is not None and fields.get("action") != self.action:
            return False
        return self.fault not in {"wrong_ids", "missing_ids"} or "orders" in fields or "refills" in fields

    def to_json(self) -> dict[str, object]:
        """Return the fault as JSON, with the options that were given."""
        return asdict(self, filter=lambda attribute, value: value is not None or attribute.name == "times")

    def spoil_result(self, result: Json) -> Json:
        """Return what the fault makes of a documented result, before a dialect formats it."""
        match self.fault:
            case "wrong_ids" if isinstance(result, dict) and "error" not in result:
                return {_change_id(id_): row for id_, row in result.items()}
            case "wrong_ids" if isinstance(result, list):
                return [_change_row_id(row) for row in result]
            case "missing_ids" if isinstance(result, dict) and "error" not in result:
                return dict(list(result.items())[1::2])
            case "missing_ids" if isinstance(result, list):
                return result[1::2]
            case "refused":
                return {"error": self.message}
        return result

    def spoil_response(self, response: Response) -> Response:
        """Return what the fault makes of the response that would be sent."""
        match self.fault:
            case "limited":
                body = json.dumps({"error": "Too many requests"}).encode()
                return Response(
                    status=429, body=body, content_type="application/json", headers=self._create_retry_headers()
                )
            case "broken":
                status = self.status or 502
                return Response(
                    status=status,
                    body=_render_page(f"{status} {_REASON_PHRASES[status]}"),
                    content_type=_HTML,
                    headers=self._create_retry_headers(),
                )
            case "maintenance":
                body = _render_page("We are under maintenance. Back soon!")
                return Response(status=200, body=body, content_type=_HTML)
            case "empty":
                return evolve(response, body=b"")
            case "garbage":
                return evolve(response, body=b"\x00\xff" * 40)
            case "redirected":
                body = _render_page("Moved")
                headers = {"Location": _REDIRECT_URL}
                return Response(status=self.status or 302, body=body, content_type=_HTML, headers=headers)
        return response

    def _create_retry_headers(self) -> Mapping[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def _render_page(title: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()


def _change_id(id_: object) -> str:
    """Return another id than this."""
    return f"9{id_}" if str(id_).isdecimal() else "9"


def _change_row_id(row: Mapping[str, object]) -> dict[str, object]:
    name = "order" if "order" in row else "refill"
    return {**row, name: int(_change_id(row[name]))}


# --- scripts


def parse_fault(value: object) -> Fault:
    """Return the fault that a script names: by a string, or by an object with its name under ``fault``.

    Raises:
        ValueError: It is not a fault; the message says why.
    """
    if isinstance(value, str):
        return Fault(fault=value)
    if not isinstance(value, Mapping) or "fault" not in value:
        msg = f'a fault is a name, or an object like {{"fault": "late", "seconds": 5}}, not {json.dumps(value)[:80]}'
        raise ValueError(msg)
    unknown = [name for name in value if name not in fields_dict(Fault)]
    if unknown:
        msg = f"a fault has no {unknown[0]!r}: it may have {', '.join(fields_dict(Fault))}"
        raise ValueError(msg)
    return Fault(**value)


def parse_faults(value: object) -> list[Fault]:
    """Return the faults of a script: one fault or a list of them.

    Raises:
        ValueError: One of them is not a fault; the message says which and why.
    """
    if not isinstance(value, list):
        return [parse_fault(value)]
    faults = []
    for place, part in enumerate(value, 1):
        try:
            faults.append(parse_fault(part))
        except ValueError as error:
            msg = f"fault {place}: {error}"
            raise ValueError(msg) from error
    return faults


def _check_fault(fault: Fault) -> str | None:
    """Return what is wrong with a fault and what would be right, or ``None``."""
    # A list, not the mapping: the name may come from JSON and be unhashable.
    if fault.fault not in list(FAULT_KINDS):
        return f"there is no fault {fault.fault!r}: take one of {', '.join(FAULT_KINDS)}"
    options = {"fault", "times", *FAULT_KINDS[fault.fault].options}
    for name, (is_valid, expected) in _OPTION_RULES.items():
        value = getattr(fault, name)
        if value is not None and name not in options:
            return f"{fault.fault!r} takes no {name}"
        if value is not None and not is_valid(fault.fault, value):
            return f"{name} is {value!r}, but must be {expected}"
    if fault.fault == "refused" and fault.message is None:
        return "'refused' needs a message: the panel's words"
    return None


def _is_number(value: object, least: float, most: float, *types: type) -> bool:
    return isinstance(value, types) and not isinstance(value, bool) and least <= value <= most  # type: ignore[operator]  # types are those of numbers


def _join_numbers(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


_OPTION_RULES: Mapping[str, tuple[Callable[[str, object], bool], str]] = {
    "times": (lambda _, value: _is_number(value, 1, MAX_TIMES, int), f"from 1 to {MAX_TIMES}, or null for ever"),
    "action": (lambda _, value: value in ACTIONS, f"one of {', '.join(ACTIONS)}"),
    "taken": (lambda _, value: isinstance(value, bool), "true or false"),
    "seconds": (lambda _, value: _is_number(value, 0, MAX_SECONDS, int, float), f"from 0 to {MAX_SECONDS:.0f}"),
    "status": (
        lambda fault, value: _is_number(value, 100, 599, int) and value in STATUSES[fault],
        f"{_join_numbers(STATUSES['broken'])}, or of 'redirected' {_join_numbers(STATUSES['redirected'])}",
    ),
    "retry_after": (
        lambda _, value: _is_number(value, 0, MAX_SECONDS, int),
        f"whole seconds from 0 to {MAX_SECONDS:.0f}",
    ),
    "message": (lambda _, value: isinstance(value, str) and bool(value.strip()), "the panel's words"),
}
"""For each option of a fault: whether a value is valid for a kind, and a description of valid values."""


@final
@define
class Script:
    """The faults that are still to be applied, in order."""

    _faults: list[Fault] = field(factory=list)

    def add(self, fault: Fault) -> None:
        """Append a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def to_json(self) -> list[dict[str, object]]:
        """Return the faults as JSON."""
        return [fault.to_json() for fault in self._faults]

    def take_next(self, fields: Mapping[str, str]) -> Fault | None:
        """Return the first fault that matches a request, and count it as used once."""
        return self._use(next((fault for fault in self._faults if fault.matches(fields)), None))

    def take_unread(self) -> Fault | None:
        """Return the next fault if it applies before the request is read, and count it as used once."""
        first = next((fault for fault in self._faults if fault.action is None), None)
        return self._use(first) if first is not None and first.fault == "unread" else None

    def _use(self, fault: Fault | None) -> Fault | None:
        if fault is not None and fault.times is not None:
            # By identity: an equal fault may stand at another place.
            place = next(place for place, other in enumerate(self._faults) if other is fault)
            self._faults[place : place + 1] = [evolve(fault, times=fault.times - 1)] if fault.times > 1 else []
        return fault
