"""The panel itself: fields in, an answer out, with the time handed in. No I/O, no chance.

It answers as docs/panel-api.md documents it, errors in the body and never as
an exception, and keeps a ledger of every order that it took. What happens by
itself, children born and money paid back, happens when it is next asked, in
the order of its time.
"""

from __future__ import annotations

import heapq
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, final

from attrs import Factory, define, evolve, field, frozen

from .catalogue import Offer, catalogue, mixed
from .lifecycle import CURRENCY, Life, RefillLife, Series, cancel_problem, refill_problem
from .seeded_orders import Past
from .validation import Fields, Terms, number, terms_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Answer = object

KEY_PREFIX = "sandbox-"
MOST_IDS = 100
MONEY = Decimal("1000.00000")

WRONG_ORDER = {"error": "Incorrect order ID"}


@final
@frozen(kw_only=True)
class Entry:
    """One line of the ledger: an order that was really taken."""

    order: int
    key: str
    service: int
    link: str
    quantity: int
    fields: Fields
    charge: Decimal
    taken_at: float

    def row(self) -> dict[str, object]:
        """The line as JSON; the amount is a text, so that it stays exact."""
        return {
            "order": self.order,
            "key": masked(self.key),
            "service": self.service,
            "link": self.link,
            "quantity": self.quantity,
            "fields": dict(self.fields),
            "charge": str(self.charge),
            "taken_at": self.taken_at,
        }


def masked(key: str) -> str:
    """What may be shown of a key."""
    return f"{KEY_PREFIX}…" if key.startswith(KEY_PREFIX) else "…"


@final
@define(kw_only=True)
class World:
    """One panel. ``past`` orders (1 to ``past``) are known to every key and derived from ``seed``.

    ``born`` is the time, in seconds, at which it starts; every key that starts
    with ``sandbox-`` has an account with what ``balances`` has for it, else
    ``money``. ``one_per_link`` refuses an order whose link has an active one.
    """

    seed: int = 1
    born: float = 0.0
    past: int = 0
    services: int = 24
    money: Decimal = MONEY
    one_per_link: bool = False
    balances: dict[str, Decimal] = field(factory=dict)
    entries: list[Entry] = field(factory=list)
    offers: dict[int, Offer] = Factory(lambda self: catalogue(self.seed, self.services), takes_self=True)
    lives: dict[int, Life | Series] = field(factory=dict)
    _derived: Past = Factory(
        lambda self: Past(seed=self.seed, count=self.past, born=self.born, offers=tuple(self.offers.values())),
        takes_self=True,
    )
    _last: int = Factory(lambda self: self.past, takes_self=True)
    _refills: dict[int, RefillLife] = field(factory=dict)
    _active: dict[tuple[int, str], int] = field(factory=dict)
    _due: list[tuple[float, int, str]] = field(factory=list)

    def answer(self, fields: Fields, now: float) -> Answer:
        """What the panel says to one request's fields."""
        self.settle(now)
        if not fields.get("key", "").startswith(KEY_PREFIX):
            return {"error": "Invalid API key"}
        match fields.get("action"):
            case "services":
                return [offer.row() for offer in self.offers.values() if offer.enabled]
            case "balance":
                return {"balance": str(self.money_of(fields["key"])), "currency": CURRENCY}
            case "add":
                return self._add(fields, now)
            case "status":
                return self._status(fields, now)
            case "refill":
                return self._refill(fields, now)
            case "refill_status":
                return self._refill_status(fields, now)
            case "cancel":
                return self._cancel(fields, now)
            case _:
                return {"error": "Incorrect request"}

    def money_of(self, key: str) -> Decimal:
        """What a key's account has."""
        return self.balances.get(key, self.money)

    def change(self, service: int, terms: Mapping[str, object]) -> None:
        """Change what a service costs, takes or allows; orders that there are keep their terms."""
        exact: dict[str, Any] = {name: Decimal(str(of)) if name == "rate" else of for name, of in terms.items()}
        self.offers[service] = evolve(self.offers[service], **exact)

    def newest(self, most: int, now: float) -> list[dict[str, object]]:
        """The orders that came last, or that something was done to, as people want to see them."""
        lives = islice(reversed(self.lives.values()), most)
        return [
            {
                **life.row(now),
                "order": life.order,
                "service": life.offer.service,
                "name": life.offer.name,
                "quantity": life.size,
                "done": life.at(now).delivered,
            }
            for life in lives
        ]

    # --- what happens by itself

    def settle(self, now: float) -> None:
        """Let happen what was due until now, in the order of its time."""
        while self._due and self._due[0][0] <= now:
            when, order, key = heapq.heappop(self._due)
            life = self.lives[order]
            if isinstance(life, Series) and life.due_at is not None:
                if life.due_at <= when:
                    self._bear(life)
            elif when >= life.ends_at and not life.is_settled:
                life.is_settled = True
                self._pay(key, -life.refund)

    def _bear(self, series: Series) -> None:
        """The next child of an order that places orders."""
        child = series.child(self._new_order(), self.seed)
        self.lives[child.order] = child
        self._expect_of(child, series.owner)
        self._expect_of(series, series.owner)

    def _expect_of(self, life: Life | Series, key: str) -> None:
        """Note when something will happen to it: a child, or money that is paid back to ``key``."""
        due = life.due_at if isinstance(life, Series) else None
        if due is not None:
            heapq.heappush(self._due, (due, life.order, key))
        elif life.refund:
            heapq.heappush(self._due, (life.ends_at, life.order, key))

    def _pay(self, key: str, price: Decimal) -> None:
        self.balances[key] = self.money_of(key) - price

    def _new_order(self) -> int:
        self._last += 1
        return self._last

    # --- orders

    def _add(self, fields: Fields, now: float) -> Answer:
        offer = self.offers.get(number(fields.get("service")) or 0)
        if offer is None:
            return {"error": "Incorrect service ID"}
        if not offer.enabled:
            return {"error": "Disabled service ID"}
        terms = terms_of(offer, fields, now)
        if isinstance(terms, str):
            return {"error": terms}
        if self.one_per_link and self._is_active(offer, fields, now):
            return {"error": "You have active order with this link. Please wait until order being completed."}
        if terms.price > self.money_of(fields["key"]):
            return {"error": "Not enough funds on balance"}
        return {"order": self._take(terms, fields["key"], now)}

    def _is_active(self, offer: Offer, fields: Fields, now: float) -> bool:
        order = self._active.get((offer.service, fields.get("link", "")))
        return order is not None and not self.lives[order].at(now).is_final

    def _take(self, terms: Terms, key: str, now: float) -> int:
        """Put the order on record, and take its price."""
        order = self._new_order()
        self._pay(key, terms.price)
        life = self.lives[order] = terms.life(order, key, now, mixed(self.seed, order))
        self._expect_of(life, key)
        link = terms.fields.get("link", "")
        self._active[terms.offer.service, link] = order
        self.entries.append(
            Entry(
                order=order,
                key=key,
                service=terms.offer.service,
                link=link,
                quantity=terms.quantity,
                fields={name: value for name, value in terms.fields.items() if name != "key"},
                charge=terms.price,
                taken_at=now,
            )
        )
        return order

    def _status(self, fields: Fields, now: float) -> Answer:
        key = fields["key"]
        if "orders" in fields:
            return self._each(fields, "orders", lambda id_: self._status_row(id_, key, now), as_map=True)
        return self._status_row(fields.get("order"), key, now)

    def _status_row(self, id_: str | None, key: str, now: float) -> Mapping[str, object]:
        order = number(id_)
        if order is None:
            return WRONG_ORDER
        if (life := self.lives.get(order)) is not None:
            return life.row(now) if life.owner in {None, key} else WRONG_ORDER
        return self._derived.row(order, now) if order in self._derived else WRONG_ORDER

    def _life(self, id_: str | None, key: str) -> Life | Series | None:
        """An order that this key may see, as what can be done to it."""
        order = number(id_)
        if order is None:
            return None
        if (life := self.lives.get(order)) is not None:
            return life if life.owner in {None, key} else None
        return self._derived.life(order) if order in self._derived else None

    # --- refills

    def _refill(self, fields: Fields, now: float) -> Answer:
        if "orders" in fields:
            return self._each(fields, "orders", lambda id_: self._refill_row(id_, fields, now), inner="refill")
        answer = self._refill_row(fields.get("order"), fields, now)
        return answer if isinstance(answer, dict) else {"refill": str(answer)}

    def _refill_row(self, id_: str | None, fields: Fields, now: float) -> dict[str, object] | int:
        """The new refill's id, or what is against it."""
        life = self._life(id_, fields["key"])
        if life is None:
            return dict(WRONG_ORDER)
        if isinstance(life, Series):
            return {"error": "Refill is not available for this order"}
        if (problem := refill_problem(life, now)) is not None:
            return {"error": problem}
        life.refilled_at = now
        self.lives[life.order] = life
        id_of_it = len(self._refills) + 1
        self._refills[id_of_it] = RefillLife(
            refill=id_of_it, order=life.order, asked_at=now, chance=mixed(self.seed, life.order), owner=fields["key"]
        )
        return id_of_it

    def _refill_status(self, fields: Fields, now: float) -> Answer:
        if "refills" in fields:
            return self._each(
                fields, "refills", lambda id_: self._refill_state(id_, fields, now), name="refill", inner="status"
            )
        answer = self._refill_state(fields.get("refill"), fields, now)
        return answer if isinstance(answer, dict) else {"status": answer}

    def _refill_state(self, id_: str | None, fields: Fields, now: float) -> dict[str, object] | str:
        refill = self._refills.get(number(id_) or 0)
        if refill is None or refill.owner != fields["key"]:
            return {"error": "Refill not found"}
        return refill.at(now)

    # --- cancellations

    def _cancel(self, fields: Fields, now: float) -> Answer:
        if "orders" not in fields:
            return {"error": "Incorrect request"}
        return self._each(fields, "orders", lambda id_: self._cancel_row(id_, fields, now), inner="cancel")

    def _cancel_row(self, id_: str | None, fields: Fields, now: float) -> dict[str, object] | int:
        """1 for a cancellation that was accepted, or what is against it."""
        life = self._life(id_, fields["key"])
        if life is None:
            return dict(WRONG_ORDER)
        if (problem := cancel_problem(life, now)) is not None:
            return {"error": problem}
        life.canceled_at = now
        self.lives[life.order] = life
        heapq.heappush(self._due, (life.ends_at, life.order, fields["key"]))
        return 1

    # --- many at once

    def _each(
        self,
        fields: Fields,
        field_name: str,
        answer: Callable[[str], object],
        *,
        as_map: bool = False,
        name: str = "order",
        inner: str = "",
    ) -> Answer:
        """An answer for each id, as a map or as rows with the id under ``name``."""
        ids = list(dict.fromkeys(id_.strip() for id_ in fields[field_name].split(",")))
        if len(ids) > MOST_IDS:
            return {"error": f"Maximum {MOST_IDS} ids"}
        if as_map:
            return {id_: answer(id_) for id_ in ids}
        return [{name: id_ if (of := number(id_)) is None else of, inner: answer(id_)} for id_ in ids]
