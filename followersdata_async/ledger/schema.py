"""The ledger's tables and their revision. Amounts are strings, to stay exact. Times are seconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text, inspect, select, text

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

METADATA = MetaData()

INTENTS = Table(
    "followersdata_intents",
    METADATA,
    Column("ref", Text, primary_key=True),
    Column("panel", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("order_id", Text),
    Column("charge", Text),
    Column("currency", Text),
    Column("error", Text),
    Column("message", Text),
    Column("cost", Text),
    Column("balance_before", Text),
    Column("intended_at", Double, nullable=False),
    Column("sent_at", Double),
    Column("settled_at", Double),
    # When the order began to count as spent, NULL once it is proven that it costs nothing.
    Column("counted_at", Double),
    Index("followersdata_intents_by_state", "state", "intended_at"),
    Index("followersdata_intents_counted", "panel", "counted_at", "cost", "charge"),
)

ORDERS = Table(
    "followersdata_orders",
    METADATA,
    Column("panel", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("state", Text),
    Column("status", Text),
    Column("moved_at", Double, nullable=False),
    Column("remained", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("error", Text),
    Column("is_open", Boolean, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("leased_until", Double, nullable=False),
    Index(
        "followersdata_orders_due",
        "panel",
        "due_at",
        sqlite_where=text("is_open = 1"),
        postgresql_where=text("is_open"),
    ),
)

CHANGES = Table(
    "followersdata_changes",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("panel", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("before", Text),
    Column("after", Text, nullable=False),
)

USED_REFS = Table("followersdata_used_refs", METADATA, Column("ref", Text, primary_key=True))
"""The refs of receipts that were pruned."""

READERS = Table(
    "followersdata_readers",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""The last change that each registered reader has read."""

VERSION_TABLE = "followersdata_schema"
"""Not Alembic's default, which the user's database may have, too."""

_REVISIONS = ("0001", "0002", "0003")
_VERSION = Table(VERSION_TABLE, MetaData(), Column("version_num", Text))


def prepare(connection: Connection) -> None:
    """Create the tables if there are none.

    Raises:
        ConfigurationError: the schema is older than this version of the ledger, or newer.
    """
    revision = _check_revision(connection)
    if revision is None:
        _run_revisions(connection)
    elif revision != _REVISIONS[-1]:
        msg = f"the ledger has the schema {revision}, not {_REVISIONS[-1]}: run `followersdata ledger upgrade`"
        raise ConfigurationError(msg)


def upgrade(connection: Connection) -> str:
    """Upgrade the tables to the newest revision, and return it.

    Raises:
        ConfigurationError: the schema is newer than this version of the ledger.
    """
    if _check_revision(connection) != _REVISIONS[-1]:
        _run_revisions(connection)
    return _REVISIONS[-1]


def _check_revision(connection: Connection) -> str | None:
    revision = read_revision(connection)
    if revision is not None and revision not in _REVISIONS:
        msg = (
            f"the ledger has the schema {revision}, which this version does not know (its newest is {_REVISIONS[-1]}): "
            "upgrade followersdata_async"
        )
        raise ConfigurationError(msg)
    return revision


def read_revision(connection: Connection) -> str | None:
    """Return the revision of a database, ``None`` if it has no ledger."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()


def _run_revisions(connection: Connection, to: str = "head") -> None:
    from alembic import command  # noqa: PLC0415 - a tenth of a second, for new databases only
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "followersdata_async.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
