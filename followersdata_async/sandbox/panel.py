"""The whole panel, but for its sockets: what it makes of a request, and what it can be told to do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from threading import RLock
from typing import TYPE_CHECKING, Any, final

from attrs import define, field, frozen

from .admin_input import balance_from, terms_from
from .backend import KEY_PREFIX, World, masked
from .clock import Clock
from .dialects import Dialect, Reply
from .faults import Fault, Script
from .journal import Journal
from .rate_limit import Meter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .dialects import Said

_LOGGED = 1000
_SHOWN_OF_KEY = len(KEY_PREFIX) + 2
_WRITES = frozenset({"add", "refill", "cancel"})
_SILENT = frozenset({"unread", "dropped"})
_NOTHING = Reply(status=200, body=b"", content_type="text/html; charset=UTF-8")


@final
@frozen(kw_only=True)
class Delivery:
    """An answer, and what goes wrong on its way."""

    reply: Reply
    fault: Fault | None = None


@final
@define(kw_only=True, eq=False)
class Panel:
    """A world with a dialect, a clock, a quota and a script of faults. Any thread may call it.

    ``new_world`` makes the world, given the time of its birth; what the journal
    has then happens to it again, and time goes on from there.
    """

    new_world: Callable[[float], World]
    dialect: Dialect
    clock: Clock
    meter: Meter | None = None
    journal: Journal | None = None
    requests: int = field(default=0, init=False)
    world: World = field(init=False)
    _script: Script = field(factory=Script, init=False)
    _log: deque[dict[str, object]] = field(factory=lambda: deque(maxlen=_LOGGED), init=False)
    _lock: Any = field(factory=RLock, init=False)

    def __attrs_post_init__(self) -> None:
        kept = None if self.journal is None else self._replayed(self.journal)
        self.world = kept or self.new_world(self.clock.now())
        self._note_time()

    def _replayed(self, journal: Journal) -> World | None:
        """The world that the journal tells of; the clock is set to what it would be by now."""
        world: World | None = None
        now = self.clock.now()
        for at, what, facts in journal.happened():
            world = world or self.new_world(at)
            if what == "moved":
                now = at + (self.clock.real() - facts["real"]) * facts["speed"]
            else:
                _happen(world, at, what, facts)
            now = max(now, at)
        self.clock.set(now)
        return world

    def _note_time(self) -> None:
        if self.journal is not None:
            facts = {"real": self.clock.real(), "speed": self.clock.speed}
            self.journal.note(self.clock.now(), "moved", facts)

    # --- what a client sees

    def received(self, fields: Mapping[str, str]) -> Delivery:
        """Carry out one request, or not, and say what is to be sent."""
        with self._lock:
            self.requests += 1
            now = self.clock.now()
            delivery = self._delivery(fields, now)
            self._write_down(fields, delivery, now)
            return delivery

    def unread(self) -> bool:
        """Whether the next request is not to be read at all."""
        with self._lock:
            fault = self._script.next_unread()
            if fault is not None:
                self._write_down({}, Delivery(reply=_NOTHING, fault=fault), self.clock.now())
            return fault is not None

    def _delivery(self, fields: Mapping[str, str], now: float) -> Delivery:
        headers: Mapping[str, str] = {}
        key = fields.get("key", "")
        if self.meter is not None and key.startswith(KEY_PREFIX):
            headers, refusal = self.meter.allowance(key, self.clock.real())
            if refusal is not None:
                return Delivery(reply=refusal)
        fault = self._script.next_for(fields)

        def answer(heard: Mapping[str, str]) -> Said:
            said = self._answer(heard, now) if fault is None or fault.is_taken else None
            return said if fault is None else fault.said(said)

        if fault is None:
            return Delivery(reply=self.dialect.reply(fields, answer, headers))
        reply = self.dialect.reply(fields, answer, headers) if fault.is_answered else _NOTHING
        return Delivery(reply=fault.reply(reply), fault=fault)

    def _answer(self, heard: Mapping[str, str], now: float) -> Said:
        if self.journal is not None and heard.get("action") in _WRITES:
            self.journal.note(now, "asked", heard)
        return self.world.answer(heard, now)

    def _write_down(self, fields: Mapping[str, str], delivery: Delivery, now: float) -> None:
        fault = delivery.fault and delivery.fault.fault
        self._log.append(
            {
                "at": now,
                "action": fields.get("action"),
                "key": masked(fields.get("key", "")),
                "fields": {name: value for name, value in fields.items() if name not in {"key", "action"}},
                "status": None if fault in _SILENT else delivery.reply.status,
                "fault": fault,
            }
        )

    # --- what it can be told

    def add_faults(self, faults: list[Fault]) -> None:
        """Let them befall the next requests, after those that are to come already."""
        with self._lock:
            for fault in faults:
                self._script.add(fault)

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._script.clear()

    def advance(self, seconds: object) -> None:
        """Move the sandbox's time on; what was due until then happens.

        Raises:
            ValueError: it would move back, or more than three centuries.
        """
        with self._lock:
            self.clock.advance(seconds)
            self._note_time()
            self.world.settle(self.clock.now())

    def change(self, service: object, terms: Mapping[str, object]) -> dict[str, object]:
        """Change a service of the catalogue; gives its row.

        Raises:
            ValueError: there is no such service, or no such thing to change.
        """
        facts = {"service": service, "terms": terms_from(terms)}
        with self._lock:
            if not isinstance(service, int) or service not in self.world.offers:
                msg = f"there is no service {service!r}: take one of 1 to {len(self.world.offers)}"
                raise ValueError(msg)
            self._make_happen("changed", facts)
            return self.world.offers[service].row() | {"enabled": self.world.offers[service].enabled}

    def set_balance(self, key: object, balance: object) -> None:
        """Let an account have so much.

        Raises:
            ValueError: it is no amount, or no sandbox's key.
        """
        if not isinstance(key, str) or not key.startswith(KEY_PREFIX):
            msg = f"a sandbox's keys start with {KEY_PREFIX!r}"
            raise ValueError(msg)
        facts = {"key": key, "balance": str(balance_from(balance))}
        with self._lock:
            self._make_happen("set", facts)

    def _make_happen(self, what: str, facts: dict[str, Any]) -> None:
        now = self.clock.now()
        if self.journal is not None:
            self.journal.note(now, what, facts)
        _happen(self.world, now, what, facts)

    def reset(self) -> None:
        """Make the world anew: no orders but those of the past, no faults, no log. Time stays where it is."""
        with self._lock:
            if self.journal is not None:
                self.journal.clear()
            self.world = self.new_world(self.clock.now())
            self._script.clear()
            self._log.clear()
            self.requests = 0
            self._note_time()

    # --- what it can be asked

    def orders(self) -> list[dict[str, object]]:
        """Every order that was really taken, oldest first."""
        with self._lock:
            return [entry.row() for entry in self.world.entries]

    def log(self) -> list[dict[str, object]]:
        """The last thousand requests, oldest first, without their keys."""
        with self._lock:
            return list(self._log)

    def faults(self) -> list[dict[str, object]]:
        """The faults that are to come."""
        with self._lock:
            return self._script.rows()

    def state(self, most: int) -> dict[str, object]:
        """Everything at a glance: the newest ``most`` orders and requests, balances, faults to come, the time."""
        with self._lock:
            now = self.clock.now()
            self.world.settle(now)
            return {
                "now": now,
                "speed": self.clock.speed,
                "requests": self.requests,
                "taken": len(self.world.entries),
                "past": self.world.past,
                "money": str(self.world.money),
                "accounts": [
                    {"key": f"{key[:_SHOWN_OF_KEY]}…", "balance": str(balance)}
                    for key, balance in self.world.balances.items()
                ],
                "orders": self.world.newest(most, now),
                "log": list(self._log)[-most:][::-1],
                "faults": self._script.rows(),
            }


def _happen(world: World, at: float, what: str, facts: dict[str, Any]) -> None:
    """What the journal says of a world, done to it."""
    world.settle(at)
    match what:
        case "asked":
            world.answer(facts, at)
        case "changed":
            world.change(facts["service"], terms_from(facts["terms"]))
        case _:
            world.balances[facts["key"]] = Decimal(facts["balance"])
