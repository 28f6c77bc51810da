"""``demo``: a sandbox on a loopback port, and what a client does with many orders."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, final

from attrs import asdict, frozen
from cyclopts import Parameter

from ..._serialization import format_amount
from ...client import AsyncClient
from ...errors import OutcomeUnknownError
from ...orders import CustomComments, Default, Package
from ..exit_codes import SOME_FAILED, SUCCESS
from ..output import DEFAULT_OUTPUT, OutputOptions, write_row, write_rows
from ..progress import print_message
from ..signals import get_interrupt_handler
from .sandbox import check_sandbox_options
from .status import Tally, collect_outcomes, count_outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...models import Id, OrderInput

_BULK_ORDERS = 10_000
_DURABLE_ORDERS = 200
_WRITTEN_ORDERS = 300
"""The number of orders to refill and to cancel."""
_LINK = "https://example.com/p/1"
_NAMES = ("orders", "requests", "ok", "refused", "unreported", "failed", "seconds", "orders_per_second")

_ORDERS: Sequence[OrderInput] = (
    Default(service=1, link=_LINK, quantity=1000),
    CustomComments(service=2, link=_LINK, comments=[f"Comment {number}" for number in range(1, 11)]),
    Package(service=3, link=_LINK),
)


async def demo(
    *,
    durable: Annotated[bool, Parameter(negative=())] = False,
    orders: int | None = None,
    latency: float = 0.05,
    dialect: str = "documented",
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Show the main job against an embedded sandbox: no account, no money, no network.

    Parameters
    ----------
    durable
        Place orders on record by a program that is killed half-way, and show that none is placed twice or lost.
    orders
        How many orders' status to ask, 10000 unless you say so; with --durable how many to place, 200.
    latency
        Seconds that the sandbox takes to answer.
    dialect
        Whose shapes its answers have, one of docs/dialects.md.
    """
    if durable:
        from .demo_durable import run_durable_demo as run_demo
    else:
        run_demo = run_bulk_demo
    count = (_DURABLE_ORDERS if durable else _BULK_ORDERS) if orders is None else orders
    check_sandbox_options(count, latency)
    return await run_demo(count, latency, dialect, output)


@final
@frozen(kw_only=True)
class Step:
    """One step of the demo: its outcomes and its duration."""

    step: str
    tally: Tally
    seconds: float

    def to_row(self) -> dict[str, object]:
        """Return the step as a row, its seconds rounded to milliseconds."""
        return {
            "step": self.step,
            **asdict(self.tally),
            "seconds": round(self.seconds, 3),
            "orders_per_second": round(self.tally.orders / self.seconds) if self.seconds else 0,
        }


async def run_bulk_demo(orders: int, latency: float, dialect: str, output: OutputOptions) -> int:
    """Run every step against a sandbox and write the results; as JSON, only that of the bulk status."""
    from ...sandbox import Sandbox

    async with (
        Sandbox(seed=1, serve=True, latency=latency, dialect=dialect, past=orders) as sandbox,
        get_interrupt_handler().count_requests(AsyncClient(sandbox.key, url=sandbox.url)) as client,
    ):
        print_message(f"sandbox at {sandbox.url}")
        print_message(f"catalogue: {len(await client.services())} services")
        before = await client.balance()
        with get_interrupt_handler().finish_in_flight():
            placed = [id_ for order in _ORDERS[:orders] if (id_ := await _place(client, order)) is not None]
        after = await client.balance()
        amounts = f"{format_amount(before.balance)} → {format_amount(after.balance)} {after.currency}"
        print_message(f"placed {len(placed)} orders; balance {amounts}")
        ids: list[Id] = [*range(1, orders - len(placed) + 1), *placed]
        status = await _time_step("status", ids, client)
        steps = [status, *[await _time_step(step, ids[-_WRITTEN_ORDERS:], client) for step in ("refill", "cancel")]]
    if output.format == "json":
        row = status.to_row()
        write_row({name: row[name] for name in _NAMES}, _NAMES, output)
    else:
        write_rows([step.to_row() for step in steps], ("step", *_NAMES), output)
    return SOME_FAILED if status.tally.ok < status.tally.orders else SUCCESS


async def _place(client: AsyncClient, order: OrderInput) -> Id | None:
    """Place an order and return its id, or print that its outcome is unknown, as it is if the panel crashes."""
    try:
        return (await client.add(order)).order
    except OutcomeUnknownError as error:
        print_message(str(error))
        return None


async def _time_step(step: str, ids: list[Id], client: AsyncClient) -> Step:
    started_at = time.perf_counter()
    if step == "status":
        tally = count_outcomes(await collect_outcomes("status", ids, client.stream_status))
    elif step == "refill":
        tally = count_outcomes(await collect_outcomes("refill", ids, client.stream_refill))
    else:
        tally = count_outcomes(await collect_outcomes("cancel", ids, client.stream_cancel))
    return Step(step=step, tally=tally, seconds=time.perf_counter() - started_at)
