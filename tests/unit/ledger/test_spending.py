"""Limits for what a ledger spends: their arithmetic is exact."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async import SpendingLimitError
from followersdata_async.ledger import SpendingLimit
from followersdata_async.ledger.spending import check_cost, find_excess, make_error, make_windows


@pytest.mark.parametrize(
    ("limits", "error", "message"),
    [
        ({}, ValueError, r"^SpendingLimit must have a limit: give it per_order, per_hour, per_day or orders_per_hour$"),
        ({"per_day": 50}, TypeError, r"^per_day must be a Decimal, got 50$"),
        ({"per_day": 0.1}, TypeError, r"^per_day must be a Decimal, got 0\.1$"),
        ({"per_order": "5"}, TypeError, r"^per_order must be a Decimal, got '5'$"),
        ({"per_hour": Decimal(0)}, ValueError, r"^per_hour must be more than 0, got 0$"),
        ({"per_hour": Decimal("NaN")}, ValueError, r"^per_hour must be more than 0, got NaN$"),
        ({"per_day": Decimal("Infinity")}, ValueError, r"^per_day must be more than 0, got Infinity$"),
        ({"orders_per_hour": 0}, ValueError, r"^orders_per_hour is 0, but must be at least 1$"),
        ({"orders_per_hour": True}, TypeError, r"^orders_per_hour "),
    ],
)
def test_a_limit_that_is_none_is_an_error(limits: dict[str, Any], error: type[Exception], message: str) -> None:
    """A mistake must not look like a limit."""
    with pytest.raises(error, match=message):
        SpendingLimit(**limits)


def test_an_order_without_a_cost_cannot_be_checked() -> None:
    """It needs one, unless only orders are counted."""
    with pytest.raises(ValueError, match=r"^the cost of 'a' must be known for the spending limit: pass cost=$"):
        check_cost(SpendingLimit(per_day=Decimal(1)), "a", None)
    assert check_cost(SpendingLimit(orders_per_hour=1), "a", None) is None


def test_one_order_can_cost_too_much() -> None:
    """The error says how much one may cost."""
    limit = SpendingLimit(per_order=Decimal("0.90"))
    assert check_cost(limit, "a", Decimal("0.90")) is None
    error = check_cost(limit, "a", Decimal("0.91"))
    assert isinstance(error, SpendingLimitError)
    assert (error.limit, error.ref, error.cost, error.left, error.frees_at) == (
        "per_order",
        "a",
        Decimal("0.91"),
        Decimal("0.90"),
        None,
    )
    assert str(error) == (
        "'a' was not sent: it costs 0.91, and an order may cost 0.90 (SpendingLimit.per_order). "
        "Raise the limit if the order is right"
    )


def test_an_order_fits_or_takes_nothing() -> None:
    """Of no window, if one of them has no room."""
    windows = make_windows(SpendingLimit(per_hour=Decimal("0.30"), per_day=Decimal("0.20"), orders_per_hour=9))
    assert find_excess(windows, Decimal("0.1")) is None
    assert find_excess(windows, Decimal("0.1")) is None
    excess = find_excess(windows, Decimal("0.1"))
    assert excess is not None
    assert (excess.name, excess.left) == ("per_day", 0)
    assert [window.spent for window in windows] == [Decimal("0.2"), Decimal("0.2"), 2]


def test_orders_are_counted() -> None:
    """An order without a cost is one, too."""
    (window,) = make_windows(SpendingLimit(orders_per_hour=2))
    assert [find_excess([window], None), find_excess([window], Decimal(5)), find_excess([window], None)] == [
        None,
        None,
        window,
    ]
    error = make_error(window, "c", None, frees_at=110.4, now=100.0)
    assert str(error) == (
        "'c' was not sent: it is one order more, and 0 of 2 is left (SpendingLimit.orders_per_hour). "
        "Enough is free in 10 s"
    )
    assert error.frees_at == 110.4


@pytest.mark.parametrize("precision", [3, 28])
def test_amounts_are_exact_whatever_the_precision_of_the_program(precision: int) -> None:
    """A rounded sum would let an order through, or keep one back."""
    limit = SpendingLimit(per_day=Decimal("100.0000000000000000000000001"))
    with localcontext(prec=precision):
        (window,) = make_windows(limit)
        for cost in ("50.02", "49.97", "0.01", "1E-25"):
            assert find_excess([window], Decimal(cost)) is None
        assert (window.spent, window.left) == (window.maximum, 0)
        assert find_excess([window], Decimal("1E-40")) is window
        window.spent = Decimal("99.9999")
        assert window.left == Decimal("0.0001000000000000000000001")


@given(
    st.lists(st.decimals(min_value=0, max_value=10, places=4), max_size=60),
    st.decimals(min_value="0.0001", max_value=50, places=4),
)
def test_the_limit_is_never_exceeded_and_used_up(costs: list[Decimal], maximum: Decimal) -> None:
    """An order is turned away only if it does not fit."""
    (window,) = make_windows(SpendingLimit(per_day=maximum))
    spent = Decimal(0)
    for cost in costs:
        if find_excess([window], cost) is None:
            spent += cost
        else:
            assert spent + cost > maximum
        assert window.spent == spent <= maximum
