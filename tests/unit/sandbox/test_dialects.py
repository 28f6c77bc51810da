"""Every family's shapes: the client reads the same out of each, without being told which it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from followersdata_async import (
    AsyncClient,
    AuthenticationError,
    BatchResult,
    InsufficientFundsError,
    InvalidOrderError,
    InvalidRequestError,
    Ok,
    OrderNotFoundError,
    OrderStatus,
    PanelError,
    RefillStatus,
    Refused,
    ServiceNotFoundError,
    Unreported,
    orders,
)
from followersdata_async.sandbox import Sandbox
from followersdata_async.sandbox.backend import World
from followersdata_async.sandbox.dialects import DIALECTS, dialect_named

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LINK = "https://example.com/p/1"
PAST = 40
ORDER = orders.Default(service=1, link=LINK, quantity=1000)
UNKNOWN = 4711

pytestmark = pytest.mark.parametrize("dialect", sorted(DIALECTS))


async def talked(dialect: str, talk: Callable[[AsyncClient], Awaitable[Any]], key: str = Sandbox.key) -> Any:
    """What a talk with an in-process panel of this dialect comes to."""
    async with (
        Sandbox(dialect=dialect, past=PAST, clock=lambda: 0.0) as sandbox,
        sandbox.http() as http,
        AsyncClient(key, url=sandbox.url, http=http, retry=None) as panel,
    ):
        return await talk(panel)


def told(outcome: object) -> object:
    """An outcome in what is the same in every dialect: a status's facts, or an error's class."""
    match outcome:
        case Ok(value=OrderStatus() as status):
            return status.state, status.charge, status.start_count, status.remains
        case Ok(value=RefillStatus() as status):
            return status.state
        case Refused(error=error):
            return type(error)
        case _:
            return type(outcome)


def same_as_documented(dialect: str, talk: Callable[[AsyncClient], Awaitable[BatchResult[Any]]]) -> tuple[Any, Any]:
    """The outcomes of a batch in this dialect, and in the documented one."""
    results = [anyio.run(talked, name, talk) for name in (dialect, "documented")]
    found, documented = ({str(id_): told(outcome) for id_, outcome in result.items()} for result in results)
    return found, documented


def test_the_catalogue_is_the_same(dialect: str) -> None:
    """Whatever is a number or a text on the way."""

    async def talk(panel: AsyncClient) -> Any:
        return await panel.services()

    assert anyio.run(talked, dialect, talk) == anyio.run(talked, "documented", talk)


def test_the_balance_is_the_same(dialect: str) -> None:
    """To the last digit that was sent."""

    async def talk(panel: AsyncClient) -> Any:
        return await panel.balance()

    assert anyio.run(talked, dialect, talk) == anyio.run(talked, "documented", talk)


def test_the_status_of_many_is_the_same(dialect: str) -> None:
    """Of orders that are there."""
    found, documented = same_as_documented(dialect, lambda panel: panel.multi_status(range(1, PAST + 1)))
    assert found == documented
    assert len(found) == PAST


def test_an_unknown_order_among_many_is_refused_or_left_out(dialect: str) -> None:
    """And spoils no other, also where the panel refuses all of them for it."""
    found, documented = same_as_documented(dialect, lambda panel: panel.multi_status([1, 2, UNKNOWN]))
    assert found == documented | ({str(UNKNOWN): Unreported} if dialect == "omitting" else {})


def test_a_placed_order_is_found_again(dialect: str) -> None:
    """By the id that the panel gave it, one by one and among others."""

    async def talk(panel: AsyncClient) -> Any:
        placed = await panel.add(ORDER)
        one = await panel.status(placed.order)
        many = await panel.multi_status([placed.order])
        return one.state, many[placed.order].value.state  # type: ignore[union-attr]

    states = anyio.run(talked, dialect, talk)
    assert states[0] is states[1]


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (orders.Default(service=99, link=LINK, quantity=100), ServiceNotFoundError),
        (orders.Default(service=1, link="nowhere", quantity=100), InvalidOrderError),
        (orders.Default(service=1, link=LINK, quantity=1), InvalidOrderError),
        (orders.Default(service=1, link=LINK, quantity=10_000, runs=1000, interval=5), InsufficientFundsError),
    ],
)
def test_a_refused_order_has_its_class(dialect: str, order: orders.Default, error: type[PanelError]) -> None:
    """In every form, language and with every HTTP status."""

    async def talk(panel: AsyncClient) -> None:
        await panel.add(order)

    with pytest.raises(error):
        anyio.run(talked, dialect, talk)


def test_a_wrong_key_has_its_class(dialect: str) -> None:
    """After one request."""

    async def talk(panel: AsyncClient) -> None:
        await panel.multi_status(range(1, 1000))

    with pytest.raises(AuthenticationError):
        anyio.run(talked, dialect, talk, "wrong")


def test_an_unknown_order_alone_has_its_class(dialect: str) -> None:
    """For a single one."""

    async def talk(panel: AsyncClient) -> None:
        await panel.status(UNKNOWN)

    with pytest.raises(OrderNotFoundError):
        anyio.run(talked, dialect, talk)


@pytest.mark.parametrize("action", ["multi_refill", "cancel"])
def test_refills_and_cancellations_are_the_same(dialect: str, action: str) -> None:
    """Where the panel has them."""
    ids = [*range(1, PAST + 1), UNKNOWN]
    found, documented = same_as_documented(dialect, lambda panel: getattr(panel, action)(ids))
    if dialect == "pretty":
        documented = dict.fromkeys(documented, InvalidRequestError)
    assert found == documented


def test_refills_are_followed(dialect: str) -> None:
    """From the order to the refill's state, of many and of one."""

    async def talk(panel: AsyncClient) -> Any:
        await panel.multi_refill(range(1, PAST + 1))
        many = await panel.multi_refill_status([1, 2, UNKNOWN])
        return {str(id_): told(outcome) for id_, outcome in many.items()}, (await panel.refill_status(1)).state

    if dialect == "pretty":
        with pytest.raises(InvalidRequestError):
            anyio.run(talked, dialect, talk)
    else:
        assert anyio.run(talked, dialect, talk) == anyio.run(talked, "documented", talk)


@pytest.mark.parametrize("way", ["form", "json", "query"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_requests_come_as_form_json_or_query(dialect: str, way: str, slash: str) -> None:
    """With and without a slash at the end."""
    form = {"key": Sandbox.key, "action": "status", "orders": "1,2"}

    async def main() -> bytes:
        async with Sandbox(dialect=dialect, past=2, clock=lambda: 0.0) as sandbox, sandbox.http() as http:
            url = sandbox.url + slash
            if way == "query":
                return (await http.get(url, params=form)).content
            if way == "json":
                return (await http.post(url, json={**form, "orders": [1, 2]})).content
            return (await http.post(url, data=form)).content

    world = World(past=2)
    assert anyio.run(main) == dialect_named(dialect).reply(form, lambda fields: world.answer(fields, 0.0)).body
