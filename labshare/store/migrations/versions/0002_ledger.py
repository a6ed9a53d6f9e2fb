"""The entitlement ledger and the state orders that it answers for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime, UTCMinute

revision = "0002"
down_revision = "0001"

_ONCE = sa.text("cause NOT IN ('granted', 'converted', 'transferred', 'corrected')")


def upgrade() -> None:
    _entries()
    _orders()


def _entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("period_start", UTCMinute(), nullable=False),
        sa.Column("period_end", UTCMinute(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", UTCDateTime(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("authorised_by_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("corrects", sa.Uuid(), nullable=True),
        *_entry_rules(),
    )
    op.create_index(op.f("ix_ledger_entries_organisation_id"), "ledger_entries", ["organisation_id"], unique=False)
    op.create_index(op.f("ix_ledger_entries_corrects"), "ledger_entries", ["corrects"], unique=False)
    account = ["agreement_id", "organisation_id", "period_start"]
    op.create_index("ix_ledger_entries_account", "ledger_entries", [*account, "posted_at"], unique=False)
    op.create_index(
        "uq_ledger_entries_once",
        "ledger_entries",
        [*account, "period_end", "cause", "rule_id", "reference"],
        unique=True,
        sqlite_where=_ONCE,
        postgresql_where=_ONCE,
    )


def _entry_rules() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.CheckConstraint(
            "cause IN ('granted', 'converted', 'carried_over', 'pulled_back', 'released', 'displaced', 'credited',"
            " 'delivered', 'refunded', 'transferred', 'lapsed', 'corrected')",
            name=op.f("ck_ledger_entries_cause"),
        ),
        sa.CheckConstraint("minutes <> 0", name=op.f("ck_ledger_entries_minutes")),
        sa.CheckConstraint("period_end > period_start", name=op.f("ck_ledger_entries_period")),
        sa.CheckConstraint("(cause = 'corrected') = (corrects IS NOT NULL)", name=op.f("ck_ledger_entries_corrects")),
        sa.CheckConstraint("cause <> 'credited' OR until IS NOT NULL", name=op.f("ck_ledger_entries_credit_has_day")),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name=op.f("fk_ledger_entries_agreement_id_agreements")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_ledger_entries_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(
            ["authorised_by_id"], ["persons.id"], name=op.f("fk_ledger_entries_authorised_by_id_persons")
        ),
        sa.ForeignKeyConstraint(
            ["corrects"], ["ledger_entries.id"], name=op.f("fk_ledger_entries_corrects_ledger_entries")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("id", name=op.f("uq_ledger_entries_id")),
    )


def _orders() -> None:
    op.create_table(
        "state_orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("period_start", UTCMinute(), nullable=False),
        sa.Column("period_end", UTCMinute(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("ordered_at", UTCDateTime(), nullable=False),
        sa.Column("authorised_by_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_state_orders_minutes")),
        sa.CheckConstraint("period_end > period_start", name=op.f("ck_state_orders_period")),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name=op.f("fk_state_orders_agreement_id_agreements")
        ),
        sa.ForeignKeyConstraint(
            ["authorised_by_id"], ["persons.id"], name=op.f("fk_state_orders_authorised_by_id_persons")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state_orders")),
        sa.UniqueConstraint("agreement_id", "reference", name=op.f("uq_state_orders_agreement_id_reference")),
    )
