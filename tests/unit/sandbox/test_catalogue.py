"""The catalogue: the documented services, and those derived from the seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followersdata_async.sandbox.backend import Backend
from followersdata_async.sandbox.catalogue import create_catalogue
from tests.helpers.sandbox import send


def test_the_first_services_are_the_documented_ones(backend: Backend) -> None:
    """Amounts and limits are strings."""
    rows = send(backend, "services")
    assert isinstance(rows, list)
    assert rows[0] == {
        "service": 1,
        "name": "Followers",
        "type": "Default",
        "category": "First Category",
        "rate": "0.90",
        "min": "50",
        "max": "10000",
        "refill": True,
        "cancel": True,
    }
    assert [row["service"] for row in rows] == list(range(1, 25))


@given(st.integers(0, 2**64))
def test_every_catalogue_has_positive_prices_and_ordered_limits(seed: int) -> None:
    """Whatever the seed is."""
    for offer in create_catalogue(seed, 500).values():
        assert offer.rate > 0
        assert 0 < offer.min <= offer.max


@pytest.mark.parametrize("size", [1, 17, 24, 5000])
def test_a_catalogue_can_have_any_size(size: int) -> None:
    """Each service appears once, under its number."""
    rows = send(Backend(services=size), "services")
    assert isinstance(rows, list)
    assert [row["service"] for row in rows] == list(range(1, size + 1))
