"""Affiliations: whether an organisation stands behind a person who says that they work there. Invitations.
Organisations that onboard themselves.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _affiliations()
    _invitations()
    _organisation_checks()


def _affiliations() -> None:
    # Whoever is here already came with a file of the user office, which vouched for them.
    op.add_column("persons", sa.Column("affiliation", sa.Text(), server_default="confirmed", nullable=False))
    op.add_column("persons", sa.Column("affiliation_reason", sa.Text(), server_default="", nullable=False))
    op.add_column("persons", sa.Column("affiliation_at", UTCDateTime(), nullable=True))
    op.add_column("persons", sa.Column("affiliation_version", sa.Integer(), server_default="1", nullable=False))


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="vi", nullable=False),
        sa.Column("organisation_id", sa.Text(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("invited_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.Column("send_at", UTCDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["invited_by_id"], ["persons.id"], name=op.f("fk_invitations_invited_by_id_persons")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_invitations_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_invitations_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index(op.f("ix_invitations_email"), "invitations", ["email"], unique=False)
    op.create_index(op.f("ix_invitations_send_at"), "invitations", ["send_at"], unique=False)


def _organisation_checks() -> None:
    op.create_table(
        "organisation_checks",
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("registration_number", sa.Text(), server_default="", nullable=False),
        sa.Column("country", sa.Text(), server_default="", nullable=False),
        sa.Column("contact", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", UTCDateTime(), nullable=False),
        sa.Column("judged_by_id", sa.Uuid(), nullable=True),
        sa.Column("judged_at", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("state IN ('proposed', 'checked', 'declined')", name=op.f("ck_organisation_checks_state")),
        sa.ForeignKeyConstraint(
            ["judged_by_id"], ["persons.id"], name=op.f("fk_organisation_checks_judged_by_id_persons")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_organisation_checks_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by_id"], ["persons.id"], name=op.f("fk_organisation_checks_proposed_by_id_persons")
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_organisation_checks")),
    )
    op.create_index(op.f("ix_organisation_checks_state"), "organisation_checks", ["state"], unique=False)
    op.create_index(
        "ix_organisation_checks_number", "organisation_checks", ["country", "registration_number"], unique=False
    )
