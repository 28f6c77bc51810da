"""Orders before they are sent: the form's fields, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from followersdata_async import orders

if TYPE_CHECKING:
    from collections.abc import Callable

LINK = "https://example.com/p/1"


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        (
            orders.Default(service=1, link=LINK, quantity=1000),
            {"service": "1", "link": LINK, "quantity": "1000"},
        ),
        (
            orders.Default(service="1", link=LINK, quantity=100, runs=5, interval=60),
            {"service": "1", "link": LINK, "quantity": "100", "runs": "5", "interval": "60"},
        ),
        (orders.Package(service=3, link=LINK), {"service": "3", "link": LINK}),
        (
            orders.CustomComments(service=2, link=LINK, comments="good\r\n\n  fine  \n"),
            {"service": "2", "link": LINK, "comments": "good\nfine", "quantity": "2"},
        ),
        (
            orders.CustomComments(service=2, link=LINK, comments=["a", "b\nc", " "]),
            {"service": "2", "link": LINK, "comments": "a\nb\nc", "quantity": "3"},
        ),
        (orders.Raw(service="x9", extra={"anything": "goes"}), {"service": "x9", "anything": "goes"}),
        (
            orders.Default(service=1, link=LINK, quantity=10, extra={"quantity": "11", "coupon": "X"}),
            {"service": "1", "link": LINK, "quantity": "11", "coupon": "X"},
        ),
    ],
)
def test_an_order_is_the_forms_fields(order: orders.Order, fields: dict[str, str]) -> None:
    """Those that are given, as texts; extra ones win."""
    assert order.fields() == fields


@pytest.mark.parametrize(
    ("order", "error", "says"),
    [
        (lambda: orders.Default(service="", link=LINK, quantity=1), ValueError, "an id is empty"),
        (lambda: orders.Default(service=None, link=LINK, quantity=1), TypeError, "an id is an int or a str"),
        (lambda: orders.Default(service=1, link="", quantity=1), ValueError, "link is empty"),
        (lambda: orders.Default(service=1, link=" ", quantity=1), ValueError, "link is empty"),
        (lambda: orders.Default(service=1, link=None, quantity=1), TypeError, "link is a text"),
        (lambda: orders.Default(service=1, link=LINK, quantity=0), ValueError, "quantity is 0"),
        (lambda: orders.Default(service=1, link=LINK, quantity=-5), ValueError, "quantity is -5"),
        (lambda: orders.Default(service=1, link=LINK, quantity="10"), TypeError, "quantity is a whole number"),
        (lambda: orders.Default(service=1, link=LINK, quantity=1.0), TypeError, "quantity is a whole number"),
        (lambda: orders.Default(service=1, link=LINK, quantity=True), TypeError, "quantity is a whole number"),
        (lambda: orders.Default(service=1, link=LINK, quantity=1, runs=2), ValueError, "takes both runs and interval"),
        (
            lambda: orders.Default(service=1, link=LINK, quantity=1, interval=2),
            ValueError,
            "takes both runs and interval",
        ),
        (lambda: orders.CustomComments(service=2, link=LINK, comments=" \n "), ValueError, "no line that is not blank"),
        (lambda: orders.CustomComments(service=2, link=LINK, comments=[]), ValueError, "no line that is not blank"),
        (lambda: orders.CustomComments(service=2, link=LINK, comments=[1]), TypeError, "comments are texts, not int"),
        (lambda: orders.Raw(service=1, extra={"key": "x"}), ValueError, "extra may not hold key"),
        (lambda: orders.Raw(service=1, extra={"action": "add"}), ValueError, "extra may not hold action"),
        (lambda: orders.Raw(service=1, extra={"quantity": 1}), TypeError, "extra maps texts to texts"),
        (lambda: orders.Raw(service=1, extra=[("a", "b")]), TypeError, "extra maps texts to texts"),
    ],
)
def test_a_mistake_in_an_order_is_told_before_anything_is_sent(
    order: Callable[[], object], error: type[Exception], says: str
) -> None:
    """With the field's name and what it takes."""
    with pytest.raises(error, match=says):
        order()
