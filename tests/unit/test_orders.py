"""Orders before they are sent: the form's fields, and what is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, localcontext
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from followersdata_async import orders
from followersdata_async.models import Service, ServiceKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from followersdata_async import OrderInput

LINK = "https://example.com/p/1"


class _Catalogue(str, Enum):  # noqa: UP042 - what users wrote before there was StrEnum
    LIKES = "3"


class _Amount(int, Enum):
    SMALL = 100


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
            orders.Default(service=_Catalogue.LIKES, link=LINK, quantity=_Amount.SMALL),
            {"service": "3", "link": LINK, "quantity": "100"},
        ),
        (
            orders.CustomComments(service=2, link=LINK, comments="good\r\n\n  fine  \n"),
            {"service": "2", "link": LINK, "comments": "good\nfine", "quantity": "2"},
        ),
        (
            orders.CustomComments(service=2, link=LINK, comments=["a", "b\nc", " "]),
            {"service": "2", "link": LINK, "comments": "a\nb\nc", "quantity": "3"},
        ),
        (
            orders.Seo(service=4, link=LINK, quantity=10, keywords="a\nb"),
            {"service": "4", "link": LINK, "quantity": "10", "keywords": "a\nb"},
        ),
        (
            orders.CustomCommentsPackage(service=4, link=LINK, comments=["a", "b"]),
            {"service": "4", "link": LINK, "comments": "a\nb"},
        ),
        (
            orders.Mentions(service=4, link=LINK, quantity=10, usernames=["a", "b"]),
            {"service": "4", "link": LINK, "quantity": "10", "usernames": "a\nb"},
        ),
        (
            orders.MentionsWithHashtags(service=4, link=LINK, quantity=10, usernames=["a"], hashtags=["#x", "#y"]),
            {"service": "4", "link": LINK, "quantity": "10", "usernames": "a", "hashtags": "#x\n#y"},
        ),
        (
            orders.MentionsCustomList(service=4, link=LINK, usernames="a\n\nb"),
            {"service": "4", "link": LINK, "usernames": "a\nb", "quantity": "2"},
        ),
        (
            orders.MentionsHashtag(service=4, link=LINK, quantity=10, hashtag="#x"),
            {"service": "4", "link": LINK, "quantity": "10", "hashtag": "#x"},
        ),
        (
            orders.MentionsUserFollowers(service=4, link=LINK, quantity=10, username="https://a.b/c"),
            {"service": "4", "link": LINK, "quantity": "10", "username": "https://a.b/c"},
        ),
        (
            orders.MentionsMediaLikers(service=4, link=LINK, quantity=10, media="https://a.b/c"),
            {"service": "4", "link": LINK, "quantity": "10", "media": "https://a.b/c"},
        ),
        (
            orders.CommentLikes(service=4, link=LINK, quantity=10, username="a"),
            {"service": "4", "link": LINK, "quantity": "10", "username": "a"},
        ),
        (
            orders.CommentReplies(service=4, link=LINK, username="a", comments=["x", "y"]),
            {"service": "4", "link": LINK, "username": "a", "comments": "x\ny", "quantity": "2"},
        ),
        (
            orders.Poll(service=4, link=LINK, quantity=10, answer_number=3),
            {"service": "4", "link": LINK, "quantity": "10", "answer_number": "3"},
        ),
        (
            orders.InvitesFromGroups(service=4, link=LINK, quantity=10, groups=["g", "h"]),
            {"service": "4", "link": LINK, "quantity": "10", "groups": "g\nh"},
        ),
        (
            orders.Subscriptions(service=4, username="a", min=100, max=200, delay=0),
            {"service": "4", "username": "a", "min": "100", "max": "200", "delay": "0"},
        ),
        (
            orders.Subscriptions(
                service=4, username="a", min=1, max=1, posts=5, old_posts=0, delay=30, expiry=date(2026, 2, 1)
            ),
            {
                "service": "4",
                "username": "a",
                "min": "1",
                "max": "1",
                "posts": "5",
                "old_posts": "0",
                "delay": "30",
                "expiry": "01/02/2026",
            },
        ),
        (
            orders.WebTraffic(
                service=4, link=LINK, quantity=10, country="US", device=5, type_of_traffic=1, google_keyword="shoes"
            ),
            {
                "service": "4",
                "link": LINK,
                "quantity": "10",
                "country": "US",
                "device": "5",
                "type_of_traffic": "1",
                "google_keyword": "shoes",
            },
        ),
        (orders.Raw(service="x9", extra={"anything": "goes"}), {"service": "x9", "anything": "goes"}),
        (
            orders.Default(service=1, link=LINK, quantity=10, extra={"quantity": "11", "coupon": "X"}),
            {"service": "1", "link": LINK, "quantity": "11", "coupon": "X"},
        ),
    ],
)
def test_an_order_is_the_forms_fields(order: OrderInput, fields: dict[str, str]) -> None:
    """Those that are given, as texts; extra ones win."""
    assert order.fields() == fields


def traffic(**changes: Any) -> orders.WebTraffic:
    """An order of web traffic that is right, but for the changes."""
    fields = {"service": 1, "link": LINK, "quantity": 1, "country": "US", "device": 1, "type_of_traffic": 3}
    return orders.WebTraffic(**(fields | changes))


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
        (
            lambda: orders.CustomComments(service=2, link=LINK, comments=[1]),
            TypeError,
            "lines are a text, or many texts, and not int",
        ),
        (lambda: orders.MentionsCustomList(service=1, link=LINK, usernames=7), TypeError, "and not int"),
        (lambda: orders.Poll(service=1, link=LINK, quantity=1, answer_number="x"), TypeError, "answer_number is a"),
        (
            lambda: orders.Subscriptions(service=1, username="a", min=3, max=2, delay=0),
            ValueError,
            "min is 3, which is",
        ),
        (lambda: orders.Subscriptions(service=1, username="a", min=1, max=2, delay=-1), ValueError, "delay is -1"),
        (
            lambda: orders.Subscriptions(service=1, username="a", min=1, max=2, delay=0, expiry="01/02/2026"),
            TypeError,
            "expiry",
        ),
        (lambda: orders.Package(service=1, link="x\ud800"), ValueError, "link has half of a character at position 1"),
        (lambda: orders.CustomComments(service=1, link=LINK, comments=["\ud800"]), ValueError, "a line has half of a"),
        (lambda: orders.Raw(service=1, extra={"a": "\ud800"}), ValueError, "extra has half of a character"),
        (lambda: traffic(device=6), ValueError, "device is 6, but must be from 1 to 5"),
        (lambda: traffic(type_of_traffic=0), ValueError, "type_of_traffic is 0"),
        (lambda: traffic(type_of_traffic=1), ValueError, "type_of_traffic 1 needs google_keyword"),
        (lambda: traffic(type_of_traffic=2), ValueError, "type_of_traffic 2 needs referring_url"),
        (lambda: traffic(runs=3), ValueError, "both runs and interval"),
        (lambda: orders.Raw(service=1, extra={"key": "x"}), ValueError, "extra may not hold key"),
        (lambda: orders.Raw(service=1, extra={"action": "add"}), ValueError, "extra may not hold action"),
        (lambda: orders.Raw(service=1, extra={"service": "2"}), ValueError, "extra may not hold service"),
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


# --- against the catalogue


def row(kind: ServiceKind = ServiceKind.DEFAULT, **changes: Any) -> Service:
    """A row of the catalogue: 0.90 for 1000, from 50 to 10,000."""
    fields = {"service": 1, "name": "x", "type": kind.value, "rate": Decimal("0.90"), "min": 50, "max": 10_000}
    return Service(**(fields | {"kind": kind} | changes))


SUBSCRIPTION = orders.Subscriptions(service=1, username="a", min=40, max=20_000, delay=0)


@pytest.mark.parametrize(
    ("order", "service", "problems"),
    [
        (orders.Default(service="1", link=LINK, quantity=50), row(), ()),
        (orders.Default(service=1, link=LINK, quantity=10_000), row(), ()),
        (orders.Default(service=1, link=LINK, quantity=49), row(), ("quantity is 49, and the least is 50",)),
        (orders.Default(service=1, link=LINK, quantity=10_001), row(), ("quantity is 10001, and the most is 10000",)),
        (orders.Default(service=1, link=LINK, quantity=1), row(min=None, max=None), ()),
        (orders.Default(service=1, link=LINK, quantity=1, runs=2, interval=5), row(), ()),
        (
            orders.Default(service=1, link=LINK, quantity=60, runs=2, interval=5),
            row(dripfeed=False),
            ("service 1 has no drip-feed: leave out runs and interval",),
        ),
        (
            orders.Default(service=2, link=LINK, quantity=1),
            row(),
            ("the order is for service 2, and this is the row of 1",),
        ),
        (
            orders.Package(service=1, link=LINK),
            row(),
            ("service 1 is of the type 'default', not 'package'",),
        ),
        (orders.Package(service=1, link=LINK), row(ServiceKind.PACKAGE), ()),
        (orders.Package(service=1, link=LINK), row(ServiceKind.UNKNOWN), ()),
        (
            orders.CustomComments(service=1, link=LINK, comments=["a"]),
            row(ServiceKind.CUSTOM_COMMENTS),
            ("quantity is 1, and the least is 50",),
        ),
        (
            SUBSCRIPTION,
            row(ServiceKind.SUBSCRIPTIONS),
            ("min is 40, and the least is 50", "max is 20000, and the most is 10000"),
        ),
        (SUBSCRIPTION, row(service=2), ("the order is for service 1, and this is the row of 2",)),
        (orders.Raw(service=1), row(), ()),
        (orders.Raw(service=2), row(), ("the order is for service 2, and this is the row of 1",)),
    ],
)
def test_problems_are_found_before_sending(
    order: orders.TypedOrder | orders.Raw, service: Service, problems: tuple[str, ...]
) -> None:
    """Type, least and most; drip-feeds are not held against the bounds, as panels disagree about them."""
    assert order.problems(service) == problems


@pytest.mark.parametrize(
    ("order", "service", "cost"),
    [
        (orders.Default(service=1, link=LINK, quantity=1000), row(), "0.90"),
        (orders.Default(service=1, link=LINK, quantity=1), row(), "0.0009"),
        (orders.Default(service=1, link=LINK, quantity=100, runs=5, interval=60), row(), "0.45"),
        (orders.CustomComments(service=1, link=LINK, comments="a\nb\nc"), row(ServiceKind.CUSTOM_COMMENTS), "0.0027"),
        (orders.Package(service=1, link=LINK), row(ServiceKind.PACKAGE), "0.90"),
        (orders.CustomCommentsPackage(service=1, link=LINK, comments="a\nb"), row(), "0.90"),
        (SUBSCRIPTION, row(ServiceKind.SUBSCRIPTIONS), "0.90"),
        (orders.Raw(service=1, extra={"quantity": "2000"}), row(), "1.80"),
        (orders.Raw(service=1, extra={"quantity": "2000", "runs": "2"}), row(), "3.60"),
        (orders.Raw(service=1, extra={"quantity": "+2000", "runs": "+2"}), row(), "3.60"),
        (orders.Raw(service=1, extra={"quantity": "2000 ", "runs": " 2"}), row(), "3.60"),
        (orders.Raw(service=1), row(ServiceKind.PACKAGE), "0.90"),
        (orders.Package(service=1, link=LINK, extra={"quantity": "1"}), row(ServiceKind.PACKAGE), "0.90"),
    ],
)
def test_the_price_is_exact(order: orders.TypedOrder | orders.Raw, service: Service, cost: str) -> None:
    """Per 1000 and run; packages and subscriptions at their whole rate. A program's own precision does not matter."""
    assert order.cost(service) == Decimal(cost)
    with localcontext(prec=1):
        exact = order.cost(service)
    assert exact == Decimal(cost)


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (orders.Default(service=2, link=LINK, quantity=1), "this is the row of 1"),
        (orders.Raw(service=2), "this is the row of 1"),
        (orders.Raw(service=1), "no quantity to tell the price from"),
        (orders.Raw(service=1, extra={"quantity": "many"}), "no quantity to tell the price from"),
        (orders.Raw(service=1, extra={"quantity": "5", "runs": "two"}), "no runs to tell the price from: 'two'"),
        (orders.Raw(service=1, extra={"quantity": "5", "runs": ""}), "no runs to tell the price from: ''"),
        (orders.Raw(service=1, extra={"quantity": "-5"}), "no quantity to tell the price from"),
        (orders.Default(service=1, link=LINK, quantity=1, extra={"quantity": "9"}), "extra replaces quantity"),
        (orders.CustomComments(service=1, link=LINK, comments="a", extra={"quantity": "9"}), "extra replaces quantity"),
    ],
)
def test_a_price_that_cannot_be_told_is_an_error(order: orders.TypedOrder | orders.Raw, says: str) -> None:
    """Never 0."""
    with pytest.raises(ValueError, match=says):
        order.cost(row())


@pytest.mark.parametrize(
    "order",
    [
        orders.Default(service=1, link=LINK, quantity=50),
        orders.Package(service=1, link=LINK),
        orders.Raw(service=1, extra={"quantity": "5"}),
        orders.Raw(service=1),
    ],
)
def test_a_service_without_a_rate_has_no_price(order: orders.TypedOrder | orders.Raw) -> None:
    """Panels write "Free" and worse; it is a problem before sending."""
    for kind in (ServiceKind.DEFAULT, ServiceKind.PACKAGE):
        service = evolve(row(kind), rate=None)
        with pytest.raises(ValueError, match=r"service 1 has no rate|no quantity"):
            order.cost(service)
        assert "service 1 has no rate that can be read" in order.problems(service)


FIELDS: dict[str, Any] = {
    "link": LINK,
    "quantity": 1,
    "comments": ["a"],
    "usernames": ["a"],
    "username": "a",
    "hashtags": ["a"],
    "hashtag": "a",
    "keywords": ["a"],
    "groups": ["a"],
    "media": "a",
    "answer_number": 1,
    "min": 1,
    "max": 2,
    "delay": 0,
    "country": "US",
    "device": 1,
    "type_of_traffic": 3,
}


@pytest.mark.parametrize("kind", [kind for kind in ServiceKind if kind is not ServiceKind.UNKNOWN])
def test_every_kind_has_its_class(kind: ServiceKind) -> None:
    """Chosen by the catalogue's row."""
    fields = {name: value for name, value in FIELDS.items() if name in orders.fields_of(kind)}
    order = orders.for_service(row(kind), **fields)
    assert isinstance(order, orders.TypedOrder)
    assert order.kind is kind
    assert type(order).__name__.lower() == kind.value.replace("_", "")


def test_an_unknown_kind_is_sent_as_it_is() -> None:
    """The caller knows more than we do."""
    service = row(ServiceKind.UNKNOWN)
    order = orders.for_service(service, link=LINK, quantity=5, tags=["a", "b"], runs=None, extra={"coupon": "X"})
    assert order == orders.Raw(service=1, extra={"link": LINK, "quantity": "5", "tags": "a\nb", "coupon": "X"})
    assert orders.fields_of(ServiceKind.UNKNOWN) == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("1.50"), "1.50"), (date(2026, 2, 1), "01/02/2026"), (iter(["a", "b"]), "a\nb"), ("a b", "a b")],
)
def test_a_field_of_an_unknown_kind_is_what_a_form_can_hold(value: object, text: str) -> None:
    """Whatever can be written in one way alone."""
    assert orders.for_service(row(ServiceKind.UNKNOWN), field=value).fields()["field"] == text


@pytest.mark.parametrize("value", [True, 1.5, {"a": "b"}, object(), [1]])
def test_a_field_of_an_unknown_kind_is_never_guessed(value: object) -> None:
    """Nobody orders ``<object object at 0x…>``."""
    with pytest.raises(TypeError):
        orders.for_service(row(ServiceKind.UNKNOWN), field=value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"link": LINK, "quantity": 1, "comments": "a"},
            "^Default takes .*link, quantity, runs, interval, and not comments",
        ),
        ({"link": LINK}, "quantity"),
    ],
)
def test_fields_that_a_kind_does_not_take_or_lacks_are_named(fields: dict[str, Any], says: str) -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError, match=says):
        orders.for_service(row(), **fields)


# --- control characters


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\t", "\x1b", "\x7f", "\x85", "\u2028"])
@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda text: orders.Default(service=1, link=text, quantity=1), "link"),
        (lambda text: orders.MentionsHashtag(service=1, link=LINK, quantity=1, hashtag=text), "hashtag"),
        (lambda text: orders.MentionsUserFollowers(service=1, link=LINK, quantity=1, username=text), "username"),
        (lambda text: orders.Raw(service=1, extra={"link": text}), r"extra\['link'\]"),
        (lambda text: orders.Package(service=1, link=LINK, extra={text: "x"}), "a name in extra"),
    ],
)
def test_a_field_of_one_line_has_no_control_character(
    make: Callable[[str], OrderInput], field: str, character: str
) -> None:
    """A panel could cut it there. The message names the field and the position."""
    with pytest.raises(ValueError, match=rf"^{field} must be one line .* at position 4$"):
        make(f"x.y/{character}z")


@pytest.mark.parametrize(
    "make",
    [
        lambda text: orders.CustomComments(service=1, link=LINK, comments=["a", text]),
        lambda text: orders.Raw(service=1, extra={"comments": text}),
    ],
)
def test_lines_have_no_control_characters_but_breaks(make: Callable[[str], OrderInput]) -> None:
    """Tabs and line breaks are what panels expect there."""
    assert "b" in make("a\tb\r\nc").fields()["comments"]
    for character in "\0\x1b\x7f":
        with pytest.raises(ValueError, match=r"must be one line without control characters"):
            make(f"a{character}b")


@pytest.mark.parametrize("link", ["https://example.com/ü?a=b&c=d#e", "@näme", "https://example.com/👍\u200d🏽"])
def test_letters_and_signs_of_any_language_are_allowed(link: str) -> None:
    """Also those that join signs."""
    assert orders.Package(service=1, link=link).fields()["link"] == link
