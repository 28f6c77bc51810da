"""The ledger's tables. Money is text, so that it stays exact; times are seconds since 1970."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text, text

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
    Index("followersdata_intents_by_state", "state", "intended_at"),
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
