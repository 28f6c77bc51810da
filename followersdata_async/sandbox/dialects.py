"""How families of panels say the same thing: the documented answer in their shapes (docs/dialects.md). Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from attrs import evolve, field, frozen

Fields = Mapping[str, str]
Said = Any
"""A JSON value."""


@final
@frozen(kw_only=True)
class Reply:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(factory=dict)


@final
@frozen(kw_only=True)
class Dialect:
    """A family's ways: how it hears a request, how it says the documented answer, and how it writes that down."""

    hear: Callable[[Fields], Fields] = dict
    say: Callable[[Fields, Said], Said] = lambda _, said: said
    status: Callable[[Fields, Said], int] = lambda _, __: 200
    write: Callable[[Said], bytes] = lambda said: json.dumps(said, separators=(",", ":")).encode()
    content_type: str = "application/json"

    def reply(self, fields: Fields, answer: Callable[[Fields], Said], headers: Fields | None = None) -> Reply:
        """What this family makes of the documented answer to the same request."""
        said = answer(self.hear(fields))
        return Reply(
            status=self.status(fields, said),
            body=self.write(self.say(fields, said)),
            content_type=self.content_type,
            headers=headers or {},
        )


# --- what the documented answer is


def _error_in(said: Said) -> str | None:
    """The text of an answer, or of a row, that is an error."""
    return said["error"] if isinstance(said, dict) and "error" in said else None


def _is_map(fields: Fields, said: Said) -> bool:
    """Whether it is the status of many orders, by their ids."""
    return fields.get("action") == "status" and "orders" in fields and _error_in(said) is None


def _rows(said: Sequence[dict[str, Said]], main: str) -> list[dict[str, Said]]:
    """Rows whose errors stand beside the id instead of under the main field."""
    return [
        {**{name: value for name, value in row.items() if name != main}, **row[main]}
        if _error_in(row[main]) is not None
        else row
        for row in said
    ]


# --- the families


def _pretty(fields: Fields, said: Said) -> Said:
    if fields.get("action") in {"refill", "refill_status", "cancel"}:
        return {"status": "error", "message": "Incorrect request"}
    if (text := _error_in(said)) is not None:
        return {"status": "error", "message": text}
    if _is_map(fields, said):
        return {id_: row if (text := _error_in(row)) is None else text for id_, row in said.items()}
    return {"status": "success", **said} if isinstance(said, dict) and "status" not in said else said


_CODES = {
    "Invalid API key": "102",
    "Incorrect order ID": "104",
    "Incorrect service ID": "105",
    "Bad link": "107",
    "Not enough funds on balance": "113",
}


def _numeric(fields: Fields, said: Said) -> Said:
    if (text := _error_in(said)) is not None:
        return {"error": text, "status": _CODES.get(text, "101")}
    if fields.get("action") == "add":
        return {"status": 100, "order": str(said["order"])}
    if _is_map(fields, said):
        rows = {id_: _respelt(row, lambda word: word.replace(" ", "")) for id_, row in said.items()}
        return next(iter(rows.values())) if len(rows) == 1 else rows
    return said


def _respelt(row: dict[str, Said], spell: Callable[[str], str]) -> dict[str, Said]:
    return {**row, "status": spell(row["status"])} if "status" in row else row


def _nested(fields: Fields, said: Said) -> Said:
    text = _error_in(said)
    match fields.get("action"):
        case "refill" if text is not None and "order" in fields:
            return {"refill": {"error": text}}
        case "refill_status" if text == "Refill not found" and "refill" in fields:
            return None
        case "refill_status" if "refill" in fields and text is None:
            return [{"refill": fields["refill"], **said}]
        case "add" if text is None:
            return {"status": "success", "msg": "Order placed", **said}
    return said if text is None else {"status": "error", "msg": text, "error": _CODES.get(text, 400)}


def _omitting(fields: Fields, said: Said) -> Said:
    if _is_map(fields, said):
        known: dict[str, Said] = {
            id_: {"start_counter" if name == "start_count" else name: value for name, value in row.items()}
            for id_, row in said.items()
            if _error_in(row) is None
        }
        return known or {"error": "Invalid Order Ids"}
    if fields.get("action") == "balance" and _error_in(said) is None:
        return {**said, "balancef": f"{float(said['balance']):,.0f}"}
    return said


def _error_status(_: Fields, said: Said) -> int:
    text = _error_in(said)
    if text is None:
        return 200
    return 401 if text == "Invalid API key" else 400


def _omitting_status(fields: Fields, said: Said) -> int:
    if _is_map(fields, said) and all(_error_in(row) is not None for row in said.values()):
        return 400
    return _error_status(fields, said)


def _listed(fields: Fields, said: Said) -> Said:
    if _is_map(fields, said):
        return [{"order": id_, **row} for id_, row in said.items()]
    match fields.get("action"):
        case "add" if _error_in(said) is None:
            return {"status": "success", "message": "Order placed successfully", **said}
        case "refill" if isinstance(said, list):
            return [
                {"refill": row["order"], "status": row["refill"] if isinstance(row["refill"], dict) else "success"}
                for row in said
            ]
        case "refill" if _error_in(said) is None:
            return {"status": "success", "refill": int(said["refill"])}
    return said


def _unnamed(fields: Fields, said: Said) -> Said:
    if _is_map(fields, said):
        return [row for _, row in sorted(said.items(), key=lambda pair: (len(pair[0]), pair[0]))]
    text = _error_in(said)
    if fields.get("action") == "add" and text is not None:
        return {"message": "The given data was invalid.", "errors": {"order": [text]}}
    return [said] if text == "Incorrect order ID" else said


def _unnamed_status(fields: Fields, said: Said) -> int:
    text = _error_in(said)
    if fields.get("action") in {"add", "refill"} and text is None:
        return 201
    return {None: 200, "Invalid API key": 401, "Incorrect order ID": 200}.get(text, 422)


def _typed(fields: Fields, said: Said) -> Said:
    match fields.get("action"):
        case "services" if isinstance(said, list):
            return [
                {name: int(value) if isinstance(value, bool) else _number(value) for name, value in row.items()}
                for row in said
            ]
        case "status" if _is_map(fields, said):
            return {id_: _numbers(row) for id_, row in said.items()}
        case "refill" if isinstance(said, list):
            return _rows(said, "refill")
        case "refill_status" if isinstance(said, list):
            return _rows(said, "status")
        case "cancel" if isinstance(said, list):
            answers = {str(row["order"]): _accepted(row["cancel"]) for row in said}
            return next(iter(answers.values())) if len(answers) == 1 else answers
    return _numbers(said) if isinstance(said, dict) else said


def _accepted(cancel: Said) -> dict[str, Said]:
    return cancel if _error_in(cancel) is not None else {"cancel": True}


def _numbers(row: dict[str, Said]) -> dict[str, Said]:
    return {name: value if name == "error" else _number(value) for name, value in row.items()}


def _number(value: Said) -> Said:
    """A text that is a number, as JSON has numbers."""
    try:
        return float(value) if isinstance(value, str) and "." in value else int(value)
    except ValueError:
        return value


_PREFIX = "ord_"


def _hear_keyed(fields: Fields) -> Fields:
    """Take the prefix off the orders' ids."""
    return {
        name: ",".join(id_.removeprefix(_PREFIX) for id_ in value.split(",")) if name in {"order", "orders"} else value
        for name, value in fields.items()
    }


def _keyed(fields: Fields, said: Said) -> Said:
    match fields.get("action"):
        case "add" if _error_in(said) is None:
            return {"order": f"{_PREFIX}{said['order']}"}
        case "status" if "order" in fields:
            return {fields["order"]: _respelt(said, _upper)}
        case "status" if _is_map(fields, said):
            asked = dict(zip(said, fields["orders"].split(","), strict=False))
            return {asked[id_]: _respelt(row, _upper) for id_, row in said.items()}
        case "refill" | "cancel" if isinstance(said, list):
            asked = {id_.removeprefix(_PREFIX): id_ for id_ in fields["orders"].split(",")}
            return [{**row, "order": asked[str(row["order"])]} for row in said]
    return said


def _upper(word: str) -> str:
    return word.upper().replace(" ", "_")


def _wrapped(_: Fields, said: Said) -> Said:
    text = _error_in(said)
    return {"status": "success", "data": said} if text is None else {"status": "error", "message": text}


def _write_wrapped(said: Said) -> bytes:
    notice = "<br />\n<b>Notice</b>:  Undefined index: x in <b>/api.php</b> on line <b>7</b><br />\n"
    return ("\ufeff" + notice + json.dumps(said)).encode()


def _strict(fields: Fields, said: Said) -> Said:
    if _is_map(fields, said):
        if any(_error_in(row) is not None for row in said.values()):
            return {"error": "Incorrect order IDs"}
        return [{"order": int(id_), **row} for id_, row in said.items()]
    return said


def _hear_single(fields: Fields) -> Fields:
    """Overhear that many orders or refills were named."""
    if fields.get("action") not in {"status", "refill_status"}:
        return fields
    return {name: value for name, value in fields.items() if name not in {"orders", "refills"}}


def _single(_: Fields, said: Said) -> Said:
    text = _error_in(said)
    return said if text is None else {"error": text, "status": _CODES.get(text, "101")}


_TURKISH = {
    "Invalid API key": "API anahtarı hatalı",
    "Incorrect request": "Geçersiz istek",
    "Incorrect order ID": "Sipariş bulunamadı.",
    "Incorrect service ID": "Servis bulunamadı",
    "Bad link": "Geçersiz bağlantı",
    "Quantity": "Geçersiz miktar",
    "Not enough funds on balance": "Bakiyeniz yetersiz",
    "Refill not found": "Telafi talebi bulunamadı",
    "Refill is disabled for this service": "Telafi desteklenmiyor",
    "Cancel is not available": "İptal desteklenmiyor",
    "Order already completed or canceled": "Bu sipariş iptal edilemez",
    "Cancel already requested": "İptal zaten talep edildi",
}


def _turkish(_: Fields, said: Said) -> Said:
    if isinstance(said, list):
        return [_turkish(_, part) for part in said]
    if not isinstance(said, dict):
        return said
    return {
        name: _translated(value) if name == "error" and isinstance(value, str) else _turkish(_, value)
        for name, value in said.items()
    }


def _translated(text: str) -> str:
    return next((turkish for english, turkish in _TURKISH.items() if text.startswith(english)), text)


_PAGES = Dialect(write=lambda said: json.dumps(said, indent=4).encode(), content_type="text/html; charset=UTF-8")

DIALECTS: Mapping[str, Dialect] = {
    "documented": Dialect(),
    "keyed": Dialect(hear=_hear_keyed, say=_keyed),
    "listed": Dialect(say=_listed, status=_error_status),
    "nested": Dialect(say=_nested, content_type="text/html; charset=UTF-8"),
    "numeric": evolve(_PAGES, say=_numeric),
    "omitting": Dialect(say=_omitting, status=_omitting_status),
    "pretty": evolve(_PAGES, say=_pretty),
    "single": Dialect(hear=_hear_single, say=_single),
    "strict": Dialect(say=_strict),
    "turkish": Dialect(say=_turkish),
    "typed": Dialect(say=_typed, status=_error_status),
    "unnamed": Dialect(say=_unnamed, status=_unnamed_status),
    "wrapped": Dialect(say=_wrapped, write=_write_wrapped, content_type="text/html; charset=UTF-8"),
}


def dialect_named(name: str) -> Dialect:
    """A family's ways, by name.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in DIALECTS:
        msg = f"there is no dialect {name!r}: take one of {', '.join(DIALECTS)}"
        raise ValueError(msg)
    return DIALECTS[name]
