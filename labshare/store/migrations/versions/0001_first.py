"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime, UTCMinute

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("noun_id", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_noun", "audit", ["noun", "noun_id"], unique=False)

    op.create_table(
        "capabilities",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("folded", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_en", sa.Text(), server_default="", nullable=False),
        sa.Column("retired_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capabilities")),
    )
    op.create_table(
        "due",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("noun_id", sa.Text(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_due")),
        sa.UniqueConstraint("kind", "noun_id", name=op.f("uq_due_kind_noun_id")),
    )
    op.create_index(op.f("ix_due_due_at"), "due", ["due_at"], unique=False)

    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.create_table(
        "organisations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("description_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("description_en", sa.Text(), server_default="", nullable=False),
        sa.Column("abbr", sa.Text(), server_default="", nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("governing_body_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("governing_body_en", sa.Text(), server_default="", nullable=False),
        sa.Column("city_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("city_en", sa.Text(), server_default="", nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("coordinates", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("verification", sa.Text(), server_default="", nullable=False),
        sa.Column("verification_note", sa.Text(), server_default="", nullable=False),
        sa.Column("folded", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_en", sa.Text(), server_default="", nullable=False),
        sa.Column("beyond_registry", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("retired_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["organisations.id"], name=op.f("fk_organisations_parent_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
    )
    op.create_index(op.f("ix_organisations_parent_id"), "organisations", ["parent_id"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("delivered_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("delivered_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL"),
    )

    op.create_table(
        "sign_in_tries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("tried_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_tries")),
    )
    op.create_index("ix_sign_in_tries_address", "sign_in_tries", ["address", "tried_at"], unique=False)
    op.create_index("ix_sign_in_tries_login", "sign_in_tries", ["login", "tried_at"], unique=False)

    op.create_table(
        "taxonomies",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("description_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("description_en", sa.Text(), server_default="", nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_until", sa.Date(), nullable=True),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("verification", sa.Text(), server_default="", nullable=False),
        sa.Column("verification_note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxonomies")),
    )
    op.create_table(
        "zones",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("description_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("description_en", sa.Text(), server_default="", nullable=False),
        sa.Column("established", sa.Integer(), nullable=True),
        sa.Column("area_hectares", sa.Integer(), nullable=True),
        sa.Column("area_is_approximate", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("city_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("city_en", sa.Text(), server_default="", nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("coordinates", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("verification", sa.Text(), server_default="", nullable=False),
        sa.Column("verification_note", sa.Text(), server_default="", nullable=False),
        sa.Column("folded", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_en", sa.Text(), server_default="", nullable=False),
        sa.Column("retired_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zones")),
    )
    op.create_table(
        "agreements",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("title_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("title_en", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["organisations.id"], name=op.f("fk_agreements_partner_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreements")),
    )
    op.create_index(op.f("ix_agreements_partner_id"), "agreements", ["partner_id"], unique=False)

    op.create_table(
        "centres",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("description_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("description_en", sa.Text(), server_default="", nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=True),
        sa.Column("city_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("city_en", sa.Text(), server_default="", nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("coordinates", sa.Text(), server_default="", nullable=False),
        sa.Column("opened", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("products", sa.Text(), server_default="", nullable=False),
        sa.Column("timezone", sa.Text(), server_default="Asia/Ho_Chi_Minh", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("verification", sa.Text(), server_default="", nullable=False),
        sa.Column("verification_note", sa.Text(), server_default="", nullable=False),
        sa.Column("folded", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_en", sa.Text(), server_default="", nullable=False),
        sa.Column("retired_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["organisations.id"], name=op.f("fk_centres_host_id_organisations")),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"], name=op.f("fk_centres_zone_id_zones")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_centres")),
    )
    op.create_index(op.f("ix_centres_host_id"), "centres", ["host_id"], unique=False)
    op.create_index(op.f("ix_centres_zone_id"), "centres", ["zone_id"], unique=False)

    op.create_table(
        "persons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="vi", nullable=False),
        sa.Column("disabled_at", UTCDateTime(), nullable=True),
        sa.Column("erased_at", UTCDateTime(), nullable=True),
        sa.Column("calendar_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_persons_organisation_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
        sa.UniqueConstraint("login", name=op.f("uq_persons_login")),
    )
    op.create_index(op.f("ix_persons_organisation_id"), "persons", ["organisation_id"], unique=False)

    op.create_table(
        "technology_groups",
        sa.Column("taxonomy_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("verification", sa.Text(), server_default="", nullable=False),
        sa.Column("verification_note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["taxonomy_id"], ["taxonomies.id"], name=op.f("fk_technology_groups_taxonomy_id_taxonomies")
        ),
        sa.PrimaryKeyConstraint("taxonomy_id", "number", name=op.f("pk_technology_groups")),
    )
    op.create_table(
        "agreement_versions",
        sa.Column("agreement_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_until", sa.Date(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name=op.f("fk_agreement_versions_agreement_id_agreements")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["persons.id"], name=op.f("fk_agreement_versions_created_by_id_persons")
        ),
        sa.PrimaryKeyConstraint("agreement_id", "version", name=op.f("pk_agreement_versions")),
    )
    op.create_table(
        "balances",
        sa.Column("agreement_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("scope_key", sa.Text(), server_default="", nullable=False),
        sa.Column("window_start", UTCMinute(), nullable=False),
        sa.Column("window_end", UTCMinute(), nullable=False),
        sa.Column("base_minutes", sa.BigInteger(), nullable=False),
        sa.Column("matched_minutes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total_minutes", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "matched_minutes >= 0 AND total_minutes >= matched_minutes", name=op.f("ck_balances_counts")
        ),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreements.id"], name=op.f("fk_balances_agreement_id_agreements")),
        sa.PrimaryKeyConstraint("agreement_id", "rule_id", "scope_key", "window_start", name=op.f("pk_balances")),
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("centre_id", sa.Text(), nullable=True),
        sa.Column("organisation_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["centre_id"], ["centres.id"], name=op.f("fk_grants_centre_id_centres")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_grants_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_grants_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_person_id"), "grants", ["person_id"], unique=False)

    op.create_table(
        "instruments",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("centre_id", sa.Text(), nullable=False),
        sa.Column("capability_id", sa.Text(), nullable=False),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("description_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("description_en", sa.Text(), server_default="", nullable=False),
        sa.Column("manufacturer", sa.Text(), server_default="", nullable=False),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("pid", sa.Text(), server_default="", nullable=False),
        sa.Column("bookable_unit", sa.Text(), server_default="", nullable=False),
        sa.Column("booking_mode", sa.Text(), nullable=False),
        sa.Column("operated_by", sa.Text(), server_default="", nullable=False),
        sa.Column("attended", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("qualification", sa.Text(), server_default="", nullable=False),
        sa.Column("hazards", sa.Text(), server_default="", nullable=False),
        sa.Column("opening", sa.Text(), server_default="", nullable=False),
        sa.Column("spans_closed_hours", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("typical_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("min_minutes", sa.Integer(), nullable=False),
        sa.Column("max_minutes", sa.Integer(), nullable=False),
        sa.Column("granularity_minutes", sa.Integer(), nullable=False),
        sa.Column("advance_days", sa.Integer(), nullable=False),
        sa.Column("setup_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cleanup_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("products", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("verification", sa.Text(), server_default="", nullable=False),
        sa.Column("verification_note", sa.Text(), server_default="", nullable=False),
        sa.Column("folded", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_en", sa.Text(), server_default="", nullable=False),
        sa.Column("calendar_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("retired_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("booking_mode IN ('time', 'service', 'pooled')", name=op.f("ck_instruments_booking_mode")),
        sa.CheckConstraint("min_minutes >= 0 AND max_minutes >= min_minutes", name=op.f("ck_instruments_lengths")),
        sa.ForeignKeyConstraint(
            ["capability_id"], ["capabilities.id"], name=op.f("fk_instruments_capability_id_capabilities")
        ),
        sa.ForeignKeyConstraint(["centre_id"], ["centres.id"], name=op.f("fk_instruments_centre_id_centres")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_instruments")),
        sa.UniqueConstraint("id", name=op.f("uq_instruments_id")),
    )
    op.create_index(op.f("ix_instruments_capability_id"), "instruments", ["capability_id"], unique=False)
    op.create_index(op.f("ix_instruments_centre_id"), "instruments", ["centre_id"], unique=False)

    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("pi_id", sa.Uuid(), nullable=False),
        sa.Column("access_class", sa.Text(), nullable=False),
        sa.Column("activity", sa.Text(), nullable=False),
        sa.Column("funding_line", sa.Text(), server_default="", nullable=False),
        sa.Column("agreement_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="proposed", nullable=False),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("verified_by_id", sa.Uuid(), nullable=True),
        sa.Column("verified_at", UTCDateTime(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreements.id"], name=op.f("fk_projects_agreement_id_agreements")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_projects_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["pi_id"], ["persons.id"], name=op.f("fk_projects_pi_id_persons")),
        sa.ForeignKeyConstraint(["verified_by_id"], ["persons.id"], name=op.f("fk_projects_verified_by_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("code", name=op.f("uq_projects_code")),
    )
    op.create_index(op.f("ix_projects_organisation_id"), "projects", ["organisation_id"], unique=False)
    op.create_index(op.f("ix_projects_pi_id"), "projects", ["pi_id"], unique=False)

    op.create_table(
        "rounds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("title_en", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opens_at", UTCMinute(), nullable=False),
        sa.Column("closes_at", UTCMinute(), nullable=False),
        sa.Column("publishes_at", UTCMinute(), nullable=False),
        sa.Column("starts_at", UTCMinute(), nullable=False),
        sa.Column("ends_at", UTCMinute(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "opens_at < closes_at AND closes_at <= publishes_at AND publishes_at <= starts_at AND starts_at < ends_at",
            name=op.f("ck_rounds_times"),
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["persons.id"], name=op.f("fk_rounds_created_by_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rounds")),
        sa.UniqueConstraint("code", name=op.f("uq_rounds_code")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_sign_ins_person_id_persons")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_ins")),
    )
    op.create_index(op.f("ix_sign_ins_expires_at"), "sign_ins", ["expires_at"], unique=False)
    op.create_index(op.f("ix_sign_ins_person_id"), "sign_ins", ["person_id"], unique=False)

    op.create_table(
        "technology_products",
        sa.Column("taxonomy_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("group_number", sa.Integer(), nullable=False),
        sa.Column("group_basis", sa.Text(), server_default="", nullable=False),
        sa.Column("tier", sa.Integer(), nullable=True),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("is_first_product", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("verification", sa.Text(), server_default="", nullable=False),
        sa.Column("verification_note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["taxonomy_id", "group_number"],
            ["technology_groups.taxonomy_id", "technology_groups.number"],
            name="fk_technology_products_group",
        ),
        sa.ForeignKeyConstraint(
            ["taxonomy_id"], ["taxonomies.id"], name=op.f("fk_technology_products_taxonomy_id_taxonomies")
        ),
        sa.PrimaryKeyConstraint("taxonomy_id", "code", name=op.f("pk_technology_products")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_tokens_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index(op.f("ix_tokens_person_id"), "tokens", ["person_id"], unique=False)

    op.create_table(
        "instrument_products",
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.Column("taxonomy_id", sa.Text(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_number"],
            ["instruments.number"],
            name=op.f("fk_instrument_products_instrument_number_instruments"),
        ),
        sa.PrimaryKeyConstraint(
            "instrument_number", "taxonomy_id", "product_code", name=op.f("pk_instrument_products")
        ),
    )
    op.create_index(
        "ix_instrument_products_product", "instrument_products", ["taxonomy_id", "product_code"], unique=False
    )

    op.create_table(
        "offers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCMinute(), nullable=False),
        sa.Column("ends_at", UTCMinute(), nullable=False),
        sa.Column("released_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_offers_times")),
        sa.ForeignKeyConstraint(
            ["instrument_number"], ["instruments.number"], name=op.f("fk_offers_instrument_number_instruments")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_offers_round_id_rounds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index("ix_offers_instrument", "offers", ["instrument_number", "ends_at"], unique=False)
    op.create_index(op.f("ix_offers_round_id"), "offers", ["round_id"], unique=False)

    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("queued_at", UTCDateTime(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("cancel_requested_at", UTCDateTime(), nullable=True),
        sa.Column("seed", sa.Integer(), server_default="1", nullable=False),
        sa.Column("budget_seconds", sa.Integer(), nullable=False),
        sa.Column("progress", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("problem_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("plan", sa.Text(), server_default="", nullable=False),
        sa.Column("plan_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("failure", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["persons.id"], name=op.f("fk_plans_created_by_id_persons")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_plans_round_id_rounds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.create_index(op.f("ix_plans_round_id"), "plans", ["round_id"], unique=False)
    op.create_index(op.f("ix_plans_state"), "plans", ["state"], unique=False)

    op.create_table(
        "project_members",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_project_members_person_id_persons")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_project_members_project_id_projects")),
        sa.PrimaryKeyConstraint("project_id", "person_id", name=op.f("pk_project_members")),
    )
    op.create_index("ix_project_members_person_id", "project_members", ["person_id"], unique=False)

    op.create_table(
        "qualifications",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), server_default="1", nullable=False),
        sa.Column("granted_by_id", sa.Uuid(), nullable=True),
        sa.Column("granted_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["granted_by_id"], ["persons.id"], name=op.f("fk_qualifications_granted_by_id_persons")
        ),
        sa.ForeignKeyConstraint(
            ["instrument_number"], ["instruments.number"], name=op.f("fk_qualifications_instrument_number_instruments")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_qualifications_person_id_persons")),
        sa.PrimaryKeyConstraint("person_id", "instrument_number", name=op.f("pk_qualifications")),
    )
    op.create_table(
        "technology_crosswalk",
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("old_taxonomy_id", sa.Text(), nullable=True),
        sa.Column("old_code", sa.Text(), nullable=True),
        sa.Column("new_taxonomy_id", sa.Text(), nullable=True),
        sa.Column("new_code", sa.Text(), nullable=True),
        sa.Column("relation", sa.Text(), server_default="", nullable=False),
        sa.Column("note_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("note_en", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("verification", sa.Text(), server_default="", nullable=False),
        sa.Column("verification_note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["new_taxonomy_id", "new_code"],
            ["technology_products.taxonomy_id", "technology_products.code"],
            name="fk_technology_crosswalk_new",
        ),
        sa.ForeignKeyConstraint(
            ["old_taxonomy_id", "old_code"],
            ["technology_products.taxonomy_id", "technology_products.code"],
            name="fk_technology_crosswalk_old",
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_technology_crosswalk")),
    )
    op.create_table(
        "time_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("access_class", sa.Text(), nullable=False),
        sa.Column("activity", sa.Text(), nullable=False),
        sa.Column("agreement_id", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), server_default="", nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("session_minutes", sa.Integer(), nullable=False),
        sa.Column("min_sessions", sa.Integer(), nullable=False),
        sa.Column("capability_id", sa.Text(), nullable=True),
        sa.Column("windows", sa.Text(), server_default="[]", nullable=False),
        sa.Column("review_score", sa.Integer(), server_default="100", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "sessions >= min_sessions AND min_sessions >= 1 AND session_minutes > 0",
            name=op.f("ck_time_requests_amounts"),
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name=op.f("fk_time_requests_agreement_id_agreements")
        ),
        sa.ForeignKeyConstraint(
            ["capability_id"], ["capabilities.id"], name=op.f("fk_time_requests_capability_id_capabilities")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_time_requests_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_time_requests_person_id_persons")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_time_requests_project_id_projects")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_time_requests_round_id_rounds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_time_requests")),
    )
    op.create_index(op.f("ix_time_requests_person_id"), "time_requests", ["person_id"], unique=False)
    op.create_index(op.f("ix_time_requests_round_id"), "time_requests", ["round_id"], unique=False)

    op.create_table(
        "approvals",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("centre_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("plan_sha256", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["centre_id"], ["centres.id"], name=op.f("fk_approvals_centre_id_centres")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_approvals_person_id_persons")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_approvals_plan_id_plans")),
        sa.PrimaryKeyConstraint("plan_id", "centre_id", name=op.f("pk_approvals")),
    )
    op.create_table(
        "bookings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_at", UTCMinute(), nullable=False),
        sa.Column("ends_at", UTCMinute(), nullable=False),
        sa.Column("occupied_from", UTCMinute(), nullable=False),
        sa.Column("occupied_until", UTCMinute(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("booked_by_id", sa.Uuid(), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("organisation_id", sa.Text(), nullable=True),
        sa.Column("access_class", sa.Text(), nullable=True),
        sa.Column("activity", sa.Text(), nullable=True),
        sa.Column("agreement_id", sa.Text(), nullable=True),
        sa.Column("agreement_version", sa.Integer(), nullable=True),
        sa.Column("attended", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("purpose", sa.Text(), server_default="", nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("hold_expires_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "kind <> 'use' OR (person_id IS NOT NULL AND project_id IS NOT NULL)",
            name=op.f("ck_bookings_use_has_project"),
        ),
        sa.CheckConstraint("kind IN ('use', 'maintenance', 'engineering', 'closure')", name=op.f("ck_bookings_kind")),
        sa.CheckConstraint(
            "state IN ('held', 'pending', 'confirmed', 'in_use', 'done',"
            " 'cancelled', 'declined', 'expired', 'released', 'no_show')",
            name=op.f("ck_bookings_state"),
        ),
        sa.CheckConstraint(
            "occupied_from <= starts_at AND starts_at < ends_at AND ends_at <= occupied_until",
            name=op.f("ck_bookings_times"),
        ),
        sa.CheckConstraint("occupied_until - occupied_from <= 132480", name=op.f("ck_bookings_longest")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreements.id"], name=op.f("fk_bookings_agreement_id_agreements")),
        sa.ForeignKeyConstraint(["booked_by_id"], ["persons.id"], name=op.f("fk_bookings_booked_by_id_persons")),
        sa.ForeignKeyConstraint(
            ["instrument_number"], ["instruments.number"], name=op.f("fk_bookings_instrument_number_instruments")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_bookings_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_bookings_person_id_persons")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_bookings_plan_id_plans")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_bookings_project_id_projects")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["time_requests.id"], name=op.f("fk_bookings_request_id_time_requests")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
    )
    op.create_index("ix_bookings_instrument_occupied", "bookings", ["instrument_number", "occupied_from"], unique=False)
    op.create_index("ix_bookings_person_starts", "bookings", ["person_id", "starts_at"], unique=False)
    op.create_index(op.f("ix_bookings_request_id"), "bookings", ["request_id"], unique=False)

    op.create_table(
        "time_request_instruments",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_number"],
            ["instruments.number"],
            name=op.f("fk_time_request_instruments_instrument_number_instruments"),
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["time_requests.id"], name=op.f("fk_time_request_instruments_request_id_time_requests")
        ),
        sa.PrimaryKeyConstraint("request_id", "instrument_number", name=op.f("pk_time_request_instruments")),
    )
    op.create_table(
        "equipment_states",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_at", UTCMinute(), nullable=False),
        sa.Column("ends_at", UTCMinute(), nullable=True),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("recorded_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('productive', 'standby', 'engineering', 'scheduled_down', 'unscheduled_down', 'non_scheduled')",
            name=op.f("ck_equipment_states_state"),
        ),
        sa.CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name=op.f("ck_equipment_states_times")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_equipment_states_booking_id_bookings")),
        sa.ForeignKeyConstraint(
            ["instrument_number"],
            ["instruments.number"],
            name=op.f("fk_equipment_states_instrument_number_instruments"),
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["persons.id"], name=op.f("fk_equipment_states_recorded_by_id_persons")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_equipment_states")),
    )
    op.create_index(op.f("ix_equipment_states_booking_id"), "equipment_states", ["booking_id"], unique=False)
    op.create_index(
        "ix_equipment_states_instrument", "equipment_states", ["instrument_number", "starts_at"], unique=False
    )
