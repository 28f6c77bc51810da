"""OpenTelemetry: a span for each call of a client, and metrics of clients and ledgers.

It uses the API alone, which does nothing without an SDK.

Needs the extra ``otel``: ``pip install 'followersdata_async[otel]'``.
"""

from __future__ import annotations

import logging
from importlib import metadata
from typing import TYPE_CHECKING, Self, TypeVar, final
from urllib.parse import urlsplit

import anyio

try:
    from opentelemetry import context, metrics, trace
except ImportError as _error:
    _msg = "this integration needs its extra: pip install 'followersdata_async[otel]'"
    raise ImportError(_msg) from _error

from .._validators import check_duration, check_name
from ..errors import ConfigurationError
from ..events import CallEnded, CallStarted, Coalesced, PollStarted, RequestEnded, RequestStarted, RetryPlanned

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

    from anyio.abc import TaskGroup
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from ..client import AsyncClient
    from ..events import ClientEvent
    from ..ledger import Ledger, LedgerHealth

    _Attributes = dict[str, str | int]

__all__ = ["LedgerMetrics", "instrument"]

_logger = logging.getLogger(__name__)

Client = TypeVar("Client", bound="AsyncClient")

_SCOPE = "followersdata_async"


def _version() -> str:
    """This library's, as the scope of what is told."""
    return metadata.version("followersdata_async")


_IDS = (1, 2, 5, 10, 25, 50, 75, 90, 99, 100)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_LONG = (0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


def instrument(
    panel: Client,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Client:
    """Trace and measure a client, and return it.

    ``async with instrument(AsyncClient()) as panel: …``

    Each call is a span with its method and action, and how many ids, requests,
    attempts and outcomes there were; never an id, the panel's words or the
    key. httpx's own instrumentation adds the requests below it.

    Args:
        panel: The client. Of what it does already, nothing is told.
        tracer_provider: Whose spans; ``None`` is the global one.
        meter_provider: Whose metrics; ``None`` is the global one.
    """
    address = urlsplit(panel.url)
    server: _Attributes = {"server.address": address.hostname or ""}
    if address.port is not None:
        server["server.port"] = address.port
    panel.events.add(_Tracing(tracer_provider, server).listen)
    panel.events.add(_Metering(meter_provider, server).listen)
    return panel


@final
class _Tracing:
    """A span from each call's beginning to its end."""

    def __init__(self, provider: TracerProvider | None, server: _Attributes) -> None:
        self._tracer = trace.get_tracer(_SCOPE, _version(), tracer_provider=provider)
        self._server = server
        self._open: dict[int, tuple[Span, Context, Token[Context]]] = {}

    def listen(self, event: ClientEvent) -> None:
        if isinstance(event, CallStarted):
            attributes = {**self._server, "followersdata.method": event.method, "followersdata.action": event.action}
            span = self._tracer.start_span(f"followersdata {event.method}", attributes=attributes)
            current = trace.set_span_in_context(span)
            self._open[event.call] = span, current, context.attach(current)
        elif isinstance(event, CallEnded) and event.call in self._open:
            span, current, token = self._open.pop(event.call)
            # The tasks of a stream have a context of their own, which ends with them.
            if context.get_current() is current:
                context.detach(token)
            _finish(span, event)


def _finish(span: Span, event: CallEnded) -> None:
    span.set_attribute("followersdata.ids", event.ids)
    span.set_attribute("followersdata.chunks", event.chunks)
    span.set_attribute("followersdata.requests", event.requests)
    span.set_attribute("followersdata.attempts", event.attempts)
    for name, count in event.outcomes.items():
        span.set_attribute(f"followersdata.outcomes.{name}", count)
    if event.error is not None:
        span.set_attribute("error.type", type(event.error).__qualname__)
        if isinstance(event.error, Exception):
            span.set_status(trace.StatusCode.ERROR)
    span.end()


@final
class _Metering:
    """Counters and histograms of what happens."""

    def __init__(self, provider: MeterProvider | None, server: _Attributes) -> None:
        meter = metrics.get_meter(_SCOPE, _version(), meter_provider=provider)
        self._server = server
        self._calls = meter.create_histogram(
            "followersdata.client.operation.duration",
            "s",
            "How long calls take.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._requests = meter.create_histogram(
            "followersdata.client.request.duration",
            "s",
            "How long attempts of requests take; its count is how many there were.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._fill = meter.create_histogram(
            "followersdata.client.request.ids",
            "{id}",
            "How many ids a request asks about; its sum is how many were asked.",
            explicit_bucket_boundaries_advisory=_IDS,
        )
        self._active = meter.create_up_down_counter(
            "followersdata.client.active_requests", "{request}", "Requests in flight, or waiting for a connection."
        )
        self._waits = meter.create_histogram(
            "followersdata.client.limiter.wait.duration",
            "s",
            "How long requests wait for a slot and the rate limit.",
            explicit_bucket_boundaries_advisory=_LONG,
        )
        self._retries = meter.create_counter("followersdata.client.retries", "{retry}", "Requests that are sent again.")
        self._budget = meter.create_gauge(
            "followersdata.client.retry.budget", "{token}", "What is left for retries, of 500."
        )
        self._coalesced = meter.create_counter(
            "followersdata.client.coalesced_calls", "{call}", "Single calls that shared a request."
        )
        self._outcomes = meter.create_counter(
            "followersdata.client.outcomes", "{outcome}", "What ids and orders came to."
        )
        self._lag = meter.create_histogram(
            "followersdata.client.poll.lag",
            "s",
            "How late orders that are watched or polled are looked at.",
            explicit_bucket_boundaries_advisory=_LONG,
        )

    def listen(self, event: ClientEvent) -> None:
        match event:
            case CallEnded():
                self._record_call(event)
            case RequestStarted():
                self._active.add(1, self._of(event.action))
                self._waits.record(event.rate_limit_wait, self._of(event.action))
            case RequestEnded():
                self._record_request(event)
            case RetryPlanned():
                self._retries.add(1, self._of(event.action) | _type_of(event.error))
            case Coalesced():
                self._coalesced.add(event.calls, self._of(event.action))
            case PollStarted():
                self._lag.record(event.lag, self._server)

    def _record_call(self, event: CallEnded) -> None:
        attributes = self._of(event.action)
        by_method: _Attributes = {"followersdata.method": event.method}
        self._calls.record(event.duration, attributes | by_method | _type_of(event.error))
        for name, count in event.outcomes.items():
            self._outcomes.add(count, attributes | {"followersdata.outcome": name})

    def _record_request(self, event: RequestEnded) -> None:
        attributes = self._of(event.action)
        self._active.add(-1, attributes)
        self._requests.record(event.duration, attributes | _type_of(event.error))
        if event.ids:
            self._fill.record(event.ids, attributes)
        self._budget.set(event.budget, self._server)

    def _of(self, action: str) -> _Attributes:
        return {**self._server, "followersdata.action": action}


def _type_of(error: BaseException | None) -> _Attributes:
    return {} if error is None else {"error.type": type(error).__qualname__}


@final
class LedgerMetrics:
    """Metrics of a panel's orders in a ledger, read from its database every few seconds: for ``async with``.

    ``async with Ledger(url) as ledger, LedgerMetrics(ledger): …``

    In between, the metrics keep their last values. A reading that fails is
    logged, and counted in ``followersdata.ledger.readings`` with its
    ``error.type``. With many programs, one of them is enough. ``record`` reads
    once, without ``async with``, e.g. from a job.

    Args:
        ledger: The ledger, which is open for as long.
        panel: The panel's name, if the ledger has orders of several.
        every: Seconds between two readings.
        overdue: Seconds for which an order has been due when it counts as overdue.
        meter_provider: Whose metrics; ``None`` is the global one.

    Raises:
        TypeError, ValueError: the name or a number of seconds cannot be one.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        panel: str = "main",
        every: float = 60.0,
        overdue: float = 60.0,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        check_name("panel", panel)
        check_duration("every", every)
        check_duration("overdue", overdue, zero=True)
        self._ledger = ledger
        self._panel = panel
        self._every = every
        self._overdue = overdue
        self._attributes: _Attributes = {"followersdata.panel": panel}
        self._tasks: TaskGroup | None = None
        meter = metrics.get_meter(_SCOPE, _version(), meter_provider=meter_provider)
        self._intents = meter.create_gauge("followersdata.ledger.intents", "{intent}", "Intents on record, by state.")
        self._unknown = meter.create_gauge(
            "followersdata.ledger.unknown_orders", "{order}", "Orders whose outcome is unknown."
        )
        self._long_unknown = meter.create_gauge(
            "followersdata.ledger.unknown_orders_for_an_hour",
            "{order}",
            "Orders whose outcome is unknown, and that were sent an hour ago or earlier.",
        )
        self._oldest = meter.create_gauge(
            "followersdata.ledger.oldest_unknown_age", "s", "The age of the oldest order whose outcome is unknown."
        )
        self._open = meter.create_gauge("followersdata.ledger.open_orders", "{order}", "Tracked orders, not final.")
        self._due = meter.create_gauge("followersdata.ledger.due_orders", "{order}", "Open orders due to be polled.")
        self._late = meter.create_gauge(
            "followersdata.ledger.overdue_orders", "{order}", "Open orders that should have been polled long ago."
        )
        self._lag = meter.create_gauge(
            "followersdata.ledger.poll.lag", "s", "For how long the most overdue order has been due."
        )
        self._spending = meter.create_gauge(
            "followersdata.ledger.spending_left", "{amount}", "What is left of the limits for spending."
        )
        self._spending_orders = meter.create_gauge(
            "followersdata.ledger.orders_left", "{order}", "What is left of the limits for numbers of orders."
        )
        self._readings = meter.create_counter(
            "followersdata.ledger.readings", "{reading}", "Readings of the ledger's database."
        )

    async def __aenter__(self) -> Self:
        """Start reading: now, and then every few seconds.

        Raises:
            ConfigurationError: it is entered already.
        """
        if self._tasks is not None:
            msg = "LedgerMetrics can be entered once at a time: make one for each ledger and panel"
            raise ConfigurationError(msg)
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._record_forever)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading."""
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
            # Without the error, which it would put into a group.
            await tasks.__aexit__(None, None, None)

    async def record(self) -> LedgerHealth:
        """Read the ledger once, set the metrics, and return what was read.

        Raises:
            LedgerError: the ledger could not be read.
            TimeoutError: it was not read within ``every`` seconds.
        """
        try:
            with anyio.fail_after(self._every):
                health = await self._ledger.health(panel=self._panel, overdue=self._overdue)
        except Exception as error:
            self._readings.add(1, self._attributes | _type_of(error))
            raise
        self._readings.add(1, self._attributes)
        self._set(health)
        return health

    async def _record_forever(self) -> None:
        while True:
            try:
                await self.record()
            # Whatever it is, the application goes on.
            except Exception as error:  # noqa: BLE001
                _logger.warning("the ledger's metrics keep their last values: %s: %s", type(error).__name__, error)
            await anyio.sleep(self._every)

    def _set(self, health: LedgerHealth) -> None:
        for state, count in health.intents.items():
            self._intents.set(count, self._attributes | {"followersdata.state": state.value})
        self._unknown.set(health.unknown, self._attributes)
        self._long_unknown.set(health.unknown_for_an_hour, self._attributes)
        self._oldest.set(health.oldest_unknown or 0.0, self._attributes)
        self._open.set(health.orders_open, self._attributes)
        self._due.set(health.orders_due, self._attributes)
        self._late.set(health.orders_overdue, self._attributes)
        self._lag.set(health.lag, self._attributes)
        for name, left in health.spending_left.items():
            attributes = self._attributes | {"followersdata.limit": name}
            if name.startswith("orders_"):
                self._spending_orders.set(int(left), attributes)
            else:
                # OpenTelemetry knows no decimals. The exact amount is in ``LedgerHealth``.
                self._spending.set(float(left), attributes)
