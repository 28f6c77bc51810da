"""``status``, ``refill``, ``refill-status`` and ``cancel``: commands over many ids, with one outcome for each id."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar, final

from attrs import evolve, frozen

from ...errors import FollowersDataError
from ...models import BatchResult, format_id
from ..exit_codes import get_batch_exit_code
from ..options import DEFAULT_CONNECTION, DEFAULT_IDS, ConnectionOptions, IdArgument, IdOptions
from ..output import DEFAULT_OUTPUT, OutputOptions, outcome_to_row, write_rows
from ..progress import print_message, show_bar
from ..signals import get_interrupt_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from attrs import AttrsInstance

    from ..._batch.outcomes import Outcomes
    from ...models import Id, Outcome

Value = TypeVar("Value", bound="AttrsInstance")
_STATUS_COLUMNS = ("status", "charge", "start_count", "remains", "currency")


async def status(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Show how orders are doing.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    """
    order_ids = source.read_ids(ids)
    async with connection.create_client() as client:
        return await report_batch("status", order_ids, client.stream_status, _STATUS_COLUMNS, output)


async def refill(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Ask for refills of orders. It is never sent twice.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    """
    order_ids = source.read_ids(ids)
    async with connection.create_client() as client:
        return await report_batch("refill", order_ids, client.stream_refill, ("refill",), output)


async def refill_status(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Show how refills are doing.

    Parameters
    ----------
    ids
        The refills' ids, not the orders'; - reads them from standard input.
    """
    refill_ids = source.read_ids(ids)
    async with connection.create_client() as client:
        return await report_batch("refill status", refill_ids, client.stream_refill_status, ("status",), output)


async def cancel(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Ask to cancel orders. Accepted means asked for: their status tells whether it was done.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    """
    order_ids = source.read_ids(ids)
    async with connection.create_client() as client:
        return await report_batch("cancel", order_ids, client.stream_cancel, ("accepted",), output)


@final
@frozen(kw_only=True)
class Tally:
    """The number of ids with each outcome, under the names that the demo reports."""

    orders: int
    requests: int
    ok: int
    refused: int
    unreported: int
    failed: int

    def __str__(self) -> str:
        """Return the numbers as one line of text."""
        return (
            f"{self.orders:,} ids: {self.ok:,} ok, {self.refused:,} refused, {self.unreported:,} unreported, "
            f"{self.failed:,} failed; {self.requests:,} requests"
        )


def count_outcomes(result: BatchResult[object]) -> Tally:
    """Return the number of outcomes of each kind in a result."""
    kinds = Counter(type(outcome).__name__ for outcome in result.values())
    return Tally(
        orders=len(result),
        requests=result.requests,
        ok=kinds["Ok"],
        refused=kinds["Refused"],
        unreported=kinds["Unreported"],
        failed=kinds["Failed"],
    )


async def collect_outcomes(
    title: str,
    ids: Sequence[Id],
    stream: Callable[[Iterable[Id]], Outcomes[Value]],
    report: Callable[[BatchResult[Value]], object] | None = None,
) -> BatchResult[Value]:
    """Return the outcome of every id, in the order of the ids, and show a progress bar meanwhile.

    If it is interrupted, it sends no further request and returns the outcomes
    that are known. If the requests in flight take too long then, ``report``
    is called with those outcomes instead.
    """
    outcomes_by_id: dict[str, Outcome[Value]] = {}
    outcomes = stream(get_interrupt_handler().take_until_interrupted(ids))

    def build_result() -> BatchResult[Value]:
        texts = map(format_id, ids)
        return BatchResult(
            (outcomes_by_id[text] for text in texts if text in outcomes_by_id), requests=outcomes.requests
        )

    try:
        with (
            show_bar(title, len(ids)) as advance,
            get_interrupt_handler().finish_in_flight(None if report is None else lambda: report(build_result())),
        ):
            async with outcomes:
                async for outcome in outcomes:
                    outcomes_by_id[format_id(outcome.id)] = outcome
                    advance()
            return build_result()
    except FollowersDataError:
        # If the key is rejected halfway, the outcomes before that still hold.
        if report is not None and outcomes_by_id:
            report(build_result())
        raise


async def report_batch(
    title: str,
    ids: Sequence[Id],
    stream: Callable[[Iterable[Id]], Outcomes[Value]],
    columns: Sequence[str],
    output: OutputOptions,
) -> int:
    """Send requests for all ids, write the outcomes, print their numbers, and return the exit code."""

    def report(result: BatchResult[Value], output: OutputOptions = output) -> None:
        rows = [outcome_to_row(outcome) for outcome in result.values()]
        write_rows(rows, ("id", "outcome", *columns, "error", "message"), output)
        missing = len(ids) - len(result)
        print_message(f"{count_outcomes(result)}{f'; {missing:,} have no answer' if missing else ''}")

    result = await collect_outcomes(title, ids, stream, report)
    # A large table takes a while to lay out. If that is interrupted, the rows are written as JSON.
    fast = evolve(output, format="jsonl") if output.format == "table" else output
    with get_interrupt_handler().finish_in_flight(lambda: report(result, fast)):
        report(result)
    return get_batch_exit_code(result.values())
