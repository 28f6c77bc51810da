"""Options that several commands share: the connection, ids, an order's fields, consent and the database."""

from __future__ import annotations

import logging
import os
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, TypeAlias, final

from attrs import asdict, frozen
from cyclopts import Parameter

from .._polling.policy import PollPolicy
from .._settings import DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_CONCURRENCY, DEFAULT_TIMEOUT
from ..client import AsyncClient
from ..integrations.logging import log_to
from ..models import MAX_CHUNK_SIZE, Id
from .input import UsageError, read_ids, read_lines
from .profile_store import DEFAULT_PROFILE, resolve_credentials
from .progress import print_message
from .signals import get_interrupt_handler

_LIST_FIELDS = ("comments", "usernames", "hashtags", "keywords", "groups")


@final
@Parameter(name="*")
@frozen(kw_only=True)
class ConnectionOptions:
    """The connection to a panel.

    Parameters
    ----------
    profile
        Which of the panels of `followersdata profile`; without it the environment's, else `main`.
    url
        The API's full address; without it the profile's, or FOLLOWERSDATA_API_URL, else followersdata.com's.
    concurrency
        Requests in flight at once.
    timeout
        Seconds for one request, with its retries.
    chunk_size
        Ids in one request, 1 to 100.
    verbose
        Say what is sent and what comes, and show where in the program an error arose.
    """

    profile: str | None = None
    url: str | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    timeout: float = DEFAULT_TIMEOUT
    chunk_size: int = MAX_CHUNK_SIZE
    verbose: Annotated[bool, Parameter(alias="-v", negative=())] = False

    @property
    def panel(self) -> str:
        """The name of the panel in a ledger."""
        return self.profile or DEFAULT_PROFILE

    def create_client(self) -> AsyncClient:
        """Create a client with these settings and the key of the profile or the environment."""
        key, url = resolve_credentials(self.profile, self.url, os.environ)
        client = AsyncClient(
            key,
            url=url,
            concurrency=self.concurrency,
            timeout=self.timeout,
            attempt_timeout=min(self.timeout, DEFAULT_ATTEMPT_TIMEOUT),
            chunk_size=self.chunk_size,
        )
        if self.verbose:
            client.events.add(log_to(_create_logger()))
        return get_interrupt_handler().count_requests(client)


def _create_logger() -> logging.Logger:
    """Return a logger that prints to standard error, with the time of day."""
    logger = logging.getLogger("followersdata_async.cli")
    handler = _MessageHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    return logger


@final
class _MessageHandler(logging.Handler):
    """A handler that prints each record as a message; rich keeps it above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        print_message(self.format(record))


@final
@Parameter(name="*")
@frozen(kw_only=True)
class IdOptions:
    """The file that ids are read from, besides the arguments.

    Parameters
    ----------
    file
        A file with an id on each line, or with --column a CSV file.
    column
        The column of --file that has the ids.
    """

    file: Path | None = None
    column: str | None = None

    def read_ids(self, arguments: tuple[str, ...]) -> list[Id]:
        """Return the ids of the arguments and of the file; the argument `-` stands for standard input."""
        return read_ids(arguments, self.file, self.column)


@final
@Parameter(name="*", negative=())
@frozen(kw_only=True)
class OrderOptions:
    """The fields of an order. Which of them a service takes depends on its type.

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

    def read_fields(self) -> dict[str, object]:
        """Return the fields that were given, with the lines of the files in place of their names.

        Raises:
            UsageError: a file cannot be read, or an extra field is not NAME=VALUE.
        """
        fields = {name: value for name, value in asdict(self).items() if value is not None and name != "extra"}
        for name in _LIST_FIELDS:
            if (file := fields.pop(f"{name}_file", None)) is not None:
                fields[name] = read_lines(file)
        if self.extra:
            fields["extra"] = extra = dict(map(_parse_extra, self.extra))
            if len(extra) < len(self.extra):
                msg = "--extra names a field twice: give each once"
                raise UsageError(msg)
        return fields


@final
@Parameter(name="*")
@frozen(kw_only=True)
class OrderFileOptions:
    """A file with many orders.

    Parameters
    ----------
    file
        A CSV file with an order on each line: columns `ref`, `service`, `link`, `quantity` and other fields.
    ref_column
        The column of --file with the orders' names.
    ignore_columns
        The columns of --file that are not fields of an order, separated by commas.
    results
        Where to write what became of each order of --file, by default next to it: orders.results.csv.
    """

    file: Path | None = None
    ref_column: str = "ref"
    ignore_columns: str = ""
    results: Path | None = None

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """The names of the columns that are ignored."""
        return tuple(name.strip() for name in self.ignore_columns.split(",") if name.strip())

    @property
    def results_file(self) -> Path:
        """The file for the results.

        Raises:
            UsageError: it is the file of the orders.
        """
        file = self.file or Path("orders.csv")
        results = self.results or file.with_suffix(".results.csv")
        if results.resolve() == file.resolve():
            msg = f"--results would replace the orders in {file}: name another file"
            raise UsageError(msg)
        return results


def _parse_extra(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        msg = f"--extra {text!r} is no NAME=VALUE"
        raise UsageError(msg)
    return name, value


@final
@Parameter(name="*", negative=())
@frozen(kw_only=True)
class ConsentOptions:
    """The consent to spend money.

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
        """Check that there is a way to get consent.

        Raises:
            UsageError: standard input is not a terminal, and neither option was given.
        """
        if not (self.yes or self.dry_run or sys.stdin.isatty()):
            msg = "nobody is here to say yes: look with --dry-run, then order with --yes"
            raise UsageError(msg)


def confirm(question: str) -> bool:
    """Ask a question on standard error. Return whether it was answered with yes."""
    try:
        with get_interrupt_handler().raise_at_once():
            sys.stderr.write(f"{question} [y/N] ")
            sys.stderr.flush()
            return input().strip().casefold() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        return False


DEFAULT_CONNECTION = ConnectionOptions()
DEFAULT_IDS = IdOptions()
DEFAULT_ORDER = OrderOptions()
DEFAULT_ORDER_FILE = OrderFileOptions()
DEFAULT_CONSENT = ConsentOptions()
DEFAULT_POLL_POLICY = PollPolicy()
Database: TypeAlias = Annotated[str, Parameter(env_var="FOLLOWERSDATA_LEDGER_URL")]
DEFAULT_DATABASE = "sqlite:///followersdata.db"
IdArgument: TypeAlias = Annotated[str, Parameter(negative=(), allow_leading_hyphen=True)]
