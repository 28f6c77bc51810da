"""Which revision a database has, and how it comes to the newest one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, Table, Text, inspect, select

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION_TABLE = "followersdata_schema"
"""Of our own, as the user's database may have Alembic's, too."""

_REVISIONS = ("0001", "0002")
_VERSION = Table(VERSION_TABLE, MetaData(), Column("version_num", Text))


def prepare(connection: Connection) -> None:
    """Create the tables where there are none.

    Raises:
        ConfigurationError: the schema is older than this version of the ledger, or newer.
    """
    revision = _known_revision(connection)
    if revision is None:
        _run_revisions(connection)
    elif revision != _REVISIONS[-1]:
        msg = f"the ledger has the schema {revision}, not {_REVISIONS[-1]}: run `followersdata ledger upgrade`"
        raise ConfigurationError(msg)


def upgraded(connection: Connection) -> str:
    """Bring the tables to the newest schema, and say which that is.

    Raises:
        ConfigurationError: the schema is newer than this version of the ledger.
    """
    if _known_revision(connection) != _REVISIONS[-1]:
        _run_revisions(connection)
    return _REVISIONS[-1]


def _known_revision(connection: Connection) -> str | None:
    revision = revision_of(connection)
    if revision is not None and revision not in _REVISIONS:
        msg = (
            f"the ledger has the schema {revision}, which this version does not know (its newest is {_REVISIONS[-1]}): "
            "upgrade followersdata_async"
        )
        raise ConfigurationError(msg)
    return revision


def revision_of(connection: Connection) -> str | None:
    """The revision that a database has, or ``None`` where there is no ledger."""
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
