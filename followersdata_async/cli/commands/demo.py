"""The main job, shown: a sandbox on a loopback port, and everything the client does with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, final

from attrs import asdict, frozen

from ...client import AsyncClient
from ...orders import CustomComments, Default, Package
from ...sandbox import Sandbox
from ..exit_codes import SOME_FAILED, SUCCESS
from ..output import Format, write_row, write_rows
from ..progress import print_message
from ..signals import get_interrupt_handler
from .status import Tally, collected, tally_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...models import Id
    from ...orders import Order

_FEW_HUNDRED = 300
_LINK = "https://example.com/p/1"
_NAMES = ("orders", "requests", "ok", "refused", "unreported", "failed", "seconds", "orders_per_second")

_ORDERS: Sequence[Order] = (
    Default(service=1, link=_LINK, quantity=1000),
    CustomComments(service=2, link=_LINK, comments=[f"Comment {number}" for number in range(1, 11)]),
    Package(service=3, link=_LINK),
)


@final
@frozen(kw_only=True)
class Step:
    """One step's counts and how long it took."""

    step: str
    tally: Tally
    seconds: float

    def row(self) -> dict[str, object]:
        """The step as a row of the table; its seconds to the millisecond."""
        return {
            "step": self.step,
            **asdict(self.tally),
            "seconds": round(self.seconds, 3),
            "orders_per_second": round(self.tally.orders / self.seconds) if self.seconds else 0,
        }


async def demo(orders: int, latency: float, dialect: str, format: Format) -> int:
    """Run every step, and write what came; as JSON, the bulk status alone."""
    async with (
        Sandbox(seed=1, serve=True, latency=latency, dialect=dialect, past=orders) as sandbox,
        get_interrupt_handler().count_requests(AsyncClient(sandbox.key, url=sandbox.url)) as panel,
    ):
        print_message(f"sandbox at {sandbox.url}")
        print_message(f"catalogue: {len(await panel.services())} services")
        before = (await panel.balance()).balance
        with get_interrupt_handler().finish_in_flight():
            placed = [(await panel.add(order)).order for order in _ORDERS[:orders]]
        after = await panel.balance()
        print_message(f"placed {len(placed)} orders; balance {before} → {after.balance} {after.currency}")
        ids: list[Id] = [*range(1, orders - len(placed) + 1), *placed]
        status = await _timed("status", ids, panel)
        steps = [status, *[await _timed(step, ids[-_FEW_HUNDRED:], panel) for step in ("refill", "cancel")]]
    if format == "json":
        row = status.row()
        write_row({name: row[name] for name in _NAMES}, _NAMES, format)
    else:
        write_rows([step.row() for step in steps], ("step", *_NAMES), format)
    return SOME_FAILED if status.tally.ok < status.tally.orders else SUCCESS


async def _timed(step: str, ids: list[Id], panel: AsyncClient) -> Step:
    began = time.perf_counter()
    if step == "status":
        tally = tally_of(await collected("status", ids, panel.stream_status))
    elif step == "refill":
        tally = tally_of(await collected("refill", ids, panel.stream_refill))
    else:
        tally = tally_of(await collected("cancel", ids, panel.stream_cancel))
    return Step(step=step, tally=tally, seconds=time.perf_counter() - began)
