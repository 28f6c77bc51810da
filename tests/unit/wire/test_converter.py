"""Plain rows are converted as the general converter converts them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from followersdata_async._batch.operations import STATUS
from followersdata_async._wire import reads
from followersdata_async._wire.converter import structure_plain_services, structure_plain_statuses
from followersdata_async._wire.encoding import encode_services
from followersdata_async._wire.panel_words import PanelWords
from followersdata_async._wire.reads import (
    decode_order_statuses,
    decode_services,
)
from followersdata_async.errors import FollowersDataError
from followersdata_async.models import OrderState, OrderStatus, ServiceKind
from tests.helpers.fakes import answer, row
from tests.helpers.requests import encode_many
from tests.helpers.samples import CASES

PHRASES = PanelWords()
WORDS = st.sampled_from(
    [
        "Completed",
        "In progress",
        "in_progress",
        "Canceled",
        "partial",
        "Pending",
        "Error",
        "failed",
        "Fail",
        "101",
        "",
        "Expired",
        "expired",
        "Tamamlandı",
        "Incorrect order ID",
        "Not enough funds",
        " Completed ",
        "a word that is longer than any state of an order",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.decimals(-(10**9), 10**9, places=4),
    st.text(max_size=12),
    st.from_regex(r"[+-]?[0-9]{0,4}[.,]?[0-9]{0,4}", fullmatch=True),
    WORDS,
    st.lists(st.integers(), max_size=2),
)
STATUS_ROWS = st.fixed_dictionaries(
    {"status": st.one_of(WORDS, SCALARS)},
    optional=dict.fromkeys(["charge", "start_count", "remains", "currency", "start_counter", "error", "note"], SCALARS),
)

SERVICE_ROWS = st.fixed_dictionaries(
    {
        "service": st.integers(0, 10**6) | SCALARS,
        "name": st.text(max_size=5) | SCALARS,
        "type": st.sampled_from(["Default", "Package", "SEO"]) | SCALARS,
        "rate": st.decimals(0, 100, places=4).map(str) | SCALARS,
    },
    optional=dict.fromkeys(["category", "min", "max", "refill", "cancel", "dripfeed", "desc"], SCALARS | st.booleans()),
)


def encode(value: object) -> bytes:
    """Encode JSON with exact numbers."""
    return json.dumps(value, default=float).encode()


def decode_statuses(body: bytes, count: int) -> str:
    """Return the status of each order, or the error, as a string."""
    try:
        outcomes = decode_order_statuses(encode_many(STATUS, range(1, count + 1)), answer(body), PHRASES)
    except FollowersDataError as error:
        return repr(error)
    return repr(sorted(outcomes.items()))


def decode_catalogue(body: bytes) -> str:
    """Return the services, or the error, as a string."""
    try:
        return repr(decode_services(encode_services(), answer(body), PHRASES))
    except FollowersDataError as error:
        return repr(error)


@settings(max_examples=300)
@given(st.lists(STATUS_ROWS | SCALARS, min_size=1, max_size=4))
@example([{"status": "Completed", "charge": Decimal("1E+3"), "remains": True}])
@example([{"status": "101", "charge": "1"}])
@example([{"status": "Completed", "charge": "1.2.3"}, {"status": "Completed", "charge": "1"}])
@example([{"status": "Completed", "start_count": "9" * 5000, "remains": 10**30}])
@example([{"status": "Error", "charge": "1"}, {"status": "Pending", "charge": "1"}])
@example([{"status": ["Completed"], "charge": "1"}, {"status": "Pending", "charge": "1"}])
def test_status_rows_are_converted_equally(rows: list[Any]) -> None:
    """Column by column, and by the general converter."""
    body = encode({str(number): fields for number, fields in enumerate(rows, 1)})
    fast = decode_statuses(body, len(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reads, "structure_plain_statuses", lambda _: {})
        assert decode_statuses(body, len(rows)) == fast


@pytest.mark.parametrize("case", [case for case in CASES if case["action"] == "status"])
def test_samples_are_converted_equally(case: dict[str, Any]) -> None:
    """Responses of real panels."""
    body = case["body"].encode()
    fast = decode_statuses(body, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reads, "structure_plain_statuses", lambda _: {})
        assert decode_statuses(body, 3) == fast


@settings(max_examples=300)
@given(st.lists(SERVICE_ROWS | SCALARS, max_size=4))
@example([{"service": "007", "name": "a", "type": "Default", "rate": "1"}] * 2)
@example([{"service": "7", "name": "a", "type": "Default", "rate": "1", "desc": "b"}] * 2)
@example([{"service": "", "name": "a", "type": "Default", "rate": "1"}])
@example([{"service": "9" * 50, "name": "a", "type": "Default", "rate": "1"}])
def test_services_are_converted_equally(rows: list[Any]) -> None:
    """Column by column, and by the general converter."""
    body = encode(rows)
    fast = decode_catalogue(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reads, "structure_plain_services", lambda _: {})
        assert decode_catalogue(body) == fast


def test_usual_rows_are_plain() -> None:
    """They are not left to the general converter, whatever stands beside them."""
    status = OrderStatus(
        status="Completed",
        state=OrderState.COMPLETED,
        charge=Decimal("0.27819"),
        start_count=3572,
        remains=157,
        currency="USD",
    )
    others = [None, [], "Completed", {}, {"status": "Error"}, {"status": "101", "charge": "1"}, {**row(), "x": 1}]
    rows = dict(enumerate([row(), *others, row()]))
    assert structure_plain_statuses(rows) == {0: status, len(rows) - 1: status}


def test_usual_services_are_plain() -> None:
    """Also those with fields that the model does not have."""
    fields = {"service": 1, "name": "a", "type": "Default", "rate": "0.90", "min": "50", "refill": True, "speed": "b"}
    services = structure_plain_services({0: fields, 1: {**fields, "rate": "free"}, 2: {"service": 1}})
    assert [services[0].rate, services[1].rate] == [Decimal("0.90"), None]
    assert structure_plain_services({0: fields, 1: {**fields, "name": None}}) == {}
    services = structure_plain_services({0: fields, 1: {**fields, "country": 5}, 2: {"service": 1}})
    assert [services[0].extra, services[1].extra] == [{"speed": "b"}, {"speed": "b", "country": 5}]
    assert services[0].kind is ServiceKind.DEFAULT
