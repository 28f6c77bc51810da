"""What can go wrong with an answer, as a script: which request it befalls, and what becomes of it. Pure.

A fault is never chance: it befalls the next request that it is meant for, so
many times, and is gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import final

from attrs import asdict, define, evolve, field, fields_dict, frozen

from .dialects import Reply, Said

_PAGE = "text/html; charset=UTF-8"
_ELSEWHERE = "https://elsewhere.invalid/api/v2"
LONGEST: float = 3600.0
MOST_TIMES: int = 1_000_000
ACTIONS: tuple[str, ...] = ("services", "add", "status", "refill", "refill_status", "cancel", "balance")
_ERRORS = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


@final
@frozen(kw_only=True)
class Kind:
    """One kind of fault: what it does, what can be said of it, and whether the request is carried out all the same."""

    words: str
    takes: tuple[str, ...] = ()
    taken: bool = False


FAULTS: Mapping[str, Kind] = {
    "late": Kind(words="the answer comes after some seconds", takes=("action", "seconds"), taken=True),
    "limited": Kind(
        words="HTTP 429, with Retry-After if retry_after is given", takes=("action", "taken", "retry_after")
    ),
    "broken": Kind(
        words="a page of HTML with status 500, 502 or 503", takes=("action", "taken", "status", "retry_after")
    ),
    "maintenance": Kind(words="a maintenance page with HTTP 200", takes=("action", "taken")),
    "refused": Kind(words="a refusal in the panel's form, with your message", takes=("action", "message")),
    "empty": Kind(words="an empty body with HTTP 200", takes=("action", "taken"), taken=True),
    "cut": Kind(words="half of the body, and the connection ends", takes=("action",), taken=True),
    "garbage": Kind(words="a body that is not JSON", takes=("action", "taken"), taken=True),
    "wrong_ids": Kind(words="rows of other ids than were asked", takes=("action",), taken=True),
    "missing_ids": Kind(words="every second row is missing, the first too", takes=("action",), taken=True),
    "unread": Kind(words="the connection is reset before the request is read"),
    "dropped": Kind(words="the connection ends without an answer", takes=("action", "taken"), taken=True),
    "redirected": Kind(words="a redirect to another host", takes=("action", "status")),
    "dripping": Kind(
        words="the answer comes byte by byte, each after some seconds", takes=("action", "seconds"), taken=True
    ),
}
"""Every kind of fault by its name, in the order of the sandbox's page."""

_NAMES = tuple(FAULTS)
STATUSES: Mapping[str, tuple[int, ...]] = {"broken": tuple(_ERRORS), "redirected": (301, 302, 307, 308)}
_SECONDS = {"late": 30.0, "dripping": 0.5}


@final
@frozen(kw_only=True)
class Fault:
    """What befalls the next ``times`` requests of ``action``, or of any action.

    Without ``times`` it is every request, until the faults are cleared. Where
    ``taken`` is not given, the kind decides whether the request is carried out.
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
        if (problem := _problem_with(self)) is not None:
            raise ValueError(problem)

    @property
    def is_taken(self) -> bool:
        """Whether the request is carried out."""
        return FAULTS[self.fault].taken if self.taken is None else self.taken

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer in the panel's own form, which is then spoilt."""
        return self.is_taken or self.fault == "refused"

    @property
    def delay(self) -> float:
        """Seconds before the answer, or before each byte of it."""
        return _SECONDS.get(self.fault, 0.0) if self.seconds is None else self.seconds

    def befalls(self, fields: Mapping[str, str]) -> bool:
        """Whether it is meant for a request of these fields."""
        if self.action is not None and fields.get("action") != self.action:
            return False
        return self.fault not in {"wrong_ids", "missing_ids"} or "orders" in fields or "refills" in fields

    def row(self) -> dict[str, object]:
        """The fault as JSON: what was said of it."""
        return asdict(self, filter=lambda attribute, value: value is not None or attribute.name == "times")

    def said(self, said: Said) -> Said:
        """What it makes of the documented answer, before that is said in a dialect."""
        match self.fault:
            case "wrong_ids" if isinstance(said, dict) and "error" not in said:
                return {_other(id_): row for id_, row in said.items()}
            case "wrong_ids" if isinstance(said, list):
                return [{**row, _name_in(row): int(_other(row[_name_in(row)]))} for row in said]
            case "missing_ids" if isinstance(said, dict) and "error" not in said:
                return dict(list(said.items())[1::2])
            case "missing_ids" if isinstance(said, list):
                return said[1::2]
            case "refused":
                return {"error": self.message}
        return said

    def reply(self, reply: Reply) -> Reply:
        """What it makes of the answer as it would be sent."""
        match self.fault:
            case "limited":
                body = json.dumps({"error": "Too many requests"}).encode()
                return Reply(status=429, body=body, content_type="application/json", headers=self._waiting())
            case "broken":
                status = self.status or 502
                return Reply(
                    status=status,
                    body=_page(f"{status} {_ERRORS[status]}"),
                    content_type=_PAGE,
                    headers=self._waiting(),
                )
            case "maintenance":
                return Reply(status=200, body=_page("We are under maintenance. Back soon!"), content_type=_PAGE)
            case "empty":
                return evolve(reply, body=b"")
            case "garbage":
                return evolve(reply, body=b"\x00\xff" * 40)
            case "redirected":
                body = _page("Moved")
                headers = {"Location": _ELSEWHERE}
                return Reply(status=self.status or 302, body=body, content_type=_PAGE, headers=headers)
        return reply

    def _waiting(self) -> Mapping[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


def _page(words: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>".encode()


def _other(id_: object) -> str:
    """Another id than this."""
    return f"9{id_}" if str(id_).isdecimal() else "9"


def _name_in(row: Mapping[str, object]) -> str:
    """Under which name a row has its id."""
    return "order" if "order" in row else "refill"


def fault_from(said: object) -> Fault:
    """A fault as it stands in a script: its name, or an object with its name under ``fault``.

    Raises:
        ValueError: it is none; the text says what is wrong with it.
    """
    if isinstance(said, str):
        return Fault(fault=said)
    if not isinstance(said, Mapping) or "fault" not in said:
        msg = f'a fault is a name, or an object like {{"fault": "late", "seconds": 5}}, not {json.dumps(said)[:80]}'
        raise ValueError(msg)
    unknown = [name for name in said if name not in fields_dict(Fault)]
    if unknown:
        msg = f"a fault has no {unknown[0]!r}: it may have {', '.join(fields_dict(Fault))}"
        raise ValueError(msg)
    return Fault(**said)


def faults_from(said: object) -> list[Fault]:
    """A script: one fault, or a list of them.

    Raises:
        ValueError: one of them is none; the text says which.
    """
    if not isinstance(said, list):
        return [fault_from(said)]
    faults = []
    for place, part in enumerate(said, 1):
        try:
            faults.append(fault_from(part))
        except ValueError as error:
            msg = f"fault {place}: {error}"
            raise ValueError(msg) from error
    return faults


def _problem_with(fault: Fault) -> str | None:
    """What is wrong with it, in words that tell what would be right."""
    if fault.fault not in _NAMES:
        return f"there is no fault {fault.fault!r}: take one of {', '.join(FAULTS)}"
    takes = {"fault", "times", *FAULTS[fault.fault].takes}
    for name, (is_right, words) in _RIGHT.items():
        value = getattr(fault, name)
        if value is not None and name not in takes:
            return f"{fault.fault!r} takes no {name}"
        if value is not None and not is_right(fault.fault, value):
            return f"{name} is {value!r}, but must be {words}"
    if fault.fault == "refused" and fault.message is None:
        return "'refused' needs a message: the panel's words"
    return None


def _is_number(value: object, least: float, most: float, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most  # type: ignore[operator]  # kinds are numbers


_RIGHT: Mapping[str, tuple[Callable[[str, object], bool], str]] = {
    "times": (lambda _, value: _is_number(value, 1, MOST_TIMES, int), f"from 1 to {MOST_TIMES}, or null for ever"),
    "action": (lambda _, value: value in ACTIONS, f"one of {', '.join(ACTIONS)}"),
    "taken": (lambda _, value: isinstance(value, bool), "true or false"),
    "seconds": (lambda _, value: _is_number(value, 0, LONGEST, int, float), f"from 0 to {LONGEST:.0f}"),
    "status": (
        lambda fault, value: _is_number(value, 100, 599, int) and value in STATUSES[fault],
        f"{_listed(STATUSES['broken'])}, or of 'redirected' {_listed(STATUSES['redirected'])}",
    ),
    "retry_after": (lambda _, value: _is_number(value, 0, LONGEST, int), f"whole seconds from 0 to {LONGEST:.0f}"),
    "message": (lambda _, value: isinstance(value, str) and bool(value.strip()), "the panel's words"),
}
"""Of what may be said of a fault: whether it is right, and what is."""


@final
@define
class Script:
    """The faults to come, in their order."""

    _faults: list[Fault] = field(factory=list)

    def add(self, fault: Fault) -> None:
        """Put one at the end."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget all."""
        self._faults.clear()

    def rows(self) -> list[dict[str, object]]:
        """Those to come, as JSON."""
        return [fault.row() for fault in self._faults]

    def next_for(self, fields: Mapping[str, str]) -> Fault | None:
        """The first that is meant for this request; it is to come once less."""
        return self._less(next((fault for fault in self._faults if fault.befalls(fields)), None))

    def next_unread(self) -> Fault | None:
        """The next fault of all, if it befalls a request before anyone knows what it asks."""
        first = next((fault for fault in self._faults if fault.action is None), None)
        return self._less(first) if first is not None and first.fault == "unread" else None

    def _less(self, fault: Fault | None) -> Fault | None:
        if fault is not None and fault.times is not None:
            # One of many equal ones is as good as the other, but its place is not.
            place = next(place for place, other in enumerate(self._faults) if other is fault)
            self._faults[place : place + 1] = [evolve(fault, times=fault.times - 1)] if fault.times > 1 else []
        return fault
