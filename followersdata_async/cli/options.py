"""What many commands take: how the panel is reached, ids, a ledger, an order's fields, consent."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, TypeAlias, final

from attrs import frozen
from cyclopts import Parameter

from .._pacing import PollPolicy
from ..client import AsyncClient
from ..integrations.logging import log_to
from ..models import Id
from .commands.add import Consent, Fields
from .input import read_ids
from .profile_store import DEFAULT_PROFILE, resolve_credentials
from .progress import print_message
from .signals import get_interrupt_handler


@final
@frozen(kw_only=True)
class Panel:
    """How the panel is reached.

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
    concurrency: int = 16
    timeout: float = 60.0
    chunk_size: int = 100
    verbose: Annotated[bool, Parameter(alias="-v", negative=())] = False

    @property
    def name(self) -> str:
        """What a ledger calls the panel."""
        return self.profile or DEFAULT_PROFILE

    def client(self) -> AsyncClient:
        """A client with these settings; the key comes from the profile or the environment."""
        key, url = resolve_credentials(self.profile, self.url, os.environ)
        client = AsyncClient(
            key, url=url, concurrency=self.concurrency, timeout=self.timeout, chunk_size=self.chunk_size
        )
        if self.verbose:
            client.events.add(log_to(_logger()))
        return get_interrupt_handler().count_requests(client)


def _logger() -> logging.Logger:
    """Lines on standard error, with the time of day."""
    logger = logging.getLogger("followersdata_async.cli")
    handler = _Lines()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    return logger


@final
class _Lines(logging.Handler):
    """Says each record: above a bar, if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        print_message(self.format(record))


@final
@frozen(kw_only=True)
class Source:
    """Where ids come from, besides arguments.

    Parameters
    ----------
    file
        A file with an id on each line, or with --column a CSV file.
    column
        The column of --file that has the ids.
    """

    file: Path | None = None
    column: str | None = None

    def ids(self, arguments: tuple[str, ...]) -> list[Id]:
        """These, and those of the arguments; `-` is standard input."""
        return read_ids(arguments, self.file, self.column)


PanelOptions: TypeAlias = Annotated[Panel, Parameter(name="*")]
DEFAULT_PANEL = Panel()
SourceOptions: TypeAlias = Annotated[Source, Parameter(name="*")]
DEFAULT_SOURCE = Source()
OrderFields: TypeAlias = Annotated[Fields, Parameter(name="*", negative=())]
DEFAULT_FIELDS = Fields()
ConsentOptions: TypeAlias = Annotated[Consent, Parameter(name="*", negative=())]
DEFAULT_CONSENT = Consent()
DEFAULT_PACE = PollPolicy()
Database: TypeAlias = Annotated[str, Parameter(env_var="FOLLOWERSDATA_LEDGER_URL")]
DEFAULT_DATABASE = "sqlite:///followersdata.db"
Ids: TypeAlias = Annotated[str, Parameter(negative=(), allow_leading_hyphen=True)]
