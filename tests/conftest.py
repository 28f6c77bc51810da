"""Settings and fixtures that every test can use."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about the code; under coverage even drawing the first text takes seconds.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops."""
    return str(request.param)
