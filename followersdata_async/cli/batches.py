"""A command over many ids: ask with a bar, write the outcomes, count them, pick the exit code."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar, final

from attrs import frozen

from ..models import BatchResult, id_text
from .exits import exit_code_of_batch
from .progress import bar, say
from .render import Format, row_of_outcome, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from attrs import AttrsInstance

    from ..dispatch import Outcomes
    from ..models import Id

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
    title: str, ids: Sequence[Id], stream: Callable[[Iterable[Id]], Outcomes[Value]]
) -> BatchResult[Value]:
    """Every outcome, in the order asked, with a bar while they come."""
    found = {}
    with bar(title, len(ids)) as advance:
        async with stream(ids) as outcomes:
            async for outcome in outcomes:
                found[id_text(outcome.id)] = outcome
                advance()
    return BatchResult((found[id_text(id_)] for id_ in ids), requests=outcomes.requests)


def reported(result: BatchResult[Value], columns: Sequence[str], how: Format) -> int:
    """Write a result, say the counts, and return the exit code."""
    rows = [row_of_outcome(outcome) for outcome in result.values()]
    write(rows, ("id", "outcome", *columns, "error", "message"), how)
    say(str(tally_of(result)))
    return exit_code_of_batch(result.values())
