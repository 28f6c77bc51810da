"""Faults: their options, the requests that they apply to, and the responses that they spoil."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from followersdata_async.sandbox.dialects import Response
from followersdata_async.sandbox.faults import FAULT_KINDS, Fault, Script, parse_fault, parse_faults

GUIDE = Path(__file__).parents[3] / "docs" / "sandbox.md"
RESPONSE = Response(status=200, body=b'{"order":1}', content_type="application/json")


@pytest.mark.parametrize("name", FAULT_KINDS)
def test_every_fault_can_be_named_by_a_string(name: str) -> None:
    """It applies once, to any action. Only ``refused`` requires an option."""
    value = {"fault": name, "message": "no"} if name == "refused" else name
    assert parse_fault(value).to_json() | {"message": None} == {"fault": name, "times": 1, "message": None}


def test_the_guide_lists_every_fault_with_its_options() -> None:
    """And whether the request is carried out."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.*?) \| (yes|no) \|$", GUIDE.read_text(), flags=re.MULTILINE)
    documented = {name: (tuple(re.findall(r"`(\w+)`", options)), taken == "yes") for name, _, options, taken in rows}
    assert documented == {name: (kind.options, kind.taken) for name, kind in FAULT_KINDS.items()}


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("lost", r"^there is no fault 'lost': take one of late, limited, "),
        ({"fault": 7}, r"^there is no fault 7"),
        ({"fault": ["late"]}, r"^there is no fault \['late'\]"),
        ({"seconds": 5}, r"^a fault is a name, or an object like"),
        (None, r"^a fault is a name.* not null"),
        ({"fault": "late", "minutes": 5}, r"^a fault has no 'minutes': it may have fault, times"),
        ({"fault": "late", "message": "x"}, r"^'late' takes no message"),
        ({"fault": "unread", "action": "add"}, r"^'unread' takes no action"),
        ({"fault": "late", "taken": False}, r"^'late' takes no taken"),
        ({"fault": "late", "times": 0}, r"^times is 0, but must be from 1 "),
        ({"fault": "late", "times": True}, r"^times is True"),
        ({"fault": "late", "times": 1.5}, r"^times is 1.5"),
        ({"fault": "late", "action": "buy"}, r"^action is 'buy', but must be one of services, add"),
        ({"fault": "late", "action": ["add"]}, r"^action is \['add'\]"),
        ({"fault": "empty", "taken": 1}, r"^taken is 1, but must be true or false"),
        ({"fault": "late", "seconds": -1}, r"^seconds is -1, but must be from 0 to 3600"),
        ({"fault": "late", "seconds": float("nan")}, r"^seconds is nan"),
        ({"fault": "late", "seconds": "5"}, r"^seconds is '5'"),
        ({"fault": "broken", "status": 404}, r"^status is 404, but must be 500, 502, 503, or of 'redirected' 301"),
        ({"fault": "redirected", "status": 500}, r"^status is 500"),
        ({"fault": "limited", "retry_after": 1.5}, r"^retry_after is 1.5, but must be whole seconds"),
        ({"fault": "refused"}, r"^'refused' needs a message"),
        ({"fault": "refused", "message": " "}, r"^message is ' ', but must be the panel's words"),
    ],
)
def test_an_invalid_fault_is_an_error_that_names_what_is_valid(value: object, error: str) -> None:
    """In one sentence."""
    with pytest.raises(ValueError, match=error):
        parse_fault(value)


def test_the_error_of_a_script_names_the_invalid_fault() -> None:
    """Counted from one. A single fault needs no list."""
    with pytest.raises(ValueError, match=r"^fault 2: there is no fault 'lost'"):
        parse_faults(["late", "lost"])
    assert parse_faults({"fault": "late"}) == [Fault(fault="late")]


def test_faults_apply_in_order_as_often_as_they_say() -> None:
    """Then they are removed."""
    script = Script()
    for fault in parse_faults([{"fault": "empty", "times": 2}, "cut"]):
        script.add(fault)
    faults = [script.take_next({"action": "status"}) for _ in range(4)]
    assert [fault and fault.fault for fault in faults] == ["empty", "empty", "cut", None]
    assert script.to_json() == []


def test_a_fault_for_one_action_waits_for_that_action() -> None:
    """Later faults apply before it."""
    script = Script()
    for fault in parse_faults([{"fault": "dropped", "action": "add"}, "empty"]):
        script.add(fault)
    faults = [script.take_next({"action": action}) for action in ("status", "status", "add")]
    assert [fault and fault.fault for fault in faults] == ["empty", None, "dropped"]


def test_a_fault_without_a_number_of_times_applies_until_it_is_cleared() -> None:
    """To every request."""
    script = Script()
    script.add(Fault(fault="empty", times=None))
    assert all(script.take_next({}) for _ in range(10))
    assert script.to_json() == [{"fault": "empty", "times": None}]
    script.clear()
    assert script.take_next({}) is None


def test_ids_are_changed_only_in_results_of_many_ids() -> None:
    """The result of a single order does not have its id."""
    script = Script()
    script.add(Fault(fault="wrong_ids"))
    assert script.take_next({"action": "status", "order": "1"}) is None
    assert script.take_next({"action": "refill_status", "refills": "1"}) == Fault(fault="wrong_ids")


@pytest.mark.parametrize(
    ("script", "unread"),
    [
        ([], False),
        (["unread"], True),
        (["empty", "unread"], False),
        ([{"fault": "empty", "action": "add"}, "unread"], True),
    ],
)
def test_a_connection_is_reset_unread_if_that_is_the_next_fault(script: list[Any], unread: bool) -> None:
    """Faults for one action do not count: the request's action is not known yet."""
    faults = Script()
    for fault in parse_faults(script):
        faults.add(fault)
    assert (faults.take_unread() is not None) is unread
    assert len(faults.to_json()) == len(script) - unread


@pytest.mark.parametrize(
    ("fault", "value", "spoilt"),
    [
        ("wrong_ids", {"1": {}, "x": {}}, {"91": {}, "9": {}}),
        ("wrong_ids", [{"order": 1, "cancel": 1}], [{"order": 91, "cancel": 1}]),
        ("wrong_ids", [{"refill": 3, "status": "Pending"}], [{"refill": 93, "status": "Pending"}]),
        ("wrong_ids", {"error": "Invalid API key"}, {"error": "Invalid API key"}),
        ("missing_ids", {"1": {}, "2": {}, "3": {}}, {"2": {}}),
        ("missing_ids", [{"order": 1}, {"order": 2}], [{"order": 2}]),
        ("missing_ids", {"error": "Invalid API key"}, {"error": "Invalid API key"}),
        ("late", {"order": 1}, {"order": 1}),
    ],
)
def test_rows_are_spoilt_before_a_dialect_formats_them(fault: str, value: object, spoilt: object) -> None:
    """Errors are left alone."""
    assert Fault(fault=fault).spoil_result(value) == spoilt


@pytest.mark.parametrize(
    ("fault", "status", "start", "headers"),
    [
        ({"fault": "limited"}, 429, b'{"error": "Too many requests"}', {}),
        ({"fault": "limited", "retry_after": 7}, 429, b'{"error"', {"Retry-After": "7"}),
        ({"fault": "broken"}, 502, b"<!DOCTYPE html>", {}),
        ({"fault": "broken", "status": 503, "retry_after": 0}, 503, b"<!DOCTYPE html>", {"Retry-After": "0"}),
        ({"fault": "maintenance"}, 200, b"<!DOCTYPE html>", {}),
        ({"fault": "empty"}, 200, b"", {}),
        ({"fault": "garbage"}, 200, b"\x00\xff", {}),
        ({"fault": "redirected"}, 302, b"<!DOCTYPE html>", {"Location": "https://elsewhere.invalid/api/v2"}),
        ({"fault": "redirected", "status": 307}, 307, b"<", {"Location": "https://elsewhere.invalid/api/v2"}),
        ({"fault": "cut"}, 200, b'{"order":1}', {}),
    ],
)
def test_a_response_is_replaced_as_a_whole(
    fault: dict[str, Any], status: int, start: bytes, headers: dict[str, str]
) -> None:
    """With its status, headers and body."""
    reply = parse_fault(fault).spoil_response(RESPONSE)
    assert (reply.status, reply.headers) == (status, headers)
    assert reply.body.startswith(start)


def test_a_fault_survives_a_round_trip_through_json() -> None:
    """What the sandbox lists can be sent to it."""
    fault = Fault(fault="broken", times=3, action="add", status=500, taken=True)
    assert parse_fault(json.loads(json.dumps(fault.to_json()))) == fault
