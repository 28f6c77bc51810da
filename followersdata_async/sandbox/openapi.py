"""The sandbox's API in OpenAPI's words: what docs/panel-api.md documents, and the sandbox's own address. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .faults import ACTIONS, FAULTS, LONGEST, MOST_TIMES, STATUSES

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_FLAG: Schema = {"type": "boolean"}
_AMOUNT: Schema = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}
_COUNT: Schema = {"type": "string", "pattern": r"^\d+$"}
_ID: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
_IDS: Schema = {"type": "string", "description": "up to 100 ids, separated by commas", "examples": ["1,2,3"]}


def _thing(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_ERROR = _thing({"error": _TEXT})

_SERVICE = _thing(
    {
        "service": _NUMBER,
        "name": _TEXT,
        "type": _TEXT,
        "category": _TEXT,
        "rate": _AMOUNT,
        "min": _COUNT,
        "max": _COUNT,
        "refill": _FLAG,
        "cancel": _FLAG,
    },
    {"enabled": _FLAG},
)

_STATUS = {
    "anyOf": [
        _thing({"charge": _AMOUNT, "start_count": _COUNT, "status": _TEXT, "remains": _COUNT, "currency": _TEXT}),
        _thing(
            {"charge": _AMOUNT, "status": _TEXT, "currency": _TEXT, "orders": _list(_TEXT)},
            {"runs": _COUNT, "posts": _COUNT},
        ),
    ]
}

_ANSWERS: Mapping[str, Schema] = {
    "Services": _list(_SERVICE),
    "Added": _thing({"order": _NUMBER}),
    "Status": _STATUS,
    "Statuses": {"type": "object", "additionalProperties": {"anyOf": [_STATUS, _ERROR]}},
    "Refill": _thing({"refill": _TEXT}),
    "Refills": _list(_thing({"order": _ID, "refill": {"anyOf": [_NUMBER, _ERROR]}})),
    "RefillStatus": _thing({"status": _TEXT}),
    "RefillStatuses": _list(_thing({"refill": _ID, "status": {"anyOf": [_TEXT, _ERROR]}})),
    "Cancellations": _list(_thing({"order": _ID, "cancel": {"anyOf": [{"const": 1}, _ERROR]}})),
    "Balance": _thing({"balance": _AMOUNT, "currency": _TEXT}),
    "Error": _ERROR,
}


def _asks(action: str, required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    key = {"type": "string", "description": "starts with sandbox-", "examples": ["sandbox-key"]}
    return {
        "title": action,
        "type": "object",
        "properties": {"key": key, "action": {"const": action}, **required, **(optional or {})},
        "required": ["key", "action", *required],
    }


_ORDER_FIELDS: dict[str, Schema] = {
    name: _TEXT
    for names in (
        "link quantity runs interval comments usernames hashtags hashtag username media keywords answer_number",
        "groups min max posts old_posts delay expiry country device type_of_traffic google_keyword referring_url",
    )
    for name in names.split()
}

_REQUESTS: tuple[Schema, ...] = (
    _asks("services", {}),
    _asks("add", {"service": _COUNT}, _ORDER_FIELDS),
    _asks("status", {"order": _TEXT}),
    _asks("status", {"orders": _IDS}),
    _asks("refill", {"order": _TEXT}),
    _asks("refill", {"orders": _IDS}),
    _asks("refill_status", {"refill": _TEXT}),
    _asks("refill_status", {"refills": _IDS}),
    _asks("cancel", {"orders": _IDS}),
    _asks("balance", {}),
)

_SAID_OF_A_FAULT: Mapping[str, Schema] = {
    "times": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_TIMES},
    "action": {"enum": list(ACTIONS)},
    "taken": _FLAG,
    "seconds": {"type": "number", "minimum": 0, "maximum": LONGEST},
    "retry_after": {"type": "integer", "minimum": 0, "maximum": LONGEST},
    "message": {"type": "string", "pattern": r"\S"},
}


def _fault(name: str) -> Schema:
    takes = {of: _SAID_OF_A_FAULT.get(of, {"enum": list(STATUSES.get(name, ()))}) for of in FAULTS[name].takes}
    needed = {of: takes.pop(of) for of in ("message",) if of in takes}
    return _thing({"fault": {"const": name}, **needed}, {"times": _SAID_OF_A_FAULT["times"], **takes})


_FAULT: Schema = {"anyOf": [_fault(name) for name in FAULTS]}
_FAULT_BY_NAME: Schema = {"enum": [name for name, kind in FAULTS.items() if "message" not in kind.takes]}

_TAKEN = _thing(
    {
        "order": _NUMBER,
        "key": _TEXT,
        "service": _NUMBER,
        "link": _TEXT,
        "quantity": _NUMBER,
        "fields": {"type": "object", "additionalProperties": _TEXT},
        "charge": _AMOUNT,
        "taken_at": {"type": "number"},
    }
)

_SEEN = _thing(
    {
        "at": {"type": "number"},
        "action": {"type": ["string", "null"]},
        "key": _TEXT,
        "fields": {"type": "object", "additionalProperties": _TEXT},
        "status": {"type": ["integer", "null"]},
        "fault": {"type": ["string", "null"]},
    }
)

_STATE: Schema = {
    "type": "object",
    "required": ["now", "speed", "requests", "taken", "past", "money", "accounts", "orders", "log", "faults"],
    "properties": {
        "now": {"type": "number"},
        "speed": {"type": "number"},
        "requests": _NUMBER,
        "taken": _NUMBER,
        "past": _NUMBER,
        "money": _AMOUNT,
        "accounts": _list(_thing({"key": _TEXT, "balance": _AMOUNT})),
        "orders": _list({"type": "object"}),
        "log": _list(_SEEN),
        "faults": _list(_FAULT),
    },
    "additionalProperties": False,
}


def _says(words: str, schema: Schema) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _shown(words: str, schema: Schema) -> dict[str, Any]:
    return {"summary": words, "responses": {"200": _says(words, schema)}}


def _done(words: str, schema: Schema) -> dict[str, Any]:
    forbidden = _says("a page of another site asked", _ERROR)
    return {"summary": words, "responses": {"200": _says("done", schema), "403": forbidden}}


def _told(words: str, body: Schema, schema: Schema) -> dict[str, Any]:
    told = _done(words, schema)
    told["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    told["responses"]["400"] = _says("what is wrong with it", _ERROR)
    return told


_API = {
    "summary": "Everything: what is done depends on `action`. Errors come with HTTP 200.",
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {"oneOf": list(_REQUESTS)}}},
    },
    "responses": {
        "200": _says(
            "the answer, or an error", {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in _ANSWERS]}
        ),
    },
}

_API_BY_QUERY = {
    "summary": "The same, asked in the address.",
    "parameters": [
        {"name": name, "in": "query", "schema": _TEXT}
        for name in ("key", "action", "order", "orders", "refill", "refills", "service", *_ORDER_FIELDS)
    ],
    "responses": _API["responses"],
}

_OWN_AMOUNT: Schema = {"type": "string", "pattern": r"^\d{1,9}(\.\d{1,9})?$"}
_OWN_COUNT: Schema = {"type": "integer", "minimum": 1}

_NEW_TERMS: Mapping[str, Schema] = {
    "rate": _OWN_AMOUNT,
    "min": _OWN_COUNT,
    "max": _OWN_COUNT,
    "refill": _FLAG,
    "cancel": _FLAG,
    "enabled": _FLAG,
}
_BALANCE = _thing({"key": {"type": "string", "pattern": "^sandbox-"}, "balance": _OWN_AMOUNT})
_SECONDS = _thing({"seconds": {"type": "number", "minimum": 0, "maximum": 1e10}})


def description(services: int) -> dict[str, Any]:
    """The whole description, version 3.1, of a panel with so many services.

    It holds for the documented dialect, without a quota and without faults.
    """
    faults = {"anyOf": [_FAULT_BY_NAME, _FAULT, _list({"anyOf": [_FAULT_BY_NAME, _FAULT]})]}
    new_terms = _thing({"service": {"type": "integer", "minimum": 1, "maximum": services}}, _NEW_TERMS)
    own = "/__sandbox__"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SMM panel API, version 2: a sandbox",
            "version": "2",
            "description": "What a panel documents, answered without money, and what this one can be told besides.",
        },
        "paths": {
            "/api/v2": {"post": _API, "get": _API_BY_QUERY},
            f"{own}/state": {"get": _shown("Everything at a glance", _STATE)},
            f"{own}/orders": {"get": _shown("Every order that was really taken, oldest first", _list(_TAKEN))},
            f"{own}/requests": {"get": _shown("The last thousand requests, oldest first", _list(_SEEN))},
            f"{own}/kinds": {"get": _shown("The kinds of faults", {"type": "object"})},
            f"{own}/faults": {
                "get": _shown("The faults to come", _list(_FAULT)),
                "post": _told("Add faults to those to come", faults, _list(_FAULT)),
                "delete": _done("Let nothing go wrong any more", _list(_FAULT)),
            },
            f"{own}/advance": {"post": _told("Move the time on", _SECONDS, _STATE)},
            f"{own}/reset": {"post": _done("Start anew", _STATE)},
            f"{own}/services": {"post": _told("Change a service", new_terms, _SERVICE)},
            f"{own}/balance": {"post": _told("Set an account's balance", _BALANCE, _STATE)},
        },
        "components": {"schemas": dict(_ANSWERS)},
    }
