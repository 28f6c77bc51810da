"""Anything at all in the body ends in an error of our tree or in outcomes, never in a wrong id's value."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followersdata_async._batch.operations import STATUS
from followersdata_async._wire.encoding import encode_add, encode_balance, encode_services
from followersdata_async._wire.messages import Response
from followersdata_async._wire.panel_words import PanelWords
from followersdata_async._wire.reads import (
    decode_balance,
    decode_order_statuses,
    decode_services,
)
from followersdata_async._wire.scalars import parse_decimal
from followersdata_async._wire.writes import (
    decode_placed_order,
)
from followersdata_async.errors import FollowersDataError
from followersdata_async.models import Failed, Ok, Refused
from tests.helpers.fakes import answer, row
from tests.helpers.requests import encode_many
from tests.helpers.samples import CASES, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

WORDS = PanelWords()
STATUSES = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 422, 429, 500, 502, 503])
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "location", "date"]), st.text(max_size=30))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(["1", "2", "Incorrect order ID", "Completed", "1e999999999", "9" * 5000, "NaN", "\ud800"]),
)
NAMES = {
    "ids": ["1", "2", "order", "orders", "refill", "cancel", "canceled", "service", "id", "data"],
    "errors": ["status", "error", "errors", "message", "success", "code"],
    "values": ["rate", "balance", "charge", "remains", "name", "min"],
}
FIELDS = st.one_of(st.sampled_from([name for names in NAMES.values() for name in names]), st.text())
JSON = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(FIELDS, inner)), max_leaves=25)
BODIES = [case["body"].encode() for case in CASES]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A panel's answer with a part cut out, doubled or overwritten."""
    body = draw(st.sampled_from(BODIES))
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, len(body)))
    return (
        body[:start] + draw(st.one_of(st.just(b""), st.just(body[start:end] * 2), st.binary(max_size=9))) + body[end:]
    )


ANYTHING = st.one_of(
    st.binary(),
    JSON.map(lambda value: json.dumps(value).encode()),
    mutated(),
    st.integers(1, 12_000).map(lambda depth: b"[" * depth + b"]" * depth),
    st.integers(1, 12_000).map(lambda depth: b'{"1":' * depth + b"1" + b"}" * depth),
    st.integers(4_000, 6_000).map(lambda digits: b'{"1": {"status": "Completed", "charge": ' + b"7" * digits + b"}}"),
)
ASKED = [1, 2, "ord_3"]
READ: dict[str, Callable[[Response], Any]] = {
    "services": lambda reply: decode_services(encode_services(), reply, WORDS),
    "balance": lambda reply: decode_balance(encode_balance(), reply, WORDS),
    "add": lambda reply: decode_placed_order(encode_add({"link": "x.y"}), reply, WORDS),
}


@pytest.mark.slow
@settings(max_examples=2000)
@given(ANYTHING, STATUSES, HEADERS, st.sampled_from([*READ, *OPERATIONS]))
def test_any_answer_ends_in_our_errors_or_in_values(
    body: bytes, status: int, headers: dict[str, str], action: str
) -> None:
    """Nothing else is ever raised; of a batch, only ids that were asked have outcomes."""
    reply = Response(status=status, headers=headers, body=body)
    try:
        found = outcomes(action, reply)
    except FollowersDataError as error:
        assert str(error)
        return
    assert set(found) <= {"1", "2", "ord_3"}
    for text, outcome in found.items():
        assert str(outcome.id) == text
        assert isinstance(outcome, (Ok, Refused, Failed))


def outcomes(action: str, reply: Response) -> Mapping[str, Any]:
    """What a batch action makes of the answer; nothing of the others."""
    if action in READ:
        READ[action](reply)
        return {}
    operation = OPERATIONS[action]
    return operation.decode(encode_many(operation, ASKED), reply, WORDS)


@pytest.mark.parametrize("action", [*READ, *OPERATIONS])
@pytest.mark.parametrize("depth", [*range(100, 1100, 25), 5000])
def test_a_deep_answer_ends_in_our_errors_or_in_values(action: str, depth: int) -> None:
    """Also where it is too deep to be compared with itself."""
    deep = "[" * depth + "]" * depth
    for body in (
        deep,
        f'{{"1": {deep}, "1": [{deep}]}}',
        f'[{{"order": 1, "x": {deep}}}, {{"order": 1, "x": {deep}}}]',
    ):
        with suppress(FollowersDataError):
            outcomes(action, Response(status=200, body=body.encode()))
        nested = '{"status": ' * depth + "1" + "}" * depth
        with suppress(FollowersDataError):
            outcomes(action, Response(status=200, body=nested.encode()))


@settings(max_examples=500)
@given(
    st.lists(st.integers(1, 9), unique=True, min_size=1),
    st.lists(st.integers(1, 12)),
    st.sampled_from(["map", "list", "data"]),
    st.booleans(),
)
def test_a_value_belongs_to_the_id_that_its_row_names(
    asked: list[int], sent: list[int], form: str, texts: bool
) -> None:
    """Law 1: rows in any order, doubled, missing or of strangers; each row says whose it is in its charge."""
    rows = [{"order": str(id_) if texts else id_, **row(), "charge": str(id_)} for id_ in sent]
    payload: object = rows if form != "map" else {str(id_): one for id_, one in zip(sent, rows, strict=True)}
    if form == "data":
        payload = {"status": "success", "data": payload}
    found = decode_order_statuses(encode_many(STATUS, asked), answer(payload), WORDS)
    assert {text: outcome.value.charge for text, outcome in found.items()} == {  # type: ignore[union-attr]
        str(id_): id_ for id_ in asked if id_ in sent
    }


VALUES: dict[str, Callable[[int], dict[str, object]]] = {
    "status": lambda id_: {"status": "Completed", "charge": id_},
    "refill": lambda id_: {"refill": 1000 + id_},
    "refill_status": lambda id_: {"status": f"word {id_}"},
    "cancel": lambda id_: {"cancel": 1000 + id_, "number": id_},
}
"""For each action the fields of an id's row, which say whose they are."""


def value_of(action: str, outcome: Any) -> object:
    """The id whose value an outcome has."""
    value = outcome.value
    match action:
        case "status":
            return value.charge
        case "refill":
            return value.refill - 1000
        case "refill_status":
            return int(value.status.removeprefix("word "))
    return value.extra["number"]


@settings(max_examples=1500)
@given(
    st.sampled_from(sorted(VALUES)),
    st.lists(st.integers(1, 9), unique=True, min_size=1),
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12), st.booleans(), st.booleans())),
    st.sampled_from(["map", "list", "orders", "data", "indexed"]),
    st.sampled_from(["", "_id", "Id"]),
)
def test_no_id_gets_the_value_of_another(
    action: str, asked: list[int], sent: list[tuple[int, int, bool, bool]], form: str, suffix: str
) -> None:
    """Law 1, for every action: rows are shuffled, dropped, doubled with other values, and put under any key."""
    operation = OPERATIONS[action]
    name = ("refill" if action == "refill_status" else "order") + suffix
    rows = [
        {name: str(id_) if is_text else id_, **VALUES[action](id_), **({"note": "other"} if is_other else {})}
        for id_, _, is_text, is_other in sent
    ]
    keys = range(len(rows)) if form == "indexed" else [key for _, key, _, _ in sent]
    payload: object = rows if form in {"list", "data"} else {str(key): one for key, one in zip(keys, rows, strict=True)}
    if form in {"orders", "data"}:
        payload = {form: payload, "total": len(rows)}
    try:
        found = operation.decode(encode_many(operation, asked), answer(payload), WORDS)
    except FollowersDataError:
        return
    for text, outcome in found.items():
        assert isinstance(outcome, (Ok, Failed))
        if isinstance(outcome, Ok):
            # Under a requested key, an id that nobody asked for is another name of that order.
            assert value_of(action, outcome) == int(text) or value_of(action, outcome) not in asked


# --- samples, changed as panels change them

SAMPLES = [case for case in CASES if case["http_status"] == 200 and case["body"].strip()[:1] in {"{", "["}]
CASINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capital": lambda name: "_".join(part.capitalize() for part in name.split("_")),
    "upper": str.upper,
    "camel": lambda name: "".join(part.capitalize() if i else part for i, part in enumerate(name.split("_"))),
    "dashed": lambda name: name.replace("_", "-"),
}


@st.composite
def varied(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """A sample with other names, order, types, nesting, and more fields."""
    case = draw(st.sampled_from(SAMPLES))
    try:
        value = json.loads(case["body"])
    except ValueError:
        return case, case["body"].encode()
    rename = CASINGS[draw(st.sampled_from(sorted(CASINGS)))]
    is_shuffled, is_text, has_more = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    rng = draw(st.randoms(use_true_random=False))

    def change(part: Any) -> Any:
        if isinstance(part, dict):
            fields = [(rename(name), change(inner)) for name, inner in part.items()]
            if has_more:
                fields.append(("Speed", rng.choice([None, 7, "x", {"a": 1}, []])))
            if is_shuffled:
                rng.shuffle(fields)
            return dict(fields)
        if isinstance(part, list):
            return list(map(change, part))
        return str(part) if is_text and type(part) is int else part

    changed = change(value)
    for name in draw(st.lists(st.sampled_from(["data", "result", "Data"]), max_size=2)):
        changed = {name: changed}
    return case, json.dumps(changed, ensure_ascii=draw(st.booleans())).encode()


@pytest.mark.slow
@settings(max_examples=2000)
@given(varied())
def test_a_varied_sample_ends_in_our_errors_or_in_what_it_says(sample: tuple[dict[str, Any], bytes]) -> None:
    """No id, status or amount comes out that does not stand in it."""
    case, body = sample
    reply = Response(status=200, body=body)
    text = body.decode()
    try:
        if case["action"] == "add":
            assert str(READ["add"](reply).order) in text
        elif case["action"] in READ:
            READ[case["action"]](reply)
        else:
            operation = OPERATIONS[case["action"]]
            given_ids = case["request"].get(operation.ids_field) or case["request"].get(operation.id_field, "")
            ids = [int(id_) if id_.isdecimal() else id_ for id_ in given_ids.split(",")]
            for outcome in operation.decode(encode_many(operation, ids), reply, WORDS).values():
                if isinstance(outcome, Ok):
                    check_support(outcome.value, json.loads(text, parse_float=Decimal))
    except FollowersDataError as error:
        assert str(error)


def check_support(value: Any, payload: object) -> None:
    """Check that the main facts of a value stand in a response."""
    said = list(leaves(payload))
    texts, amounts = set(map(str, said)), set(map(parse_decimal, said))
    for name in ("status", "refill", "currency"):
        fact = getattr(value, name, None)
        assert fact is None or str(fact) in texts
    assert getattr(value, "charge", None) in {None, *amounts}


def leaves(value: object) -> Iterator[object]:
    """Yield all strings and numbers of a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from leaves(part)
    else:
        yield value


FAMILIES: dict[str, Callable[[str, int, dict[str, object]], dict[str, object]]] = {
    "map": lambda _, id_, fields: {str(id_): fields},
    "named map": lambda name, id_, fields: {str(id_): {name: id_, **fields}},
    "aliased map": lambda name, id_, fields: {str(id_): {name: id_ + 1000, **fields}},
    "indexed": lambda name, id_, fields: {"0": {name: str(id_), **fields}},
    "capital": lambda name, id_, fields: {
        "x": {
            name.capitalize(): id_,
            **{name.capitalize() if name != "number" else name: value for name, value in fields.items()},
        }
    },
    "camel": lambda name, id_, fields: {"y": {f"{name}Id": id_, **fields}},
    "list": lambda name, id_, fields: {"data": [{f"{name}_id": id_, **fields}]},
    "error": lambda _, id_, fields: {str(id_): {"error": "Bad link", "note": fields}},
}


@settings(max_examples=2000)
@given(
    st.sampled_from(sorted(VALUES)),
    st.lists(st.integers(1, 9), unique=True, min_size=1),
    st.lists(st.tuples(st.sampled_from(sorted(FAMILIES)), st.integers(1, 12)), max_size=6),
    st.booleans(),
)
def test_mixtures_of_families_give_no_id_the_value_of_another(
    action: str, asked: list[int], sent: list[tuple[str, int]], is_list: bool
) -> None:
    """Whatever rows of whatever panels stand together in one response. In a list, rows without a name have no id."""
    if is_list:
        sent = [(family, id_) for family, id_ in sent if family not in {"map", "error"}]
    operation = OPERATIONS[action]
    name = "refill" if action == "refill_status" else "order"
    parts = [FAMILIES[family](name, id_, VALUES[action](id_)) for family, id_ in sent]
    merged: dict[str, object] = {}
    for part in parts:
        for key, value in part.items():
            merged[key if key not in merged else f"{key}{len(merged)}0"] = value
    payload: object = [row for part in parts for row in part.values()] if is_list else merged
    try:
        found = operation.decode(encode_many(operation, asked), answer(payload), WORDS)
    except FollowersDataError:
        return
    for text, outcome in found.items():
        if isinstance(outcome, Ok):
            assert value_of(action, outcome) == int(text) or value_of(action, outcome) not in asked
