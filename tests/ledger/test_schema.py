"""The schema's history ends in what the tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from followersdata_async import ConfigurationError
from followersdata_async.ledger import Ledger, schema
from followersdata_async.ledger.engines import engine_for
from followersdata_async.ledger.tables import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection

pytestmark = pytest.mark.anyio


async def test_the_revisions_make_the_tables(where: str) -> None:
    """No column and no index more or less."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        return list(compare_metadata(context, METADATA))

    engine = engine_for(where)
    async with Ledger(engine), engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(schema.revision_of) == "0001"
    await engine.dispose()


async def test_an_older_schema_is_upgraded_by_whoever_says_so(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by whichever program comes first."""
    async with Ledger(where):
        pass
    for _ in range(2):
        assert await Ledger(where).upgrade() == "0001"
    monkeypatch.setattr(schema, "_REVISIONS", ("0001", "0002"))
    with pytest.raises(ConfigurationError, match=r"^the ledger has the schema 0001, not 0002: run `followersdata led"):
        async with Ledger(where):
            pass
