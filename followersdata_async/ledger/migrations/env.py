"""Alembic's environment: it runs the revisions on the connection that it is given."""

from __future__ import annotations

from alembic import context

from followersdata_async.ledger.schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=False,
)
context.run_migrations()
