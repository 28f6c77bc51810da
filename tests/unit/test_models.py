"""Values that callers hold: ids, states, outcomes and results."""

from __future__ import annotations

import pickle
from enum import Enum, IntEnum, StrEnum

import pytest

from followersdata_async._batch.ids import format_ids
from followersdata_async.errors import NotSentError, OrderNotFoundError, PartialFailureError
from followersdata_async.models import (
    BatchResult,
    Failed,
    Ok,
    OrderState,
    OrderStatus,
    Refill,
    RefillState,
    RefillStatus,
    Refused,
    Unreported,
    format_id,
)


@pytest.mark.parametrize(
    ("id_", "text"), [(7, "7"), ("7", "7"), ("007", "007"), ("ord_9", "ord_9"), (-1, "-1"), ("é", "é")]
)
def test_an_id_is_sent_as_its_own_text(id_: object, text: str) -> None:
    """Ids are opaque: nothing is normalised, and ``7`` is ``"7"``."""
    assert format_id(id_) == text


@pytest.mark.parametrize("id_", ["", "1,2", "1 2", " 7", "7\n", "\t", "a\x00b", "a\x7fb", "\u2028", "a\u00a0b"])
def test_an_empty_id_and_one_with_a_comma_a_blank_or_a_control_character_is_a_value_error(id_: str) -> None:
    """Such an id would become another one, or two."""
    with pytest.raises(ValueError, match=r"^an id is empty|pass ids one by one, as a list$"):
        format_id(id_)


@pytest.mark.parametrize("id_", [None, True, 1.0, b"7", [7], ("7",)])
def test_an_id_of_another_type_is_a_type_error(id_: object) -> None:
    """``True`` is an ``int`` to Python, and no id."""
    with pytest.raises(TypeError, match=r"^an id is an int or a str, not "):
        format_id(id_)


class _TextEnum(str, Enum):  # noqa: UP042 - what users wrote before there was StrEnum
    FIRST = "23501"


class _StrEnum(StrEnum):
    FIRST = "23501"


class _NumberEnum(int, Enum):
    FIRST = 23501


class _IntEnum(IntEnum):
    FIRST = 23501


class _Number(int):
    def __str__(self) -> str:
        return f"#{int(self)}"


class _Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "another"


@pytest.mark.parametrize(
    "id_",
    [_TextEnum.FIRST, _StrEnum.FIRST, _NumberEnum.FIRST, _IntEnum.FIRST, _Number(23501), _Text("23501")],
    ids=lambda id_: type(id_).__name__,
)
def test_an_id_of_a_subclass_is_sent_by_its_value(id_: object) -> None:
    """An enum of mixed types prints its name, and that is no order of the panel."""
    text = format_id(id_)
    assert (text, type(text)) == ("23501", str)
    assert format_ids([id_]) == {"23501": id_}  # type: ignore[list-item]


FINAL_ORDERS = {"COMPLETED", "PARTIAL", "CANCELED", "REFUNDED", "FAILED", "EXPIRED"}
FINAL_REFILLS = {"COMPLETED", "REJECTED", "CANCELED", "FAILED"}


@pytest.mark.parametrize("state", OrderState)
def test_final_orders_change_no_more(state: OrderState) -> None:
    """An unknown word is never final: somebody may still deliver."""
    assert OrderStatus(status="x", state=state).is_final == (state.name in FINAL_ORDERS)


@pytest.mark.parametrize("state", RefillState)
def test_final_refills_change_no_more(state: RefillState) -> None:
    """The same for refills."""
    assert RefillStatus(status="x", state=state).is_final == (state.name in FINAL_REFILLS)


OK = Ok(7, Refill(refill=1))
REFUSED = Refused("8", OrderNotFoundError("Incorrect order ID"))
UNREPORTED = Unreported(9)
FAILED = Failed("ord_1", NotSentError("nothing was sent"))


@pytest.fixture(name="result")
def _result() -> BatchResult[Refill]:
    return BatchResult([OK, REFUSED, UNREPORTED, FAILED], requests=2)


def test_a_result_is_a_mapping_in_the_order_asked(result: BatchResult[Refill]) -> None:
    """Keyed by what the caller passed."""
    assert list(result.items()) == [(7, OK), ("8", REFUSED), (9, UNREPORTED), ("ord_1", FAILED)]


@pytest.mark.parametrize(("key", "outcome"), [("7", OK), (8, REFUSED), ("9", UNREPORTED)])
def test_a_result_is_found_by_the_number_and_by_its_text(
    result: BatchResult[Refill], key: object, outcome: object
) -> None:
    """``7`` and ``"7"`` are the same order."""
    assert result[key] == outcome  # type: ignore[index]


@pytest.mark.parametrize("key", [10, "", None, True, 7.0, "7,8"])
def test_an_id_that_was_not_asked_is_a_key_error(result: BatchResult[Refill], key: object) -> None:
    """Also what is no id at all: ``in`` asks with anything."""
    assert key not in result


def test_a_result_is_sorted_by_what_happened(result: BatchResult[Refill]) -> None:
    """Each view has the ids of one kind of outcome; errors are the refused and the failed."""
    assert result.ok == {7: Refill(refill=1)}
    assert result.refused == {"8": REFUSED.error}
    assert result.failed == {"ord_1": FAILED.error}
    assert result.errors == {"8": REFUSED.error, "ord_1": FAILED.error}
    assert result.unreported == (9,)


def test_a_result_shows_counts_and_not_ids(result: BatchResult[Refill]) -> None:
    """A batch may hold millions."""
    assert repr(result) == "<BatchResult of 4 ids: 1 ok, 1 refused, 1 unreported, 1 failed; 2 requests>"


def test_two_outcomes_for_one_id_are_a_mistake() -> None:
    """Law 1 holds by construction."""
    with pytest.raises(ValueError, match=r"^two outcomes for the id '7'$"):
        BatchResult([Unreported(7), Unreported("7")])


def test_errors_are_raised_with_the_whole_result(result: BatchResult[Refill]) -> None:
    """The good outcomes are not lost with the bad ones."""
    with pytest.raises(PartialFailureError, match=r"^2 of 4 ids came to nothing, among them 8: ") as caught:
        result.raise_for_errors()
    assert caught.value.result is result


def test_unreported_ids_are_no_errors() -> None:
    """They are neither an error nor proof of absence."""
    BatchResult([OK, UNREPORTED]).raise_for_errors()


def test_the_message_of_many_errors_names_three() -> None:
    """Never a hundred ids."""
    with pytest.raises(PartialFailureError) as caught:
        BatchResult([Failed(id_, NotSentError("gone")) for id_ in range(1000, 1100)]).raise_for_errors()
    assert str(caught.value) == "100 of 100 ids came to nothing, among them 1000: gone; 1001: gone; 1002: gone"


def test_a_result_can_be_pickled(result: BatchResult[Refill]) -> None:
    """It travels to another process, and is the same there."""
    arrived = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own bytes
    assert list(arrived) == list(result)
    assert arrived.ok == result.ok
    assert arrived.requests == result.requests


def test_values_can_be_hashed() -> None:
    """Also with fields that we do not know."""
    assert len({Refill(refill=1, extra={"a": [1]}), Refill(refill=1, extra={"a": [2]})}) == 2
