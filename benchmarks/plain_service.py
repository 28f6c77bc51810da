"""What a user would write instead of the example service: a route that asks the panel with one httpx client."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def _client(_: FastAPI) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    async with httpx.AsyncClient(timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=_client)


@app.get("/orders/{order}")
async def show(order: int, request: Request) -> Any:  # noqa: ANN401 - whatever the panel says
    """How one order is doing."""
    form = {"key": os.environ["FOLLOWERSDATA_API_KEY"], "action": "status", "order": order}
    return (await request.state.client.post(os.environ["FOLLOWERSDATA_API_URL"], data=form)).json()
