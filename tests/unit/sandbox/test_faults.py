"""Faults: what may be said of each, which request it befalls, and what it makes of an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from followersdata_async.sandbox.dialects import Reply
from followersdata_async.sandbox.faults import FAULTS, Fault, Script, fault_from, faults_from

GUIDE = Path(__file__).parents[3] / "docs" / "sandbox.md"
REPLY = Reply(status=200, body=b'{"order":1}', content_type="application/json")


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_said_by_its_name(name: str) -> None:
    """Once, of any action; only a refusal needs words."""
    said = {"fault": name, "message": "no"} if name == "refused" else name
    assert fault_from(said).row() | {"message": None} == {"fault": name, "times": 1, "message": None}


def test_the_guide_lists_every_fault_and_what_it_takes() -> None:
    """As the code has it."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.*?) \| (yes|no) \|$", GUIDE.read_text(), flags=re.MULTILINE)
    told = {name: (tuple(re.findall(r"`(\w+)`", takes)), taken == "yes") for name, _, takes, taken in rows}
    assert told == {name: (kind.takes, kind.taken) for name, kind in FAULTS.items()}


@pytest.mark.parametrize(
    ("said", "words"),
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
def test_what_is_no_fault_is_refused_with_what_is(said: object, words: str) -> None:
    """In one sentence."""
    with pytest.raises(ValueError, match=words):
        fault_from(said)


def test_a_script_says_which_of_its_faults_is_wrong() -> None:
    """Counted from one; a single fault needs no list."""
    with pytest.raises(ValueError, match=r"^fault 2: there is no fault 'lost'"):
        faults_from(["late", "lost"])
    assert faults_from({"fault": "late"}) == [Fault(fault="late")]


def test_faults_come_in_their_order_and_are_gone() -> None:
    """So many times each."""
    script = Script()
    for fault in faults_from([{"fault": "empty", "times": 2}, "cut"]):
        script.add(fault)
    befallen = [script.next_for({"action": "status"}) for _ in range(4)]
    assert [fault and fault.fault for fault in befallen] == ["empty", "empty", "cut", None]
    assert script.rows() == []


def test_a_fault_of_one_action_waits_for_it() -> None:
    """And the others come before it."""
    script = Script()
    for fault in faults_from([{"fault": "dropped", "action": "add"}, "empty"]):
        script.add(fault)
    befallen = [script.next_for({"action": action}) for action in ("status", "status", "add")]
    assert [fault and fault.fault for fault in befallen] == ["empty", None, "dropped"]


def test_a_fault_without_an_end_ends_when_it_is_cleared() -> None:
    """Every request until then."""
    script = Script()
    script.add(Fault(fault="empty", times=None))
    assert all(script.next_for({}) for _ in range(10))
    assert script.rows() == [{"fault": "empty", "times": None}]
    script.clear()
    assert script.next_for({}) is None


def test_ids_can_be_wrong_only_where_there_are_many() -> None:
    """An answer about one order does not name it."""
    script = Script()
    script.add(Fault(fault="wrong_ids"))
    assert script.next_for({"action": "status", "order": "1"}) is None
    assert script.next_for({"action": "refill_status", "refills": "1"}) == Fault(fault="wrong_ids")


@pytest.mark.parametrize(
    ("script", "unread"),
    [
        ([], False),
        (["unread"], True),
        (["empty", "unread"], False),
        ([{"fault": "empty", "action": "add"}, "unread"], True),
    ],
)
def test_a_connection_is_unread_when_it_is_the_next_fault_of_all(script: list[Any], unread: bool) -> None:
    """Those of one action do not count: nobody has read it yet."""
    faults = Script()
    for fault in faults_from(script):
        faults.add(fault)
    assert (faults.next_unread() is not None) is unread
    assert len(faults.rows()) == len(script) - unread


@pytest.mark.parametrize(
    ("fault", "said", "spoilt"),
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
def test_rows_are_spoilt_before_they_are_said_in_a_dialect(fault: str, said: object, spoilt: object) -> None:
    """An error is no row."""
    assert Fault(fault=fault).said(said) == spoilt


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
def test_answers_are_replaced_as_a_whole(
    fault: dict[str, Any], status: int, start: bytes, headers: dict[str, str]
) -> None:
    """Status, body and headers."""
    reply = fault_from(fault).reply(REPLY)
    assert (reply.status, reply.headers) == (status, headers)
    assert reply.body.startswith(start)


def test_a_fault_is_the_same_after_json() -> None:
    """What the sandbox says of it can be said to it."""
    fault = Fault(fault="broken", times=3, action="add", status=500, taken=True)
    assert fault_from(json.loads(json.dumps(fault.row()))) == fault
