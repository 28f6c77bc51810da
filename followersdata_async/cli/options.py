"""What many commands take: how the panel is reached, ids, a ledger, an order's fields, consent."""

from __future__ import annotations

from typing import Annotated, TypeAlias, final

from attrs import frozen
from cyclopts import Parameter

from ..client import AsyncClient
from ..pacing import PollPolicy
from .ordering import Consent, Fields


@final
@frozen(kw_only=True)
class Panel:
    """How the panel is reached.

    Parameters
    ----------
    url
        The API's full address; without it FOLLOWERSDATA_API_URL, else followersdata.com's.
    concurrency
        Requests in flight at once.
    timeout
        Seconds for one request, with its retries.
    batch_size
        Ids in one request, 1 to 100.
    """

    url: str | None = None
    concurrency: int = 16
    timeout: float = 60.0
    batch_size: int = 100

    def client(self) -> AsyncClient:
        """A client with these settings; the key comes from the environment."""
        return AsyncClient(url=self.url, concurrency=self.concurrency, timeout=self.timeout, batch_size=self.batch_size)


PanelOptions: TypeAlias = Annotated[Panel, Parameter(name="*")]
DEFAULT_PANEL = Panel()
OrderFields: TypeAlias = Annotated[Fields, Parameter(name="*", negative=())]
DEFAULT_FIELDS = Fields()
ConsentOptions: TypeAlias = Annotated[Consent, Parameter(name="*", negative=())]
DEFAULT_CONSENT = Consent()
DEFAULT_PACE = PollPolicy()
Database: TypeAlias = Annotated[str, Parameter(env_var="FOLLOWERSDATA_LEDGER_URL")]
DEFAULT_DATABASE = "sqlite:///followersdata.db"
Ids: TypeAlias = Annotated[str, Parameter(negative=(), allow_leading_hyphen=True)]
