"""Qualifications: what instruments demand, who asked, safety courses, warnings, and trainers who are present.

Levels are three from now on: whoever had a higher one, and whatever asked for it, is at the third.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime

revision = "0017"
down_revision = "0016"

HIGHEST = 3


def upgrade() -> None:
    for name in ("lapse_months", "first_use_days", "course_months"):
        op.add_column("instruments", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.add_column("qualifications", sa.Column("warned_of", UTCDateTime(), nullable=True))
    _asks()
    _courses()
    _trainers()
    _three_levels()
    _look_at_everybody()


def _asks() -> None:
    name, waiting = "qualification_asks", sa.text("state = 'waiting'")
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("decided_by_id", sa.Uuid(), nullable=True),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'granted', 'declined', 'revoked')", name=op.f(f"ck_{name}_state")),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.{key}"], name=op.f(f"fk_{name}_{column}_{table}"))
            for column, table, key in (
                ("person_id", "persons", "id"),
                ("instrument_number", "instruments", "number"),
                ("decided_by_id", "persons", "id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_person_id"), name, ["person_id"])
    op.create_index(
        f"uq_{name}_waiting",
        name,
        ["instrument_number", "person_id"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _courses() -> None:
    name = "safety_courses"
    op.create_table(
        name,
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("centre_id", sa.Text(), nullable=False),
        sa.Column("completed_on", sa.Date(), nullable=False),
        sa.Column("recorded_by_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f(f"fk_{name}_person_id_persons")),
        sa.ForeignKeyConstraint(["centre_id"], ["centres.id"], name=op.f(f"fk_{name}_centre_id_centres")),
        sa.ForeignKeyConstraint(["recorded_by_id"], ["persons.id"], name=op.f(f"fk_{name}_recorded_by_id_persons")),
        sa.PrimaryKeyConstraint("person_id", "centre_id", name=op.f(f"pk_{name}")),
    )


def _trainers() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # SQLite adds a column with its reference in place; a batch would copy every booking, and drop the guard.
        op.execute("ALTER TABLE bookings ADD COLUMN trainer_id CHAR(32) REFERENCES persons (id)")
    else:
        reference = sa.ForeignKey("persons.id", name=op.f("fk_bookings_trainer_id_persons"))
        op.add_column("bookings", sa.Column("trainer_id", sa.Uuid(), reference, nullable=True))
    training = sa.text("trainer_id IS NOT NULL")
    op.create_index(
        "ix_bookings_trainer_starts",
        "bookings",
        ["trainer_id", "starts_at"],
        sqlite_where=training,
        postgresql_where=training,
    )


def _three_levels() -> None:
    db = op.get_bind()
    db.execute(sa.text("UPDATE qualifications SET level = :most WHERE level > :most"), {"most": HIGHEST})
    rules = sa.table("booking_rules", sa.column("id", sa.Uuid()), sa.column("kind"), sa.column("params"))
    for row in db.execute(sa.select(rules.c.id, rules.c.params).where(rules.c.kind == "overnight")).all():
        params = json.loads(row.params)
        if params["level"] > HIGHEST:
            values = {"params": json.dumps({**params, "level": HIGHEST})}
            db.execute(sa.update(rules).where(rules.c.id == row.id).values(values))


def _look_at_everybody() -> None:
    """Whoever holds a qualification is looked at once; after that each look says when the next one is due."""
    db = op.get_bind()
    held = sa.table("qualifications", sa.column("person_id", sa.Uuid()))
    due = sa.table("due", sa.column("kind"), sa.column("noun_id"), sa.column("due_at", UTCDateTime()))
    person_ids = db.execute(sa.select(held.c.person_id).distinct()).scalars().all()
    if person_ids:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        rows = [{"kind": "qualification_ends", "noun_id": str(each), "due_at": at} for each in person_ids]
        db.execute(sa.insert(due), rows)
