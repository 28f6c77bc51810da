"""Intents: orders that were to be placed, and what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "followersdata_intents",
        sa.Column("ref", sa.Text, primary_key=True),
        sa.Column("panel", sa.Text, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("charge", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("cost", sa.Text),
        sa.Column("balance_before", sa.Text),
        sa.Column("intended_at", sa.Double, nullable=False),
        sa.Column("sent_at", sa.Double),
        sa.Column("settled_at", sa.Double),
    )
    op.create_index("followersdata_intents_by_state", "followersdata_intents", ["state", "intended_at"])
