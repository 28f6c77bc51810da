"""The panel itself: fields in, an answer out, with the time handed in. No I/O, no chance.

It answers as docs/panel-api.md documents it, errors in the body and never as
an exception, and keeps a ledger of every order that it took.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import final

from attrs import Factory, define, field, frozen

from .catalogue import COUNTED, FLAT, REQUIRED, Offer, catalogue, mixed
from .lives import Life, RefillLife, amount, may_refill_again, past_life

Answer = object
Fields = Mapping[str, str]

KEY_PREFIX = "sandbox-"
MOST_IDS = 100
CURRENCY = "USD"

WRONG_ORDER = {"error": "Incorrect order ID"}


@final
@frozen(kw_only=True)
class Entry:
    """One line of the ledger: an order that was really taken."""

    order: int
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
            "key": f"{KEY_PREFIX}…",
            "service": self.service,
            "link": self.link,
            "quantity": self.quantity,
            "fields": dict(self.fields),
            "charge": str(self.charge),
            "taken_at": self.taken_at,
        }


@final
@define(kw_only=True)
class World:
    """One panel. ``past`` orders (1 to ``past``) are known to every key and derived from ``seed``.

    ``born`` is the time, in seconds, at which it starts; every key that starts
    with ``sandbox-`` has an account with ``money``.
    """

    seed: int = 1
    born: float = 0.0
    past: int = 0
    money: Decimal = Decimal("1000.00000")
    entries: list[Entry] = field(factory=list)
    requests: int = 0
    _offers: dict[int, Offer] = Factory(lambda self: catalogue(self.seed), takes_self=True)
    _lives: dict[int, Life] = field(factory=dict)
    _refills: dict[int, RefillLife] = field(factory=dict)
    _balances: dict[str, Decimal] = field(factory=dict)

    def answer(self, fields: Fields, now: float) -> Answer:
        """What the panel says to one request's fields."""
        self.requests += 1
        if not fields.get("key", "").startswith(KEY_PREFIX):
            return {"error": "Invalid API key"}
        return self._answer_to(fields.get("action"), fields, now)

    def _answer_to(self, action: str | None, fields: Fields, now: float) -> Answer:
        match action:
            case "services":
                return [offer.row() for offer in self._offers.values()]
            case "balance":
                return {"balance": str(self._money_of(fields["key"])), "currency": CURRENCY}
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

    def _money_of(self, key: str) -> Decimal:
        return self._balances.get(key, self.money)

    # --- orders

    def _add(self, fields: Fields, now: float) -> Answer:
        offer = self._offers.get(_number(fields.get("service")) or 0)
        if offer is None:
            return {"error": "Incorrect service ID"}
        link = fields.get("link", "")
        if "." not in link and offer.type != "Subscriptions":
            return {"error": "Bad link"}
        quantity = _quantity(offer, fields)
        if problem := _problem_of(offer, quantity, fields):
            return {"error": problem}
        price = amount(offer.price(quantity) * (_number(fields.get("runs")) or 1))
        money = self._money_of(fields["key"])
        if price > money:
            return {"error": "Not enough funds on balance"}
        self._balances[fields["key"]] = money - price
        order = self.past + len(self.entries) + 1
        self._lives[order] = Life(
            order=order, offer=offer, quantity=quantity, price=price, placed_at=now,
            chance=mixed(self.seed, order), owner=fields["key"],
        )  # fmt: skip
        self.entries.append(
            Entry(
                order=order,
                service=offer.service,
                link=link,
                quantity=quantity,
                fields={name: value for name, value in fields.items() if name != "key"},
                charge=price,
                taken_at=now,
            )
        )
        return {"order": order}

    def _status(self, fields: Fields, now: float) -> Answer:
        if "orders" in fields:
            return self._each(fields, "orders", lambda id_: self._status_row(id_, fields, now), as_map=True)
        return self._status_row(fields.get("order"), fields, now)

    def _status_row(self, id_: str | None, fields: Fields, now: float) -> dict[str, object]:
        life = self._life(id_, fields["key"])
        if life is None:
            return dict(WRONG_ORDER)
        moment = life.at(now)
        return {
            "charge": str(amount(moment.charge)),
            "start_count": str(life.start_count()),
            "status": moment.status,
            "remains": str(life.quantity - moment.delivered),
            "currency": CURRENCY,
        }

    def _life(self, id_: str | None, key: str) -> Life | None:
        """An order that this key may see."""
        order = _number(id_)
        if order is None:
            return None
        if 1 <= order <= self.past and order not in self._lives:
            return past_life(self.seed, order, self._offers, self.born)
        life = self._lives.get(order)
        return life if life is not None and life.owner in {None, key} else None

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
        if not life.offer.refill:
            return {"error": "Refill is disabled for this service"}
        if life.at(now).status not in {"Completed", "Partial"}:
            return {"error": "The order is not completed"}
        if not may_refill_again(life, now):
            return {"error": "The order was completed or refill was requested less than 24 hours ago"}
        life.refilled_at = now
        self._lives[life.order] = life
        refill = RefillLife(refill=len(self._refills) + 1, order=life.order, asked_at=now, owner=fields["key"])
        self._refills[refill.refill] = refill
        return refill.refill

    def _refill_status(self, fields: Fields, now: float) -> Answer:
        if "refills" in fields:
            return self._each(
                fields, "refills", lambda id_: self._refill_state(id_, fields, now), name="refill", inner="status"
            )
        answer = self._refill_state(fields.get("refill"), fields, now)
        return answer if isinstance(answer, dict) else {"status": answer}

    def _refill_state(self, id_: str | None, fields: Fields, now: float) -> dict[str, object] | str:
        refill = self._refills.get(_number(id_) or 0)
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
        if life.canceled_at is not None:
            return {"error": "Cancel already requested"}
        if not life.offer.cancel:
            return {"error": "Cancel is not available"}
        if life.at(now).is_final:
            return {"error": "Order already completed or canceled"}
        life.canceled_at = now
        self._lives[life.order] = life
        refund = life.price - amount(life.at(now).charge)
        self._balances[fields["key"]] = self._money_of(fields["key"]) + refund
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
        return [{name: id_ if (number := _number(id_)) is None else number, inner: answer(id_)} for id_ in ids]


def _number(text: str | None) -> int | None:
    """A plain decimal number, as ids and counts are."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return None
    return int(text)


_MOST_DIGITS = 18


def _quantity(offer: Offer, fields: Fields) -> int:
    """How much is ordered; lists are counted by their lines, blank ones too."""
    if offer.type in FLAT:
        return 1
    if (counted := COUNTED.get(offer.type)) is not None:
        return len(fields.get(counted, "").splitlines())
    return _number(fields.get("quantity")) or 0


def _problem_of(offer: Offer, quantity: int, fields: Fields) -> str | None:
    for name in REQUIRED.get(offer.type, ()):
        if not fields.get(name, "").strip():
            return f"Incorrect {name.replace('_', ' ')}"
    if quantity < offer.min:
        return f"Quantity less than minimal {offer.min}"
    if quantity > offer.max:
        return f"Quantity more than maximum {offer.max}"
    if ("runs" in fields) != ("interval" in fields):
        return "Incorrect runs" if "interval" in fields else "Incorrect interval"
    if "runs" in fields and not (_number(fields["runs"]) and _number(fields["interval"])):
        return "Incorrect runs"
    return None
