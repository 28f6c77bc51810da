"""``demo --durable``: orders placed by a program that is killed half-way, and what becomes of them."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import anyio
from attrs import define, field

from ..._pacing import PollPolicy
from ..._settings import KEY_VARIABLE, URL_VARIABLE
from ...client import AsyncClient
from ...ledger import Ledger
from ...sandbox import Sandbox
from ..exit_codes import SOME_FAILED, SUCCESS
from ..input import UsageError
from ..output import Format, write_row, write_rows
from ..progress import print_message
from .demo_worker import link_of, ref_of

_FASTER = 2000.0
"""How much faster than ours the sandbox's time goes: orders end within seconds."""
_PACE = PollPolicy(min_delay=0.1, max_delay=1.0)
_COLUMNS = ("step", "placed", "unknown", "on_the_panel", "twice", "final")


async def demo(orders: int, latency: float, dialect: str, format: Format) -> int:
    """Run it, and write what was where after each step; as JSON, the last step alone."""
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        where = f"sqlite:///{Path(folder) / 'orders.db'}"
        async with (
            Sandbox(
                seed=1,
                serve=True,
                latency=latency,
                dialect=dialect,
                clock=lambda: began + (time.time() - began) * _FASTER,
            ) as sandbox,
            AsyncClient(sandbox.key, url=sandbox.url) as panel,
            Ledger(where) as ledger,
        ):
            show = _Show(orders, sandbox, panel, ledger, where)
            await show.kill_a_program_half_way()
            await show.run_it_again()
            await show.look_at_the_panel()
            await show.follow_them()
    if format == "json":
        write_row(show.steps[-1], _COLUMNS, format)
    else:
        write_rows(show.steps, _COLUMNS, format)
    last = show.steps[-1]
    return SUCCESS if (last["twice"], last["final"]) == (0, orders) else SOME_FAILED


@define
class _Show:
    orders: int
    sandbox: Sandbox
    panel: AsyncClient
    ledger: Ledger
    where: str
    steps: list[dict[str, object]] = field(factory=list)

    async def kill_a_program_half_way(self) -> None:
        """While some of its orders are on their way."""
        half = max(1, self.orders // 2)
        print_message(f"a program places {self.orders:,} orders, and is killed when the panel has taken {half:,}")
        await self._run(until=half)
        await self._note("killed half-way")

    async def run_it_again(self) -> None:
        """The same program, which knows nothing of the first one but what is on record."""
        print_message("the same program runs again: what is on record is not sent again")
        await self._run()
        await self._note("run again")

    async def look_at_the_panel(self) -> None:
        """What a person has to do for the orders of which nobody knows; it is the panel's list that tells."""
        taken = {str(row["link"]): row["order"] for row in self.sandbox.orders()}
        refs = {ref_of(number): link_of(number) for number in range(1, self.orders + 1)}
        async for receipt in self.ledger.unknown():
            order = taken.get(refs[receipt.ref])
            if isinstance(order, int | str):
                print_message(f"nobody knew of {receipt.ref}: on the panel's list it is {order}")
                await self.ledger.resolve(receipt.ref, order=order)
            else:
                print_message(f"nobody knew of {receipt.ref}: it is not on the panel's list, and is placed again")
                await self.ledger.resolve(receipt.ref, placed=False)
        await self._run()
        await self._note("looked at the panel, and run again")

    async def follow_them(self) -> None:
        """All that were placed, to their end."""
        async with self.ledger.poll(self.panel, poll_policy=_PACE, until_final=True) as changes:
            async for _ in changes:
                pass
        await self._note("followed to their end")

    async def _run(self, *, until: int | None = None) -> None:
        """Run the program to its end, or until the panel was asked so often, and then kill it."""
        command = [sys.executable, "-m", f"{__package__}.demo_worker", self.where, str(self.orders)]
        environment = os.environ | {KEY_VARIABLE: self.sandbox.key, URL_VARIABLE: self.sandbox.url}
        async with await anyio.open_process(command, env=environment, stdin=None, stdout=None, stderr=None) as program:
            while until is not None and program.returncode is None and self.sandbox.requests < until:  # noqa: ASYNC110
                # A panel in another thread sets no event of ours.
                await anyio.sleep(0.001)
            if until is not None and program.returncode is None:
                program.kill()
        if program.returncode and until is None:
            msg = f"the program that places orders ended with {program.returncode}; it said why"
            raise UsageError(msg)

    async def _note(self, step: str) -> None:
        taken = [row["link"] for row in self.sandbox.orders()]
        counts = await self.ledger.counts()
        unknown = [receipt.ref async for receipt in self.ledger.unknown()]
        self.steps.append(
            {
                "step": step,
                "placed": sum(counts.values()),
                "unknown": len(unknown),
                "on_the_panel": len(taken),
                "twice": len(taken) - len(set(taken)),
                "final": sum(count for state, count in counts.items() if state is not None and state.is_final),
            }
        )
