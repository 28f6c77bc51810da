"""The whole panel without its sockets: it handles requests, and what an administrator changes while it runs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from threading import RLock
from typing import TYPE_CHECKING, Any, final

from attrs import Factory, define, field, frozen

from .admin_input import parse_balance, parse_service_changes
from .backend import KEY_PREFIX, Backend, count_characters, has_account, mask_key
from .clock import Clock
from .dialects import Dialect, Response
from .faults import Fault, Script
from .journal import Journal
from .rate_limit import RateLimiter
from .request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .dialects import Json

_VISIBLE_KEY_LENGTH = len(KEY_PREFIX) + 2
_FAULTS_WITHOUT_RESPONSE = frozenset({"unread", "dropped"})
_EMPTY_RESPONSE = Response(status=200, body=b"", content_type="text/html; charset=UTF-8")


@final
@frozen(kw_only=True)
class Delivery:
    """A response, and the fault that spoils its delivery."""

    response: Response
    fault: Fault | None = None


@final
@define(kw_only=True, eq=False)
class Panel:
    """A backend with a dialect, a clock, a rate limiter and a script of faults. It is safe to call from any thread.

    ``create_backend`` takes the time at which the backend starts. The events of
    the journal are replayed on it, and the time goes on from there. The bound of
    ``max_orders`` is for new requests: what is in the journal is kept.
    """

    create_backend: Callable[[float], Backend]
    dialect: Dialect
    clock: Clock
    rate_limiter: RateLimiter | None = None
    journal: Journal | None = None
    max_orders: int | None = None
    max_logged_requests: int | None = None
    request_count: int = field(default=0, init=False)
    backend: Backend = field(init=False)
    _script: Script = field(factory=Script, init=False)
    _log: RequestLog = field(
        default=Factory(lambda self: RequestLog(self.max_logged_requests), takes_self=True), init=False
    )
    _lock: Any = field(factory=RLock, init=False)

    def __attrs_post_init__(self) -> None:
        backend = None if self.journal is None else self._replay(self.journal)
        self._use_backend(backend or self.create_backend(self.clock.now()))

    def _use_backend(self, backend: Backend) -> None:
        backend.max_orders = self.max_orders
        self.backend = backend
        self._record_time()

    def _replay(self, journal: Journal) -> Backend | None:
        """Return the backend as the journal left it, if there is one, and set the clock to what it would show now."""
        backend: Backend | None = None
        now = self.clock.now()
        for at, kind, data in journal.read_events():
            backend = backend or self.create_backend(at)
            if kind == "moved":
                now = at + (self.clock.get_real_time() - data["real"]) * data["speed"]
            else:
                _apply_event(backend, at, kind, data)
            now = max(now, at)
        self.clock.set(now)
        return backend

    def _record_time(self) -> None:
        if self.journal is not None:
            data = {"real": self.clock.get_real_time(), "speed": self.clock.speed}
            self.journal.append_event(self.clock.now(), "moved", data)

    # --- requests to the API

    def handle_request(self, fields: Mapping[str, str]) -> Delivery:
        """Carry out one request, unless a fault prevents it, and return what is to be sent."""
        with self._lock:
            self.request_count += 1
            now = self.clock.now()
            delivery = self._create_delivery(fields, now)
            self._log_request(fields, delivery, now)
            return delivery

    def take_unread_fault(self) -> bool:
        """Return whether the next request must not be read, and count that fault as used once."""
        with self._lock:
            fault = self._script.take_unread()
            if fault is not None:
                self._log_request({}, Delivery(response=_EMPTY_RESPONSE, fault=fault), self.clock.now())
            return fault is not None

    def _create_delivery(self, fields: Mapping[str, str], now: float) -> Delivery:
        headers: Mapping[str, str] = {}
        key = fields.get("key", "")
        if self.rate_limiter is not None and has_account(key):
            headers, rejection = self.rate_limiter.check(key, self.clock.get_real_time())
            if rejection is not None:
                return Delivery(response=rejection)
        fault = self._script.take_next(fields)

        def handle(documented_fields: Mapping[str, str]) -> Json:
            result = self._run_action(documented_fields, now) if fault is None or fault.is_taken else None
            return result if fault is None else fault.spoil_result(result)

        if fault is None:
            return Delivery(response=self.dialect.create_response(fields, handle, headers))
        has_response = fault.has_panel_response
        response = self.dialect.create_response(fields, handle, headers) if has_response else _EMPTY_RESPONSE
        return Delivery(response=fault.spoil_response(response), fault=fault)

    def _run_action(self, fields: Mapping[str, str], now: float) -> Json:
        before = self.backend.kept
        result = self.backend.handle(fields, now)
        # What changes nothing is not in the journal: anyone may send any number of such requests.
        if self.journal is not None and self.backend.kept > before:
            self.journal.append_event(now, "asked", fields)
        return result

    def _log_request(self, fields: Mapping[str, str], delivery: Delivery, now: float) -> None:
        fault = delivery.fault and delivery.fault.fault
        row: dict[str, object] = {
            "at": now,
            "action": fields.get("action"),
            "key": mask_key(fields.get("key", "")),
            "fields": {name: value for name, value in fields.items() if name not in {"key", "action"}},
            "status": None if fault in _FAULTS_WITHOUT_RESPONSE else delivery.response.status,
            "fault": fault,
        }
        self._log.add(row, count_characters(fields))

    # --- changes by an administrator

    def add_faults(self, faults: list[Fault]) -> None:
        """Append faults to the script."""
        with self._lock:
            for fault in faults:
                self._script.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults from the script."""
        with self._lock:
            self._script.clear()

    def advance(self, seconds: object) -> None:
        """Move the sandbox's time forward, and let happen what was due until then.

        Raises:
            ValueError: It is not a number from 0 to 10 billion (three centuries).
        """
        with self._lock:
            self.clock.advance(seconds)
            self._record_time()
            self.backend.catch_up(self.clock.now())

    def change_service(self, service: object, changes: Mapping[str, object]) -> dict[str, object]:
        """Change a service of the catalogue and return it as JSON.

        Raises:
            ValueError: There is no such service, it has no such member, or it cannot have this value.
        """
        data = {"service": service, "terms": parse_service_changes(changes)}
        with self._lock:
            if not isinstance(service, int) or service not in self.backend.offers:
                msg = f"there is no service {service!r}: take one of 1 to {len(self.backend.offers)}"
                raise ValueError(msg)
            self._record_and_apply("changed", data)
            return self.backend.offers[service].to_json() | {"enabled": self.backend.offers[service].enabled}

    def set_balance(self, key: object, balance: object) -> None:
        """Set the balance of a key's account.

        Raises:
            ValueError: It is not an amount, or not a key of the sandbox.
        """
        if not isinstance(key, str) or not key.startswith(KEY_PREFIX):
            msg = f"a sandbox's keys start with {KEY_PREFIX!r}"
            raise ValueError(msg)
        data = {"key": key, "balance": str(parse_balance(balance))}
        with self._lock:
            self._record_and_apply("set", data)

    def _record_and_apply(self, kind: str, data: dict[str, Any]) -> None:
        now = self.clock.now()
        if self.journal is not None:
            self.journal.append_event(now, kind, data)
        _apply_event(self.backend, now, kind, data)

    def reset(self) -> None:
        """Start again with seeded orders only, without faults or log. The time stays."""
        with self._lock:
            if self.journal is not None:
                self.journal.clear()
            self._use_backend(self.create_backend(self.clock.now()))
            self._script.clear()
            self._log.clear()
            self.request_count = 0

    # --- what an administrator can see

    def list_orders(self) -> list[dict[str, object]]:
        """Return every order that was taken, oldest first."""
        with self._lock:
            return [record.to_json() for record in self.backend.records]

    def list_requests(self) -> list[dict[str, object]]:
        """Return the last requests, oldest first, without their keys."""
        with self._lock:
            return list(self._log)

    def list_faults(self) -> list[dict[str, object]]:
        """Return the faults that are still to be applied."""
        with self._lock:
            return self._script.to_json()

    def get_state(self, limit: int) -> dict[str, object]:
        """Return the time, the balances, the faults, and the newest ``limit`` orders and requests."""
        with self._lock:
            now = self.clock.now()
            self.backend.catch_up(now)
            return {
                "now": now,
                "speed": self.clock.speed,
                "requests": self.request_count,
                "taken": len(self.backend.records),
                "past": self.backend.past,
                "money": str(self.backend.default_balance),
                "accounts": [
                    {"key": f"{key[:_VISIBLE_KEY_LENGTH]}…", "balance": str(balance)}
                    for key, balance in self.backend.balances.items()
                ],
                "orders": self.backend.render_recent_orders(limit, now),
                "log": list(self._log)[-limit:][::-1],
                "faults": self._script.to_json(),
            }


def _apply_event(backend: Backend, at: float, kind: str, data: dict[str, Any]) -> None:
    """Apply an event of the journal to a backend."""
    backend.catch_up(at)
    match kind:
        case "asked":
            backend.handle(data, at)
        case "changed":
            backend.change_service(data["service"], parse_service_changes(data["terms"]))
        case _:
            backend.balances[data["key"]] = Decimal(data["balance"])
