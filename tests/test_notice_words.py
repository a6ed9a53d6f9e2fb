"""What notices say in one line, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from labshare import notice_words
from labshare.domain.notices import Notice, NoticeKind
from labshare.i18n import LANGUAGES, Language, gettext, speaking, word
from tests.furniture import NOW, RESEARCHER


def a_notice(kind: NoticeKind, **changes: Any) -> Notice:
    values: dict[str, Any] = {
        "id": UUID(int=1), "person_id": RESEARCHER, "kind": kind, "name_vi": "Máy đo", "name_en": "Meter",
        "page": "/bookings/1", "created_at": NOW, "until": NOW + timedelta(days=1),
    }  # fmt: skip
    return Notice(**(values | changes))


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_is_one_line_that_stands_by_itself(kind: NoticeKind, language: Language) -> None:
    with speaking(language):
        title = notice_words.title(a_notice(kind))
        assert "LabShare" not in title
        assert "%" not in title
        assert title[0] == title[0].upper()
        assert word("notice_kind", kind) != kind


def test_a_title_names_the_thing_in_the_readers_language_and_when_it_is() -> None:
    notice = a_notice(NoticeKind.BOOKING_APPROVED)
    with speaking("vi"):
        assert notice_words.title(notice) == "Lượt đặt Máy đo của bạn đã được duyệt"
        # Tuesday 24 November 2026, 08:00 in Hanoi.
        assert notice_words.when(notice) == "bắt đầu 08:00 T3 24/11/2026"
    with speaking("en"):
        assert notice_words.title(notice) == "Your booking of Meter is approved"
        assert notice_words.title(a_notice(notice.kind, name_en="")) == "Your booking of Máy đo is approved"
        assert notice_words.when(a_notice(notice.kind, until=None)) == ""


@pytest.mark.parametrize(
    "kind",
    [
        NoticeKind.QUALIFICATION_ENDS,
        NoticeKind.PROJECT_VERIFIED,
        NoticeKind.PROJECT_REVIEW,
        NoticeKind.PROJECT_EXPIRED,
    ],
)
def test_an_end_is_told_by_its_last_day(kind: NoticeKind) -> None:
    """What ends as 16 December begins in Hanoi, 17:00 UTC of the day before, is good until the end of the 15th."""
    notice = a_notice(kind, until=datetime(2026, 12, 15, 17, tzinfo=UTC))
    with speaking("vi"):
        assert notice_words.when(notice).endswith("đến hết 15/12/2026")
        assert "đến hết 15/12/2026" in gettext(f"notice_text.{kind}") % notice_words.words(notice)
    with speaking("en"):
        assert notice_words.when(notice).endswith("until the end of 15 Dec 2026")
        assert "until the end of 15 Dec 2026" in gettext(f"notice_text.{kind}") % notice_words.words(notice)
        assert notice_words.when(a_notice(kind)).endswith("until Tue 24 Nov 2026, 08:00")


def test_a_link_is_of_the_address_that_people_open() -> None:
    assert notice_words.words(a_notice(NoticeKind.BOOKING_MADE), "https://x.vn/")["link"] == "https://x.vn/bookings/1"
