"""Orders placed and polled by Procrastinate's workers, on as many machines as it takes (extra ``procrastinate``).

See docs/many-machines.md: how to run it, and how many workers for how many orders.
"""

from __future__ import annotations

import logging
from itertools import product
from typing import TYPE_CHECKING, Any, final

import anyio
from attrs import define, field

try:
    from procrastinate import Blueprint, JobContext, RetryStrategy
    from procrastinate.exceptions import UniqueViolation
    from procrastinate.jobs import Status
except ImportError as _error:
    _msg = "this integration needs its extra: pip install 'followersdata_async[procrastinate]'"
    raise ImportError(_msg) from _error

from collections.abc import Callable, Mapping

from procrastinate.tasks import Task

from .._polling.policy import PollPolicy, check_poll_policy
from .._validators import check_duration
from ..client import AsyncClient
from ..errors import ConfigurationError, LedgerError, NotSentError, OutcomeUnknownError
from ..ledger import Ledger, ReceiptState

if TYPE_CHECKING:
    from procrastinate.types import JSONDict

    from ..ledger import Receipt

__all__ = ["blueprint"]

_logger = logging.getLogger(__name__)

_MAY_PASS = (NotSentError, LedgerError, LookupError)
"""What a job is run again for: nothing was sent, the database was away, or a transaction is not committed yet."""

_FIRST = 100
"""The priority of what must go on however many orders wait to be placed."""


def blueprint(  # noqa: PLR0913 - settings, each by its keyword and with a default
    ledger: str,
    *,
    panels: Mapping[str, Callable[[], AsyncClient]],
    queue: str = "followersdata",
    shards: int = 1,
    cron: str | None = "* * * * *",
    duration: float = 55.0,
    lease: float = 300.0,
    poll_policy: PollPolicy = PollPolicy(),
    stalled_after: float = 30.0,
) -> Blueprint:
    """The tasks ``poll``, ``place`` and ``retry_stalled``, for ``app.add_tasks_from(…, namespace="followersdata")``.

    ``poll(panel=…, shard=…)`` looks at a panel's orders as they are due, for
    ``duration`` seconds; shards work beside each other, and each order is asked
    by one. ``place(ref=…)`` sends what ``Ledger.intend`` wrote down, once: a job
    that runs again finds out what became of it, and never orders again. It
    fails where nobody knows. ``retry_stalled()`` runs jobs again whose worker
    was killed. ``poll`` and ``retry_stalled`` have priority 100, so that they do
    not wait until all is placed. The app, its workers and what they run are yours.

    Args:
        ledger: The ledger's address, ``postgresql://…``.
        panels: What makes a client, by the panel's name in the ledger: one for each job.
        queue: Procrastinate's queue.
        shards: How many jobs poll one panel at once.
        cron: When ``poll`` and ``retry_stalled`` are started; ``None``: by yourself.
        duration: Seconds for which a ``poll`` goes on; a little less than ``cron``'s interval.
        lease: Seconds for which nobody else asks for what a killed worker had claimed.
        poll_policy: How often orders are looked at, as of ``AsyncClient.watch``.
        stalled_after: Seconds without a worker's heartbeat after which its jobs run again.

    Raises:
        ValueError: no panels, or a number out of its bounds.
        ConfigurationError: the ledger's address is none.
    """
    check_duration("duration", duration)
    check_duration("stalled_after", stalled_after)
    check_duration("lease", lease)
    check_poll_policy(poll_policy)
    if not panels or shards < 1:
        msg = "panels must name at least one panel" if not panels else f"shards is {shards}, but must be at least 1"
        raise ValueError(msg)
    Ledger(ledger)  # A wrong address should fail here, not in a job.
    jobs = _Jobs(
        ledger, panels, queue, duration=duration, lease=lease, poll_policy=poll_policy, stalled_after=stalled_after
    )
    tasks = Blueprint()
    poll = tasks.task(name="poll", queue=queue, priority=_FIRST)(jobs.poll)
    place = tasks.task(name="place", queue=queue, retry=_retries())(jobs.place)
    retry_stalled = tasks.task(name="retry_stalled", queue=queue, priority=_FIRST, pass_context=True)(
        jobs.retry_stalled
    )
    jobs.tasks = (poll, place, retry_stalled)
    if cron is not None:
        tasks.periodic(cron=cron, queueing_lock="retry_stalled", queue=queue)(retry_stalled)
        for panel, shard in product(panels, range(shards)):
            one = f"{panel}:{shard}"
            told: JSONDict = {"panel": panel, "shard": shard}
            tasks.periodic(cron=cron, periodic_id=one, queueing_lock=f"poll:{one}", queue=queue, task_kwargs=told)(poll)
    return tasks


@final
@define(slots=False)
class _Jobs:
    """What the tasks do. ``timestamp`` is told by the queue, to tasks that it starts itself."""

    ledger: str
    panels: Mapping[str, Callable[[], AsyncClient]]
    queue: str
    duration: float = field(kw_only=True)
    lease: float = field(kw_only=True)
    poll_policy: PollPolicy = field(kw_only=True)
    stalled_after: float = field(kw_only=True)
    tasks: tuple[Task[..., Any, ...], ...] = ()

    async def poll(self, timestamp: int = 0, *, panel: str, shard: int = 0) -> int:  # noqa: ARG002
        """Poll a panel's orders for a while; how many changes there were. A shard is a job like any other."""
        told = 0
        with anyio.move_on_after(self.duration):
            async with (
                self._client(panel) as client,
                Ledger(self.ledger) as ledger,
                ledger.poll(
                    client, panel=panel, lease=self.lease, poll_policy=self.poll_policy, until_final=True
                ) as changes,
            ):
                async for _ in changes:
                    told += 1
        return told

    async def place(self, *, ref: str) -> str:
        """Send what was intended under a ref, once; what became of it."""
        async with Ledger(self.ledger) as ledger:
            intended = await ledger.receipt(ref)
            async with self._client(intended.panel) as client:
                return _outcome(await _sent(ledger, client, ref))

    async def retry_stalled(self, context: JobContext, timestamp: int = 0) -> int:  # noqa: ARG002
        """Run jobs again whose worker gives no sign of life; how many."""
        manager, retried = context.app.job_manager, 0
        for task in self.tasks:
            for job in await manager.get_stalled_jobs(
                queue=self.queue, task_name=task.name, seconds_since_heartbeat=self.stalled_after
            ):
                try:
                    await manager.retry_job(job)
                except UniqueViolation:
                    # One like it waits already.
                    await manager.finish_job(job, Status.FAILED, delete_job=False)
                retried += 1
        return retried

    def _client(self, panel: str) -> AsyncClient:
        try:
            make = self.panels[panel]
        except KeyError:
            msg = f"the panel {panel!r} is none of this blueprint's: {', '.join(sorted(self.panels))}"
            raise ConfigurationError(msg) from None
        return make()


def _retries() -> RetryStrategy:
    """Again after 3, 9, 27 … seconds, for nearly three hours."""
    return RetryStrategy(max_attempts=8, exponential_wait=3, retry_exceptions=_MAY_PASS)


async def _sent(book: Ledger, client: AsyncClient, ref: str) -> Receipt:
    try:
        return await book.send(client, ref)
    except LedgerError as error:
        if error.receipt is not None:
            # It is nowhere else: the job that runs again finds the order unknown.
            state, order = error.receipt.state.value, error.receipt.order
            _logger.exception("%r is %s, order %s, and the ledger could not write it down", ref, state, order)
        raise


def _outcome(receipt: Receipt) -> str:
    """The job's result.

    Raises:
        NotSentError: it may be sent again, and will be.
        OutcomeUnknownError: nobody knows, and somebody has to look.
    """
    if receipt.state is ReceiptState.NOT_SENT:
        msg = f"{receipt.ref!r} was not sent: {receipt.message}"
        raise NotSentError(msg, action="add")
    if receipt.state is ReceiptState.UNKNOWN:
        msg = f"{receipt.ref!r}: look at the panel, then settle it with Ledger.resolve"
        raise OutcomeUnknownError(msg, action="add", asked=dict(receipt.fields), at=receipt.sent_at)
    outcome: str = receipt.state.value
    return outcome
