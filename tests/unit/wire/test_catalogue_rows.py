"""The shapes in which panels give a catalogue."""

from __future__ import annotations

from decimal import Decimal

import pytest

from followersdata_async._wire.catalogue_rows import find_rows, unify_names
from followersdata_async._wire.encoding import encode_services
from followersdata_async._wire.panel_words import PanelWords
from followersdata_async._wire.reads import decode_services
from followersdata_async.errors import DecodeError
from followersdata_async.models import Service
from tests.helpers.fakes import answer

A, B = {"service": 1, "name": "a"}, {"service": 2, "name": "b"}


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        ([A, B], [A, B]),
        ([A, "x", None], [A, "x", None]),
        ([], []),
        ({"1": A, "2": B}, [A, B]),
        ({"1": A, "2": "x"}, [A, "x"]),
        ({"7": {"name": "a"}}, [{"name": "a", "service": "7"}]),
        ({"services": [A, B], "total": 2}, [A, B]),
        ({"services": {"1": A}}, [A]),
        ({"services": []}, []),
        ({"result": [A], "status": "success"}, [A]),
        ({"Likes": [A], "Views": [B]}, [A | {"category": "Likes"}, B | {"category": "Views"}]),
        ({"Likes": {"1": A}, "Views": {"2": B}}, [A | {"category": "Likes"}, B | {"category": "Views"}]),
        ({"Likes": [A | {"category": "Own"}]}, [A | {"category": "Own"}]),
        (
            [{"category": "Likes", "services": [A]}, {"name": "Views", "services": [B]}],
            [A | {"category": "Likes"}, B | {"category": "Views"}],
        ),
        ([{"category": {"id": 1}, "services": [A]}], [A]),
        ({"status": "success"}, None),
        ({}, []),
        ("x", None),
        (None, None),
        (7, None),
    ],
)
def test_rows_are_found_in_lists_objects_and_groups(payload: object, rows: list[object] | None) -> None:
    """A row gets the id of its key, and the category of its group, if it has none."""
    assert find_rows(payload) == rows


@pytest.mark.parametrize("name", ["desc", "description", "details"])
def test_a_description_has_many_names(name: str) -> None:
    """Of two, the documented one counts."""
    assert unify_names({name: "x", "service": 1}) == {"description": "x", "service": 1}
    assert unify_names({"description": "x", "desc": "y"}) == {"description": "x", "desc": "y"}


@pytest.mark.parametrize("type_", [{"type": "Default"}, {}], ids=["plain", "unusual"])
def test_a_service_is_read_with_all_that_panels_write(type_: dict[str, object]) -> None:
    """Whether its row has the usual fields or not."""
    row = {
        "serviceId": 7,
        "name": "Likes &amp; views &lt;3 AT&T",
        "category": "R&#38;D",
        "rate": "0.30$",
        "min": "1k",
        "max": "10M",
        "desc": "no drop &gt; 30 days",
        "average_time": 45,
        **type_,
    }
    (service,) = decode_services(encode_services(), answer([row]), PanelWords())
    assert service == Service(
        service=7,
        name="Likes & views <3 AT&T",
        type=str(type_.get("type", "")),
        kind=service.kind,
        category="R&D",
        rate=Decimal("0.30"),
        min=1000,
        max=10_000_000,
        description="no drop > 30 days",
        average_time="45",
    )


@pytest.mark.parametrize("rate", ["", "Free", "10-20", "0x10", "1.2.3", None, [], "$", "5kk", "USD"])
def test_a_rate_that_is_no_amount_costs_the_rate(rate: object) -> None:
    """The service is there."""
    catalogue = decode_services(encode_services(), answer([{**A, "type": "Default", "rate": rate}, B]), PanelWords())
    assert [service.rate for service in catalogue] == [None, None]
    assert not catalogue.unreadable


@pytest.mark.parametrize("payload", [{"status": "success", "total": 0}, "x", 7, {"x": {}}])
def test_what_is_no_catalogue_is_unreadable(payload: object) -> None:
    """It is no empty one either."""
    with pytest.raises(DecodeError):
        decode_services(encode_services(), answer(payload), PanelWords())
