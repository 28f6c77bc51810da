"""The validation of orders: prices, and the errors for invalid fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.sandbox import SUBSCRIPTION, add_order, send

if TYPE_CHECKING:
    from followersdata_async.sandbox.backend import Backend


def test_prices_are_per_thousand_flat_for_packages_and_for_every_run(backend: Backend) -> None:
    """The lines of comments are their quantity."""
    add_order(backend, quantity="100", runs="5", interval="60")
    add_order(backend, service="2", comments="\n".join(["hi"] * 10))
    add_order(backend, service="3")
    charges = [str(record.charge) for record in backend.records]
    assert charges == ["0.45000", "0.08000", "4.50000"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"service": "99"}, "Incorrect service ID"),
        ({"service": "x"}, "Incorrect service ID"),
        ({"service": "9" * 19}, "Incorrect service ID"),
        ({"link": ""}, "Bad link"),
        ({"link": "nonsense"}, "Bad link"),
        ({"quantity": "49"}, "Quantity less than minimal 50"),
        ({"quantity": "x"}, "Quantity less than minimal 50"),
        ({"quantity": "10001"}, "Quantity more than maximum 10000"),
        ({"service": "2"}, "Quantity less than minimal 10"),
        ({"runs": "5"}, "Incorrect interval"),
        ({"interval": "5"}, "Incorrect runs"),
        ({"runs": "0", "interval": "5"}, "Incorrect runs"),
        ({"runs": "5", "interval": "null"}, "Incorrect interval"),
        ({"quantity": "49.9"}, "Quantity less than minimal 50"),
        ({"quantity": "1e"}, "Quantity less than minimal 50"),
        ({"quantity": "100x"}, "Quantity less than minimal 50"),
        ({"quantity": "1e99"}, "Quantity less than minimal 50"),
        ({"link": "@"}, "Bad link"),
        ({"link": "@name", "service": "2", "comments": "x\n" * 10}, "Bad link"),
        ({"service": "2", "comments": "\n".join("x" * 1500)}, None),
        ({"quantity": "10000", "runs": "1000", "interval": "5"}, "Not enough funds on balance"),
    ],
)
def test_an_invalid_order_is_rejected_and_costs_nothing(
    backend: Backend, fields: dict[str, str], error: str | None
) -> None:
    """The error is the panel's, and there is no record."""
    result = add_order(backend, **fields)
    assert result == ({"error": error} if error else {"order": 501})
    assert (len(backend.records), send(backend, "balance")) == (
        (0, {"balance": "1000.00000", "currency": "USD"}) if error else (1, {"balance": "988.00000", "currency": "USD"})
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": "100.0"},
        {"quantity": " 100 "},
        {"quantity": "100.9"},
        {"quantity": "1e2"},
        {"runs": "0", "interval": "0"},
        {"runs": "", "interval": " "},
        {"runs": "null", "interval": "NULL"},
        {"runs": "1.0", "interval": " 5 "},
        {"link": "@name"},
        {"link": " @name "},
        {"posts": "", "expiry": "0"},
    ],
)
def test_an_order_is_read_as_php_casts_it(backend: Backend, fields: dict[str, str]) -> None:
    """Blanks and fractions of counts do not matter, and blank, null or 0 options are absent."""
    assert add_order(backend, **({"quantity": "100"} | fields)) == {"order": 501}
    assert backend.records[0].quantity == 100


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"username": ""}, "Incorrect username"),
        ({"min": "0"}, "Incorrect min"),
        ({"max": "9"}, "Incorrect max"),
        ({"delay": "soon"}, "Incorrect delay"),
        ({"posts": "many"}, "Incorrect posts"),
        ({"posts": "1001"}, "Incorrect posts"),
        ({"old_posts": "-1"}, "Incorrect old posts"),
        ({"expiry": "31/02/2030"}, "Incorrect expiry"),
        ({"expiry": "tomorrow"}, "Incorrect expiry"),
        ({"expiry": "01/01/0001"}, "Incorrect expiry"),
        ({"expiry": "31/12/1969"}, "Incorrect expiry"),
    ],
)
def test_an_invalid_subscription_is_rejected(backend: Backend, fields: dict[str, str], error: str) -> None:
    """The error names the invalid field."""
    assert add_order(backend, **(SUBSCRIPTION | fields)) == {"error": error}


TRAFFIC = {"service": "16", "country": "US", "device": "5", "type_of_traffic": "3"}


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({}, {"order": 501}),
        ({"type_of_traffic": "1", "google_keyword": "shoes"}, {"order": 501}),
        ({"type_of_traffic": "2", "referring_url": "a.b"}, {"order": 501}),
        ({"country": ""}, {"error": "Incorrect country"}),
        ({"device": "6"}, {"error": "Incorrect device"}),
        ({"type_of_traffic": "4"}, {"error": "Incorrect type of traffic"}),
        ({"type_of_traffic": "1"}, {"error": "Incorrect google keyword"}),
        ({"type_of_traffic": "2", "referring_url": " "}, {"error": "Incorrect referring url"}),
        ({"runs": "1001", "interval": "1"}, {"error": "Incorrect runs"}),
    ],
)
def test_web_traffic_requires_a_country_a_device_and_a_type(
    backend: Backend, fields: dict[str, str], result: object
) -> None:
    """And each type requires its own field."""
    services = {offer.type: str(offer.service) for offer in backend.offers.values()}
    assert (services["Subscriptions"], services["Web Traffic"]) == (SUBSCRIPTION["service"], TRAFFIC["service"])
    assert add_order(backend, **(TRAFFIC | fields)) == result


def test_a_poll_requires_the_number_of_an_answer(backend: Backend) -> None:
    """A word is invalid."""
    poll = next(str(offer.service) for offer in backend.offers.values() if offer.type == "Poll")
    assert add_order(backend, service=poll, answer_number="yes") == {"error": "Incorrect answer number"}
    assert add_order(backend, service=poll, answer_number="2") == {"order": 501}
