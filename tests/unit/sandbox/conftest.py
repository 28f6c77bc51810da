"""Fixtures for the tests of the sandbox."""

from __future__ import annotations

import pytest

from followersdata_async.sandbox.backend import Backend


@pytest.fixture(name="backend")
def _backend() -> Backend:
    return Backend(seed=1, started_at=1000.0, past=500)
