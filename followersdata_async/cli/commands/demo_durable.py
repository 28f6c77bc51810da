"""``demo --durable``: a program that places orders is killed half-way, and no order is lost or placed twice."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import anyio
from attrs import define, field

from ..._polling.policy import PollPolicy
from ..._settings import KEY_VARIABLE, URL_VARIABLE
from ...client import AsyncClient
from ...ledger import Ledger
from ...sandbox import Sandbox
from ..exit_codes import SOME_FAILED, SUCCESS
from ..input import UsageError
from ..output import OutputOptions, write_row, write_rows
from ..progress import print_message
from .demo_worker import make_link, make_ref

_SPEED = 2000.0
"""How many times faster than real time the sandbox runs, so that orders end within seconds."""
_POLL_POLICY = PollPolicy(min_delay=0.1, max_delay=1.0)
_COLUMNS = ("step", "placed", "unknown", "on_the_panel", "twice", "final")


async def run_durable_demo(orders: int, latency: float, dialect: str, output: OutputOptions) -> int:
    """Run every step and write what is on record and at the panel after it; as JSON, only the last step."""
    started_at = time.time()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'orders.db'}"
        async with (
            Sandbox(
                seed=1,
                serve=True,
                latency=latency,
                dialect=dialect,
                max_orders=None,
                clock=lambda: started_at + (time.time() - started_at) * _SPEED,
            ) as sandbox,
            AsyncClient(sandbox.key, url=sandbox.url) as client,
            Ledger(url) as ledger,
        ):
            demo = _DurableDemo(orders, sandbox, client, ledger, url)
            await demo.kill_worker_half_way()
            await demo.run_worker_again()
            await demo.settle_unknown_orders()
            await demo.poll_until_final()
    if output.format == "json":
        write_row(demo.steps[-1], _COLUMNS, output)
    else:
        write_rows(demo.steps, _COLUMNS, output)
    last = demo.steps[-1]
    return SUCCESS if (last["twice"], last["final"]) == (0, orders) else SOME_FAILED


@define
class _DurableDemo:
    """The steps of the demo, and a row for each that was run."""

    orders: int
    sandbox: Sandbox
    client: AsyncClient
    ledger: Ledger
    url: str
    steps: list[dict[str, object]] = field(factory=list)

    async def kill_worker_half_way(self) -> None:
        """Run the worker and kill it while some of its orders are in flight."""
        half = max(1, self.orders // 2)
        print_message(f"a program places {self.orders:,} orders, and is killed when the panel has taken {half:,}")
        await self._run_worker(until=half)
        await self._record_step("killed half-way")

    async def run_worker_again(self) -> None:
        """Run the worker again. It knows only what the first one left on record."""
        print_message("the same program runs again: what is on record is not sent again")
        await self._run_worker()
        await self._record_step("run again")

    async def settle_unknown_orders(self) -> None:
        """Settle the unknown orders from the panel's list, as a person would, and run the worker again."""
        orders = {str(row["link"]): row["order"] for row in self.sandbox.orders()}
        links = {make_ref(number): make_link(number) for number in range(1, self.orders + 1)}
        async for receipt in self.ledger.unknown():
            order = orders.get(links[receipt.ref])
            if isinstance(order, int | str):
                print_message(f"nobody knew of {receipt.ref}: on the panel's list it is {order}")
                await self.ledger.resolve(receipt.ref, order=order)
            else:
                print_message(f"nobody knew of {receipt.ref}: it is not on the panel's list, and is placed again")
                await self.ledger.resolve(receipt.ref, placed=False)
        await self._run_worker()
        await self._record_step("looked at the panel, and run again")

    async def poll_until_final(self) -> None:
        """Poll every order until it is final."""
        async with self.ledger.poll(self.client, poll_policy=_POLL_POLICY, until_final=True) as changes:
            async for _ in changes:
                pass
        await self._record_step("followed to their end")

    async def _run_worker(self, *, until: int | None = None) -> None:
        """Run the worker to its end, or kill it when the panel has received ``until`` requests."""
        command = [sys.executable, "-m", f"{__package__}.demo_worker", self.url, str(self.orders)]
        environment = os.environ | {KEY_VARIABLE: self.sandbox.key, URL_VARIABLE: self.sandbox.url}
        async with await anyio.open_process(command, env=environment, stdin=None, stdout=None, stderr=None) as program:
            while until is not None and program.returncode is None and self.sandbox.requests < until:  # noqa: ASYNC110
                # The sandbox runs in another thread and has no event to wait for.
                await anyio.sleep(0.001)
            if until is not None and program.returncode is None:
                program.kill()
        if program.returncode and until is None:
            msg = f"the program that places orders ended with {program.returncode}; it said why"
            raise UsageError(msg)

    async def _record_step(self, step: str) -> None:
        """Add a row with the numbers of orders on record and at the panel."""
        links = [row["link"] for row in self.sandbox.orders()]
        counts = await self.ledger.counts()
        unknown = [receipt.ref async for receipt in self.ledger.unknown()]
        self.steps.append(
            {
                "step": step,
                "placed": sum(counts.values()),
                "unknown": len(unknown),
                "on_the_panel": len(links),
                "twice": len(links) - len(set(links)),
                "final": sum(count for state, count in counts.items() if state is not None and state.is_final),
            }
        )
