"""Requests as forms, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from followersdata_async import orders
from followersdata_async._batch.operations import CANCEL, REFILL, REFILL_STATUS, STATUS
from followersdata_async._wire.encoding import BodyFormat, encode_add, encode_balance, encode_body, encode_services
from tests.helpers.requests import encode_many, encode_one

if TYPE_CHECKING:
    from followersdata_async._wire.messages import Request

LINK = "https://example.com/p/1?a=b&c=d"


@pytest.mark.parametrize(
    ("request_", "form", "is_write"),
    [
        (encode_services(), b"key=k&action=services", False),
        (encode_balance(), b"key=k&action=balance", False),
        (encode_one(STATUS, 23501), b"key=k&action=status&order=23501", False),
        (encode_many(STATUS, [1, "10", 100]), b"key=k&action=status&orders=1%2C10%2C100", False),
        (encode_one(REFILL, "ord_1"), b"key=k&action=refill&order=ord_1", True),
        (encode_many(REFILL, [1, 2, 3]), b"key=k&action=refill&orders=1%2C2%2C3", True),
        (encode_one(REFILL_STATUS, 1), b"key=k&action=refill_status&refill=1", False),
        (encode_many(REFILL_STATUS, [1, 2, 3]), b"key=k&action=refill_status&refills=1%2C2%2C3", False),
        (encode_many(CANCEL, [9]), b"key=k&action=cancel&orders=9", True),
        (encode_many(CANCEL, [9, 2]), b"key=k&action=cancel&orders=9%2C2", True),
        (
            encode_add(orders.Default(service=1, link=LINK, quantity=1000).fields()),
            b"key=k&action=add&service=1&link=https%3A%2F%2Fexample.com%2Fp%2F1%3Fa%3Db%26c%3Dd&quantity=1000",
            True,
        ),
        (
            encode_add(orders.CustomComments(service=2, link="x.y", comments=["güzel", "+1 & more"]).fields()),
            b"key=k&action=add&service=2&link=x.y&comments=g%C3%BCzel%0A%2B1%20%26%20more&quantity=2",
            True,
        ),
    ],
)
def test_a_request_is_the_documented_form(request_: Request, form: bytes, is_write: bool) -> None:
    """Key and action first; ids joined by commas; only reads may be sent again."""
    assert (encode_body(request_, "k", BodyFormat()), request_.is_write) == (form, is_write)


@pytest.mark.parametrize(
    ("request_", "body_format", "body"),
    [
        (encode_balance(), BodyFormat(key_field="api_token"), b"api_token=k&action=balance"),
        (
            encode_add(orders.Default(service=1, link="x.y/a b", quantity=1000).fields()),
            BodyFormat(is_json=True),
            b'{"key": "k", "action": "add", "service": 1, "link": "x.y/a b", "quantity": 1000}',
        ),
        (
            encode_add(orders.CustomComments(service="007", link="12", comments=["5"]).fields()),
            BodyFormat(is_json=True, key_field="token"),
            b'{"token": "k", "action": "add", "service": "007", "link": "12", "comments": "5", "quantity": 1}',
        ),
        (
            encode_many(STATUS, [1, 2]),
            BodyFormat(is_json=True),
            b'{"key": "k", "action": "status", "orders": "1,2"}',
        ),
    ],
)
def test_a_panel_can_want_another_body(request_: Request, body_format: BodyFormat, body: bytes) -> None:
    """With the key in another field, or as JSON, where only counts and decimal ids are numbers."""
    assert encode_body(request_, "k", body_format) == body


def test_a_request_does_not_hold_the_key() -> None:
    """It is added where the body is made, and stands nowhere else."""
    assert "secret" not in repr(encode_one(STATUS, 1))


@pytest.mark.parametrize("ids", [[""], ["1,2"], ["1\n"], [1, ""]])
def test_a_bad_id_is_refused_before_anything_is_sent(ids: list[str]) -> None:
    """It would become another order's, or a broken request."""
    with pytest.raises(ValueError, match="id"):
        encode_many(STATUS, ids)
