"""The ledger's tables. Money is text, so that it stays exact; times are seconds since 1970."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, MetaData, Table, Text, text

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
    Index(
        "followersdata_intents_open",
        "intended_at",
        sqlite_where=text("state IN ('intended', 'sending', 'unknown')"),
        postgresql_where=text("state IN ('intended', 'sending', 'unknown')"),
    ),
)
