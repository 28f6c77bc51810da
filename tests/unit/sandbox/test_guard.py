"""Who may see and change a sandbox through its administration: programs and pages of this machine."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from followersdata_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

ADMIN_URL = "https://sandbox.invalid/__sandbox__/"
FAULT = b'"late"'
JSON_TYPE = {"Content-Type": "application/json"}
WRITES = [
    ("POST", "faults"), ("DELETE", "faults"), ("POST", "advance"), ("POST", "reset"), ("POST", "services"),
    ("POST", "balance"), ("PUT", "faults"),
]  # fmt: skip
LOCAL_HOSTS = ["localhost", "LocalHost:8099", "127.0.0.1", "127.0.0.1:8099", "[::1]", "[::1]:8099"]
FOREIGN_HOSTS = [
    "evil.example", "evil.example:8099", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example@localhost",
    "localhost:80@evil.example", "0.0.0.0:8099", "192.168.0.1", "[::]", "", "localhost:", "localhost,evil.example",
]  # fmt: skip


async def ask(
    method: str, path: str, headers: dict[str, str], content: bytes = b"", **settings: Any
) -> tuple[int, Any, list[dict[str, object]]]:
    """Return the status and the JSON of a response, and the faults that the sandbox has then."""
    async with Sandbox(**settings) as sandbox, sandbox.http() as http:
        response = await http.request(method, ADMIN_URL + path, headers=headers, content=content)
        is_json = response.headers.get("content-type") == "application/json"
        return response.status_code, response.json() if is_json else response.text, sandbox.faults()


# --- hosts


@pytest.mark.parametrize("host", LOCAL_HOSTS)
async def test_the_administration_answers_to_the_names_of_this_machine(host: str) -> None:
    """Under any port."""
    for path in ("", "state", "orders", "requests", "kinds", "faults", "../openapi.json"):
        status, _, _ = await ask("GET", path, {"Host": host})
        assert status == 200, path


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_another_host_is_forbidden(host: str) -> None:
    """A page whose name was made to point to this machine sees nothing."""
    error = (
        f"Host must be localhost, 127.0.0.1, [::1], sandbox.invalid or testserver, got {host!r}: "
        "to allow another host, start the sandbox with allowed_hosts=[…] or --allowed-host"
    )
    for path in ("", "state", "faults", "../", "../openapi.json", "nothing"):
        status, answer, _ = await ask("GET", path, {"Host": host})
        assert (status, answer) == (403, {"error": error}), path


async def test_a_change_by_another_host_is_forbidden() -> None:
    """Its page is of the same origin, as the browser sees it."""
    headers = JSON_TYPE | {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}
    status, _, faults = await ask("POST", "faults", headers, FAULT)
    assert (status, faults) == (403, [])


async def test_two_hosts_are_forbidden() -> None:
    """Whichever of them counts elsewhere."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        headers = [("Host", "localhost"), ("Host", "evil.example")]
        assert (await http.get(f"{ADMIN_URL}state", headers=headers)).status_code == 403


@pytest.mark.parametrize("host", ["panel.test", "Panel.Test:80", "localhost", "127.0.0.1:8099"])
async def test_further_hosts_can_be_allowed(host: str) -> None:
    """As Host and as Origin, beside those of this machine."""
    headers = JSON_TYPE | {"Host": host, "Origin": f"https://{host}"}
    status, _, faults = await ask("POST", "faults", headers, FAULT, allowed_hosts=["PANEL.test"])
    assert (status, faults) == (200, [{"fault": "late", "times": 1}])


async def test_a_sandbox_that_listens_has_no_names_in_process() -> None:
    """A server of names that an attacker has could let one of them point to this machine."""
    for host in ("sandbox.invalid", "testserver"):
        assert (await ask("GET", "state", {"Host": host}))[0] == 200
        _, answer, _ = await ask("GET", "state", {"Host": host}, serve=True, allowed_hosts=["panel.test"])
        assert answer["error"].startswith(f"Host must be localhost, 127.0.0.1, [::1] or panel.test, got '{host}': ")


@pytest.mark.parametrize("name", ["http://panel.test", "panel.test:80", "*", "*.test", "", "a b", "::1"])
def test_a_host_that_is_no_name_is_an_error(name: str) -> None:
    """There are no wildcards."""
    with pytest.raises(ValueError, match=r"^a host of allowed_hosts must be a name like 'panel.test', got '"):
        Sandbox(allowed_hosts=[name])


def test_a_string_is_no_list_of_hosts() -> None:
    """It would be taken for a list of letters."""
    with pytest.raises(ValueError, match=r"^allowed_hosts must be a list of host names, got 'a.b': write \['a.b'\]"):
        Sandbox(allowed_hosts="a.b")


@pytest.mark.parametrize("host", ["evil.example", "x"])
async def test_the_api_answers_to_every_host(host: str) -> None:
    """A program in a container may reach it by any name; a key that it accepts is worth nothing."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        form = {"key": sandbox.key, "action": "balance"}
        headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "cross-site"}
        assert "balance" in (await http.post(sandbox.url, data=form, headers=headers)).json()


# --- pages of other hosts


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://localhost.evil.example", "null", "file://localhost", ""]
)
async def test_a_page_of_another_host_changes_nothing(origin: str) -> None:
    """Browsers say where a page is from."""
    for method, path in WRITES:
        status, answer, faults = await ask(method, path, JSON_TYPE | {"Origin": origin}, FAULT)
        assert (status, faults) == (403, []), path
        assert answer["error"].startswith("Origin must be localhost, 127.0.0.1, [::1], sandbox.invalid or testserver, ")
        assert f"got {origin!r}: " in answer["error"]


@pytest.mark.parametrize("origin", [f"http://{host}" for host in LOCAL_HOSTS])
async def test_pages_of_this_machine_make_changes(origin: str) -> None:
    """The sandbox's own page, and tools that run beside it."""
    status, _, faults = await ask("POST", "faults", JSON_TYPE | {"Origin": origin}, FAULT)
    assert (status, faults) == (200, [{"fault": "late", "times": 1}])


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_requests_across_sites_are_forbidden(method: str, path: str) -> None:
    """Browsers say that, too, also where there is no Origin."""
    status, answer, faults = await ask(method, path, JSON_TYPE | {"Sec-Fetch-Site": "cross-site"}, FAULT)
    assert (status, faults) == (403, [])
    assert answer["error"].startswith("Sec-Fetch-Site must not be cross-site: ")


# --- types


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x", "application/jsonx", "text/plain; application/json", "",
    ],
)  # fmt: skip
async def test_a_body_must_be_declared_as_json(content_type: str) -> None:
    """A form of any page can have the other types."""
    error = f"Content-Type must be application/json, got {content_type!r}: send JSON, with this header"
    for method, path in WRITES[:-1]:
        status, answer, faults = await ask(method, path, {"Content-Type": content_type}, FAULT)
        assert (status, answer, faults) == (415, {"error": error}, []), path


async def test_a_body_without_a_type_is_refused() -> None:
    """No body needs none."""
    async with Sandbox(faults=["late"]) as sandbox, sandbox.http() as http:
        assert (await http.post(f"{ADMIN_URL}advance", content=b'{"seconds": 1}')).status_code == 415
        assert (await http.post(f"{ADMIN_URL}faults", content=urlencode({"fault": "cut"}))).status_code == 415
        assert sandbox.faults() == [{"fault": "late", "times": 1}]
        assert (await http.delete(f"{ADMIN_URL}faults")).status_code == 200
        assert (await http.post(f"{ADMIN_URL}reset")).status_code == 200
        assert sandbox.faults() == []


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON ; charset=utf-8"])
async def test_json_is_taken(content_type: str) -> None:
    """With parameters, in any case."""
    status, _, faults = await ask("POST", "faults", {"Content-Type": content_type}, FAULT)
    assert (status, faults) == (200, [{"fault": "late", "times": 1}])
