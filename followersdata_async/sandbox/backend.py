"""The state and rules of a panel: request fields in, a result out, with the time as an argument. No I/O, no randomness.

A result has the form that docs/panel-api.md documents. Errors are results,
never exceptions. What happens by itself, such as child orders and refunds, is
caught up at the next request, in the order in which it was due.
"""

from __future__ import annotations

import heapq
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, final

from attrs import Factory, define, evolve, field, frozen

from .catalogue import Offer, create_catalogue, mix_seed
from .lifecycle import CURRENCY, OrderLifecycle, RefillLifecycle, SeriesLifecycle, check_cancel, check_refill
from .seeded_orders import SeededOrders
from .validation import Fields, OrderRequest, parse_number, validate_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Result = object
"""What an action returns: a JSON value."""

KEY_PREFIX = "sandbox-"
_MAX_KEY_LENGTH = 256
_MAX_IDS = 100
_CHARACTERS_PER_ORDER = 4096
_DEFAULT_BALANCE = Decimal("1000.00000")

_INCORRECT_ORDER = {"error": "Incorrect order ID"}


@final
@frozen(kw_only=True)
class OrderRecord:
    """The record of an order that was taken."""

    order: int
    key: str
    service: int
    link: str
    quantity: int
    fields: Fields
    charge: Decimal
    taken_at: float

    def to_json(self) -> dict[str, object]:
        """Return the record as JSON; the amount is a string, which keeps it exact."""
        return {
            "order": self.order,
            "key": mask_key(self.key),
            "service": self.service,
            "link": self.link,
            "quantity": self.quantity,
            "fields": dict(self.fields),
            "charge": str(self.charge),
            "taken_at": self.taken_at,
        }


def has_account(key: str) -> bool:
    """Return whether a key is one of a sandbox, and short enough to be kept with each order."""
    return key.startswith(KEY_PREFIX) and len(key) <= _MAX_KEY_LENGTH


def count_characters(fields: Fields) -> int:
    """Return how long the fields of a request are, with their names."""
    return sum(map(len, fields)) + sum(map(len, fields.values()))


def mask_key(key: str) -> str:
    """Return the part of a key that may be shown."""
    return f"{KEY_PREFIX}…" if key.startswith(KEY_PREFIX) else "…"


@final
@define(kw_only=True)
class Backend:
    """The accounts, catalogue and orders of one panel, which starts at ``started_at`` (in seconds).

    The orders 1 to ``past`` are derived from ``seed``, and every key may see
    them. Each key that starts with ``sandbox-`` has an account. Its balance is
    in ``balances``, or else ``default_balance``. With ``one_per_link`` an order
    is rejected while another one of the same service and link is active.

    ``kept`` counts what takes memory: orders, the children that they may have,
    refills and cancellations, and each 4 KiB of their requests. What would make
    it more than ``max_orders`` is rejected, except for the length of requests.
    """

    seed: int = 1
    started_at: float = 0.0
    past: int = 0
    services: int = 24
    default_balance: Decimal = _DEFAULT_BALANCE
    one_per_link: bool = False
    max_orders: int | None = None
    kept: int = 0
    balances: dict[str, Decimal] = field(factory=dict)
    records: list[OrderRecord] = field(factory=list)
    offers: dict[int, Offer] = Factory(lambda self: create_catalogue(self.seed, self.services), takes_self=True)
    lifecycles: dict[int, OrderLifecycle | SeriesLifecycle] = field(factory=dict)
    _seeded_orders: SeededOrders = Factory(
        lambda self: SeededOrders(
            seed=self.seed, count=self.past, started_at=self.started_at, offers=tuple(self.offers.values())
        ),
        takes_self=True,
    )
    _last_order: int = Factory(lambda self: self.past, takes_self=True)
    _refills: dict[int, RefillLifecycle] = field(factory=dict)
    _active_orders: dict[tuple[int, str], int] = field(factory=dict)
    _due: list[tuple[float, int, str]] = field(factory=list)

    def handle(self, fields: Fields, now: float) -> Result:
        """Carry out the request with these fields and return its result. If it changes something, ``kept`` grows."""
        self.catch_up(now)
        if not has_account(fields.get("key", "")):
            return {"error": "Invalid API key"}
        before = self.kept
        result = self._run_action(fields, now)
        if self.kept > before:
            self.kept += count_characters(fields) // _CHARACTERS_PER_ORDER
        return result

    def _run_action(self, fields: Fields, now: float) -> Result:
        match fields.get("action"):
            case "services":
                return [offer.to_json() for offer in self.offers.values() if offer.enabled]
            case "balance":
                return {"balance": str(self.get_balance(fields["key"])), "currency": CURRENCY}
            case "add":
                return self._add_order(fields, now)
            case "status":
                return self._get_status(fields, now)
            case "refill":
                return self._refill(fields, now)
            case "refill_status":
                return self._get_refill_status(fields, now)
            case "cancel":
                return self._cancel(fields, now)
            case _:
                return {"error": "Incorrect request"}

    def get_balance(self, key: str) -> Decimal:
        """Return the balance of a key's account."""
        return self.balances.get(key, self.default_balance)

    def change_service(self, service: int, changes: Mapping[str, object]) -> None:
        """Change the rate, limits or permissions of a service; orders that were placed keep theirs."""
        exact: dict[str, Any] = {
            name: Decimal(str(value)) if name == "rate" else value for name, value in changes.items()
        }
        self.offers[service] = evolve(self.offers[service], **exact)

    def render_recent_orders(self, limit: int, now: float) -> list[dict[str, object]]:
        """Return the orders that were placed or changed last, newest first, for the page."""
        recent = islice(reversed(self.lifecycles.values()), limit)
        return [
            {
                **lifecycle.render_status(now),
                "order": lifecycle.order,
                "service": lifecycle.offer.service,
                "name": lifecycle.offer.name,
                "quantity": lifecycle.size,
                "done": lifecycle.compute_state(now).delivered,
            }
            for lifecycle in recent
        ]

    # --- what happens by itself

    def catch_up(self, now: float) -> None:
        """Place the children and pay the refunds that were due until ``now``, in the order in which they were due."""
        while self._due and self._due[0][0] <= now:
            due_at, order, key = heapq.heappop(self._due)
            lifecycle = self.lifecycles[order]
            if isinstance(lifecycle, SeriesLifecycle) and lifecycle.due_at is not None:
                if lifecycle.due_at <= due_at:
                    self._place_child(lifecycle)
            elif due_at >= lifecycle.ends_at and not lifecycle.is_refunded:
                lifecycle.is_refunded = True
                self._charge(key, -lifecycle.refund)

    def _place_child(self, series: SeriesLifecycle) -> None:
        child = series.place_child(self._allocate_order_id(), self.seed)
        self.lifecycles[child.order] = child
        self._schedule(child, series.owner)
        self._schedule(series, series.owner)

    def _schedule(self, lifecycle: OrderLifecycle | SeriesLifecycle, key: str) -> None:
        """Schedule the next child of a series, or the refund of an order to ``key``."""
        due_at = lifecycle.due_at if isinstance(lifecycle, SeriesLifecycle) else None
        if due_at is not None:
            heapq.heappush(self._due, (due_at, lifecycle.order, key))
        elif lifecycle.refund:
            heapq.heappush(self._due, (lifecycle.ends_at, lifecycle.order, key))

    def _charge(self, key: str, amount: Decimal) -> None:
        self.balances[key] = self.get_balance(key) - amount

    def _allocate_order_id(self) -> int:
        self._last_order += 1
        return self._last_order

    def _keep(self, count: int) -> dict[str, object] | None:
        """Count what will be kept, or return an error if there is no room for it."""
        if self.max_orders is not None and self.kept + count > self.max_orders:
            return {"error": f"This sandbox keeps no more than {self.max_orders} orders: reset it, or raise max_orders"}
        self.kept += count
        return None

    # --- orders

    def _add_order(self, fields: Fields, now: float) -> Result:
        offer = self.offers.get(parse_number(fields.get("service")) or 0)
        if offer is None:
            return {"error": "Incorrect service ID"}
        if not offer.enabled:
            return {"error": "Disabled service ID"}
        request = validate_order(offer, fields, now)
        if isinstance(request, str):
            return {"error": request}
        if self.one_per_link and self._has_active_order(offer, fields, now):
            return {"error": "You have active order with this link. Please wait until order being completed."}
        if request.price > self.get_balance(fields["key"]):
            return {"error": "Not enough funds on balance"}
        return self._place_order(request, fields["key"], now)

    def _has_active_order(self, offer: Offer, fields: Fields, now: float) -> bool:
        order = self._active_orders.get((offer.service, fields.get("link", "")))
        return order is not None and not self.lifecycles[order].compute_state(now).is_final

    def _place_order(self, request: OrderRequest, key: str, now: float) -> Result:
        """Record the order, charge its price and return its id, or an error if the sandbox is full."""
        order = self._last_order + 1
        lifecycle = request.create_lifecycle(order, key, now, mix_seed(self.seed, order))
        if (problem := self._keep(1 + lifecycle.count if isinstance(lifecycle, SeriesLifecycle) else 1)) is not None:
            return problem
        self._last_order = order
        self._charge(key, request.price)
        self.lifecycles[order] = lifecycle
        self._schedule(lifecycle, key)
        link = request.fields.get("link", "")
        self._active_orders[request.offer.service, link] = order
        self.records.append(
            OrderRecord(
                order=order,
                key=key,
                service=request.offer.service,
                link=link,
                quantity=request.quantity,
                fields={name: value for name, value in request.fields.items() if name != "key"},
                charge=request.price,
                taken_at=now,
            )
        )
        return {"order": order}

    def _get_status(self, fields: Fields, now: float) -> Result:
        key = fields["key"]
        if "orders" in fields:
            return self._handle_each(fields, "orders", lambda id_: self._get_status_of(id_, key, now), as_map=True)
        return self._get_status_of(fields.get("order"), key, now)

    def _get_status_of(self, id_: str | None, key: str, now: float) -> Mapping[str, object]:
        order = parse_number(id_)
        if order is None:
            return _INCORRECT_ORDER
        if (lifecycle := self.lifecycles.get(order)) is not None:
            return lifecycle.render_status(now) if lifecycle.owner in {None, key} else _INCORRECT_ORDER
        return self._seeded_orders.render_status(order, now) if order in self._seeded_orders else _INCORRECT_ORDER

    def _find_lifecycle(self, id_: str | None, key: str) -> OrderLifecycle | SeriesLifecycle | None:
        """Return the lifecycle of an order that ``key`` may see; a seeded order gets one of its own."""
        order = parse_number(id_)
        if order is None:
            return None
        if (lifecycle := self.lifecycles.get(order)) is not None:
            return lifecycle if lifecycle.owner in {None, key} else None
        return self._seeded_orders.create_lifecycle(order) if order in self._seeded_orders else None

    # --- refills

    def _refill(self, fields: Fields, now: float) -> Result:
        if "orders" in fields:
            return self._handle_each(fields, "orders", lambda id_: self._refill_order(id_, fields, now), inner="refill")
        result = self._refill_order(fields.get("order"), fields, now)
        return result if isinstance(result, dict) else {"refill": str(result)}

    def _refill_order(self, id_: str | None, fields: Fields, now: float) -> dict[str, object] | int:
        """Start a refill and return its id, or an error."""
        lifecycle = self._find_lifecycle(id_, fields["key"])
        if lifecycle is None:
            return dict(_INCORRECT_ORDER)
        if isinstance(lifecycle, SeriesLifecycle):
            return {"error": "Refill is not available for this order"}
        if (problem := check_refill(lifecycle, now)) is not None:
            return {"error": problem}
        if (full := self._keep(1)) is not None:
            return full
        order, refill = lifecycle.order, len(self._refills) + 1
        lifecycle.refilled_at = now
        self.lifecycles[order] = lifecycle
        self._refills[refill] = RefillLifecycle(
            refill=refill, order=order, requested_at=now, random_bits=mix_seed(self.seed, order), owner=fields["key"]
        )
        return refill

    def _get_refill_status(self, fields: Fields, now: float) -> Result:
        if "refills" in fields:
            return self._handle_each(
                fields,
                "refills",
                lambda id_: self._get_refill_status_of(id_, fields, now),
                name="refill",
                inner="status",
            )
        result = self._get_refill_status_of(fields.get("refill"), fields, now)
        return result if isinstance(result, dict) else {"status": result}

    def _get_refill_status_of(self, id_: str | None, fields: Fields, now: float) -> dict[str, object] | str:
        refill = self._refills.get(parse_number(id_) or 0)
        if refill is None or refill.owner != fields["key"]:
            return {"error": "Refill not found"}
        return refill.compute_status(now)

    # --- cancellations

    def _cancel(self, fields: Fields, now: float) -> Result:
        if "orders" not in fields:
            return {"error": "Incorrect request"}
        return self._handle_each(fields, "orders", lambda id_: self._cancel_order(id_, fields, now), inner="cancel")

    def _cancel_order(self, id_: str | None, fields: Fields, now: float) -> dict[str, object] | int:
        """Accept a cancellation and return 1, or an error."""
        lifecycle = self._find_lifecycle(id_, fields["key"])
        if lifecycle is None:
            return dict(_INCORRECT_ORDER)
        if (problem := check_cancel(lifecycle, now)) is not None:
            return {"error": problem}
        if (full := self._keep(1)) is not None:
            return full
        lifecycle.canceled_at = now
        self.lifecycles[lifecycle.order] = lifecycle
        heapq.heappush(self._due, (lifecycle.ends_at, lifecycle.order, fields["key"]))
        return 1

    # --- requests for many ids

    def _handle_each(
        self,
        fields: Fields,
        field_name: str,
        handle: Callable[[str], object],
        *,
        as_map: bool = False,
        name: str = "order",
        inner: str = "",
    ) -> Result:
        """Return each id's result: a map by id, or rows with the id under ``name`` and the result under ``inner``."""
        ids = list(dict.fromkeys(id_.strip() for id_ in fields[field_name].split(",")))
        if len(ids) > _MAX_IDS:
            return {"error": f"Maximum {_MAX_IDS} ids"}
        if as_map:
            return {id_: handle(id_) for id_ in ids}
        return [{name: id_ if (number := parse_number(id_)) is None else number, inner: handle(id_)} for id_ in ids]
