"""A shop's service, whole: it orders once, tells how orders are doing, and follows them in the background.

    pip install 'followersdata_async[fastapi,ledger]' uvicorn
    uvicorn --app-dir docs service:app --workers 4 --timeout-graceful-shutdown 30

Key and panel come from the environment; the ledger is FOLLOWERSDATA_LEDGER_URL, else a file beside it.
"""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypedDict

import anyio
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from followersdata_async import AsyncClient, FollowersDataError, LedgerError, OrderStatus, orders
from followersdata_async.integrations.fastapi import (
    EventStreamResponse,
    NdjsonResponse,
    PanelDep,
    install_error_handlers,
    lifespan,
    panels_of,
)
from followersdata_async.ledger import Ledger, LedgerHealth, Receipt, ReceiptState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger(__name__)


class State(TypedDict):
    """What the app has open beside the panel."""

    ledger: Ledger


@asynccontextmanager
async def ledger_and_poller(app: FastAPI) -> AsyncIterator[State]:
    """The ledger, and a task that follows its orders; with many workers, each order is looked at by one of them."""
    ledger_url = os.environ.get("FOLLOWERSDATA_LEDGER_URL", "sqlite:///service.db")
    async with Ledger(ledger_url) as ledger, anyio.create_task_group() as tasks:
        tasks.start_soon(follow, ledger, panels_of(app)["main"])
        yield {"ledger": ledger}
        tasks.cancel_scope.cancel()


async def follow(ledger: Ledger, panel: AsyncClient) -> None:
    """Look at orders whenever they are due, for as long as the service runs."""
    while True:
        try:
            async with ledger.poll(panel) as changes:
                async for change in changes:
                    logger.info("order %s is %s", change.order, change.after.status)
        except FollowersDataError:
            logger.exception("orders are not followed for half a minute")
            await anyio.sleep(30)


# Single statuses of 20 ms share a request of the panel's.
app = FastAPI(title="A shop", lifespan=lifespan(lambda: AsyncClient(coalesce_window=0.02), inner=ledger_and_poller))
install_error_handlers(app)


def opened_ledger(request: Request) -> Ledger:
    """The ledger of this app."""
    ledger: Ledger = request.state.ledger
    return ledger


LedgerDep = Annotated[Ledger, Depends(opened_ledger)]


class Purchase(BaseModel):
    """What a customer buys; ``ref`` is the cart's."""

    ref: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
    service: int
    link: Annotated[str, Field(pattern=r"\S")]
    quantity: Annotated[int, Field(ge=1)]


STATUSES = {
    ReceiptState.PLACED: 201,
    ReceiptState.REFUSED: 422,
    ReceiptState.NOT_SENT: 503,
    ReceiptState.UNKNOWN: 202,  # Somebody has to look; sending it again would not help.
}


@app.post("/orders", status_code=201, responses={status: {"model": Receipt} for status in (202, 422, 503)})
async def place(purchase: Purchase, panel: PanelDep, ledger: LedgerDep, response: Response) -> Receipt:
    """Order once: the same cart again gets the receipt that is on record."""
    order = orders.Default(service=purchase.service, link=purchase.link, quantity=purchase.quantity)
    try:
        receipt = await ledger.place(panel, order, ref=purchase.ref)
    except ValueError as error:
        raise HTTPException(409, str(error)) from error
    response.status_code = STATUSES[receipt.state]
    return receipt


@app.get("/orders/{order}")
async def show(order: int, panel: PanelDep) -> OrderStatus:
    """How one order is doing."""
    return await panel.status(order)


@app.post("/statuses", response_class=NdjsonResponse)
async def statuses(ids: list[int], panel: PanelDep) -> NdjsonResponse:
    """How any number of orders are doing: a line for each, as fast as they are read."""
    return NdjsonResponse(panel.stream_status(ids))


@app.get("/statuses", response_class=EventStreamResponse)
async def live_statuses(order: Annotated[list[int], Query()], panel: PanelDep) -> EventStreamResponse:
    """The same for a page: ``new EventSource("/statuses?order=1&order=2")``."""
    return EventStreamResponse(panel.stream_status(order))


@app.get("/alive")
async def alive() -> dict[str, str]:
    """Whether this process answers: for whatever restarts it, or sends it requests."""
    return {"status": "ok"}


MAX_LAG = 600.0
"""Seconds by which polling may be late. Orders of a killed worker are free after 300, and ``follow`` rests for 30."""


class Health(BaseModel):
    """What is wrong, if anything, and the numbers, if they can be read."""

    problems: list[str]
    ledger: LedgerHealth | None


@app.get("/health", responses={503: {"model": Health}})
async def health(ledger: LedgerDep, response: Response) -> Health:
    """Whether a person has to do something: for what calls one. The panel is not asked."""
    now, problems = None, []
    try:
        with anyio.fail_after(5):
            now = await ledger.health(overdue=MAX_LAG)
    except (LedgerError, TimeoutError):
        logger.exception("the ledger cannot be read")
        problems.append("the ledger cannot be read: no order can be placed")
    else:
        # No order takes an hour to be sent, so nobody will learn its outcome any more without looking.
        if now.unknown_for_an_hour:
            problems.append(f"{now.unknown_for_an_hour} orders are unknown for an hour: look, and settle them")
        if now.orders_overdue:
            problems.append(f"{now.orders_overdue} orders are not followed, one of them for {now.lag:.0f} s")
    if problems:
        response.status_code = 503
    return Health(problems=problems, ledger=now)
