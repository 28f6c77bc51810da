"""Plain rows are converted as the general converter converts them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from followersdata_async._batch.operations import STATUS
from followersdata_async._wire import decoding
from followersdata_async._wire.converter import structure_plain_status
from followersdata_async._wire.decoding import decode_order_statuses
from followersdata_async._wire.error_phrases import ErrorPhrases
from followersdata_async.errors import FollowersDataError
from followersdata_async.models import OrderState, OrderStatus
from tests.helpers.fakes import answer, row
from tests.helpers.requests import encode_many
from tests.helpers.samples import CASES

if TYPE_CHECKING:
    from followersdata_async.models import Outcome

PHRASES = ErrorPhrases()
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


def encode(value: object) -> bytes:
    """Encode JSON with exact numbers."""
    return json.dumps(value, default=float).encode()


def decode_status(body: bytes) -> dict[str, Outcome[OrderStatus]] | str:
    """Decode the status of an order, or return the error."""
    try:
        return dict(decode_order_statuses(encode_many(STATUS, [1]), answer(body), PHRASES))
    except FollowersDataError as error:
        return repr(error)


@settings(max_examples=200)
@given(STATUS_ROWS)
@example({"status": "Completed", "charge": Decimal("1E+3"), "remains": True})
@example({"status": "101"})
def test_status_rows_are_converted_equally(fields: dict[str, Any]) -> None:
    """With and without the fast way."""
    body = encode({"1": fields})
    fast = decode_status(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "structure_plain_status", lambda _: None)
        assert repr(decode_status(body)) == repr(fast)


@pytest.mark.parametrize("case", [case for case in CASES if case["action"] == "status"])
def test_samples_are_converted_equally(case: dict[str, Any]) -> None:
    """Responses of real panels."""
    body = case["body"].encode()
    fast = decode_status(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "structure_plain_status", lambda _: None)
        assert repr(decode_status(body)) == repr(fast)


def test_usual_rows_are_plain() -> None:
    """The fast way is taken."""
    assert structure_plain_status(row()) == OrderStatus(
        status="Completed",
        state=OrderState.COMPLETED,
        charge=Decimal("0.27819"),
        start_count=3572,
        remains=157,
        currency="USD",
    )


@pytest.mark.parametrize(
    "fields", [None, [], "Completed", {}, {"status": "Error"}, {"status": "101"}, {"status": None}, {**row(), "x": 1}]
)
def test_other_rows_are_left_to_the_converter(fields: object) -> None:
    """They can be rejections, or have fields to keep."""
    assert structure_plain_status(fields) is None
