"""Balances by day, so that where the shares stand is read and not counted. A stamp that every signing changes."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCMinute

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _stamp()
    _balance_days()
    op.create_index("ix_balances_window_end", "balances", ["window_end"], unique=False)
    not_firm = sa.text("state IN ('held', 'pending')")
    op.create_index(
        "ix_bookings_not_firm",
        "bookings",
        ["occupied_until"],
        unique=False,
        sqlite_where=not_firm,
        postgresql_where=not_firm,
    )


def _stamp() -> None:
    facts = sa.table("facts", sa.column("name"), sa.column("value"))
    op.bulk_insert(facts, [{"name": "agreements_stamp", "value": secrets.token_hex(16)}])


def _balance_days() -> None:
    # The days of balances that are open are counted by `labshare migrate` once the tables stand.
    op.create_table(
        "balance_days",
        sa.Column("agreement_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("scope_key", sa.Text(), nullable=False),
        sa.Column("window_start", UTCMinute(), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("matched_minutes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id", "rule_id", "scope_key", "window_start"],
            ["balances.agreement_id", "balances.rule_id", "balances.scope_key", "balances.window_start"],
            name="fk_balance_days_balance",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "agreement_id", "rule_id", "scope_key", "window_start", "day", name=op.f("pk_balance_days")
        ),
        sqlite_with_rowid=False,
    )
