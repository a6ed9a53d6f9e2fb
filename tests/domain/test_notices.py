"""What a notice carries, and that it carries nothing private."""

from __future__ import annotations

from labshare.domain.notices import Notice, NoticeKind


def test_a_notice_has_no_place_for_a_reason_a_title_or_evidence() -> None:
    fields = ("id", "person_id", "kind", "name_vi", "name_en", "page", "until", "send_at", "attempts")
    assert Notice.__struct_fields__ == fields


def test_each_noun_is_told_of_by_its_name() -> None:
    """A kind begins with its noun, so that words of two nouns are never mixed up."""
    assert {kind.partition("_")[0] for kind in NoticeKind} == {
        "affiliation", "organisation", "project", "ledger", "booking", "slot",
    }  # fmt: skip
