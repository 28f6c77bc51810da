"""Single values as panels send them, by table."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async._wire.scalars import (
    parse_amount,
    parse_bool,
    parse_decimal,
    parse_id,
    parse_int,
    parse_limit,
    parse_order_state,
    parse_refill_state,
    parse_service_kind,
    parse_text,
)
from followersdata_async.models import OrderState, RefillState, ServiceKind


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("0.27819", "0.27819"),
        ("0.90", "0.90"),
        (" 8 ", "8"),
        (8, "8"),
        (Decimal("0.08011655652"), "0.08011655652"),
        ("1.0E-5", "0.000010"),
        ("-3.5", "-3.5"),
        ("+1", "1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1,234.50", "1234.50"),
        ("1,234,567", "1234567"),
        ("1,250", "1250"),
        ("0,27", "0.27"),
        ("12,5", "12.5"),
        ("1.234,50", "1234.50"),
        ("0,250", "0.250"),
    ],
)
def test_a_number_is_read_exactly(sent: object, read: str) -> None:
    """Never through float; a comma separates thousands before groups of three, else decimals."""
    assert str(parse_decimal(sent)) == str(Decimal(read)) or parse_decimal(sent) == Decimal(read)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        True,
        False,
        "",
        " ",
        "Unknown",
        "1e99999",
        "NaN",
        "Infinity",
        Decimal("Infinity"),
        "1,23,4",
        "١٢",
        [],
        {},
        "0x10",
        "1_000",
    ],
)
def test_what_is_no_number_is_none(sent: object) -> None:
    """Nothing is guessed."""
    assert parse_decimal(sent) is None


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("3572", 3572),
        (157, 157),
        ("10.0", 10),
        (Decimal("5.00"), 5),
        ("-2", -2),
        ("12.9", None),
        ("Unknown", None),
        (None, None),
        ("1e9999", None),
        ("1" * 5000, None),
        (True, None),
    ],
)
def test_a_count_is_a_whole_number_or_none(sent: object, read: int | None) -> None:
    """12.9 is not 12, and five thousand digits are no count."""
    assert parse_int(sent) == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        *[(yes, True) for yes in (True, 1, "1", "true", "True", "yes", Decimal(1))],
        *[(no, False) for no in (False, 0, "0", "false", "FALSE", "no", "", "2", Decimal(0))],
        *[(unsaid, None) for unsaid in (None, "30 days", 7, [], {})],
    ],
)
def test_a_flag_is_yes_no_or_not_said(sent: object, read: bool | None) -> None:
    """``bool("false")`` would be true."""
    assert parse_bool(sent) is read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (7, 7),
        ("7", 7),
        ("007", "007"),
        (" 7 ", 7),
        ("ord_9", "ord_9"),
        (Decimal("7.0"), 7),
        ("0", 0),
        ("9" * 41, "9" * 41),
    ],
)
def test_an_id_is_a_number_where_it_is_a_plain_one(sent: object, read: int | str) -> None:
    """Any other id stays the text that it is."""
    assert (parse_id(sent), type(parse_id(sent))) == (read, type(read))


@pytest.mark.parametrize("sent", [None, True, "", " ", "Incorrect order ID", "1,2", Decimal("7.5"), [], {}, "a\x00"])
def test_what_is_no_id_is_refused(sent: object) -> None:
    """A sentence is not an id."""
    with pytest.raises(ValueError, match=r"^not an id$"):
        parse_id(sent)


@given(st.one_of(st.integers(0, 10**12), st.from_regex(r"\A[a-zA-Z_\-]{1,20}\Z")))
def test_an_id_survives_the_way_there_and_back(id_: int | str) -> None:
    """Sent as text or as number, it comes back as itself."""
    assert parse_id(str(id_)) == parse_id(id_) == id_


@pytest.mark.parametrize(
    ("sent", "amount"),
    [
        ("0.30$", "0.30"),
        ("$1.20", "1.20"),
        ("-$1.20", "-1.20"),
        ("€1,20", "1.20"),
        ("1,20 €", "1.20"),
        ("1.20 USD", "1.20"),
        ("USD 1.20", "1.20"),
        ("R$ 1.234,50", "1234.50"),
        ("1 234,50", "1234.50"),
        ("1\u00a0234\u00a0567.5 ₽", "1234567.5"),
        ("₺12", "12"),
        (Decimal("0.1"), "0.1"),
        (7, "7"),
        ("7", "7"),
    ],
)
def test_an_amount_may_have_a_currency_and_blanks(sent: object, amount: str) -> None:
    """It stays exact."""
    assert parse_amount(sent) == Decimal(amount)


@pytest.mark.parametrize(
    "sent",
    ["", "Free", "10-20", "1.2.3", "0x10", "5k", "1 2", "12 34", "USD", "$", "1,2,3", "1.20 apples", True, None, []],
)
def test_what_is_no_amount_is_none(sent: object) -> None:
    """Nothing is guessed."""
    assert parse_amount(sent) is None


@pytest.mark.parametrize(
    ("sent", "limit"),
    [
        ("5k", 5000), ("10M", 10_000_000), ("1.5K", 1500), ("1,5k", 1500), ("2 b", 2_000_000_000), ("50", 50), (50, 50),
        ("5kk", None), ("k", None), ("1.0005k", None), ("1.500K", None), ("-5k", None), ("", None), (None, None),
        ("5 g", None),
    ],
)  # fmt: skip
def test_a_limit_may_be_written_short(sent: object, limit: int | None) -> None:
    """As a whole number of units."""
    assert parse_limit(sent) == limit


@pytest.mark.parametrize(("sent", "read"), [("a", "a"), (1, "1"), (Decimal("0.1"), "0.1"), (True, None), (None, None)])
def test_a_text_may_come_as_a_number(sent: object, read: str | None) -> None:
    """Nothing else is a text: ``None`` is not ``"None"``."""
    assert parse_text(sent) == read


@pytest.mark.parametrize(
    ("word", "state"),
    [
        *[(state.value, state) for state in OrderState if state is not OrderState.UNKNOWN],
        ("In progress", OrderState.IN_PROGRESS),
        ("IN_PROGRESS", OrderState.IN_PROGRESS),
        ("Inprogress", OrderState.IN_PROGRESS),
        ("In progess", OrderState.IN_PROGRESS),
        ("Cancelled", OrderState.CANCELED),
        ("Concluído", OrderState.COMPLETED),
        ("complete", OrderState.COMPLETED),
        ("Fail", OrderState.FAILED),
        ("Error", OrderState.FAILED),
        ("Rejected", OrderState.FAILED),
        ("Success", OrderState.COMPLETED),
        ("Done", OrderState.COMPLETED),
        ("Finished", OrderState.COMPLETED),
        ("Delivered", OrderState.COMPLETED),
        ("on-hold", OrderState.PAUSED),
        ("TAMAMLANDI", OrderState.COMPLETED),
        ("Tamamlandı", OrderState.COMPLETED),
        ("İptal Edildi", OrderState.CANCELED),
        ("İşlemde", OrderState.IN_PROGRESS),
        ("Kısmi", OrderState.PARTIAL),
        ("Em andamento", OrderState.IN_PROGRESS),
        ("Pendente", OrderState.PENDING),
        ("Выполнен", OrderState.COMPLETED),
        ("Отменён", OrderState.CANCELED),
        ("В обработке", OrderState.PROCESSING),  # noqa: RUF001 - Russian
        ("Hoàn thành", OrderState.COMPLETED),
        ("Đang xử lý", OrderState.PROCESSING),
        ("Đã hủy", OrderState.CANCELED),
        ("Shipped", OrderState.UNKNOWN),
        ("unknown", OrderState.UNKNOWN),
        ("", OrderState.UNKNOWN),
    ],
)
def test_an_orders_state_is_read_without_case_and_separators(word: str, state: OrderState) -> None:
    """A word nobody told us is ``UNKNOWN``, which is not final."""
    assert parse_order_state(word) is state


@pytest.mark.parametrize(
    ("word", "state"),
    [
        *[(state.value, state) for state in RefillState if state is not RefillState.UNKNOWN],
        ("Cancelled", RefillState.CANCELED),
        ("In progess", RefillState.IN_PROGRESS),
        ("Error", RefillState.FAILED),
        ("Awaiting", RefillState.UNKNOWN),
        ("processing", RefillState.IN_PROGRESS),
        ("Success", RefillState.COMPLETED),
        ("Tamamlandı", RefillState.COMPLETED),
        ("Reddedildi", RefillState.REJECTED),
    ],
)
def test_a_refills_state_is_read_the_same_way(word: str, state: RefillState) -> None:
    """A rejected refill is its own state."""
    assert parse_refill_state(word) is state


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        *[(kind.value, kind) for kind in ServiceKind if kind is not ServiceKind.UNKNOWN],
        ("Custom Comments", ServiceKind.CUSTOM_COMMENTS),
        ("SEO", ServiceKind.SEO),
        ("Subscription", ServiceKind.SUBSCRIPTIONS),
        ("Likes spread", ServiceKind.UNKNOWN),
        (None, ServiceKind.UNKNOWN),
    ],
)
def test_a_services_kind_is_read_the_same_way(type_: str | None, kind: ServiceKind) -> None:
    """``custom_comments`` and ``Custom Comments`` are one."""
    assert parse_service_kind(type_) is kind
