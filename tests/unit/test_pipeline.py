"""The pipeline: its rate limiter, its retries and its deadline."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from followersdata_async import orders
from followersdata_async._pipeline import Pipeline
from followersdata_async._retry import RetryPolicy
from followersdata_async._wire.encoding import encode_add, encode_balance
from followersdata_async._wire.messages import Request, Response, SendState
from followersdata_async._wire.reads import (
    decode_balance,
)
from followersdata_async._wire.writes import (
    decode_placed_order,
)
from followersdata_async.errors import (
    AuthenticationError,
    ConfigurationError,
    FollowersDataError,
    InsufficientFundsError,
    NotSentError,
    OutcomeUnknownError,
    PanelUnavailableError,
    RateLimitedError,
    RequestTimeoutError,
)
from followersdata_async.rate_limit import RateLimit
from tests.helpers.fakes import Clock, FakeTransport, Naps, answer, make_pipeline, make_settings

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
EPOCH = 1792567680


class FakeLimiter:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.waits = 0
        self.pauses: list[float] = []

    async def wait(self) -> None:
        """Count it."""
        self.waits += 1

    def pause(self, duration: float) -> None:
        """Note it."""
        self.pauses.append(duration)


@pytest.mark.parametrize(
    ("headers", "pauses"),
    [
        ({}, []),
        ({"retry_after": "7"}, [7.0]),
        ({"retry_after": "7", "x_ratelimit_reset": "9"}, [7.0]),
        ({"ratelimit_remaining": "0", "ratelimit_reset": "9"}, [9.0]),
        ({"retry_after": "0"}, []),
        ({"retry_after": "86400"}, [60.0]),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": DATE}, [30.0]),
        ({"x_ratelimit_remaining": "0"}, []),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "9"}, [9.0]),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "-9"}, []),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH + 12), "date": DATE}, [12.0]),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH - 12), "date": DATE}, []),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH)}, []),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, []),
    ],
)
@pytest.mark.parametrize("status", [200, 429])
async def test_an_answer_that_asks_to_wait_slows_everybody_down(
    headers: dict[str, str], pauses: list[float], status: int
) -> None:
    """For a minute at the most; by whichever header, with whichever status."""
    transport = FakeTransport(lambda _: answer({"balance": "1"}, status=status, **headers))
    limiter = FakeLimiter()
    pipeline = make_pipeline(transport, rate_limit=limiter)
    call = pipeline.execute(encode_balance(), decode_balance, SendState())
    if status == 429:
        with pytest.raises(RateLimitedError):
            await call
    else:
        await call
    assert (limiter.waits, limiter.pauses) == (1, pauses)


@pytest.mark.parametrize(
    ("reply", "request_", "pauses"),
    [
        (answer({"error": "Too many requests"}, x_ratelimit_reset="9"), encode_balance(), [9.0]),
        (answer({"error": "Too many requests", "retry_after": 9}), encode_balance(), [9.0]),
        (answer({"error": "Too many requests", "retry_after": 9}), encode_add({}), [9.0]),
        (answer(b"<html>", status=503, x_ratelimit_reset="9"), encode_balance(), [9.0]),
        (answer(b"<html>", status=503, x_ratelimit_reset="9"), encode_add({}), [9.0]),
        (answer({"retry_after": "9"}, status=503), encode_add({}), [9.0]),
        (answer({"error": "Incorrect order ID"}, retry_after="9"), encode_balance(), [9.0]),
        (answer({"error": "Incorrect order ID"}, x_ratelimit_reset="9"), encode_balance(), []),
    ],
)
async def test_an_answer_that_is_no_success_can_ask_in_more_ways(
    reply: Response, request_: Request, pauses: list[float]
) -> None:
    """By a reset without a count of what is left, or in its body; also after a write whose outcome is unknown."""
    limiter = FakeLimiter()
    pipeline = make_pipeline(FakeTransport(lambda _: reply), rate_limit=limiter)
    with pytest.raises(FollowersDataError):
        await pipeline.execute(request_, decode_balance, SendState())
    assert limiter.pauses == pauses


@pytest.mark.parametrize(("longest", "pauses"), [(0.0, []), (5.0, [5.0]), (900.0, [600.0])])
async def test_the_client_says_for_how_long_a_panel_can_make_it_wait(longest: float, pauses: list[float]) -> None:
    """The error has what the panel said."""
    limiter = FakeLimiter()
    transport = FakeTransport(lambda _: answer({"error": "Too many requests"}, status=429, retry_after="600"))
    pipeline = make_pipeline(transport, rate_limit=limiter, max_retry_after=longest)
    with pytest.raises(RateLimitedError) as caught:
        await pipeline.execute(encode_balance(), decode_balance, SendState())
    assert (limiter.pauses, caught.value.retry_after) == (pauses, 600.0)


@pytest.mark.parametrize(("longest", "naps"), [(6.0, []), (7.0, [7.0])])
async def test_a_panel_that_asks_for_more_is_not_asked_again(longest: float, naps: list[float]) -> None:
    """The error is raised at once."""
    taken = Naps()
    pipeline = make_pipeline(
        failing(RateLimitedError(retry_after=7.0)), naps=taken, retry=RetryPolicy(), max_retry_after=longest
    )
    with suppress(RateLimitedError):
        await pipeline.execute(READ, decode, SendState())
    assert taken.taken == naps


@pytest.mark.parametrize(("request_", "error"), [(0, RequestTimeoutError), (1, NotSentError)])
async def test_without_a_limiter_a_panel_is_given_its_time_too(request_: int, error: type[FollowersDataError]) -> None:
    """Nothing leaves meanwhile; what cannot wait for so long ends in its own time-out."""
    transport = FakeTransport(lambda _: answer({"error": "Too many requests"}, status=429, retry_after="50"))
    pipeline = Pipeline(make_settings(timeout=0.02, retry=None), transport)
    await pipeline.open()
    with pytest.raises(RateLimitedError):
        await pipeline.execute(encode_balance(), decode_balance, SendState())
    with pytest.raises(error):
        await pipeline.execute((READ, WRITE)[request_], decode, SendState())
    assert len(transport.requests) == 1


class SharedLimiter(FakeLimiter):
    """Tells others of a pause, which takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.telling = anyio.Event()
        self.told = anyio.Event()

    async def pause(self, duration: float) -> None:  # type: ignore[override]
        """Note it, and tell."""
        self.pauses.append(duration)
        self.telling.set()
        await self.told.wait()


async def test_an_order_is_not_lost_while_others_are_told_to_wait() -> None:
    """Its answer is here when its caller is cancelled."""
    limiter = SharedLimiter()
    pipeline = make_pipeline(FakeTransport(lambda _: answer({"order": 7}, retry_after="5")), rate_limit=limiter)
    placed = []

    async def order() -> None:
        request = encode_add(orders.Package(service=3, link="https://example.com/p/1").fields())
        placed.append(await pipeline.execute(request, decode_placed_order, SendState()))

    async with anyio.create_task_group() as group:
        group.start_soon(order)
        await limiter.telling.wait()
        group.cancel_scope.cancel()
        limiter.told.set()
    assert [(one.order, limiter.pauses) for one in placed] == [(7, [5.0])]


class Odd:
    """A limiter that lets everything through, and cannot be told to pause."""

    async def wait(self) -> None:
        """It is always somebody's turn."""

    def pause(self, duration: float) -> Any:
        """Nothing that can be awaited."""
        return duration


async def test_a_limiter_that_fails_loses_no_order(caplog: pytest.LogCaptureFixture) -> None:
    """The answer is in hand; that the limiter is broken is for the log."""
    pipeline = make_pipeline(FakeTransport(lambda _: answer({"order": 1}, retry_after="5")), rate_limit=Odd())
    placed = await pipeline.execute(encode_add({}), decode_placed_order, SendState())
    assert placed.order == 1
    assert "the limiter could not be told to pause for 5.0 s" in caplog.text


async def hang(_: float) -> None:
    """A pause that never ends."""
    await anyio.sleep_forever()


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_pause_that_hangs_holds_no_answer_beyond_the_timeout(
    is_cancelled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """An order's answer is returned as it is, also to a caller that was cancelled in the meantime."""
    limiter = SharedLimiter()
    pipeline = make_pipeline(
        FakeTransport(lambda _: answer({"order": 7}, retry_after="5")), rate_limit=limiter, timeout=0.05
    )
    placed = []

    async def order() -> None:
        placed.append(await pipeline.execute(encode_add({}), decode_placed_order, SendState()))

    async with anyio.create_task_group() as group:
        group.start_soon(order)
        await limiter.telling.wait()
        if is_cancelled:
            group.cancel_scope.cancel()
    assert [one.order for one in placed] == [7]
    assert "the limiter did not take a pause of 5.0 s in time" in caplog.text


async def test_a_pause_that_hangs_holds_no_caller_beyond_its_own_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the client's timeout is."""
    monkeypatch.setattr("followersdata_async._pipeline._PAUSE_GRACE", 0.05)
    limiter = FakeLimiter()
    limiter.pause = hang  # type: ignore[assignment]
    reply = FakeTransport(lambda _: answer({"order": 7}, retry_after="5"))
    pipeline = make_pipeline(reply, rate_limit=limiter, timeout=1e6)
    with anyio.move_on_after(0.01):
        placed = await pipeline.execute(encode_add({}), decode_placed_order, SendState())
    assert placed.order == 7


async def test_a_pause_that_hangs_replaces_no_rejection() -> None:
    """The error is the panel's, not a time-out."""
    limiter = FakeLimiter()
    limiter.pause = hang  # type: ignore[assignment]
    transport = FakeTransport(lambda _: answer({"error": "Too many requests"}, status=429, retry_after="5"))
    pipeline = make_pipeline(transport, rate_limit=limiter, timeout=0.05, retry=RetryPolicy())
    with pytest.raises(RateLimitedError) as caught:
        await pipeline.execute(encode_balance(), decode_balance, SendState())
    assert (caught.value.retry_after, len(transport.requests)) == (5.0, 1)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_pause_that_waits_for_what_was_cancelled_loses_no_order(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has cancelled the caller."""
    limiter = FakeLimiter()

    async def fail(_: float) -> None:
        raise anyio.get_cancelled_exc_class()

    limiter.pause = fail  # type: ignore[assignment]
    pipeline = make_pipeline(FakeTransport(lambda _: answer({"order": 7}, retry_after="5")), rate_limit=limiter)
    placed = await pipeline.execute(encode_add({}), decode_placed_order, SendState())
    assert placed.order == 7
    assert "the limiter did not take a pause of 5.0 s in time" in caplog.text


# --- when requests leave


class TimedTransport(FakeTransport):
    """Notes when each request leaves, on the limiter's clock."""

    def __init__(self, clock: Clock, reply: Callable[[Request], Response]) -> None:
        super().__init__(reply)
        self.clock = clock
        self.left: list[float] = []

    async def send(self, request: Request, state: SendState) -> Response:
        """Note it."""
        self.left.append(self.clock.now)
        return await super().send(request, state)


async def test_after_a_stall_requests_leave_at_the_rate() -> None:
    """A turn is taken when there is a slot to use it, not before."""
    clock = Clock()
    transport = TimedTransport(clock, lambda _: answer("done"))
    transport.gate = anyio.Event()
    limit = RateLimit(10, clock=clock, sleep=clock.sleep)
    pipeline = make_pipeline(transport, rate_limit=limit, concurrency=2)
    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(pipeline.execute, READ, decode, SendState())
        await anyio.wait_all_tasks_blocked()
        clock.now += 5.0
        transport.gate.set()
    assert len(transport.left) == 30
    for first in transport.left:
        assert sum(first <= left < first + 0.999 for left in transport.left) <= 10


async def test_nothing_leaves_while_the_panel_asks_to_wait() -> None:
    """Also none that had waited for a slot when it asked."""
    clock = Clock()
    replies = [answer({"error": "Too many requests"}, status=429, retry_after="5")]
    transport = TimedTransport(clock, lambda _: replies.pop() if replies else answer({"balance": "1"}))
    transport.gate = anyio.Event()
    limit = RateLimit(1000, burst=100, clock=clock, sleep=clock.sleep)
    pipeline = make_pipeline(transport, rate_limit=limit, concurrency=1)
    errors = []

    async def call() -> None:
        try:
            await pipeline.execute(encode_balance(), decode_balance, SendState())
        except RateLimitedError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(60):
            group.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        transport.gate.set()
    first, *others = transport.left
    assert (len(errors), len(others)) == (1, 59)
    assert min(others) >= first + 5.0


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_limiter_is_told_before_another_request_can_leave(is_async: bool) -> None:
    """Whether its pause is a coroutine function or not."""
    happened: list[str] = []

    class Told(FakeLimiter):
        def pause(self, duration: float) -> Any:
            return self.share() if is_async else happened.append(f"pause {duration:g}")

        async def share(self) -> None:
            await anyio.lowlevel.checkpoint()
            happened.append("pause 5")

    def reply(_: Request) -> Response:
        happened.append("answer")
        return answer("done", retry_after="5")

    pipeline = make_pipeline(FakeTransport(reply), rate_limit=Told(), concurrency=1)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(pipeline.execute, READ, decode, SendState())
    assert happened == ["answer", "pause 5"] * 3


async def test_a_cancelled_wait_for_the_limiter_keeps_no_slot() -> None:
    """And no turn of the limiter."""
    clock = Clock()
    limit = RateLimit(1, per=1000.0, clock=clock, sleep=hang)
    transport = FakeTransport(lambda _: answer("done"))
    pipeline = make_pipeline(transport, rate_limit=limit, concurrency=1)
    await pipeline.execute(READ, decode, SendState())
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(pipeline.execute, READ, decode, SendState())
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    clock.now += 1000.0
    assert await pipeline.execute(READ, decode, SendState()) == "done"
    assert (len(transport.requests), pipeline._slots.value) == (2, 1)


# --- the loop

READ = Request("balance")
WRITE = Request("add", (("link", "x.y"),), is_write=True)


def failing(*errors: FollowersDataError) -> FakeTransport:
    """A transport that raises these one after another, then replies."""
    left = list(errors)

    def reply(_: Request) -> Response:
        if left:
            raise left.pop(0)
        return answer("done")

    return FakeTransport(reply)


def decode(_: Request, response: Response, __: object) -> object:
    """The JSON value of a response."""
    return json.loads(response.body)


async def run(transport: FakeTransport, request: Request, state: SendState | None = None, **settings: Any) -> object:
    """Send a request through the pipeline, by default with retries."""
    pipeline = make_pipeline(transport, **({"retry": RetryPolicy()} | settings))
    return await pipeline.execute(request, decode, state or SendState())


async def test_a_read_is_repeated_until_it_succeeds() -> None:
    """With a delay before each, and the budget whole in the end."""
    naps = Naps()
    transport = failing(PanelUnavailableError(), RateLimitedError(retry_after=7.0))
    pipeline = make_pipeline(transport, naps=naps, retry=RetryPolicy())
    assert await pipeline.execute(READ, decode, SendState()) == "done"
    assert naps.taken == [0.25, 7.0]
    assert pipeline._budget.tokens == 500 - 14 - 5 + 5


async def test_attempts_end() -> None:
    """What the last one ended in is raised."""
    naps = Naps()
    errors = [PanelUnavailableError(f"number {number}") for number in range(1, 9)]
    with pytest.raises(PanelUnavailableError, match=r"^number 4$"):
        await run(failing(*errors), READ, naps=naps, retry=RetryPolicy(max_attempts=4))
    assert len(naps.taken) == 3


async def test_without_a_policy_there_is_one_attempt() -> None:
    """``retry=None`` means none."""
    with pytest.raises(NotSentError):
        await run(failing(NotSentError()), READ, retry=None)


async def test_a_write_is_repeated_only_when_nothing_left() -> None:
    """Proven not sent: again. Anything else: never."""
    assert await run(failing(NotSentError()), WRITE) == "done"
    for error in (OutcomeUnknownError(), RateLimitedError(), InsufficientFundsError()):
        with pytest.raises(type(error)):
            await run(failing(error), WRITE)


async def test_an_unknown_outcome_tells_when_it_was_sent() -> None:
    """So that a human can find it in the panel's list."""
    with pytest.raises(OutcomeUnknownError) as caught:
        await run(failing(OutcomeUnknownError()), WRITE)
    assert caught.value.at == 1_700_000_000.0


async def test_an_empty_budget_stops_retries() -> None:
    """An outage is not answered with a flood."""
    pipeline = make_pipeline(failing(PanelUnavailableError()), retry=RetryPolicy())
    pipeline._budget.tokens = 13
    with pytest.raises(PanelUnavailableError):
        await pipeline.execute(READ, decode, SendState())


async def test_a_delay_longer_than_the_time_left_is_not_slept() -> None:
    """The error is raised at once instead of a time-out later."""
    naps = Naps()
    with pytest.raises(RateLimitedError):
        await run(failing(RateLimitedError(retry_after=6.0)), READ, naps=naps, timeout=5.0)
    assert naps.taken == []


class Stuck(FakeTransport):
    """A transport that gets as far as it says, and never replies."""

    def __init__(self, sent: bool | None) -> None:
        super().__init__()
        self.sent = sent
        self.reached = anyio.Event()

    async def send(self, _: Request, state: SendState) -> Response:
        """Wait forever."""
        state.sent = self.sent
        self.reached.set()
        await anyio.sleep_forever()
        raise AssertionError


@pytest.mark.parametrize(
    ("request_", "sent", "error"),
    [
        (READ, True, RequestTimeoutError),
        (READ, False, RequestTimeoutError),
        (WRITE, False, NotSentError),
        (WRITE, True, OutcomeUnknownError),
        (WRITE, None, OutcomeUnknownError),
    ],
)
async def test_timeout_of_a_write_depends_on_what_was_sent(
    request_: Request, sent: bool | None, error: type[FollowersDataError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not sent if that is proven, unknown otherwise."""
    scope = anyio.CancelScope()
    monkeypatch.setattr(anyio, "move_on_after", lambda _: scope)
    transport = Stuck(sent)

    async def expire() -> None:
        await transport.reached.wait()
        scope.deadline = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(expire)
        with pytest.raises(error) as caught:
            await run(transport, request_, timeout=60.0)
    if isinstance(caught.value, OutcomeUnknownError):
        assert (caught.value.asked, caught.value.sent) == ({"link": "x.y"}, sent)


async def test_write_that_waited_for_the_rate_limit_was_not_sent() -> None:
    """The error says that it had to wait: no response was missed."""
    limit = RateLimit(1, per=3600.0)
    await limit.wait()
    with pytest.raises(NotSentError, match=r"^add: nothing was sent: it had to wait for longer than 0\.01 s; "):
        await run(FakeTransport(), WRITE, rate_limit=limit, timeout=0.01)


async def test_closed_pipeline_cannot_be_opened() -> None:
    """Not even one that was never open."""
    pipeline = make_pipeline(FakeTransport(), opened=False)
    pipeline.mark_closed()
    with pytest.raises(ConfigurationError, match=r"^the client was opened before"):
        await pipeline.open()


async def test_cancellation_passes_through() -> None:
    """A caller that leaves is not told of time-outs."""
    transport = Stuck(sent=True)
    async with anyio.create_task_group() as group:
        group.start_soon(run, transport, READ)
        await transport.reached.wait()
        group.cancel_scope.cancel()
    assert group.cancel_scope.cancelled_caught


async def test_only_so_many_requests_are_in_flight_at_once() -> None:
    """The others wait; a wait that is cancelled takes no slot with it."""
    transport = FakeTransport(lambda _: answer("done"))
    transport.gate = anyio.Event()
    pipeline = make_pipeline(transport, concurrency=2)
    pipeline.key.is_accepted = True
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(pipeline.execute, READ, decode, SendState())
        await anyio.wait_all_tasks_blocked()
        assert transport.in_flight == 2
        group.cancel_scope.cancel()
    transport.gate.set()
    for _ in range(2):
        assert await pipeline.execute(READ, decode, SendState()) == "done"
    assert transport.most_in_flight == 2


async def test_a_closed_pipeline_sends_nothing_that_still_waits() -> None:
    """Neither for a slot nor for the rate limit."""
    transport = FakeTransport(lambda _: answer("done"))
    transport.gate = anyio.Event()
    limiter = FakeLimiter()
    pipeline = make_pipeline(transport, concurrency=1, rate_limit=limiter)
    errors = []

    async def call() -> None:
        try:
            await pipeline.execute(WRITE, decode, SendState())
        except ConfigurationError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(pipeline.aclose)
        await anyio.wait_all_tasks_blocked()
        transport.gate.set()
    assert (len(errors), len(transport.requests), transport.closed, limiter.waits) == (2, 1, 1, 1)


async def test_a_pipeline_that_is_closed_while_the_limiter_is_waited_for_sends_nothing() -> None:
    """The turn comes too late."""
    transport = FakeTransport(lambda _: answer("done"))

    class Closing(FakeLimiter):
        async def wait(self) -> None:
            await pipeline.aclose()

    pipeline = make_pipeline(transport, rate_limit=Closing())
    with pytest.raises(ConfigurationError, match=r"^the client is closed"):
        await pipeline.execute(WRITE, decode, SendState())
    assert transport.requests == []


async def test_a_pipeline_is_opened_before_it_is_used() -> None:
    """Otherwise nothing would close its connections."""
    with pytest.raises(ConfigurationError, match="is not open"):
        await make_pipeline(FakeTransport(), opened=False).execute(READ, decode, SendState())


# --- the key


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_a_wrong_key_costs_one_request_however_many_calls_wait(request_: Request) -> None:
    """Each of them gets its own exception; a later call tries again."""
    transport = FakeTransport(lambda _: answer({"error": "Invalid API key"}))
    pipeline = make_pipeline(transport)
    errors: list[FollowersDataError] = []

    async def call() -> None:
        with pytest.raises(AuthenticationError) as caught:
            await pipeline.execute(request_, decode_balance, SendState())
        errors.append(caught.value)

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(call)
    assert len(set(map(id, errors))) == 50
    assert len(transport.requests) == 1
    await call()
    assert len(transport.requests) == 2


@pytest.mark.parametrize("first", ["accepted", "broken", "refused", "cancelled"])
async def test_calls_wait_for_the_first_one_only(first: str) -> None:
    """If it does not tell whether the key is accepted, the next one goes alone."""
    transport = FakeTransport(lambda _: answer({"balance": "1"}))
    transport.gate = anyio.Event()
    pipeline = make_pipeline(transport)
    scope = anyio.CancelScope()

    async def go_first() -> None:
        with scope, suppress(FollowersDataError):
            await pipeline.execute(READ, decode_balance, SendState())

    async with anyio.create_task_group() as group:
        group.start_soon(go_first)
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            group.start_soon(pipeline.execute, READ, decode_balance, SendState())
        group.start_soon(pipeline.execute, Request("services"), decode_balance, SendState())
        await anyio.wait_all_tasks_blocked()
        assert transport.in_flight == 2
        if first == "cancelled":
            scope.cancel()
        replies = {"broken": answer(b""), "refused": answer({"error": "Incorrect order ID"})}
        answers = iter([replies.get(first, answer({"balance": "1"}))])
        transport.reply = lambda request: (
            answer({"balance": "1"}) if request.action == "services" else next(answers, answer({"balance": "1"}))
        )
        gate, transport.gate = transport.gate, anyio.Event()
        gate.set()
        await anyio.wait_all_tasks_blocked()
        if first != "accepted":
            assert transport.in_flight == 1
            gate, transport.gate = transport.gate, anyio.Event()
            gate.set()
            await anyio.wait_all_tasks_blocked()
        assert transport.in_flight == (5 if first == "accepted" else 4)
        transport.gate.set()
    assert pipeline.key.is_accepted


async def test_a_wrong_key_after_a_broken_response_costs_one_more_request() -> None:
    """However many calls wait."""
    replies = iter([answer(b""), answer(b"<html>")])
    transport = FakeTransport(lambda _: next(replies, answer({"error": "Invalid API key"})))
    pipeline = make_pipeline(transport, retry=None)
    errors: list[type[FollowersDataError]] = []

    async def call() -> None:
        with pytest.raises(FollowersDataError) as caught:
            await pipeline.execute(WRITE, decode_balance, SendState())
        errors.append(type(caught.value))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(call)
    assert len(transport.requests) == 3
    assert errors == [OutcomeUnknownError] * 2 + [AuthenticationError] * 18


async def test_calls_do_not_queue_behind_a_dead_panel() -> None:
    """Three calls find out, one after another, and the others fail together."""
    transport = FakeTransport(lambda _: answer(b""))
    transport.gate = anyio.Event()
    pipeline = make_pipeline(transport, retry=None)

    async def call() -> None:
        with pytest.raises(PanelUnavailableError):
            await pipeline.execute(READ, decode_balance, SendState())

    for _ in range(2):
        async with anyio.create_task_group() as group:
            for _ in range(15):
                group.start_soon(call)
            for in_flight in (1, 1, 1, 12):
                await anyio.wait_all_tasks_blocked()
                assert transport.in_flight == in_flight
                gate, transport.gate = transport.gate, anyio.Event()
                gate.set()


async def test_calls_do_not_wait_long_for_a_call_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the next one goes; what the first one ends in does not matter any more."""
    monkeypatch.setattr("followersdata_async._key_check._MAX_WAIT", 0.01)
    transport = FakeTransport(lambda _: answer({"balance": "1"}))
    transport.gate = gate = anyio.Event()
    pipeline = make_pipeline(transport)
    async with anyio.create_task_group() as group:
        group.start_soon(pipeline.execute, READ, decode_balance, SendState())
        await anyio.wait_all_tasks_blocked()
        transport.gate = None
        async with anyio.create_task_group() as others:
            for _ in range(5):
                others.start_soon(pipeline.execute, READ, decode_balance, SendState())
        assert transport.in_flight == 1
        gate.set()
    assert pipeline.key.is_accepted


# --- code of the user's


@pytest.mark.parametrize(
    "error", [ValueError("no"), RuntimeError(), NotSentError("away"), ConfigurationError("no loop")]
)
async def test_a_limiter_that_raises_sends_nothing(error: Exception) -> None:
    """Its exception is the cause of ours, unless it is one of ours."""

    class Limiter:
        async def wait(self) -> None:
            raise error

        def pause(self, duration: float) -> None:
            """Do nothing."""

    transport = FakeTransport(lambda _: answer("done"))
    pipeline = make_pipeline(transport, rate_limit=Limiter())
    for request in (READ, WRITE):
        with pytest.raises(FollowersDataError) as caught:
            await pipeline.execute(request, decode, SendState())
        if isinstance(error, FollowersDataError):
            assert caught.value is error
        else:
            assert type(caught.value) is NotSentError
            assert caught.value.__cause__ is error
            assert type(error).__name__ in str(caught.value)
    assert transport.requests == []


async def test_an_unknown_outcome_says_when_the_request_was_sent() -> None:
    """After it has waited for the limiter."""
    now = [1000.0]

    class Limiter:
        async def wait(self) -> None:
            now[0] += 30.0

        def pause(self, duration: float) -> None:
            """Do nothing."""

    def reply(_: Request) -> Response:
        now[0] += 5.0
        raise OutcomeUnknownError("the connection broke")

    pipeline = make_pipeline(FakeTransport(reply), rate_limit=Limiter())
    pipeline._clock = lambda: now[0]
    with pytest.raises(OutcomeUnknownError) as caught:
        await pipeline.execute(WRITE, decode, SendState())
    assert caught.value.at == 1030.0
