"""Every table, as SQLAlchemy Core, in one metadata. Constraints that must hold even if our code errs stand here.

What must not live here: queries (one file per noun) and the booking guard's DDL (guard.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, ForeignKeyConstraint, Index, Table, UniqueConstraint

from labshare.domain.units import MOST_UNITS
from labshare.store.types import UTCDateTime, UTCMinute

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# BIGINT autoincrement does not exist on SQLite; its INTEGER primary key is 64 bits wide anyway.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    """A text column; empty by default, so that "unknown" is '' and NULL means "does not apply"."""
    return Column(name, sa.Text, nullable=nullable, server_default=None if nullable else "")


def _provenance() -> tuple[Column[str], Column[str], Column[str]]:
    return _text("source"), _text("verification"), _text("verification_note")


# ---------------------------------------------------------------- registry

# Nothing in the registry is deleted: a row that the newest files no longer name gets `retired_at`, because bookings,
# people and reports still speak of it.


def _located() -> tuple[Column[str], Column[str], Column[float], Column[float], Column[str]]:
    coordinates = _text("coordinates")  # surveyed, or approximate: never shown as a point
    return _text("city_vi"), _text("city_en"), Column("latitude", sa.Float), Column("longitude", sa.Float), coordinates


def _described() -> tuple[Column[str], Column[str], Column[str], Column[str]]:
    return _text("name_vi"), _text("name_en"), _text("description_vi"), _text("description_en")


def _searched() -> tuple[Column[str], Column[str], Column[str]]:
    # Databases collate differently, so searching and sorting use what domain/text.py made of the names.
    return _text("folded"), _text("sort_vi"), _text("sort_en")


organisations = Table(
    "organisations",
    metadata,
    Column("id", sa.Text, primary_key=True),
    _text("kind"),
    *_described(),
    _text("abbr"),
    # Of an enterprise; it gives rights only once it is checked.
    Column("size", sa.Text, nullable=False, server_default="none"),
    Column("parent_id", sa.Text, ForeignKey("organisations.id"), index=True),
    _text("governing_body_vi"),
    _text("governing_body_en"),
    *_located(),
    *_provenance(),
    *_searched(),
    # Known to people, projects and agreements without being in the registry's files: loading those leaves it alone.
    Column("beyond_registry", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("retired_at", UTCDateTime),
)

zones = Table(
    "zones",
    metadata,
    Column("id", sa.Text, primary_key=True),
    *_described(),
    Column("established", sa.Integer),
    Column("area_hectares", sa.Integer),
    Column("area_is_approximate", sa.Boolean, nullable=False, server_default=sa.false()),
    *_located(),
    *_provenance(),
    *_searched(),
    Column("retired_at", UTCDateTime),
)

centres = Table(
    "centres",
    metadata,
    Column("id", sa.Text, primary_key=True),
    _text("kind"),
    *_described(),
    Column("host_id", sa.Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("zone_id", sa.Text, ForeignKey("zones.id"), index=True),
    *_located(),
    # A year, a month or a day (ISO 8601), because sources say no more; `stage` tells plans from what stands.
    _text("opened"),
    _text("stage"),
    _text("products"),
    Column("timezone", sa.Text, nullable=False, server_default="Asia/Ho_Chi_Minh"),
    *_provenance(),
    *_searched(),
    Column("retired_at", UTCDateTime),
)

capabilities = Table(
    "capabilities",
    metadata,
    Column("id", sa.Text, primary_key=True),
    _text("name_vi"),
    _text("name_en"),
    *_searched(),
    Column("retired_at", UTCDateTime),
)

instruments = Table(
    "instruments",
    metadata,
    # The number orders locks and stands in the booking guard; the id is the registry's public code.
    Column("number", sa.Integer, primary_key=True, autoincrement=True),
    Column("id", sa.Text, nullable=False, unique=True),
    Column("centre_id", sa.Text, ForeignKey("centres.id"), nullable=False, index=True),
    Column("capability_id", sa.Text, ForeignKey("capabilities.id"), nullable=False, index=True),
    *_described(),
    _text("manufacturer"),
    _text("model"),
    _text("pid"),
    _text("bookable_unit"),
    Column("booking_mode", sa.Text, nullable=False),
    _text("operated_by"),
    Column("attended", sa.Boolean, nullable=False, server_default=sa.true()),
    _text("qualification"),
    _text("hazards"),
    _text("opening"),
    Column("spans_closed_hours", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("typical_minutes", sa.Integer, nullable=False, server_default="0"),
    Column("min_minutes", sa.Integer, nullable=False),
    Column("max_minutes", sa.Integer, nullable=False),
    Column("granularity_minutes", sa.Integer, nullable=False),
    Column("advance_days", sa.Integer, nullable=False),
    Column("setup_minutes", sa.Integer, nullable=False, server_default="0"),
    Column("cleanup_minutes", sa.Integer, nullable=False, server_default="0"),
    # How many uses it takes at a time: the places of a glovebox, the nodes of a cluster.
    Column("capacity", sa.Integer, nullable=False, server_default="1"),
    _text("products"),
    # Whose bookings wait for the centre, and how many hours it has to decide (domain/approvals.py).
    Column("approval", sa.Text, nullable=False, server_default="none"),
    Column("approval_hours", sa.Integer, nullable=False, server_default="72"),
    # Who may run it, in words with spaces between, and the set-ups it is had in, one a line (domain/modes.py).
    Column("modes", sa.Text, nullable=False, server_default="self"),
    _text("setups"),
    # What it demands besides its qualification; 0 asks for nothing (domain/qualifications.py).
    Column("lapse_months", sa.Integer, nullable=False, server_default="0"),
    Column("first_use_days", sa.Integer, nullable=False, server_default="0"),
    Column("course_months", sa.Integer, nullable=False, server_default="0"),
    # What the registry says, as JSON, where posted rules say otherwise in the columns themselves (store/registry.py).
    Column("registered", sa.Text),
    *_provenance(),
    *_searched(),
    # Raising it is the lock, the cache key and the live-update token in one (ARCHITECTURE.md, decision 4).
    Column("calendar_version", sa.BigInteger, nullable=False, server_default="0"),
    Column("retired_at", UTCDateTime),
    CheckConstraint("booking_mode IN ('time', 'service', 'pooled')", name="booking_mode"),
    CheckConstraint("min_minutes >= 0 AND max_minutes >= min_minutes", name="lengths"),
    CheckConstraint(f"capacity BETWEEN 1 AND {MOST_UNITS}", name="capacity"),
)

taxonomies = Table(
    "taxonomies",
    metadata,
    Column("id", sa.Text, primary_key=True),
    *_described(),
    Column("effective_from", sa.Date, nullable=False),
    # The first day on which it no longer holds; whether it is in force is always asked for a day, never stored.
    Column("effective_until", sa.Date),
    *_provenance(),
)

technology_groups = Table(
    "technology_groups",
    metadata,
    Column("taxonomy_id", sa.Text, ForeignKey("taxonomies.id"), primary_key=True),
    Column("number", sa.Integer, primary_key=True),
    _text("name_vi"),
    _text("name_en"),
    *_provenance(),
)

technology_products = Table(
    "technology_products",
    metadata,
    Column("taxonomy_id", sa.Text, ForeignKey("taxonomies.id"), primary_key=True),
    Column("code", sa.Text, primary_key=True),
    Column("group_number", sa.Integer, nullable=False),
    _text("group_basis"),
    Column("tier", sa.Integer),
    _text("name_vi"),
    _text("name_en"),
    Column("is_first_product", sa.Boolean, nullable=False, server_default=sa.false()),
    *_provenance(),
    ForeignKeyConstraint(
        ["taxonomy_id", "group_number"],
        ["technology_groups.taxonomy_id", "technology_groups.number"],
        name="fk_technology_products_group",
    ),
)

technology_crosswalk = Table(
    "technology_crosswalk",
    metadata,
    Column("position", sa.Integer, primary_key=True),
    # One side is empty where a product was dropped, or is new.
    Column("old_taxonomy_id", sa.Text),
    Column("old_code", sa.Text),
    Column("new_taxonomy_id", sa.Text),
    Column("new_code", sa.Text),
    _text("relation"),
    _text("note_vi"),
    _text("note_en"),
    *_provenance(),
    ForeignKeyConstraint(
        ["old_taxonomy_id", "old_code"],
        ["technology_products.taxonomy_id", "technology_products.code"],
        name="fk_technology_crosswalk_old",
    ),
    ForeignKeyConstraint(
        ["new_taxonomy_id", "new_code"],
        ["technology_products.taxonomy_id", "technology_products.code"],
        name="fk_technology_crosswalk_new",
    ),
)

# What `instruments.products` says, one row per product, for finding instruments by technology.
instrument_products = Table(
    "instrument_products",
    metadata,
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), primary_key=True),
    Column("taxonomy_id", sa.Text, primary_key=True),
    Column("product_code", sa.Text, primary_key=True),
    Index("ix_instrument_products_product", "taxonomy_id", "product_code"),
)

# ---------------------------------------------------------------- people

persons = Table(
    "persons",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("login", sa.Text, nullable=False, unique=True),
    # Name and email live only here, so that erasing a person is one update (ARCHITECTURE.md, decision 13).
    _text("name"),
    _text("email"),
    Column("organisation_id", sa.Text, ForeignKey("organisations.id"), nullable=False, index=True),
    _text("password_hash"),
    Column("language", sa.Text, nullable=False, server_default="vi"),
    Column("disabled_at", UTCDateTime),
    Column("erased_at", UTCDateTime),
    # Whether the organisation, or the user office, stands behind "works there"; who judged it says the audit.
    Column("affiliation", sa.Text, nullable=False, server_default="confirmed"),
    _text("affiliation_reason"),
    Column("affiliation_at", UTCDateTime),
    Column("affiliation_version", sa.Integer, nullable=False, server_default="1"),
    # Raised as the lock that keeps one person in one place while two of their bookings are written at once.
    Column("calendar_version", sa.BigInteger, nullable=False, server_default="0"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("role", sa.Text, nullable=False),
    Column("centre_id", sa.Text, ForeignKey("centres.id")),
    Column("organisation_id", sa.Text, ForeignKey("organisations.id")),
)

qualifications = Table(
    "qualifications",
    metadata,
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), primary_key=True),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), primary_key=True),
    Column("level", sa.Integer, nullable=False, server_default="1"),
    Column("granted_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("granted_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime),
    # Whether the centre has this person run the instrument for others.
    Column("operates", sa.Boolean, nullable=False, server_default=sa.false()),
    # The end of which its person was warned, so that nobody is written to twice about one.
    Column("warned_of", UTCDateTime),
)

# That somebody asked for a qualification, and what was answered; one open at a time for each instrument.
qualification_asks = Table(
    "qualification_asks",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), nullable=False),
    Column("level", sa.Integer, nullable=False),
    _text("note"),
    Column("state", sa.Text, nullable=False),
    _text("answer"),
    Column("asked_at", UTCDateTime, nullable=False),
    Column("decided_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("decided_at", UTCDateTime),
    CheckConstraint("state IN ('waiting', 'granted', 'declined', 'revoked')", name="state"),
)
_ASKED = qualification_asks.c.state == "waiting"
Index("uq_qualification_asks_waiting", qualification_asks.c.instrument_number, qualification_asks.c.person_id,
      unique=True, sqlite_where=_ASKED, postgresql_where=_ASKED)  # fmt: skip

# The last safety course of a centre that somebody completed.
safety_courses = Table(
    "safety_courses",
    metadata,
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), primary_key=True),
    Column("centre_id", sa.Text, ForeignKey("centres.id"), primary_key=True),
    Column("completed_on", sa.Date, nullable=False),
    Column("recorded_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("recorded_at", UTCDateTime, nullable=False),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("token_hash", sa.Text, primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False, index=True),
)

sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("login", sa.Text, nullable=False),
    Column("address", sa.Text, nullable=False),
    Column("tried_at", UTCDateTime, nullable=False),
    Index("ix_sign_in_tries_login", "login", "tried_at"),
    Index("ix_sign_in_tries_address", "address", "tried_at"),
)

# What an organisation that onboarded itself states, and whether the user office has checked it. One without a row
# here came with the registry or with a file of the user office.
organisation_checks = Table(
    "organisation_checks",
    metadata,
    Column("organisation_id", sa.Text, ForeignKey("organisations.id"), primary_key=True),
    Column("state", sa.Text, nullable=False, index=True),
    _text("registration_number"),
    _text("country"),
    _text("contact"),
    _text("evidence"),
    Column("proposed_by_id", sa.Uuid, ForeignKey("persons.id"), nullable=False),
    Column("proposed_at", UTCDateTime, nullable=False),
    Column("judged_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("judged_at", UTCDateTime),
    _text("reason"),
    Column("version", sa.Integer, nullable=False, server_default="1"),
    CheckConstraint("state IN ('proposed', 'checked', 'declined')", name="state"),
    Index("ix_organisation_checks_number", "country", "registration_number"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("token_hash", sa.Text, nullable=False, unique=True),
    Column("email", sa.Text, nullable=False, index=True),
    _text("name"),
    Column("language", sa.Text, nullable=False, server_default="vi"),
    # Whom the inviter speaks for; NULL where somebody asked for themselves.
    Column("organisation_id", sa.Text, ForeignKey("organisations.id")),
    # Whose password it renews; NULL where it lets somebody new in.
    Column("person_id", sa.Uuid, ForeignKey("persons.id")),
    Column("invited_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Column("used_at", UTCDateTime),
    # When its letter is due; NULL once it is sent.
    Column("send_at", UTCDateTime, index=True),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),
)

# What a person is told of; `send_at` is when its letter is due, NULL once it is sent or where none is wanted.
notices = Table(
    "notices",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False),
    Column("kind", sa.Text, nullable=False),
    _text("name_vi"),
    _text("name_en"),
    _text("page"),
    Column("until", UTCDateTime),
    Column("booking_id", sa.Uuid, ForeignKey("bookings.id"), index=True),
    Column("series_id", sa.Uuid, ForeignKey("series.id"), index=True),
    Column("created_at", UTCDateTime, nullable=False),
    Column("read_at", UTCDateTime),
    Column("send_at", UTCDateTime, index=True),
    # Its letter is that of the day, with others.
    Column("in_digest", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),
    Index("ix_notices_person_created", "person_id", "created_at"),
    Index(
        "ix_notices_unread",
        "person_id",
        postgresql_where=sa.text("read_at IS NULL"),
        sqlite_where=sa.text("read_at IS NULL"),
    ),
)

# When a person wants letters of a kind, where they chose it.
notice_preferences = Table(
    "notice_preferences",
    metadata,
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), primary_key=True),
    Column("kind", sa.Text, primary_key=True),
    Column("mail", sa.Text, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    _text("label"),
    Column("token_hash", sa.Text, nullable=False, unique=True),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Column("revoked_at", UTCDateTime),
)

# Calendars that other programs read by a secret address; one that names no place is of its person's own bookings.
feeds = Table(
    "feeds",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("instrument_id", sa.Text, ForeignKey("instruments.id")),
    Column("centre_id", sa.Text, ForeignKey("centres.id")),
    Column("token_hash", sa.Text, nullable=False, unique=True),
    Column("created_at", UTCDateTime, nullable=False),
    Column("revoked_at", UTCDateTime),
    CheckConstraint("instrument_id IS NULL OR centre_id IS NULL", name="one_place"),
)

# ---------------------------------------------------------------- projects and agreements

agreements = Table(
    "agreements",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("partner_id", sa.Text, ForeignKey("organisations.id"), index=True),
    _text("title_vi"),
    _text("title_en"),
    Column("version", sa.Integer, nullable=False, server_default="1"),
)

agreement_versions = Table(
    "agreement_versions",
    metadata,
    Column("agreement_id", sa.Text, ForeignKey("agreements.id"), primary_key=True),
    Column("version", sa.Integer, primary_key=True),
    Column("effective_from", sa.Date, nullable=False),
    Column("effective_until", sa.Date),
    # The whole agreement as canonical JSON; the rules are read from it, never from columns that could disagree.
    Column("document", sa.Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("created_by_id", sa.Uuid, ForeignKey("persons.id")),
)

balances = Table(
    "balances",
    metadata,
    # One running balance for each rule, window and denominator; locked and moved with the booking that changes it.
    Column("agreement_id", sa.Text, ForeignKey("agreements.id"), primary_key=True),
    Column("rule_id", sa.Text, primary_key=True),
    Column("scope_key", sa.Text, primary_key=True, server_default=""),
    Column("window_start", UTCMinute, primary_key=True),
    Column("window_end", UTCMinute, nullable=False),
    Column("base_minutes", sa.BigInteger, nullable=False),
    Column("matched_minutes", sa.BigInteger, nullable=False, server_default="0"),
    Column("total_minutes", sa.BigInteger, nullable=False, server_default="0"),
    CheckConstraint("matched_minutes >= 0 AND total_minutes >= matched_minutes", name="counts"),
    Index("ix_balances_window_end", "window_end"),
)

balance_days = Table(
    "balance_days",
    metadata,
    # The matched minutes of a balance by the day of UTC (days since 1970), so that a reader tells what is to come from
    # what is past without counting bookings. Rows of days that are over are never read again.
    Column("agreement_id", sa.Text, primary_key=True),
    Column("rule_id", sa.Text, primary_key=True),
    Column("scope_key", sa.Text, primary_key=True),
    Column("window_start", UTCMinute, primary_key=True),
    Column("day", sa.Integer, primary_key=True, autoincrement=False),
    Column("matched_minutes", sa.BigInteger, nullable=False),
    ForeignKeyConstraint(
        ["agreement_id", "rule_id", "scope_key", "window_start"],
        ["balances.agreement_id", "balances.rule_id", "balances.scope_key", "balances.window_start"],
        name="fk_balance_days_balance",
        ondelete="CASCADE",
    ),
    sqlite_with_rowid=False,
)

sandboxes = Table(
    "sandboxes",
    metadata,
    # A controlled trial. When it runs follows from `sandbox_spans`; `number` is its newest version.
    Column("id", sa.Text, primary_key=True),
    Column("state", sa.Text, nullable=False),
    Column("number", sa.Integer, nullable=False),
    Column("approved_number", sa.Integer),
    Column("version", sa.Integer, nullable=False, server_default="1"),
    CheckConstraint("state IN ('drafted', 'approved', 'suspended', 'ended')", name="state"),
)

sandbox_versions = Table(
    "sandbox_versions",
    metadata,
    Column("sandbox_id", sa.Text, ForeignKey("sandboxes.id"), primary_key=True),
    Column("number", sa.Integer, primary_key=True),
    # The whole overlay as canonical JSON, like the document of an agreement.
    Column("document", sa.Text, nullable=False),
)

sandbox_spans = Table(
    "sandbox_spans",
    metadata,
    # The time in which a version holds: booking, planning and reports read this and nothing else of a trial.
    Column("sandbox_id", sa.Text, primary_key=True),
    Column("starts_at", UTCMinute, primary_key=True),
    Column("ends_at", UTCMinute, nullable=False),
    Column("number", sa.Integer, nullable=False),
    ForeignKeyConstraint(
        ["sandbox_id", "number"],
        ["sandbox_versions.sandbox_id", "sandbox_versions.number"],
        name="fk_sandbox_spans_version",
    ),
    CheckConstraint("ends_at > starts_at", name="times"),
)

sandbox_steps = Table(
    "sandbox_steps",
    metadata,
    # What was done with a trial, by whom and why; nobody where it ended by itself.
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("sandbox_id", sa.Text, ForeignKey("sandboxes.id"), nullable=False, index=True),
    Column("number", sa.Integer, nullable=False),
    Column("step", sa.Text, nullable=False),
    _text("reason"),
    Column("person_id", sa.Uuid, ForeignKey("persons.id")),
    Column("at", UTCDateTime, nullable=False),
)

sandbox_replays = Table(
    "sandbox_replays",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("sandbox_id", sa.Text, ForeignKey("sandboxes.id"), nullable=False, index=True),
    Column("number", sa.Integer, nullable=False),
    # All that a comparison is made of, as JSON; each reader gets it through their mask.
    Column("document", sa.Text, nullable=False),
    Column("person_id", sa.Uuid, ForeignKey("persons.id")),
    Column("at", UTCDateTime, nullable=False),
)

sandbox_readings = Table(
    "sandbox_readings",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("sandbox_id", sa.Text, ForeignKey("sandboxes.id"), nullable=False, index=True),
    Column("metric", sa.Text, nullable=False),
    Column("day", sa.Date, nullable=False),
    # Exact, as a fraction: "1/400".
    Column("value", sa.Text, nullable=False),
    _text("evidence"),
    Column("person_id", sa.Uuid, ForeignKey("persons.id")),
    Column("at", UTCDateTime, nullable=False),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    # Rises in the order of posting, which orders the entries of one instant. Rows are only added: guard.py refuses all
    # else. Whose time it is: agreement, organisation and period.
    Column("number", BigId, primary_key=True, autoincrement=True),
    Column("id", sa.Uuid, nullable=False, unique=True),
    Column("agreement_id", sa.Text, ForeignKey("agreements.id"), nullable=False),
    Column("organisation_id", sa.Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("period_start", UTCMinute, nullable=False),
    Column("period_end", UTCMinute, nullable=False),
    Column("cause", sa.Text, nullable=False),
    Column("minutes", sa.BigInteger, nullable=False),
    Column("posted_at", UTCDateTime, nullable=False),
    # The clause that caused it, and the version of the agreement in which it stood.
    Column("rule_id", sa.Text, nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("until", UTCDateTime),
    # NULL where the house itself posted, at a deadline.
    Column("authorised_by_id", sa.Uuid, ForeignKey("persons.id")),
    _text("reference"),
    Column("corrects", sa.Uuid, ForeignKey("ledger_entries.id"), index=True),
    CheckConstraint(
        "cause IN ('granted', 'converted', 'carried_over', 'pulled_back', 'released', 'displaced', 'credited',"
        " 'delivered', 'refunded', 'transferred', 'lapsed', 'corrected')",
        name="cause",
    ),
    CheckConstraint("minutes <> 0", name="minutes"),
    CheckConstraint("period_end > period_start", name="period"),
    CheckConstraint("(cause = 'corrected') = (corrects IS NOT NULL)", name="corrects"),
    CheckConstraint("cause <> 'credited' OR until IS NOT NULL", name="credit_has_day"),
    Index("ix_ledger_entries_account", "agreement_id", "organisation_id", "period_start", "posted_at"),
)
# Two workers, or one form sent twice, cannot post one thing twice: domain/ledger.py names these causes ONCE.
_ONCE = ledger_entries.c.cause.not_in(("granted", "converted", "transferred", "corrected"))
_ACCOUNT = tuple(ledger_entries.c[name] for name in ("agreement_id", "organisation_id", "period_start", "period_end"))
Index("uq_ledger_entries_once", *_ACCOUNT, ledger_entries.c.cause, ledger_entries.c.rule_id,
      ledger_entries.c.reference, unique=True, sqlite_where=_ONCE, postgresql_where=_ONCE)  # fmt: skip

state_orders = Table(
    "state_orders",
    metadata,
    # R14: what a state order takes of the time of an agreement's instruments in a period, whoever had it. Append-only.
    Column("id", sa.Uuid, primary_key=True),
    Column("agreement_id", sa.Text, ForeignKey("agreements.id"), nullable=False),
    Column("reference", sa.Text, nullable=False),
    Column("period_start", UTCMinute, nullable=False),
    Column("period_end", UTCMinute, nullable=False),
    # The first day on which it takes time; NULL for orders from before that was asked for.
    Column("starts_on", sa.Date),
    Column("minutes", sa.BigInteger, nullable=False),
    Column("ordered_at", UTCDateTime, nullable=False),
    Column("authorised_by_id", sa.Uuid, ForeignKey("persons.id"), nullable=False),
    UniqueConstraint("agreement_id", "reference"),
    CheckConstraint("minutes > 0", name="minutes"),
    CheckConstraint("period_end > period_start", name="period"),
)

projects = Table(
    "projects",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("code", sa.Text, nullable=False, unique=True),
    _text("title"),
    Column("organisation_id", sa.Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("pi_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("access_class", sa.Text, nullable=False),
    Column("activity", sa.Text, nullable=False),
    _text("funding_line"),
    Column("agreement_id", sa.Text, ForeignKey("agreements.id")),
    Column("state", sa.Text, nullable=False, server_default="proposed"),
    _text("evidence"),
    Column("verified_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("verified_at", UTCDateTime),
    Column("expires_at", UTCDateTime),
    Column("version", sa.Integer, nullable=False, server_default="1"),
)

project_members = Table(
    "project_members",
    metadata,
    Column("project_id", sa.Uuid, ForeignKey("projects.id"), primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), primary_key=True),
    Index("ix_project_members_person_id", "person_id"),
)

# ---------------------------------------------------------------- rounds

rounds = Table(
    "rounds",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("code", sa.Text, nullable=False, unique=True),
    _text("title_vi"),
    _text("title_en"),
    Column("state", sa.Text, nullable=False),
    Column("opens_at", UTCMinute, nullable=False),
    Column("closes_at", UTCMinute, nullable=False),
    # When the plan is to be published at the latest: the day that people are told for kept time.
    Column("publishes_at", UTCMinute, nullable=False),
    # The horizon that the round divides.
    Column("starts_at", UTCMinute, nullable=False),
    Column("ends_at", UTCMinute, nullable=False),
    Column("slot_minutes", sa.Integer, nullable=False),
    Column("created_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("created_at", UTCDateTime, nullable=False),
    Column("version", sa.Integer, nullable=False, server_default="1"),
    CheckConstraint(
        "opens_at < closes_at AND closes_at <= publishes_at AND publishes_at <= starts_at AND starts_at < ends_at",
        name="times",
    ),
)

offers = Table(
    "offers",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("round_id", sa.Uuid, ForeignKey("rounds.id"), nullable=False, index=True),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), nullable=False),
    Column("starts_at", UTCMinute, nullable=False),
    Column("ends_at", UTCMinute, nullable=False),
    # NULL while the round keeps this time; set when publication or withdrawal gives it back to direct booking.
    Column("released_at", UTCDateTime),
    CheckConstraint("ends_at > starts_at", name="times"),
    Index("ix_offers_instrument", "instrument_number", "ends_at"),
)

time_requests = Table(
    "time_requests",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("round_id", sa.Uuid, ForeignKey("rounds.id"), nullable=False, index=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("project_id", sa.Uuid, ForeignKey("projects.id"), nullable=False),
    # Copied from the project as the request is written; planning and reports read these.
    Column("organisation_id", sa.Text, ForeignKey("organisations.id"), nullable=False),
    Column("access_class", sa.Text, nullable=False),
    Column("activity", sa.Text, nullable=False),
    Column("agreement_id", sa.Text, ForeignKey("agreements.id")),
    _text("purpose"),
    Column("sessions", sa.Integer, nullable=False),
    Column("session_minutes", sa.Integer, nullable=False),
    Column("min_sessions", sa.Integer, nullable=False),
    Column("capability_id", sa.Text, ForeignKey("capabilities.id")),
    # JSON list of [starts_at, ends_at] ISO texts; empty means any time of the round.
    Column("windows", sa.Text, nullable=False, server_default="[]"),
    Column("review_score", sa.Integer, nullable=False, server_default="100"),
    Column("state", sa.Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("version", sa.Integer, nullable=False, server_default="1"),
    CheckConstraint("sessions >= min_sessions AND min_sessions >= 1 AND session_minutes > 0", name="amounts"),
)

time_request_instruments = Table(
    "time_request_instruments",
    metadata,
    Column("request_id", sa.Uuid, ForeignKey("time_requests.id"), primary_key=True),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), primary_key=True),
)

plans = Table(
    "plans",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("round_id", sa.Uuid, ForeignKey("rounds.id"), nullable=False, index=True),
    Column("state", sa.Text, nullable=False, index=True),
    # Results are kept only for the attempt that holds the lease (ARCHITECTURE.md, decision 8).
    Column("attempt", sa.Integer, nullable=False, server_default="0"),
    Column("lease_until", UTCDateTime),
    Column("queued_at", UTCDateTime, nullable=False),
    Column("started_at", UTCDateTime),
    Column("finished_at", UTCDateTime),
    Column("cancel_requested_at", UTCDateTime),
    Column("seed", sa.Integer, nullable=False, server_default="1"),
    Column("budget_seconds", sa.Integer, nullable=False),
    _text("progress"),
    _text("problem"),
    _text("problem_sha256"),
    _text("plan"),
    _text("plan_sha256"),
    _text("failure"),
    Column("created_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("version", sa.Integer, nullable=False, server_default="1"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("plan_id", sa.Uuid, ForeignKey("plans.id"), primary_key=True),
    Column("centre_id", sa.Text, ForeignKey("centres.id"), primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False),
    Column("plan_sha256", sa.Text, nullable=False),
    _text("note"),
    Column("approved_at", UTCDateTime, nullable=False),
)

# ---------------------------------------------------------------- bookings and usage

# Bookings that were made together by a rule; `rrule` is that of RFC 5545, the times those of the first one.
series = Table(
    "series",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), nullable=False),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("rrule", sa.Text, nullable=False),
    Column("starts_at", UTCMinute, nullable=False),
    Column("ends_at", UTCMinute, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    # What those that left it had come to, so that the version of the whole never falls.
    Column("left_version", sa.Integer, nullable=False, server_default="0"),
)

# The rules of booking that centres posted. A rule is ended, never edited; `params` is JSON, read by its kind.
booking_rules = Table(
    "booking_rules",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("scope_kind", sa.Text, nullable=False),
    Column("scope_id", sa.Text, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("params", sa.Text, nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("posted_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("until", UTCDateTime),
    Column("ended_by_id", sa.Uuid, ForeignKey("persons.id")),
    CheckConstraint("scope_kind IN ('instrument', 'centre', 'group')", name="scope_kind"),
    CheckConstraint("until IS NULL OR until >= since", name="times"),
    Index("ix_booking_rules_scope", "scope_kind", "scope_id"),
)

bookings = Table(
    "bookings",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("starts_at", UTCMinute, nullable=False),
    Column("ends_at", UTCMinute, nullable=False),
    Column("occupied_from", UTCMinute, nullable=False),
    Column("occupied_until", UTCMinute, nullable=False),
    Column("person_id", sa.Uuid, ForeignKey("persons.id")),
    Column("booked_by_id", sa.Uuid, ForeignKey("persons.id")),
    # Who is present while the person, who is not qualified yet, uses the instrument.
    Column("trainer_id", sa.Uuid, ForeignKey("persons.id")),
    # Who of the staff runs the instrument for its user, or helps them.
    Column("operator_id", sa.Uuid, ForeignKey("persons.id")),
    Column("project_id", sa.Uuid, ForeignKey("projects.id")),
    # Copied from the project as the booking is written, with the agreement version that judged it.
    Column("organisation_id", sa.Text, ForeignKey("organisations.id")),
    Column("access_class", sa.Text),
    Column("activity", sa.Text),
    Column("agreement_id", sa.Text, ForeignKey("agreements.id")),
    Column("agreement_version", sa.Integer),
    Column("attended", sa.Boolean, nullable=False, server_default=sa.true()),
    Column("mode", sa.Text, nullable=False, server_default="self"),
    _text("setup"),
    _text("purpose"),
    _text("override_reason"),
    Column("late_notice", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("request_id", sa.Uuid, ForeignKey("time_requests.id"), index=True),
    Column("plan_id", sa.Uuid, ForeignKey("plans.id")),
    Column("series_id", sa.Uuid, ForeignKey("series.id"), index=True),
    Column("hold_expires_at", UTCDateTime),
    # Held while a form was open: 1, and 2 once that was prolonged. It stays on those that became no booking.
    Column("form_hold", sa.Integer, nullable=False, server_default="0"),
    # What the centre said when it approved or declined.
    _text("decision_note"),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Column("version", sa.Integer, nullable=False, server_default="1"),
    # Which of the instrument's units a use takes, from 0; a block takes all of them (guard.py).
    Column("unit", sa.Integer, nullable=False, server_default="0"),
    CheckConstraint("kind IN ('use', 'maintenance', 'engineering', 'closure')", name="kind"),
    CheckConstraint(
        "state IN ('held', 'pending', 'confirmed', 'in_use', 'done',"
        " 'cancelled', 'declined', 'expired', 'released', 'no_show')",
        name="state",
    ),
    CheckConstraint("occupied_from <= starts_at AND starts_at < ends_at AND ends_at <= occupied_until", name="times"),
    # Calendar queries look back this far and no further: 92 days.
    CheckConstraint("occupied_until - occupied_from <= 132480", name="longest"),
    CheckConstraint("unit >= 0", name="unit"),
    CheckConstraint("kind <> 'use' OR (person_id IS NOT NULL AND project_id IS NOT NULL)", name="use_has_project"),
    Index("ix_bookings_instrument_occupied", "instrument_number", "occupied_from"),
    Index("ix_bookings_person_starts", "person_id", "starts_at"),
    # What a project's team or an organisation still has ahead, for the limits of a centre's own rules.
    Index("ix_bookings_project_ends", "project_id", "ends_at"),
    Index("ix_bookings_organisation_ends", "organisation_id", "ends_at"),
    # A class has many bookings everywhere: those of each instrument in the scope of a limit are found by themselves.
    Index("ix_bookings_class_instrument_ends", "access_class", "instrument_number", "ends_at"),
)
# Few are booked for somebody else.
Index(
    "ix_bookings_for_others",
    bookings.c.booked_by_id,
    bookings.c.starts_at,
    sqlite_where=bookings.c.booked_by_id != bookings.c.person_id,
    postgresql_where=bookings.c.booked_by_id != bookings.c.person_id,
)
_IS_TRAINING = bookings.c.trainer_id.is_not(None)
Index("ix_bookings_trainer_starts", bookings.c.trainer_id, bookings.c.starts_at,
      sqlite_where=_IS_TRAINING, postgresql_where=_IS_TRAINING)  # fmt: skip
_IS_OPERATED = bookings.c.operator_id.is_not(None)
Index("ix_bookings_operator_starts", bookings.c.operator_id, bookings.c.starts_at,
      sqlite_where=_IS_OPERATED, postgresql_where=_IS_OPERATED)  # fmt: skip
# Few are not firm, and readers of shares look for them all.
_NOT_FIRM = bookings.c.state.in_(("held", "pending"))
Index("ix_bookings_not_firm", bookings.c.occupied_until, sqlite_where=_NOT_FIRM, postgresql_where=_NOT_FIRM)

# ---------------------------------------------------------------- bookings that change hands

# A booking that its person offers to another, for nothing or for one of theirs (domain/exchanges.py).
exchanges = Table(
    "exchanges",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("booking_id", sa.Uuid, ForeignKey("bookings.id"), nullable=False),
    Column("giver_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("receiver_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("other_id", sa.Uuid, ForeignKey("bookings.id")),
    # As the giver asked for it.
    Column("other_version", sa.Integer, nullable=False, server_default="0"),
    Column("state", sa.Text, nullable=False),
    Column("answer_by", UTCDateTime, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    CheckConstraint("giver_id <> receiver_id", name="two_people"),
    CheckConstraint("state IN ('open', 'accepted', 'declined', 'withdrawn')", name="state"),
)
# Nobody is promised what was promised to another.
_STANDS = exchanges.c.state == "open"
Index("uq_exchanges_open", exchanges.c.booking_id, unique=True, sqlite_where=_STANDS, postgresql_where=_STANDS)

# ---------------------------------------------------------------- the waitlist

waiting_entries = Table(
    "waiting_entries",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("person_id", sa.Uuid, ForeignKey("persons.id"), nullable=False, index=True),
    Column("project_id", sa.Uuid, ForeignKey("projects.id"), nullable=False),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number")),
    Column("capability_id", sa.Text, ForeignKey("capabilities.id")),
    Column("minutes", sa.Integer, nullable=False),
    Column("from_date", sa.Date, nullable=False),
    Column("until_date", sa.Date, nullable=False),
    # Minutes of the local day; without an end a use may go on beyond midnight.
    Column("since", sa.Integer, nullable=False, server_default="0"),
    Column("until", sa.Integer),
    Column("state", sa.Text, nullable=False),
    Column("passed", sa.Integer, nullable=False, server_default="0"),
    Column("booking_id", sa.Uuid, ForeignKey("bookings.id"), index=True),
    Column("created_at", UTCDateTime, nullable=False),
    CheckConstraint("(instrument_number IS NULL) <> (capability_id IS NULL)", name="one_place"),
    CheckConstraint("state IN ('waiting', 'offered', 'taken', 'left')", name="state"),
)
# Each freed minute asks for those who wait; the many who no longer do are not looked through.
_OPEN = waiting_entries.c.state.in_(("waiting", "offered"))
for _place in (waiting_entries.c.instrument_number, waiting_entries.c.capability_id):
    Index(f"ix_waiting_entries_open_{_place.name}", _place, sqlite_where=_OPEN, postgresql_where=_OPEN)

# Which holds were offers, so that nobody is offered twice what they have passed on.
waiting_offers = Table(
    "waiting_offers",
    metadata,
    Column("booking_id", sa.Uuid, ForeignKey("bookings.id"), primary_key=True),
    Column("entry_id", sa.Uuid, ForeignKey("waiting_entries.id"), nullable=False, index=True),
)

# Time that came free while somebody waited for it, until it has been offered; its deadline stands in `due`.
freed_times = Table(
    "freed_times",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), nullable=False),
    Column("starts_at", UTCMinute, nullable=False),
    Column("ends_at", UTCMinute, nullable=False),
    Column("freed_by_id", sa.Uuid, ForeignKey("persons.id")),
)

equipment_states = Table(
    "equipment_states",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("instrument_number", sa.Integer, ForeignKey("instruments.number"), nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("starts_at", UTCMinute, nullable=False),
    # NULL while the state lasts.
    Column("ends_at", UTCMinute),
    Column("booking_id", sa.Uuid, ForeignKey("bookings.id"), index=True),
    Column("source", sa.Text, nullable=False),
    _text("note"),
    Column("recorded_by_id", sa.Uuid, ForeignKey("persons.id")),
    CheckConstraint(
        "state IN ('productive', 'standby', 'engineering', 'scheduled_down', 'unscheduled_down', 'non_scheduled')",
        name="state",
    ),
    CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name="times"),
    Index("ix_equipment_states_instrument", "instrument_number", "starts_at"),
)

# That a project waits before an agreement's instruments are allocated to it (R26), and what was decided. `lists` and
# `found` are JSON: what of the agreement's lists was found.
clearances = Table(
    "clearances",
    metadata,
    Column("project_id", sa.Uuid, ForeignKey("projects.id"), primary_key=True),
    Column("agreement_id", sa.Text, ForeignKey("agreements.id"), primary_key=True),
    Column("state", sa.Text, nullable=False),
    Column("lists", sa.Text, nullable=False),
    Column("found", sa.Text, nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("due_at", UTCDateTime, nullable=False),
    _text("evidence"),
    Column("decided_by_id", sa.Uuid, ForeignKey("persons.id")),
    Column("decided_at", UTCDateTime),
    Column("version", sa.Integer, nullable=False, server_default="1"),
    CheckConstraint("state IN ('waiting', 'cleared', 'refused')", name="state"),
)

# ---------------------------------------------------------------- the house's own memory

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("topic", sa.Text, nullable=False),
    Column("payload", sa.Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("delivered_at", UTCDateTime),
)
Index("ix_outbox_waiting", outbox.c.id, sqlite_where=outbox.c.delivered_at.is_(None),
      postgresql_where=outbox.c.delivered_at.is_(None))  # fmt: skip

due = Table(
    "due",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("kind", sa.Text, nullable=False),
    Column("noun_id", sa.Text, nullable=False),
    Column("due_at", UTCDateTime, nullable=False, index=True),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),
    UniqueConstraint("kind", "noun_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", UTCDateTime, nullable=False),
    # Ids and salted hashes only: erasing a person empties their row in `persons`, and this line still stands.
    Column("actor_id", sa.Uuid),
    Column("action", sa.Text, nullable=False),
    Column("noun", sa.Text, nullable=False),
    Column("noun_id", sa.Text, nullable=False),
    Column("details", sa.Text, nullable=False, server_default="{}"),
    Index("ix_audit_noun", "noun", "noun_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    # No foreign key: its check would lock the person's row before the instruments, against the order of all locks.
    Column("person_id", sa.Uuid, primary_key=True),
    Column("key", sa.Text, primary_key=True),
    Column("asked", sa.Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False, index=True),
    # What was answered, which is written before the transaction that made the row ends.
    Column("status", sa.Integer, nullable=False, server_default="0"),
    _text("etag"),
    _text("location"),
    _text("body"),
)

facts = Table(
    "facts",
    metadata,
    # Small facts of this installation: the audit salt, whether the demo was loaded.
    Column("name", sa.Text, primary_key=True),
    Column("value", sa.Text, nullable=False),
)
