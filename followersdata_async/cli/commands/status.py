"""A command over many ids: ask with a bar, write the outcomes, count them, pick the exit code."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar, final

from attrs import frozen

from ...errors import FollowersDataError
from ...models import BatchResult, id_text
from ..exit_codes import get_batch_exit_code
from ..output import Format, outcome_to_row, write_rows
from ..progress import print_message, show_bar
from ..signals import get_interrupt_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from attrs import AttrsInstance

    from ..._batch.stream import Outcomes
    from ...models import Id, Outcome

Value = TypeVar("Value", bound="AttrsInstance")


@final
@frozen(kw_only=True)
class Tally:
    """How many ids came to what, under the names that the demo reports."""

    orders: int
    requests: int
    ok: int
    refused: int
    unreported: int
    failed: int

    def __str__(self) -> str:
        """One line to say."""
        return (
            f"{self.orders:,} ids: {self.ok:,} ok, {self.refused:,} refused, {self.unreported:,} unreported, "
            f"{self.failed:,} failed; {self.requests:,} requests"
        )


def tally_of(result: BatchResult[object]) -> Tally:
    """Count a result's outcomes."""
    kinds = Counter(type(outcome).__name__ for outcome in result.values())
    return Tally(
        orders=len(result),
        requests=result.requests,
        ok=kinds["Ok"],
        refused=kinds["Refused"],
        unreported=kinds["Unreported"],
        failed=kinds["Failed"],
    )


async def collected(
    title: str,
    ids: Sequence[Id],
    stream: Callable[[Iterable[Id]], Outcomes[Value]],
    report: Callable[[BatchResult[Value]], object] | None = None,
) -> BatchResult[Value]:
    """Every outcome, in the order asked, with a bar while they come.

    Interrupted, it asks no more, and has what is known; where that is still
    on its way and takes too long, ``report`` is given what is known.
    """
    found: dict[str, Outcome[Value]] = {}
    outcomes = stream(get_interrupt_handler().take_until_interrupted(ids))

    def known() -> BatchResult[Value]:
        texts = map(id_text, ids)
        return BatchResult((found[text] for text in texts if text in found), requests=outcomes.requests)

    try:
        with (
            show_bar(title, len(ids)) as advance,
            get_interrupt_handler().finish_in_flight(None if report is None else lambda: report(known())),
        ):
            async with outcomes:
                async for outcome in outcomes:
                    found[id_text(outcome.id)] = outcome
                    advance()
            return known()
    except FollowersDataError:
        # A key that is refused in the middle does not undo what came before.
        if report is not None and found:
            report(known())
        raise


async def answered(
    title: str,
    ids: Sequence[Id],
    stream: Callable[[Iterable[Id]], Outcomes[Value]],
    columns: Sequence[str],
    format: Format,
) -> int:
    """Ask about all, write what came, say the counts, and return the exit code."""

    def report(result: BatchResult[Value], format: Format = format) -> None:
        rows = [outcome_to_row(outcome) for outcome in result.values()]
        write_rows(rows, ("id", "outcome", *columns, "error", "message"), format)
        rest = len(ids) - len(result)
        print_message(f"{tally_of(result)}{f'; {rest:,} have no answer' if rest else ''}")

    result = await collected(title, ids, stream, report)
    # A large table takes a while to lay out; whoever interrupts that gets the rows as they are.
    with get_interrupt_handler().finish_in_flight(lambda: report(result, "jsonl" if format == "table" else format)):
        report(result)
    return get_batch_exit_code(result.values())
