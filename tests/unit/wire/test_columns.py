"""Columns are parsed as their values are, and values made from them are like any others."""

from __future__ import annotations

import copy
import json
import pickle
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from followersdata_async._wire import columns as bulk
from followersdata_async._wire import scalars
from followersdata_async._wire.columns import build_oks, build_values, split_columns
from followersdata_async.models import Ok, OrderState, OrderStatus, Service, ServiceKind

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**50), 10**50),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.text(max_size=5),
    st.from_regex(r"[0-9]{0,3}\.?[0-9]{0,3}", fullmatch=True),
    st.sampled_from(["٣", "1_000", "1,250", "+1", "-1", " 1", "007", "9" * 41, "9" * 4001, "1e3"]),
)
UNIFORM = st.one_of(
    st.lists(st.integers(0, 10**6).map(str), min_size=1),
    st.lists(st.decimals(0, 10**6, places=5).map(str), min_size=1),
    st.lists(st.integers(0, 10**6), min_size=1),
)
PARSERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "amounts": (bulk.parse_amounts, scalars.parse_amount),
    "limits": (bulk.parse_limits, scalars.parse_limit),
    "titles": (bulk.parse_titles, scalars.parse_title),
    "ints": (bulk.parse_ints, scalars.parse_int),
    "ids": (bulk.parse_ids, scalars.parse_id),
    "texts": (bulk.parse_texts, scalars.parse_text),
    "bools": (bulk.parse_bools, scalars.parse_bool),
}


def call(function: Callable[[], Any]) -> str:
    """Return what a function returns or raises, as a string."""
    try:
        return repr(list(function()))
    except ValueError as error:
        return repr(error)


@pytest.mark.parametrize("name", PARSERS)
@given(UNIFORM | st.lists(VALUES, min_size=1))
@example(["1", ""])
@example(["1.2.3"])
@example(["."])
@example(["9" * 4001])
def test_column_is_parsed_as_its_values_are(name: str, column: list[Any]) -> None:
    """Whatever is in it."""
    parse_column, parse_value = PARSERS[name]
    assert call(lambda: parse_column(column)) == call(lambda: map(parse_value, column))


def test_amounts_are_exact_whatever_the_context_of_the_caller_is() -> None:
    """A context without traps makes ``Decimal("")`` not a number."""
    with localcontext(Context(prec=2, traps=[])):
        assert bulk.parse_amounts(["1.23456", "", "2"]) == [Decimal("1.23456"), None, Decimal(2)]
    with localcontext(Context(prec=2)):
        assert bulk.parse_amounts(["1.23456", "2"]) == [Decimal("1.23456"), Decimal(2)]


def test_rows_are_split_by_their_fields() -> None:
    """In one group if all have the same, in any order."""
    assert list(split_columns({})) == []
    assert [(list(keys), columns) for keys, columns in split_columns({1: {"a": 1, "b": 2}, 2: {"b": 4, "a": 3}})] == [
        ([1, 2], {"a": (1, 3), "b": (2, 4)})
    ]
    others = {2: None, 3: {"a": 3, "c": 4}, 4: "ab", 6: [1, 2], 7: {"a": 1}, 8: {}}
    rows = {1: {"a": 1, "b": 2}, **others, 5: {"b": 6, "a": 5}, 9: {"a": 5, "b": 6}}
    assert [(list(keys), columns) for keys, columns in split_columns(rows)] == [
        ([1, 9], {"a": (1, 5), "b": (2, 6)}),
        ([3], {"a": (3,), "c": (4,)}),
        ([5], {"b": (6,), "a": (5,)}),
    ]


def make_status() -> OrderStatus:
    """Make a value from columns."""
    columns = {"status": ("Completed",), "state": (OrderState.COMPLETED,), "charge": (Decimal("0.1"),)}
    return build_values(OrderStatus, columns)[0]


def test_values_from_columns_are_like_any_others() -> None:
    """Their class, equality, hash and representation."""
    status = make_status()
    same = OrderStatus(status="Completed", state=OrderState.COMPLETED, charge=Decimal("0.1"))
    assert type(status) is OrderStatus
    assert (status, hash(status), repr(status)) == (same, hash(same), repr(same))
    assert pickle.loads(pickle.dumps(status)) == copy.deepcopy(status) == copy.copy(status) == status  # noqa: S301
    assert attrs.evolve(status, remains=1).remains == 1
    (ok,) = build_oks([7], [status])
    assert (ok, hash(ok), repr(ok)) == (Ok(7, status), hash(Ok(7, status)), repr(Ok(7, status)))
    service = {
        "service": (1,),
        "name": ("a",),
        "type": ("Default",),
        "kind": (ServiceKind.DEFAULT,),
        "rate": (Decimal(1),),
    }
    expected = Service(service=1, name="a", type="Default", kind=ServiceKind.DEFAULT, rate=Decimal(1))
    assert build_values(Service, service) == [expected]


@pytest.mark.parametrize("value", [make_status(), build_oks([7], [make_status()])[0]], ids=["status", "outcome"])
def test_values_from_columns_are_frozen(value: Any) -> None:
    """No attribute can be set, deleted or added."""
    name = attrs.fields(type(value))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, 1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        delattr(value, name)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.another = 1


def test_shared_extra_can_not_be_changed() -> None:
    """A change of one value's would be a change of all."""
    extra: Any = make_status().extra
    assert (extra, repr(extra), json.dumps(extra), extra | {"a": 1}) == ({}, "{}", "{}", {"a": 1})
    for change in (
        lambda: extra.update(a=1),
        lambda: extra.setdefault("a", 1),
        lambda: extra.__setitem__("a", 1),
        lambda: extra.__ior__({"a": 1}),
        lambda: extra.pop("a", None),
        extra.popitem,
        extra.clear,
        lambda: extra.__delitem__("a"),
    ):
        with pytest.raises(TypeError, match="can't be changed"):
            change()
    assert pickle.loads(pickle.dumps(extra)) is copy.deepcopy(extra) is extra  # noqa: S301
