"""The schema's history ends in what the tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert

from followersdata_async import ConfigurationError
from followersdata_async.ledger import Ledger, schema
from followersdata_async.ledger.database import create_engine
from followersdata_async.ledger.schema import INTENTS, METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection

pytestmark = pytest.mark.anyio


async def test_the_revisions_make_the_tables(database_url: str) -> None:
    """No column and no index more or less."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        return list(compare_metadata(context, METADATA))

    engine = create_engine(database_url)
    async with Ledger(engine), engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(schema.read_revision) == "0003"
    await engine.dispose()


async def test_an_older_schema_is_upgraded_by_whoever_says_so(database_url: str) -> None:
    """Not by whichever program comes first; what it held is kept."""
    engine = create_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(schema._run_revisions, "0001")
        await connection.execute(
            insert(INTENTS).values(ref="a", panel="main", fields="{}", state="placed", order_id="7", intended_at=1.0)
        )
    with pytest.raises(ConfigurationError, match=r"^the ledger has the schema 0001, not 0003: run `followersdata led"):
        async with Ledger(engine):
            pass
    for _ in range(2):
        assert await Ledger(engine).upgrade() == "0003"
    async with Ledger(engine) as ledger:
        assert (await ledger.receipt("a")).order == 7
    await engine.dispose()
