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
        self.gates: list[anyio.Event] = []
        self.mistake: Exception | None = None

    async def read(self) -> Catalogue:
        """Read it, which takes a while, or until the next gate opens."""
        self.reads += 1
        number = self.reads
        await anyio.lowlevel.checkpoint()
        if self.gates:
            await self.gates.pop(0).wait()
        if self.mistake is not None:
            raise self.mistake
        if self.dead:
            raise PanelUnavailableError
        service = Service(service=number, name="x", type="Default", kind=ServiceKind.DEFAULT, rate=Decimal(1))
        return Catalogue([service], unreadable=[UnreadableService({}, ("no name",))])

    async def ask(self, max_age: float, found: list[int]) -> None:
        """Note the number of the catalogue that a caller gets."""
        found += [service.service for service in await self.cached.get(max_age)]


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


async def test_callers_at_the_same_time_share_a_failure() -> None:
    """None of them waits for a request of its own, and each has its own exception."""
    panel = Panel()
    panel.dead = True
    errors: list[PanelUnavailableError] = []

    async def ask() -> None:
        with pytest.raises(PanelUnavailableError) as caught:
            await panel.cached.get(60.0)
        errors.append(caught.value)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
    assert panel.reads == 1
    assert len({id(error) for error in errors}) == 20


async def test_a_caller_that_leaves_takes_nobody_with_it() -> None:
    """Another one sends the request again, once for all of them."""
    panel = Panel()
    panel.gates = [anyio.Event()]
    found: list[int] = []
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as impatient:
            async with anyio.create_task_group() as first:
                first.start_soon(panel.ask, 60.0, found)
                await anyio.wait_all_tasks_blocked()
                for _ in range(5):
                    group.start_soon(panel.ask, 60.0, found)
                await anyio.wait_all_tasks_blocked()
                impatient.cancel()
    assert (panel.reads, found) == (2, [2] * 5)


async def test_a_mistake_in_the_callers_program_is_raised_to_each_of_them() -> None:
    """An exception of another library cannot be copied with certainty, so each caller gets its own."""
    panel = Panel()
    panel.mistake = LookupError("a hook of the user's client")
    errors: list[LookupError] = []

    async def ask() -> None:
        with pytest.raises(LookupError) as caught:
            await panel.cached.get(60.0)
        errors.append(caught.value)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(ask)
    assert (panel.reads, len(errors)) == (3, 3)


async def test_a_caller_that_waits_can_leave() -> None:
    """The request goes on for the others."""
    panel = Panel()
    gate = anyio.Event()
    panel.gates = [gate]
    found: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(panel.ask, 60.0, found)
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01) as scope:
            await panel.cached.get(60.0)
        gate.set()
    assert (panel.reads, found, scope.cancelled_caught) == (1, [1], True)


async def test_without_an_age_each_caller_sends_a_request_and_fills_the_cache() -> None:
    """A caller with an age can join the latest of them."""
    panel = Panel()
    gate = anyio.Event()
    panel.gates = [gate, gate]
    found: list[int] = []
    async with anyio.create_task_group() as group:
        for max_age in (0.0, 0.0, 60.0):
            group.start_soon(panel.ask, max_age, found)
            await anyio.wait_all_tasks_blocked()
        gate.set()
    assert (panel.reads, sorted(found)) == (2, [1, 2, 2])
    await panel.ask(60.0, found)
    assert panel.reads == 2


async def test_no_caller_gets_what_was_requested_too_long_before() -> None:
    """A slow request is not joined by somebody who wants a younger catalogue."""
    panel = Panel()
    gate = anyio.Event()
    panel.gates = [gate]
    old: list[int] = []
    new: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(panel.ask, 60.0, old)
        await anyio.wait_all_tasks_blocked()
        panel.now = 10.0
        await panel.ask(10.0, new)
        group.start_soon(panel.ask, 11.0, new)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert (old, new) == ([1], [2, 2])


async def test_a_late_answer_does_not_replace_a_newer_one() -> None:
    """The newer one was requested later."""
    panel = Panel()
    gate = anyio.Event()
    panel.gates = [gate]
    found: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(panel.ask, 0.0, found)
        await anyio.wait_all_tasks_blocked()
        panel.now = 10.0
        await panel.ask(0.0, found)
        gate.set()
    await panel.ask(60.0, found)
    assert found == [2, 1, 2]
