"""The OpenAPI description, tried by schemathesis: whatever it makes up, no HTTP 500 and no shape that is not described.

That a wrong request gets an error status is not asked for: panels answer
errors with HTTP 200 (panel-api §1.2).
"""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import negative_data_rejection

from followersdata_async.sandbox import Sandbox

sandbox = Sandbox(past=1000)
schema = schemathesis.openapi.from_asgi("/openapi.json", sandbox.app)


@schema.parametrize()
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_described(case: schemathesis.Case) -> None:
    """Of every address, to right and to wrong requests."""
    # What was asked to go wrong would, and is tried on its own below.
    sandbox.clear()
    case.call_and_validate(excluded_checks=[negative_data_rejection])


@schema.include(path="/api/v2").parametrize()
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_to_the_right_key_are_as_described(case: schemathesis.Case) -> None:
    """Past the question of whose it is."""
    sandbox.clear()
    if isinstance(case.body, dict):
        case.body["key"] = sandbox.key
    case.call_and_validate(excluded_checks=[negative_data_rejection])
