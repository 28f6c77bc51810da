"""The client as users hold it: every action over a mocked network, and where it may be used."""

from __future__ import annotations

import gc
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import anyio
import httpx
import pytest
import respx

import followersdata_async
from followersdata_async import (
    AsyncClient,
    AuthenticationError,
    ConfigurationError,
    InsufficientFundsError,
    NotSentError,
    OrderNotFoundError,
    OrderState,
    OutcomeUnknownError,
    PanelUnavailableError,
    PollPolicy,
    RateLimitedError,
    RefillNotFoundError,
    RefillState,
    Refused,
    RequestTooLargeError,
    RetryPolicy,
    orders,
)
from followersdata_async.sandbox import Sandbox
from tests.helpers.fakes import row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

anyio_test = pytest.mark.anyio

URL = "https://panel.example/api/v2"
KEY = "very-secret-key-0123456789"


@pytest.fixture(name="router")
def _router() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def client(**settings: object) -> AsyncClient:
    """A client of the mocked panel, which does not wait before it tries again."""
    return AsyncClient(KEY, **({"url": URL, "retry": RetryPolicy(initial_delay=0)} | settings))  # type: ignore[arg-type]


def replying(router: respx.MockRouter, *payloads: object) -> list[dict[str, str]]:
    """Answer requests with these values in turn, the last one again and again; the forms that came."""
    forms: list[dict[str, str]] = []
    left = list(payloads)

    def reply(request: httpx.Request) -> httpx.Response:
        forms.append(dict(parse_qsl(request.content.decode())))
        payload = left.pop(0) if len(left) > 1 else left[0]
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return httpx.Response(200, content=body)

    router.post(URL).mock(side_effect=reply)
    return forms


# --- every action


@anyio_test
@pytest.mark.parametrize(
    ("call", "payload", "form", "facts"),
    [
        (lambda panel: panel.services(), [{"service": 1, "name": "x", "rate": "0.90"}], {"action": "services"}, None),
        (
            lambda panel: panel.balance(),
            {"balance": "100.84292", "currency": "USD"},
            {"action": "balance"},
            {"balance": Decimal("100.84292"), "currency": "USD"},
        ),
        (
            lambda panel: panel.add(orders.Default(service=1, link="x.y", quantity=100)),
            {"order": 23501},
            {"action": "add", "service": "1", "link": "x.y", "quantity": "100"},
            {"order": 23501},
        ),
        (lambda panel: panel.status(1), row("Partial"), {"action": "status", "order": "1"}, {"status": "Partial"}),
        (lambda panel: panel.refill("1"), {"refill": "7"}, {"action": "refill", "order": "1"}, {"refill": 7}),
        (
            lambda panel: panel.refill_status(7),
            {"status": "Completed"},
            {"action": "refill_status", "refill": "7"},
            {"is_final": True},
        ),
    ],
)
async def test_a_single_call_is_one_request(
    router: respx.MockRouter,
    call: Callable[[AsyncClient], Awaitable[object]],
    payload: object,
    form: dict[str, str],
    facts: dict[str, object] | None,
) -> None:
    """With the key, the action and its fields."""
    forms = replying(router, payload)
    async with client() as panel:
        value = await call(panel)
    assert forms == [{"key": KEY, **form}]
    assert {name: getattr(value, name) for name in facts or {}} == (facts or {})


@anyio_test
@pytest.mark.parametrize(
    ("call", "payload", "form"),
    [
        (lambda panel: panel.multi_status([1, "2"]), {"1": row(), "2": row()}, {"action": "status", "orders": "1,2"}),
        (
            lambda panel: panel.multi_refill([1, "2"]),
            [{"order": 1, "refill": 1}, {"order": 2, "refill": 2}],
            {"action": "refill", "orders": "1,2"},
        ),
        (
            lambda panel: panel.multi_refill_status([1, "2"]),
            [{"refill": 1, "status": "Completed"}, {"refill": 2, "status": "Rejected"}],
            {"action": "refill_status", "refills": "1,2"},
        ),
        (
            lambda panel: panel.cancel([1, "2"]),
            [{"order": 2, "cancel": 1}, {"order": 1, "cancel": 1}],
            {"action": "cancel", "orders": "1,2"},
        ),
    ],
)
async def test_a_batch_call_is_one_request_for_a_hundred_ids(
    router: respx.MockRouter, call: Callable[[AsyncClient], Awaitable[object]], payload: object, form: dict[str, str]
) -> None:
    """Keyed by what was passed, in that order."""
    forms = replying(router, payload)
    async with client() as panel:
        result = await call(panel)
    assert forms == [{"key": KEY, **form}]
    assert list(result.ok) == [1, "2"]  # type: ignore[attr-defined]
    assert result.requests == 1  # type: ignore[attr-defined]


@anyio_test
@pytest.mark.parametrize("action", ["status", "refill", "refill_status", "cancel"])
async def test_every_batch_call_has_its_stream(router: respx.MockRouter, action: str) -> None:
    """Outcomes as chunks finish."""
    payloads: dict[str, object] = {
        "status": {"1": row()},
        "refill": [{"order": 1, "refill": 1}],
        "refill_status": [{"refill": 1, "status": "Completed"}],
        "cancel": [{"order": 1, "cancel": 1}],
    }
    replying(router, payloads[action])
    async with client() as panel, getattr(panel, f"stream_{action}")([1]) as outcomes:
        found = [outcome.id async for outcome in outcomes]
    assert (found, outcomes.requests) == ([1], 1)


@anyio_test
async def test_single_calls_of_one_moment_are_one_request(router: respx.MockRouter) -> None:
    """Statuses and refills' statuses, each with their own kind."""
    forms = replying(router, {"1": row(), "2": row()})
    async with client() as panel, anyio.create_task_group() as group:
        for id_ in (1, 2, "1"):
            group.start_soon(panel.status, id_)
            group.start_soon(panel.refill_status, id_)
    assert sorted((form["action"], form.get("orders", form.get("refills"))) for form in forms) == [
        ("refill_status", "1,2"),
        ("status", "1,2"),
    ]


@anyio_test
async def test_a_client_may_be_closed_in_another_task_than_it_was_opened_in(router: respx.MockRouter) -> None:
    """As fixtures and lifespans do."""
    replying(router, {"1": row(), "2": row()})
    panel = client()
    async with anyio.create_task_group() as group:
        group.start_soon(panel.__aenter__)
    async with anyio.create_task_group() as group:
        group.start_soon(panel.status, 1)
        group.start_soon(panel.status, 2)
    async with anyio.create_task_group() as group:
        group.start_soon(panel.__aexit__, None, None, None)
    with pytest.raises(ConfigurationError, match=r"^the client is closed"):
        await panel.status(1)


@anyio_test
async def test_orders_are_watched_and_waited_for(router: respx.MockRouter) -> None:
    """In requests of the batch size, at the pace that is given."""
    policy = PollPolicy(min_delay=0.001, max_delay=0.001)
    forms = replying(router, {"1": row("Pending"), "2": row(), "3": row()}, {}, {"1": row()})
    async with client(chunk_size=2, concurrency=1) as panel:
        async with panel.watch([1, 2], poll_policy=policy, include_failures=True) as changes:
            told = [type(change).__name__ async for change in changes]
        assert told == ["Change", "Change", "Unreported", "Change"]
        assert [form["orders"] for form in forms] == ["1,2", "1", "1"]
        final = await panel.wait_until_final([1], poll_policy=policy, timeout=60)
        assert final.ok[1].is_final
        with pytest.raises(ValueError, match=r"^timeout is -1, but must be 0 seconds or more$"):
            await panel.wait_until_final([1], timeout=-1)
        with pytest.raises(TypeError, match=r"^poll_policy must be a PollPolicy, got 5$"):
            panel.watch([1], poll_policy=5)  # type: ignore[call-overload]


@anyio_test
async def test_a_panel_can_delay_polls_for_as_long_as_the_client_allows(router: respx.MockRouter) -> None:
    """The error has what it asked for."""
    replies = [httpx.Response(429, headers={"Retry-After": "1700000000"}), httpx.Response(200, json={"1": row()})]
    router.post(URL).side_effect = replies
    policy = PollPolicy(min_delay=0.001, max_delay=0.001)
    async with client(max_retry_after=0.01, retry=None) as panel:
        with anyio.fail_after(30):
            async with panel.watch([1], poll_policy=policy, include_failures=True) as changes:
                refused, _ = [change async for change in changes]
        assert isinstance(refused, Refused)
        assert isinstance(refused.error, RateLimitedError)
        assert refused.error.retry_after == 999_999_999.0
        router.post(URL).side_effect = [httpx.Response(429, headers={"Retry-After": "3600"}), replies[1]]
        assert (await panel.wait_until_final([1], poll_policy=policy, timeout=30)).ok[1].is_final


@anyio_test
async def test_ids_are_cut_into_groups_of_the_batch_size(router: respx.MockRouter) -> None:
    """250 ids by 40 are seven requests."""
    forms = replying(router, {})
    async with client(chunk_size=40, concurrency=1) as panel:
        result = await panel.multi_status(range(1, 251))
    assert [len(form["orders"].split(",")) for form in forms] == [40] * 6 + [10]
    assert (len(result.unreported), result.requests) == (250, 7)


@anyio_test
async def test_the_catalogue_may_be_some_seconds_old(router: respx.MockRouter) -> None:
    """Without an age it is always asked for."""
    forms = replying(router, [{"service": 1, "name": "x", "rate": "0.90"}])
    async with client() as panel:
        first = await panel.services(max_age=3600)
        assert await panel.services(max_age=3600) == first
        assert len(forms) == 1
        assert await panel.services() == first
        assert len(forms) == 2
    async with client() as panel:
        assert await panel.services() == first
        assert await panel.services(max_age=3600) == first
        assert len(forms) == 3
        with pytest.raises(ValueError, match=r"^max_age is -1, but must be 0 seconds or more$"):
            await panel.services(max_age=-1)
    with pytest.raises(ConfigurationError, match=r"^the client is closed"):
        await panel.services(max_age=3600)


# --- errors


@anyio_test
@pytest.mark.parametrize(
    ("call", "words", "error"),
    [
        (lambda panel: panel.status(1), "Incorrect order ID", OrderNotFoundError),
        (lambda panel: panel.refill_status(1), "Refill not found", RefillNotFoundError),
        (lambda panel: panel.balance(), "Invalid API key", AuthenticationError),
        (lambda panel: panel.balance(), "bakiye yok kardeşim", InsufficientFundsError),
    ],
)
async def test_a_refusal_is_raised_by_name_after_one_request(
    router: respx.MockRouter, call: Callable[[AsyncClient], Awaitable[object]], words: str, error: type[Exception]
) -> None:
    """A user's own words, too."""
    forms = replying(router, {"error": words})
    async with client(error_phrases={"bakiye yok": InsufficientFundsError}) as panel:
        with pytest.raises(error):
            await call(panel)
    assert len(forms) == 1


@anyio_test
@pytest.mark.parametrize(
    ("settings", "content_type", "body"),
    [
        ({}, "application/x-www-form-urlencoded", f"key={KEY}&action=balance"),
        ({"key_field": "api_token"}, "application/x-www-form-urlencoded", f"api_token={KEY}&action=balance"),
        ({"json_body": True}, "application/json", json.dumps({"key": KEY, "action": "balance"})),
    ],
)
async def test_a_request_has_the_body_that_the_panel_wants(
    router: respx.MockRouter, settings: dict[str, object], content_type: str, body: str
) -> None:
    """And the header that goes with it."""
    route = router.post(URL).respond(json={"balance": "1"})
    async with client(**settings) as panel:
        await panel.balance()
    request = route.calls.last.request
    assert (request.headers["content-type"], request.content.decode()) == (content_type, body)


@anyio_test
async def test_a_users_own_status_words_end_a_watch(router: respx.MockRouter) -> None:
    """They go before the built-in ones, and those for orders are not those for refills."""
    words = {"Yayından kalktı!": OrderState.EXPIRED, "completed": OrderState.PARTIAL, "bitti": RefillState.REJECTED}
    replying(router, {"1": row("yayindan KALKTI"), "2": row("Completed"), "3": row("Bitti")}, {"status": "Bitti"})
    async with client(status_words=words) as panel:
        statuses = await panel.wait_until_final([1, 2, 3])
        assert [statuses.ok[id_].state for id_ in (1, 2, 3)] == [
            OrderState.EXPIRED,
            OrderState.PARTIAL,
            OrderState.COMPLETED,
        ]
        assert (await panel.refill_status(1)).state is RefillState.REJECTED


@anyio_test
async def test_a_read_survives_a_page_and_a_write_does_not_repeat_it(router: respx.MockRouter) -> None:
    """Law 3."""
    forms = replying(router, b"<html>", {"balance": "1"})
    async with client() as panel:
        assert (await panel.balance()).balance == 1
    assert len(forms) == 2
    forms = replying(router, b"<html>", {"order": 1})
    async with client() as panel:
        with pytest.raises(OutcomeUnknownError) as caught:
            await panel.add(orders.Package(service=3, link="x.y"))
    assert len(forms) == 1
    assert caught.value.asked == {"service": "3", "link": "x.y"}
    assert caught.value.at is not None


@anyio_test
async def test_without_retries_the_first_failure_is_raised(router: respx.MockRouter) -> None:
    """``retry=None``."""
    forms = replying(router, b"")
    async with client(retry=None) as panel:
        with pytest.raises(PanelUnavailableError):
            await panel.balance()
    assert len(forms) == 1


@anyio_test
@pytest.mark.parametrize("ids", [[""], ["1,2"], ["1\n"], [None], [1.5], "123", 7])
async def test_a_bad_id_is_refused_before_a_byte_is_sent(router: respx.MockRouter, ids: object) -> None:
    """In every batch call."""
    forms = replying(router, {})
    async with client() as panel:
        for call in (panel.multi_status, panel.multi_refill, panel.multi_refill_status, panel.cancel):
            with pytest.raises((ValueError, TypeError)):
                await call(ids)  # type: ignore[arg-type]
        for one in (panel.status, panel.refill, panel.refill_status):
            with pytest.raises((ValueError, TypeError)):
                await one("1,2")
        with pytest.raises(TypeError):
            panel.stream_status("123")
    assert forms == []


@anyio_test
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("", "an id is empty"),
        ("1,2", "the id '1,2' has a comma, a blank or a control character"),
        ("1 2", "the id '1 2' has a comma"),
        ("1\n", r"the id '1\n' has a comma"),
        ("1\x00", r"the id '1\x00' has a comma"),
        (None, "an id is an int or a str, not NoneType"),
        (True, "an id is an int or a str, not bool"),
        (1.0, "an id is an int or a str, not float"),
    ],
)
async def test_an_id_that_is_none_is_refused_with_the_same_sentence_everywhere(
    router: respx.MockRouter, bad: Any, reason: str
) -> None:
    """Before anything is sent."""
    forms = replying(router, {})

    async def read(stream: Any) -> None:
        async with stream as outcomes:
            [outcome async for outcome in outcomes]

    async with client() as panel:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: panel.status(bad),
            lambda: panel.multi_status([1, bad]),
            lambda: read(panel.stream_status([bad])),
            lambda: read(panel.watch([bad])),
            lambda: panel.wait_until_final([bad]),
            lambda: panel.refill(bad),
            lambda: panel.multi_refill([bad]),
            lambda: read(panel.stream_refill([bad])),
            lambda: panel.refill_status(bad),
            lambda: panel.multi_refill_status([bad]),
            lambda: panel.cancel([bad]),
            lambda: read(panel.stream_cancel([bad])),
            lambda: panel.add(orders.Raw(service=bad)),
            lambda: panel.add(orders.Default(service=bad, link="x.y", quantity=1)),
        ]
        for call in calls:
            with pytest.raises((TypeError, ValueError)) as caught:
                await call()
            assert str(caught.value).startswith(reason)
    assert forms == []


@anyio_test
async def test_a_request_that_is_too_large_is_not_sent(router: respx.MockRouter) -> None:
    """Ten megabytes of comments: the error names the limit, which is a setting."""
    forms = replying(router, {"order": 1})
    order = orders.CustomComments(service=2, link="https://x.example", comments=["x" * 1_000] * 10_000)
    async with client() as panel:
        with pytest.raises(
            RequestTooLargeError, match=r"^add was not sent: .* more than max_request_bytes=8,388,608\."
        ):
            await panel.add(order)
    assert forms == []
    async with client(max_request_bytes=None) as panel:
        assert (await panel.add(order)).order == 1
    async with client(max_request_bytes=100) as panel:
        with pytest.raises(RequestTooLargeError, match="Order in parts"):
            await panel.add(orders.Default(service=1, link="https://x.example/" + "ü" * 20, quantity=1))
    assert len(forms) == 1


@anyio_test
@pytest.mark.parametrize("action", ["status", "refill", "refill_status", "cancel"])
async def test_a_stream_takes_how_long_its_ids_may_wait(action: str, router: respx.MockRouter) -> None:
    """In seconds; no more than that."""
    replying(router, {})
    async with client() as panel:
        stream = getattr(panel, f"stream_{action}")
        assert isinstance(stream(_no_ids(), max_chunk_wait=0), followersdata_async.Outcomes)
        for wrong, error in (
            (-1, ValueError),
            (float("nan"), ValueError),
            (float("inf"), ValueError),
            ("1", TypeError),
        ):
            with pytest.raises(error, match=r"^max_chunk_wait is "):
                stream([1], max_chunk_wait=wrong)


async def _no_ids() -> AsyncIterator[int]:
    for id_ in ():
        yield id_


# --- opening and closing


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"concurrency": -1}, ValueError),
        ({"chunk_size": 0}, ValueError),
        ({"chunk_size": 101}, ValueError),
        ({"coalesce_window": -1}, ValueError),
        ({"coalesce_window": float("nan")}, ValueError),
        ({"coalesce_window": "1"}, TypeError),
        ({"url": "followersdata.com/api/v2"}, ConfigurationError),
        ({"url": "http://followersdata.com/api/v2"}, ConfigurationError),
        ({"api_key": None}, ConfigurationError),
        ({"http": httpx.Client}, TypeError),
        ({"rate": 10}, TypeError),
        ({"url": "https://xn--a/"}, ConfigurationError),
        ({"url": "https://xn--/"}, ConfigurationError),
        ({"url": "https://a..b/"}, ConfigurationError),
        ({"url": "https://.com/"}, ConfigurationError),
        ({"url": f"https://{'a' * 64}.com/"}, ConfigurationError),
        ({"url": "https://999.1.1.1/"}, ConfigurationError),
        ({"url": "https://\u2024com/"}, ConfigurationError),
        ({"url": "https://a:70000/"}, ConfigurationError),
        ({"http": httpx.AsyncClient(), "url": "https://xn--a/"}, ConfigurationError),
        ({"proxy": "ftp://127.0.0.1:1"}, ConfigurationError),
        ({"proxy": "127.0.0.1"}, ConfigurationError),
        ({"proxy": "http://127.0.0.1:port"}, ConfigurationError),
        ({"transport": "aiohttp"}, TypeError),
        ({"http2": True}, TypeError),
        ({"http": httpx.AsyncClient(), "proxy": "http://127.0.0.1:1"}, ConfigurationError),
        ({"error_phrases": {"❌": InsufficientFundsError}}, ValueError),
    ],
)
def test_a_client_that_cannot_work_is_not_made(
    arguments: dict[str, object], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mistake is told at once."""
    monkeypatch.delenv("FOLLOWERSDATA_API_KEY", raising=False)
    with pytest.raises(error):
        AsyncClient(**({"api_key": KEY} | arguments))  # type: ignore[arg-type]


@anyio_test
async def test_key_and_address_come_from_the_environment(
    router: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none is given."""
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", "from-outside")
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", URL)
    forms = replying(router, {"balance": "1"})
    async with AsyncClient() as panel:
        await panel.balance()
    assert forms[0]["key"] == "from-outside"


@anyio_test
async def test_a_client_is_used_between_opening_and_closing(router: respx.MockRouter) -> None:
    """And opened once."""
    forms = replying(router, {"balance": "1"})
    panel = client()
    with pytest.raises(ConfigurationError, match=r"^the client is not open: use it as `async with"):
        await panel.balance()
    async with panel:
        with pytest.raises(ConfigurationError, match=r"^the client was opened before"):
            await panel.__aenter__()
    with pytest.raises(ConfigurationError, match=r"^the client is closed"):
        await panel.balance()
    with pytest.raises(ConfigurationError, match=r"^the client is closed"):
        panel.stream_status([1])
    assert forms == []


@anyio_test
async def test_a_stream_ends_with_its_client(router: respx.MockRouter) -> None:
    """One that begins afterwards would open connections that nobody closes."""
    forms = replying(router, {"balance": "1"})
    async with client() as panel:
        streams = [panel.stream_status([1]), panel.stream_cancel([1]), panel.watch([1])]
    for stream in streams:
        with pytest.raises(ConfigurationError, match=r"^the client is closed"):
            await stream.__aenter__()
    assert forms == []


async def _wait_until_final(panel: AsyncClient, ids: list[int]) -> None:
    await panel.wait_until_final(ids)


async def _watch(panel: AsyncClient, ids: list[int]) -> None:
    async with panel.watch(ids) as changes:
        try:
            async for _ in changes:
                pass
        finally:
            assert len(changes.known.ok) == 2


async def _stream(panel: AsyncClient, ids: list[int]) -> None:
    async def stalling() -> AsyncIterator[int]:
        for id_ in ids:
            yield id_
        await anyio.sleep_forever()

    async with panel.stream_status(stalling()) as outcomes:
        async for _ in outcomes:
            pass


@anyio_test
@pytest.mark.parametrize("do", [_wait_until_final, _watch, _stream])
async def test_closing_a_client_ends_what_it_still_does(
    do: Callable[[AsyncClient, list[int]], Awaitable[None]],
) -> None:
    """Watches, streams and whoever waits for orders to be final: none of it hangs, and each is told why."""
    told: list[str] = []

    async def run(panel: AsyncClient, ids: list[int]) -> None:
        try:
            await do(panel, ids)
        except ConfigurationError as error:
            told.append(str(error))

    async with (
        Sandbox(seed=1, past=100, speed=0) as sandbox,
        sandbox.http() as http,
        anyio.create_task_group() as group,
        AsyncClient(sandbox.key, url=sandbox.url, http=http) as panel,
    ):
        placed = await panel.add(orders.Package(service=3, link="https://example.com/p/1"))
        assert isinstance(placed.order, int)
        group.start_soon(run, panel, [1, placed.order])
        for _ in range(200):
            await anyio.lowlevel.checkpoint()
    (text,) = told
    assert text.startswith("the client is closed")


def test_a_client_belongs_to_the_loop_it_was_opened_on() -> None:
    """A clear error elsewhere, instead of a hang."""
    panel = client()

    async def opening() -> None:
        await panel.__aenter__()

    async def using() -> None:
        await panel.balance()

    async def closing() -> None:
        await panel.__aexit__(None, None, None)

    anyio.run(opening)
    with pytest.raises(ConfigurationError, match=r"^the client was opened on another event loop"):
        anyio.run(using)
    anyio.run(closing)


def test_a_forgotten_client_is_told_of() -> None:
    """Without any I/O: only its own loop could close it."""
    panel = client()
    anyio.run(panel.__aenter__)
    with pytest.warns(ResourceWarning, match=rf"^unclosed <AsyncClient of {URL}>: use it as `async with`$"):
        panel.__del__()
    panel._pipeline.mark_closed()
    gone = client()
    anyio.run(gone.__aenter__)
    anyio.run(gone.__aexit__, None, None, None)
    del gone
    gc.collect()


@anyio_test
async def test_a_lent_client_is_used_and_left_open() -> None:
    """Who opens, closes."""

    def reply(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"balance": "1"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as lent:
        async with client(http=lent) as panel:
            assert (await panel.balance()).balance == 1
        assert not lent.is_closed


# --- the key


@anyio_test
async def test_the_key_is_in_no_repr_and_no_exception(router: respx.MockRouter) -> None:
    """Law 5: also not in what a traceback would show of the exceptions themselves."""
    replying(router, b"<html>")
    async with client(retry=None) as panel:
        assert repr(panel) == f"<AsyncClient of {URL}>"
        for call in (panel.balance(), panel.add(orders.Package(service=3, link="x.y"))):
            with pytest.raises(followersdata_async.FollowersDataError) as caught:
                await call
            error: BaseException | None = caught.value
            while error is not None:
                assert KEY not in f"{error!r} {error} {vars(error)}"
                error = error.__cause__ or error.__context__


@anyio_test
async def test_nothing_was_sent_where_nobody_listens() -> None:
    """Proven, through the whole line."""
    async with client(url="http://127.0.0.1:1/", retry=None) as panel:
        with pytest.raises(NotSentError):
            await panel.add(orders.Package(service=3, link="x.y"))


@anyio_test
async def test_closing_leaves_no_connection_behind(router: respx.MockRouter) -> None:
    """Law 6: nothing is left to the garbage collector."""
    replying(router, {"balance": "1"})
    async with client() as panel:
        await panel.balance()
    del panel
    gc.collect()


# --- the front door


def test_the_front_door_is_sorted_and_whole() -> None:
    """What is listed is there; every public thing says what it is."""
    listed = followersdata_async.__all__
    assert listed == sorted(listed)
    aliases = {"Id", "Outcome"}
    for name in listed:
        assert name in aliases or getattr(followersdata_async, name).__doc__, name


def test_every_method_of_the_client_gives_its_source() -> None:
    """A clause of docs/panel-api.md, and how many requests it is."""
    for name, method in vars(AsyncClient).items():
        if not name.startswith("_"):
            assert "panel-api §" in (method.__doc__ or ""), name
