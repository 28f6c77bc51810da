"""The administration of the sandbox as JSON over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from followersdata_async import AsyncClient, orders
from followersdata_async.sandbox import Sandbox
from followersdata_async.sandbox.admin import describe_api
from followersdata_async.sandbox.faults import ACTIONS, FAULT_KINDS, MAX_SECONDS, MAX_TIMES, STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

pytestmark = pytest.mark.anyio

ADMIN_URL = "https://sandbox.invalid/__sandbox__/"
JSON_TYPE = {"Content-Type": "application/json"}
ORDER = orders.Default(service=1, link="https://example.com/p/1", quantity=1000)


async def post(http: httpx.AsyncClient, path: str, body: object) -> tuple[int, Any]:
    """Post JSON and return the status and JSON of the response."""
    response = await http.post(ADMIN_URL + path, json=body)
    return response.status_code, response.json()


async def test_orders_requests_and_balances_are_shown_without_keys() -> None:
    """The state has the newest first, the lists have the oldest first."""
    async with (
        Sandbox(speed=0, clock=lambda: 5.0, past=7) as sandbox,
        sandbox.http() as http,
        AsyncClient("sandbox-secret", url=sandbox.url, http=sandbox.http()) as panel,
    ):
        await panel.add(ORDER)
        await panel.add(orders.Package(service=3, link="a.b"))
        state, taken, requests, kinds = [
            (await http.get(ADMIN_URL + name)).json() for name in ("state", "orders", "requests", "kinds")
        ]
        assert "secret" not in json.dumps([state, taken, requests])
    assert (state["now"], state["speed"], state["requests"], state["taken"], state["past"]) == (5.0, 0, 2, 2, 7)
    assert state["accounts"] == [{"key": "sandbox-se…", "balance": "994.60000"}]
    assert [order["order"] for order in state["orders"]] == [9, 8]
    assert state["orders"][1] == {
        "order": 8, "service": 1, "name": "Followers", "quantity": 1000, "done": 0, "charge": "0.90000",
        "start_count": state["orders"][1]["start_count"], "status": "Pending", "remains": "1000", "currency": "USD",
    }  # fmt: skip
    assert [row["order"] for row in taken] == [8, 9]
    assert [row["fields"]["service"] for row in requests] == ["1", "3"]
    assert list(kinds) == list(FAULT_KINDS)


async def test_faults_can_be_added_listed_and_cleared() -> None:
    """POST takes one fault or a list."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        assert await post(http, "faults", "late") == (200, [{"fault": "late", "times": 1}])
        status, pending = await post(http, "faults", ["cut", {"fault": "empty", "times": None}])
        assert (status, [fault["fault"] for fault in pending]) == (200, ["late", "cut", "empty"])
        assert (await http.get(f"{ADMIN_URL}faults")).json() == pending == sandbox.faults()
        assert (await http.request("DELETE", f"{ADMIN_URL}faults")).json() == [] == sandbox.faults()


async def test_time_services_and_balances_can_be_changed() -> None:
    """And the panel can be reset."""
    async with (
        Sandbox(speed=0, clock=lambda: 0.0) as sandbox,
        sandbox.http() as http,
        AsyncClient(sandbox.key, url=sandbox.url, http=http) as panel,
    ):
        assert (await post(http, "advance", {"seconds": 60}))[1]["now"] == 60.0
        status, service = await post(http, "services", {"service": 1, "rate": "5.00", "enabled": True})
        assert (status, service["rate"], service["enabled"]) == (200, "5.00", True)
        await post(http, "balance", {"key": sandbox.key, "balance": "6"})
        await panel.add(ORDER)
        assert str((await panel.balance()).balance) == "1.00000"
        assert (await post(http, "reset", None))[1]["taken"] == 0


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("faults", "lost", "there is no fault 'lost'"),
        ("faults", 5, "a fault is a name"),
        ("advance", {"seconds": -1}, "time moves on by"),
        ("advance", {}, "the body must be an object with 'seconds'"),
        ("advance", [], "the body must be an object"),
        ("services", {"service": 1, "price": 5}, "a service has no 'price'"),
        ("services", {"service": [1], "rate": "5"}, "there is no service [1]"),
        ("services", {"rate": "5"}, "the body must be an object with 'service'"),
        ("balance", {"key": "real", "balance": 5}, "a sandbox's keys start with 'sandbox-'"),
        ("balance", {"key": 5, "balance": 5}, "a sandbox's keys start with 'sandbox-'"),
        ("balance", {"key": "sandbox-key"}, "the body must be an object with 'balance'"),
    ],
)
async def test_invalid_input_is_an_error_and_changes_nothing(path: str, body: object, error: str) -> None:
    """The response is HTTP 400 with the reason."""
    async with Sandbox(speed=0, clock=lambda: 0.0) as sandbox, sandbox.http() as http:
        before = (await http.get(f"{ADMIN_URL}state")).json()
        status, response = await post(http, path, body)
        assert (status, list(response)) == (400, ["error"])
        assert response["error"].startswith(error)
        assert (await http.get(f"{ADMIN_URL}state")).json() == before


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_not_json_is_an_error(body: bytes) -> None:
    """Also one that is too deep."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        response = await http.post(f"{ADMIN_URL}faults", content=body, headers=JSON_TYPE)
    assert (response.status_code, list(response.json())) == (400, ["error"])


async def test_the_page_loads_nothing_from_other_hosts() -> None:
    """It has no other address."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        page = await http.get(ADMIN_URL)
        moved = await http.get("https://sandbox.invalid/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert moved.headers["location"] == "/__sandbox__/"


async def test_the_api_accepts_only_get_and_post() -> None:
    """Other methods are HTTP 405, other addresses 404."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        response = await http.request("PUT", sandbox.url)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
        assert (await http.get(f"{ADMIN_URL}nothing")).status_code == 404
        assert sandbox.requests == 0


async def test_the_description_lists_every_address() -> None:
    """And every kind of fault."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        described = (await http.get("https://sandbox.invalid/openapi.json")).json()
        for path, methods in described["paths"].items():
            if "get" in methods:
                assert (await http.get(f"https://sandbox.invalid{path}")).status_code == 200, path
    body = described["paths"]["/__sandbox__/faults"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert [fault["properties"]["fault"]["const"] for fault in body["anyOf"][1]["anyOf"]] == list(FAULT_KINDS)


def find_fault_schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Yield the members of every schema of a fault in a part of the description."""
    if isinstance(node, dict):
        if "const" in node.get("properties", {}).get("fault", {}):
            yield node["properties"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from find_fault_schemas(part)


def test_the_description_allows_each_fault_the_options_that_it_takes() -> None:
    """With the same bounds as the code, wherever the description has faults."""
    schemas = list(find_fault_schemas(describe_api(24)))
    assert [schema["fault"]["const"] for schema in schemas] == list(FAULT_KINDS) * (len(schemas) // len(FAULT_KINDS))
    for schema in schemas:
        name = schema["fault"]["const"]
        options = {
            "times": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_TIMES},
            "action": {"enum": list(ACTIONS)},
            "taken": {"type": "boolean"},
            "seconds": {"type": "number", "minimum": 0, "maximum": MAX_SECONDS},
            "status": {"enum": list(STATUSES.get(name, ()))},
            "retry_after": {"type": "integer", "minimum": 0, "maximum": MAX_SECONDS},
            "message": {"type": "string", "pattern": r"\S"},
        }
        expected = {option: options[option] for option in ("times", *FAULT_KINDS[name].options)}
        assert schema == {"fault": {"const": name}, **expected}


def test_each_description_ends_at_the_last_service_of_its_own_catalogue() -> None:
    """A second sandbox does not change the description of the first."""

    def read_last(description: Any) -> object:
        change = description["paths"]["/__sandbox__/services"]["post"]["requestBody"]
        return change["content"]["application/json"]["schema"]["properties"]["service"]["maximum"]

    small, large = describe_api(17), describe_api(5000)
    assert (read_last(small), read_last(large)) == (17, 5000)
