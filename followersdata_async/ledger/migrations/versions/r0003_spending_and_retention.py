"""What counts as spent, the refs of receipts that were pruned, and the readers of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column and the tables. Orders on record count as spent when they were sent."""
    op.add_column("followersdata_intents", sa.Column("counted_at", sa.Double))
    op.execute(
        sa.text(
            "UPDATE followersdata_intents SET counted_at = COALESCE(sent_at, intended_at) "
            "WHERE state IN ('intended', 'sending', 'unknown', 'placed')"
        )
    )
    op.create_index("followersdata_intents_counted", "followersdata_intents", ["panel", "counted_at", "cost", "charge"])
    op.create_table("followersdata_used_refs", sa.Column("ref", sa.Text, primary_key=True))
    op.create_table(
        "followersdata_readers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
