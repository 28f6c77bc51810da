"""The typing contract: never run, only read by type checkers. What users write must check, and mean this."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, assert_never, assert_type

from fastapi import FastAPI
from procrastinate import Blueprint

from followersdata_async import (
    AsyncClient,
    Balance,
    BatchResult,
    Cancellation,
    Catalogue,
    Change,
    Changes,
    Failed,
    FollowersDataError,
    HttpClient,
    Id,
    InsufficientFundsError,
    Json,
    Limiter,
    Listeners,
    Ok,
    OrderInput,
    OrderState,
    OrderStatus,
    Outcome,
    Outcomes,
    PanelError,
    PlacedOrder,
    PollPolicy,
    PollTimeoutError,
    RateLimit,
    Refill,
    RefillState,
    RefillStatus,
    Refused,
    RetryPolicy,
    Service,
    ServiceKind,
    SharedLimiter,
    Unreported,
    WatchEvent,
    orders,
    services_diff,
    to_json,
)
from followersdata_async.events import (
    CallEnded,
    CallStarted,
    ClientEvent,
    Coalesced,
    PollStarted,
    RequestEnded,
    RequestStarted,
    RetryPlanned,
)
from followersdata_async.integrations.fastapi import (
    EventStreamResponse,
    NdjsonResponse,
    PanelDep,
    PanelState,
    install_error_handlers,
    lifespan,
    panels_of,
)
from followersdata_async.integrations.logging import log_to
from followersdata_async.integrations.opentelemetry import LedgerMetrics, instrument
from followersdata_async.integrations.procrastinate import blueprint
from followersdata_async.ledger import (
    Ledger,
    LedgerHealth,
    PlacementProgress,
    PollReport,
    PruneReport,
    Receipt,
    ReceiptState,
    Reconciliation,
    Recorded,
    SpendingLimit,
    Suggestion,
)
from followersdata_async.rate_limit import PostgresRateLimit
from followersdata_async.sandbox import Quota, Sandbox

if TYPE_CHECKING:
    import httpx


def clients() -> None:
    """What a client is told."""
    AsyncClient("key", url="https://a.b/c", rate_limit=RateLimit(10, per=1.0), retry=None, coalesce_window=0.05)
    AsyncClient(rate_limit=RateLimit(10, burst=5), retry=RetryPolicy(max_attempts=2), max_retry_after=30)
    AsyncClient(error_phrases={"bakiye yok": InsufficientFundsError})
    AsyncClient(key_field="api_token", json_body=True)
    AsyncClient(status_words={"yayında": OrderState.ACTIVE, "telafi edildi": RefillState.COMPLETED})
    AsyncClient(on_event=log_to())


class Unlimited:
    """A limiter of the user's own."""

    async def wait(self) -> None:
        """Let every request pass."""

    def pause(self, duration: float) -> None:
        """Ignore it."""


class Gift:
    """An order of the user's own."""

    def fields(self) -> Mapping[str, str]:
        """Return the form."""
        return {"service": "1"}


async def own_classes(http: httpx.AsyncClient) -> None:
    """Arguments are protocols that can be imported."""
    limiter: Limiter = Unlimited()
    shared: SharedLimiter = PostgresRateLimit("postgresql://a@b/c", 10)
    order: OrderInput = Gift()
    custom: HttpClient = http
    client = AsyncClient(http=custom, rate_limit=limiter)
    AsyncClient(rate_limit=shared)
    assert_type(client.events, Listeners)
    assert_type(await client.add(order), PlacedOrder)
    async with client.watch([1], include_failures=True) as events:
        assert_type(await anext(events), WatchEvent)


def watched(panel: AsyncClient) -> None:
    """Whoever listens is told of a closed union."""

    def listener(event: ClientEvent) -> None:
        match event:
            case CallEnded():
                assert_type(event.outcomes, Mapping[str, int])
                assert_type(event.error, BaseException | None)
            case RequestEnded():
                assert_type(event.call, int | None)
            case RetryPlanned():
                assert_type(event.error, FollowersDataError)
            case CallStarted() | RequestStarted() | Coalesced() | PollStarted():
                pass
            case _:
                assert_never(event)

    panel.events.add(listener)
    assert_type(instrument(panel), AsyncClient)
    assert_type(panel.url, str)


async def single_calls(panel: AsyncClient, service: Service) -> None:
    """Each returns its value."""
    assert_type(await panel.services(), Catalogue)
    catalogue = await panel.services(max_age=3600)
    difference = services_diff(catalogue, catalogue)
    assert_type(difference.added, tuple[Service, ...])
    assert_type(difference.repriced, tuple[tuple[Service, Service], ...])
    assert_type(await panel.balance(), Balance)
    assert_type(await panel.add(orders.Default(service=1, link="x.y", quantity=1)), PlacedOrder)
    assert_type(await panel.add(orders.Package(service="1", link="x.y")), PlacedOrder)
    assert_type(await panel.add(orders.CustomComments(service=1, link="x.y", comments=["a"])), PlacedOrder)
    assert_type(await panel.add(orders.CustomComments(service=1, link="x.y", comments="a\nb")), PlacedOrder)
    comments = orders.for_service(service, link="x.y", comments=["a"])
    assert_type(comments, orders.TypedOrder | orders.Raw)
    assert_type(comments.problems(service), tuple[str, ...])
    assert_type(comments.cost(service), Decimal)
    assert_type(await panel.add(comments), PlacedOrder)
    assert_type(await panel.add(orders.Raw(service=1, extra={"a": "b"})), PlacedOrder)
    assert_type(await panel.status(1), OrderStatus)
    assert_type(await panel.refill("1"), Refill)
    assert_type(await panel.refill_status(1), RefillStatus)


async def batch_calls(panel: AsyncClient, ids: AsyncIterator[int]) -> None:
    """Each returns outcomes, or streams them."""
    assert_type(await panel.multi_status([1, "2"]), BatchResult[OrderStatus])
    assert_type(await panel.multi_refill(range(3)), BatchResult[Refill])
    assert_type(await panel.multi_refill_status({"1"}), BatchResult[RefillStatus])
    assert_type(await panel.cancel(id_ for id_ in (1, 2)), BatchResult[Cancellation])
    assert_type(panel.stream_status(ids), Outcomes[OrderStatus])
    assert_type(panel.stream_status(ids, max_chunk_wait=0.5), Outcomes[OrderStatus])
    assert_type(panel.stream_refill(ids, max_chunk_wait=0), Outcomes[Refill])
    assert_type(panel.stream_refill_status(ids, max_chunk_wait=1), Outcomes[RefillStatus])
    assert_type(panel.stream_cancel(ids, max_chunk_wait=0.5), Outcomes[Cancellation])
    async with panel.stream_refill([1]) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[Refill])


async def watching(panel: AsyncClient) -> None:
    """Changes alone, or failures too, for those who ask for them."""
    async with panel.watch([1, "2"], poll_policy=PollPolicy(min_delay=1.0)) as changes:
        async for change in changes:
            assert_type(change, Change)
            assert_type(change.before, OrderStatus | None)
        assert_type(changes.known, BatchResult[OrderStatus])
    async with panel.watch([1], include_failures=True) as events:
        assert_type(events, Changes[Change | Refused | Unreported | Failed])
        async for event in events:
            match event:
                case Change(order, before, after):
                    assert_type(order, Id)
                    assert_type(after, OrderStatus)
                    del before
                case Refused() | Failed():
                    assert_type(event.error, PanelError | FollowersDataError)
                case Unreported():
                    assert_type(event.id, Id)
                case _:
                    assert_never(event)
    either = panel.watch([1], include_failures=bool(panel.url))
    assert_type(either, Changes[Change] | Changes[WatchEvent])
    async with either as seen:
        async for event in seen:
            assert_type(event, WatchEvent)
    try:
        assert_type(await panel.wait_until_final([1], timeout=3600), BatchResult[OrderStatus])
    except PollTimeoutError as error:
        assert_type(error.result, BatchResult[OrderStatus] | None)


def every_outcome(outcome: Outcome[OrderStatus]) -> Decimal | None:
    """The union is closed."""
    match outcome:
        case Ok(id_, status):
            assert_type(id_, Id)
            assert_type(status, OrderStatus)
            return status.charge
        case Refused(id_, error):
            assert_type(error, PanelError)
        case Unreported(id_):
            assert_type(id_, Id)
        case Failed(id_, error):
            assert_type(error, FollowersDataError)
        case _:
            assert_never(outcome)
    return None


def results(result: BatchResult[OrderStatus]) -> None:
    """Views of a result."""
    assert_type(result.ok, Mapping[Id, OrderStatus])
    assert_type(result.errors, Mapping[Id, FollowersDataError])
    assert_type(result.refused, Mapping[Id, PanelError])
    assert_type(result.unreported, tuple[Id, ...])
    assert_type(result.requests, int)
    assert_type(result[7], Outcome[OrderStatus])
    wider: BatchResult[object] = result  # covariant
    del wider


def values(service: Service, status: OrderStatus, refill: RefillStatus, balance: Balance) -> None:
    """Fields of values."""
    assert_type(service.rate, Decimal | None)
    assert_type(service.refill, bool | None)
    assert_type(service.kind, ServiceKind)
    assert_type(status.state, OrderState)
    assert_type(status.orders, tuple[Id, ...])
    assert_type(status.is_final, bool)
    assert_type(refill.state, RefillState)
    assert_type(balance.balance, Decimal)


def show_placed(progress: PlacementProgress) -> None:
    """A callback gets the counts."""
    assert_type(progress.total, int | None)
    Ledger("sqlite:///orders.db", spending_limit=SpendingLimit(per_day=Decimal(50), orders_per_hour=100))


async def ledgers(panel: AsyncClient) -> None:
    """Orders on record."""
    async with Ledger("sqlite:///orders.db") as ledger:
        receipt = await ledger.place(panel, orders.Package(service=1, link="x.y"), ref="a", cost=Decimal(1))
        assert_type(receipt, Receipt)
        assert_type(receipt.state, ReceiptState)
        assert_type(receipt.order, Id | None)
        many = [("b", orders.Package(service=1, link="x.y"))]
        assert_type(await ledger.place_many(panel, many, on_progress=show_placed), dict[str, Receipt])
        assert_type(await ledger.receipts(["a", "b"]), dict[str, Receipt])
        async with ledger.place_many(panel, many, catalogue=await panel.services(), concurrency=4) as placements:
            async for each in placements:
                assert_type(each, Receipt)
                assert_type(each.can_be_sent, bool)
            assert_type(placements.stopped_by, FollowersDataError | None)
        async for lost in ledger.unknown():
            assert_type(lost, Receipt)
        async for found in ledger.reconcile(panel):
            assert_type(found, Reconciliation)
            assert_type(found.suggestion, Suggestion)
        assert_type(await ledger.resolve("a", order=23501), Receipt)
        assert_type(await ledger.track([1, "2"]), int)
        assert_type(await ledger.poll_once(panel, max_requests=10, deadline=30), PollReport)
        async with ledger.poll(panel) as changes:
            async for change in changes:
                assert_type(change, Change)
        async for recorded in ledger.changes(since=7):
            assert_type(recorded.change, Change)
            await ledger.acknowledge("shipping", recorded.number)
        assert_type(ledger.changes(reader="shipping"), AsyncIterator[Recorded])
        assert_type(await ledger.readers(), Mapping[str, int])
        await ledger.forget_reader("shipping")
        pruned = await ledger.prune(older_than=86_400)
        assert_type(pruned, PruneReport)
        assert_type((pruned.receipts, pruned.orders, pruned.changes), tuple[int, int, int])
        assert_type((await ledger.evidence(panel, "a")).spent, Decimal | None)
        assert_type(await ledger.counts(), Mapping[OrderState | None, int])
        async with LedgerMetrics(ledger, panel="main", every=30, overdue=300) as metrics:
            assert_type(metrics, LedgerMetrics)
            assert_type(await metrics.record(), LedgerHealth)
        health = await ledger.health(panel="main", overdue=300)
        assert_type(health, LedgerHealth)
        assert_type(health.intents[ReceiptState.UNKNOWN], int)
        assert_type(health.oldest_unknown, float | None)
        assert_type(health.spending_left, Mapping[str, Decimal])


def machines() -> None:
    """What many of them share."""
    limit = PostgresRateLimit("postgresql://a@b/c", 10, per=1.0, burst=2, on_outage="local")
    tasks = blueprint("postgresql://a@b/c", panels={"main": lambda: AsyncClient(rate_limit=limit)}, shards=2, cron=None)
    assert_type(tasks, Blueprint)
    blueprint(ledger="postgresql://a@b/c", panels={"main": AsyncClient})


async def sandboxes() -> None:
    """A panel to test against."""
    quota = Quota(requests=10, per=1.0, says="text")
    async with Sandbox(seed=1, speed=0, quota=quota, faults=["late", {"fault": "cut"}], balances={"a": "1"}) as sandbox:
        sandbox.next("dropped", action="add", times=None)
        sandbox.advance(3600)
        sandbox.change(1, rate="2.00")
        assert_type(sandbox.orders(), list[dict[str, object]])
        assert_type(sandbox.now, float)
        AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http())
    with Sandbox(serve=True, state="sandbox.db") as sandbox:
        assert_type(sandbox.page, str)


def services(app: FastAPI, panel: PanelDep, result: BatchResult[OrderStatus]) -> None:
    """Clients in a web service."""
    FastAPI(lifespan=lifespan())
    FastAPI(lifespan=lifespan({"main": AsyncClient("a"), "spare": lambda: AsyncClient("b")}))
    install_error_handlers(app)
    assert_type(panel, AsyncClient)
    assert_type(panels_of(app)["main"], AsyncClient)
    assert_type(result.outcomes, tuple[Outcome[OrderStatus], ...])
    assert_type(to_json(result), Json)
    json.dumps(to_json(result))
    NdjsonResponse(panel.stream_status([1]))
    NdjsonResponse(panel.stream_cancel([1]), status_code=202)
    EventStreamResponse(panel.watch([1]), headers={"X-Accel-Buffering": "yes"}, heartbeat=5.0)
    state: PanelState = {"followersdata_panels": panels_of(app)}
    assert_type(state["followersdata_panels"], Mapping[str, AsyncClient])


async def print_later(event: ClientEvent) -> None:
    """Nobody would await it."""
    assert_type(event, ClientEvent)


def forgotten(outcome: Outcome[OrderStatus]) -> None:
    """The union is closed: whoever forgets a member is told."""
    match outcome:
        case Ok() | Refused() | Unreported():
            assert_type(outcome.id, Id)
        case rest:
            assert_never(rest)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def mistakes(panel: AsyncClient) -> None:
    """What must not check: an ignore that is not needed is an error."""
    await panel.status([1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await panel.multi_status(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    orders.Default(1, "x.y", 1)  # type: ignore[call-arg,arg-type]  # pyright: ignore[reportCallIssue]
    AsyncClient(rate_limit=10)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    AsyncClient(concurency=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    AsyncClient(on_event=print_later)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    (await panel.balance()).balance = Decimal(1)  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
