"""The dialects of panels: documented results in the forms that other panels give them (docs/dialects.md). Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from attrs import evolve, field, frozen

Fields = Mapping[str, str]
Json = Any
"""A JSON value."""


@final
@frozen(kw_only=True)
class Response:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(factory=dict)


@final
@frozen(kw_only=True)
class Dialect:
    """The way in which a family of panels reads requests and writes responses.

    ``parse_request`` turns its fields into documented ones, ``format_result``
    turns a documented result into its own form, ``choose_status`` returns the
    HTTP status of a result, and ``encode`` returns the body.
    """

    parse_request: Callable[[Fields], Fields] = dict
    format_result: Callable[[Fields, Json], Json] = lambda _, result: result
    choose_status: Callable[[Fields, Json], int] = lambda _, __: 200
    encode: Callable[[Json], bytes] = lambda value: json.dumps(value, separators=(",", ":")).encode()
    content_type: str = "application/json"

    def create_response(
        self, fields: Fields, handle: Callable[[Fields], Json], headers: Fields | None = None
    ) -> Response:
        """Return the response to a request; ``handle`` returns the documented result of the documented fields."""
        result = handle(self.parse_request(fields))
        return Response(
            status=self.choose_status(fields, result),
            body=self.encode(self.format_result(fields, result)),
            content_type=self.content_type,
            headers=headers or {},
        )


# --- documented results


def _get_error(result: Json) -> str | None:
    """Return the error message of a result or of one row, or ``None`` if it is not an error."""
    return result["error"] if isinstance(result, dict) and "error" in result else None


def _is_status_map(fields: Fields, result: Json) -> bool:
    """Return whether this is the status of many orders by their ids."""
    return fields.get("action") == "status" and "orders" in fields and _get_error(result) is None


# --- the dialects


def _format_pretty(fields: Fields, result: Json) -> Json:
    if fields.get("action") in {"refill", "refill_status", "cancel"}:
        return {"status": "error", "message": "Incorrect request"}
    if (message := _get_error(result)) is not None:
        return {"status": "error", "message": message}
    if _is_status_map(fields, result):
        return {id_: row if (message := _get_error(row)) is None else message for id_, row in result.items()}
    return {"status": "success", **result} if isinstance(result, dict) and "status" not in result else result


_CODES = {
    "Invalid API key": "102",
    "Incorrect order ID": "104",
    "Incorrect service ID": "105",
    "Bad link": "107",
    "Not enough funds on balance": "113",
}


def _format_numeric(fields: Fields, result: Json) -> Json:
    if (message := _get_error(result)) is not None:
        return {"error": message, "status": _CODES.get(message, "101")}
    if fields.get("action") == "add":
        return {"status": 100, "order": str(result["order"])}
    if _is_status_map(fields, result):
        rows = {id_: _rewrite_status(row, lambda status: status.replace(" ", "")) for id_, row in result.items()}
        return next(iter(rows.values())) if len(rows) == 1 else rows
    return result


def _rewrite_status(row: dict[str, Json], rewrite: Callable[[str], str]) -> dict[str, Json]:
    return {**row, "status": rewrite(row["status"])} if "status" in row else row


def _format_nested(fields: Fields, result: Json) -> Json:
    message = _get_error(result)
    match fields.get("action"):
        case "refill" if message is not None and "order" in fields:
            return {"refill": {"error": message}}
        case "refill_status" if message == "Refill not found" and "refill" in fields:
            return None
        case "refill_status" if "refill" in fields and message is None:
            return [{"refill": fields["refill"], **result}]
        case "add" if message is None:
            return {"status": "success", "msg": "Order placed", **result}
    return result if message is None else {"status": "error", "msg": message, "error": _CODES.get(message, 400)}


def _format_omitting(fields: Fields, result: Json) -> Json:
    if _is_status_map(fields, result):
        known: dict[str, Json] = {
            id_: {"start_counter" if name == "start_count" else name: value for name, value in row.items()}
            for id_, row in result.items()
            if _get_error(row) is None
        }
        return known or {"error": "Invalid Order Ids"}
    if fields.get("action") == "balance" and _get_error(result) is None:
        return {**result, "balancef": f"{float(result['balance']):,.0f}"}
    return result


def _choose_error_status(_: Fields, result: Json) -> int:
    message = _get_error(result)
    if message is None:
        return 200
    return 401 if message == "Invalid API key" else 400


def _choose_omitting_status(fields: Fields, result: Json) -> int:
    if _is_status_map(fields, result) and all(_get_error(row) is not None for row in result.values()):
        return 400
    return _choose_error_status(fields, result)


def _format_listed(fields: Fields, result: Json) -> Json:
    if _is_status_map(fields, result):
        return [{"order": id_, **row} for id_, row in result.items()]
    match fields.get("action"):
        case "add" if _get_error(result) is None:
            return {"status": "success", "message": "Order placed successfully", **result}
        case "refill" if isinstance(result, list):
            return [
                {"refill": row["order"], "status": row["refill"] if isinstance(row["refill"], dict) else "success"}
                for row in result
            ]
        case "refill" if _get_error(result) is None:
            return {"status": "success", "refill": int(result["refill"])}
    return result


def _format_unnamed(fields: Fields, result: Json) -> Json:
    if _is_status_map(fields, result):
        return [row for _, row in sorted(result.items(), key=lambda pair: (len(pair[0]), pair[0]))]
    message = _get_error(result)
    if fields.get("action") == "add" and message is not None:
        return {"message": "The given data was invalid.", "errors": {"order": [message]}}
    return [result] if message == "Incorrect order ID" else result


def _choose_unnamed_status(fields: Fields, result: Json) -> int:
    message = _get_error(result)
    if fields.get("action") in {"add", "refill"} and message is None:
        return 201
    return {None: 200, "Invalid API key": 401, "Incorrect order ID": 200}.get(message, 422)


def _format_typed(fields: Fields, result: Json) -> Json:
    match fields.get("action"):
        case "services" if isinstance(result, list):
            return [
                {name: int(value) if isinstance(value, bool) else _parse_number(value) for name, value in row.items()}
                for row in result
            ]
        case "status" if _is_status_map(fields, result):
            return {id_: _parse_numbers(row) for id_, row in result.items()}
        case "refill" if isinstance(result, list):
            return _flatten_errors(result, "refill")
        case "refill_status" if isinstance(result, list):
            return _flatten_errors(result, "status")
        case "cancel" if isinstance(result, list):
            rows = {str(row["order"]): _format_typed_cancellation(row["cancel"]) for row in result}
            return next(iter(rows.values())) if len(rows) == 1 else rows
    return _parse_numbers(result) if isinstance(result, dict) else result


def _flatten_errors(rows: Sequence[dict[str, Json]], name: str) -> list[dict[str, Json]]:
    """Put the error of each row beside its id, in place of the member ``name``."""
    return [
        {**{other: value for other, value in row.items() if other != name}, **row[name]}
        if _get_error(row[name]) is not None
        else row
        for row in rows
    ]


def _format_typed_cancellation(cancel: Json) -> dict[str, Json]:
    return cancel if _get_error(cancel) is not None else {"cancel": True}


def _parse_numbers(row: dict[str, Json]) -> dict[str, Json]:
    return {name: value if name == "error" else _parse_number(value) for name, value in row.items()}


def _parse_number(value: Json) -> Json:
    """Return a string that holds a number as that number, and any other value unchanged."""
    try:
        return float(value) if isinstance(value, str) and "." in value else int(value)
    except ValueError:
        return value


_ORDER_PREFIX = "ord_"


def _parse_keyed(fields: Fields) -> Fields:
    """Remove the prefix from the ids of orders."""
    return {
        name: ",".join(id_.removeprefix(_ORDER_PREFIX) for id_ in value.split(","))
        if name in {"order", "orders"}
        else value
        for name, value in fields.items()
    }


def _format_keyed(fields: Fields, result: Json) -> Json:
    match fields.get("action"):
        case "add" if _get_error(result) is None:
            return {"order": f"{_ORDER_PREFIX}{result['order']}"}
        case "status" if "order" in fields:
            return {fields["order"]: _rewrite_status(result, _format_constant)}
        case "status" if _is_status_map(fields, result):
            ids = dict(zip(result, fields["orders"].split(","), strict=False))
            return {ids[id_]: _rewrite_status(row, _format_constant) for id_, row in result.items()}
        case "refill" | "cancel" if isinstance(result, list):
            ids = {id_.removeprefix(_ORDER_PREFIX): id_ for id_ in fields["orders"].split(",")}
            return [{**row, "order": ids[str(row["order"])]} for row in result]
    return result


def _format_constant(status: str) -> str:
    return status.upper().replace(" ", "_")


def _format_wrapped(_: Fields, result: Json) -> Json:
    message = _get_error(result)
    return {"status": "success", "data": result} if message is None else {"status": "error", "message": message}


def _encode_wrapped(value: Json) -> bytes:
    notice = "<br />\n<b>Notice</b>:  Undefined index: x in <b>/api.php</b> on line <b>7</b><br />\n"
    return ("\ufeff" + notice + json.dumps(value)).encode()


def _format_strict(fields: Fields, result: Json) -> Json:
    if _is_status_map(fields, result):
        if any(_get_error(row) is not None for row in result.values()):
            return {"error": "Incorrect order IDs"}
        return [{"order": int(id_), **row} for id_, row in result.items()]
    return result


def _parse_single(fields: Fields) -> Fields:
    """Ignore the fields that name many orders or refills."""
    if fields.get("action") not in {"status", "refill_status"}:
        return fields
    return {name: value for name, value in fields.items() if name not in {"orders", "refills"}}


def _format_single(_: Fields, result: Json) -> Json:
    message = _get_error(result)
    return result if message is None else {"error": message, "status": _CODES.get(message, "101")}


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


def _format_turkish(_: Fields, result: Json) -> Json:
    if isinstance(result, list):
        return [_format_turkish(_, part) for part in result]
    if not isinstance(result, dict):
        return result
    return {
        name: _translate(value) if name == "error" and isinstance(value, str) else _format_turkish(_, value)
        for name, value in result.items()
    }


def _translate(message: str) -> str:
    return next((turkish for english, turkish in _TURKISH.items() if message.startswith(english)), message)


def _format_capital(fields: Fields, result: Json) -> Json:
    if isinstance(result, list):
        return [_format_capital(fields, part) for part in result]
    if not isinstance(result, dict):
        return result
    return {_capitalize(name): _format_capital(fields, value) for name, value in result.items()}


def _capitalize(name: str) -> str:
    return "_".join(part.capitalize() for part in name.split("_"))


def _format_yii(_: Fields, result: Json) -> Json:
    message = _get_error(result)
    if message is not None:
        return {"success": False, "data": {"message": message}}
    return {"success": True, "data": result}


_INVALID_FIELDS = {"Bad link": "link", "Quantity": "quantity", "Incorrect service": "service", "Incorrect ": "order"}
"""The beginnings of messages about a field, and the field."""


def _find_invalid_field(fields: Fields, result: Json) -> str | None:
    message = _get_error(result) or ""
    if fields.get("action") != "add":
        return None
    return next((field for start, field in _INVALID_FIELDS.items() if message.startswith(start)), None)


def _format_laravel(fields: Fields, result: Json) -> Json:
    message = _get_error(result)
    if message is not None:
        if (name := _find_invalid_field(fields, result)) is not None:
            return {"message": "The given data was invalid.", "errors": {name: [message]}}
        return {"status": "fail", "message": message}
    match fields.get("action"):
        case "status" if "orders" in fields:
            return {id_: _format_laravel({"action": "status"}, row) for id_, row in result.items()}
        case "status":
            return {"status": "success", **_rename(result, "status", "order_status")}
        case "refill_status" if isinstance(result, dict):
            return {"status": "success", **_rename(result, "status", "refill_status")}
        case "add" | "refill" if isinstance(result, dict):
            return {"status": "success", **result}
    return result


def _rename(row: dict[str, Json], name: str, new_name: str) -> dict[str, Json]:
    return {new_name if other == name else other: value for other, value in row.items()}


def _choose_laravel_status(fields: Fields, result: Json) -> int:
    if _get_error(result) == "Invalid API key":
        return 401
    return 422 if _find_invalid_field(fields, result) is not None else 200


def _parse_single_order(fields: Fields) -> Fields:
    """Ignore the fields that name many orders or refills. A cancellation names one order, too."""
    single = {name: value for name, value in fields.items() if name not in {"orders", "refills"}}
    return {**single, "orders": single["order"]} if fields.get("action") == "cancel" and "order" in single else single


def _format_single_order(fields: Fields, result: Json) -> Json:
    if (
        fields.get("action") in {"status", "refill", "refill_status", "cancel"}
        and not {"order", "refill"} & fields.keys()
    ):
        return {"error": "Order ID is required parameter. Please check your API Manual"}
    if fields.get("action") == "cancel" and isinstance(result, list):
        return result[0]["cancel"] if _get_error(result[0]["cancel"]) is not None else result[0]
    return result


_CRASHES = (
    "Server error",
    "Service temporarily unavailable",
    "Failed to parse provider response",
    "SQLSTATE[23000]: Integrity constraint violation: 1062 Duplicate entry",
)
_CRASH_EVERY = 3


def _crash(order: object) -> str | None:
    """Return the message with which the panel crashes after it has carried out a write for an order, if it does."""
    number = int(str(order))
    return _CRASHES[number // _CRASH_EVERY % len(_CRASHES)] if number % _CRASH_EVERY == 0 else None


def _format_crashing(fields: Fields, result: Json) -> Json:
    match fields.get("action"):
        case "add" if _get_error(result) is None:
            message = _crash(result["order"])
            return result if message is None else {"error": message}
        case "refill" | "cancel" if isinstance(result, list):
            return [_crash_row(row, fields["action"]) for row in result]
    return result


def _crash_row(row: dict[str, Json], name: str) -> dict[str, Json]:
    if _get_error(row[name]) is not None or (message := _crash(row["order"])) is None:
        return row
    return {**row, name: {"error": message}}


_INDENTED_HTML = Dialect(
    encode=lambda value: json.dumps(value, indent=4).encode(), content_type="text/html; charset=UTF-8"
)

DIALECTS: Mapping[str, Dialect] = {
    "documented": Dialect(),
    "capital": Dialect(format_result=_format_capital),
    "crash-200": Dialect(format_result=_format_crashing),
    "keyed": Dialect(parse_request=_parse_keyed, format_result=_format_keyed),
    "laravel": Dialect(format_result=_format_laravel, choose_status=_choose_laravel_status),
    "listed": Dialect(format_result=_format_listed, choose_status=_choose_error_status),
    "nested": Dialect(format_result=_format_nested, content_type="text/html; charset=UTF-8"),
    "numeric": evolve(_INDENTED_HTML, format_result=_format_numeric),
    "omitting": Dialect(format_result=_format_omitting, choose_status=_choose_omitting_status),
    "pretty": evolve(_INDENTED_HTML, format_result=_format_pretty),
    "single": Dialect(parse_request=_parse_single, format_result=_format_single),
    "single-order": Dialect(parse_request=_parse_single_order, format_result=_format_single_order),
    "strict": Dialect(format_result=_format_strict),
    "turkish": Dialect(format_result=_format_turkish),
    "typed": Dialect(format_result=_format_typed, choose_status=_choose_error_status),
    "unnamed": Dialect(format_result=_format_unnamed, choose_status=_choose_unnamed_status),
    "wrapped": Dialect(format_result=_format_wrapped, encode=_encode_wrapped, content_type="text/html; charset=UTF-8"),
    "yii": Dialect(format_result=_format_yii),
}


def get_dialect(name: str) -> Dialect:
    """Return the dialect with this name.

    Raises:
        ValueError: There is no such dialect.
    """
    if name not in DIALECTS:
        msg = f"there is no dialect {name!r}: take one of {', '.join(DIALECTS)}"
        raise ValueError(msg)
    return DIALECTS[name]
