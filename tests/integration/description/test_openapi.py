"""The OpenAPI description, tested by schemathesis: generated requests never cause HTTP 500 or an undescribed response.

The check for error statuses is left out: panels send errors with HTTP 200
(panel-api §1.2).
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
def test_responses_match_the_description(case: schemathesis.Case) -> None:
    """For every address, for valid and invalid requests."""
    # An earlier request may have added faults, which the description does not cover.
    sandbox.clear()
    case.call_and_validate(excluded_checks=[negative_data_rejection])


@schema.include(path="/api/v2").parametrize()
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_responses_to_a_valid_key_match_the_description(case: schemathesis.Case) -> None:
    """Requests that pass the check of the key."""
    sandbox.clear()
    if isinstance(case.body, dict):
        case.body["key"] = sandbox.key
    case.call_and_validate(excluded_checks=[negative_data_rejection])
