"""An order from the command line: checked against the catalogue, priced, and placed when somebody has said yes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import final

from attrs import asdict, frozen

from ...client import AsyncClient
from ...models import Service, id_text
from ...orders import Raw, TypedOrder, for_service
from ..exit_codes import INTERRUPTED, SUCCESS
from ..input import UsageError, read_lines
from ..output import Format, Row, write_row
from ..progress import print_message, show_spinner
from ..signals import get_interrupt_handler

_LISTS = ("comments", "usernames", "hashtags", "keywords", "groups")


@final
@frozen(kw_only=True)
class Fields:
    """What is ordered; which of these a service takes depends on its type.

    Parameters
    ----------
    link
        What the order is for.
    quantity
        How many.
    runs
        Of a drip-feed: how many times the quantity is delivered.
    interval
        Of a drip-feed: minutes between the runs.
    comments_file
        A text file with a comment on each line.
    usernames_file
        A text file with a username on each line.
    hashtags_file
        A text file with a hashtag on each line.
    keywords_file
        A text file with a keyword on each line.
    groups_file
        A text file with a group on each line.
    username
        Whose followers, comment or new posts it is about.
    hashtag
        Whose users are mentioned.
    media
        Whose likers are mentioned: its address.
    answer_number
        Of a poll: which answer.
    min
        Of a subscription: the least for each post.
    max
        Of a subscription: the most for each post.
    posts
        Of a subscription: how many new posts.
    old_posts
        Of a subscription: how many posts that are there already.
    delay
        Of a subscription: minutes after each post.
    expiry
        Of a subscription: its last day, YYYY-MM-DD.
    country
        Of web traffic: a code or a name.
    device
        Of web traffic: 1 desktop, 2 Android, 3 iOS, 4 both, 5 all.
    type_of_traffic
        Of web traffic: 1 from a search, 2 from an address, 3 from nowhere.
    google_keyword
        Of web traffic from a search: what for.
    referring_url
        Of web traffic from an address: which.
    extra
        NAME=VALUE: a field that only this panel knows; may be given several times.
    """

    link: str | None = None
    quantity: int | None = None
    runs: int | None = None
    interval: int | None = None
    comments_file: Path | None = None
    usernames_file: Path | None = None
    hashtags_file: Path | None = None
    keywords_file: Path | None = None
    groups_file: Path | None = None
    username: str | None = None
    hashtag: str | None = None
    media: str | None = None
    answer_number: int | None = None
    min: int | None = None
    max: int | None = None
    posts: int | None = None
    old_posts: int | None = None
    delay: int | None = None
    expiry: date | None = None
    country: str | None = None
    device: int | None = None
    type_of_traffic: int | None = None
    google_keyword: str | None = None
    referring_url: str | None = None
    extra: tuple[str, ...] = ()

    def given(self) -> dict[str, object]:
        """The fields that were given, with the files' lines in their place.

        Raises:
            UsageError: a file cannot be read, or an extra field is no NAME=VALUE.
        """
        fields = {name: value for name, value in asdict(self).items() if value is not None and name != "extra"}
        for name in _LISTS:
            if (file := fields.pop(f"{name}_file", None)) is not None:
                fields[name] = read_lines(file)
        if self.extra:
            fields["extra"] = extra = dict(map(_pair, self.extra))
            if len(extra) < len(self.extra):
                msg = "--extra names a field twice: give each once"
                raise UsageError(msg)
        return fields


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        msg = f"--extra {text!r} is no NAME=VALUE"
        raise UsageError(msg)
    return name, value


@final
@frozen(kw_only=True)
class Consent:
    """Who says that money may be spent.

    Parameters
    ----------
    yes
        Place the order without asking, for scripts.
    dry_run
        Check and price the order, and send none.
    """

    yes: bool = False
    dry_run: bool = False

    def check(self) -> None:
        """Refuse to go on where nobody can be asked.

        Raises:
            UsageError: standard input is no terminal, and neither option was given.
        """
        if not (self.yes or self.dry_run or sys.stdin.isatty()):
            msg = "nobody is here to say yes: look with --dry-run, then order with --yes"
            raise UsageError(msg)


async def placed(
    client: AsyncClient,
    service: str,
    fields: Fields,
    consent: Consent,
    format: Format,
    send: Callable[[TypedOrder | Raw, Decimal | None], Awaitable[int]],
) -> int:
    """Check the order, show its price, ask, and send it."""
    with show_spinner("reading the catalogue …"):
        catalogue = await client.services()
    row = _row_of_service(catalogue, service)
    order = for_service(row, **fields.given())
    if problems := order.problems(row):
        raise UsageError("; ".join(problems))
    price = _price(order, row)
    if consent.dry_run:
        shown: Row = {"name": row.name, "price": price and str(price), **order.fields()}
        write_row(shown, tuple(shown), format)
        return SUCCESS
    print_message(f"{row.name} ({row.type}): the price is {'unknown' if price is None else price}")
    if not (consent.yes or _agreed(input)):
        print_message("nothing was ordered")
        return INTERRUPTED
    return await send(order, price)


def _row_of_service(catalogue: Sequence[Service], service: str) -> Service:
    for row in catalogue:
        if id_text(row.service) == service:
            return row
    msg = f"there is no service {service}: look at followersdata services"
    raise UsageError(msg)


def _price(order: TypedOrder | Raw, row: Service) -> Decimal | None:
    try:
        return order.cost(row)
    except ValueError:
        return None


def _agreed(ask: Callable[[], str]) -> bool:
    try:
        with get_interrupt_handler().raise_at_once():
            sys.stderr.write("Place it? [y/N] ")
            sys.stderr.flush()
            return ask().strip().casefold() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        return False
