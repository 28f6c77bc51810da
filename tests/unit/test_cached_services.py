"""The catalogue as it was last read: no older than the caller allows."""

from __future__ import annotations

from decimal import Decimal

import anyio
import pytest

from followersdata_async._catalogue import ServicesCache
from followersdata_async.errors import PanelUnavailableError
from followersdata_async.models import Catalogue, Service, ServiceKind, UnreadableService

pytestmark = pytest.mark.anyio


class Panel:
    """A catalogue whose only service is numbered by how often it was read, and a clock."""

    def __init__(self) -> None:
        self.reads = 0
        self.now = 0.0
        self.dead = False
        self.cached = ServicesCache(self.read, lambda: self.now)

    async def read(self) -> Catalogue:
        """Read it, which takes a while."""
        self.reads += 1
        await anyio.lowlevel.checkpoint()
        if self.dead:
            raise PanelUnavailableError
        service = Service(service=self.reads, name="x", type="Default", kind=ServiceKind.DEFAULT, rate=Decimal(1))
        return Catalogue([service], unreadable=[UnreadableService({}, ("no name",))])


async def test_it_is_read_again_when_it_is_too_old() -> None:
    """Its age counts from when it was asked for."""
    panel = Panel()
    seen = []
    for panel.now, max_age in ((0.0, 60.0), (59.9, 60.0), (60.0, 60.0), (61.0, 1.0), (61.0, 5.0)):
        seen += [service.service for service in await panel.cached.get(max_age)]
    assert seen == [1, 1, 2, 3, 3]


async def test_callers_at_the_same_time_share_one_request() -> None:
    """And nobody's list is another's."""
    panel = Panel()
    found: list[Catalogue] = []

    async def ask() -> None:
        found.append(await panel.cached.get(60.0))

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(ask)
    assert panel.reads == 1
    found[0].clear()
    assert all(len(services) == len(services.unreadable) == 1 for services in found[1:])


async def test_a_failure_is_not_kept() -> None:
    """The next caller asks again."""
    panel = Panel()
    panel.dead = True
    with pytest.raises(PanelUnavailableError):
        await panel.cached.get(60.0)
    panel.dead = False
    assert len(await panel.cached.get(60.0)) == 1
