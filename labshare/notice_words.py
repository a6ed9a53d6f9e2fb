"""Notices in words, for pages, the API and letters alike, in the language of now.

What must not live here: who is told what, and when (services).
"""

from __future__ import annotations

from labshare import formats
from labshare.domain.notices import Notice
from labshare.i18n import gettext, has, language

BRAND = "LabShare: "


def words(notice: Notice, base_url: str = "") -> dict[str, str]:
    """What the sentences of a notice name: the thing, in the reader's language where it has a name there."""
    first, second = (notice.name_vi, notice.name_en) if language() == "vi" else (notice.name_en, notice.name_vi)
    return {
        "link": f"{base_url.rstrip('/')}{notice.page}",
        "name": first or second,
        "until": formats.moment(notice.until) if notice.until else "",
        "end": formats.end(notice.until) if notice.until else "",
    }


def subject(notice: Notice) -> str:
    """The subject of its letter."""
    return gettext(f"notice_subject.{notice.kind}") % words(notice)


def title(notice: Notice) -> str:
    """What happened, in one line: the subject of the letter without the name of the house."""
    said = subject(notice).removeprefix(BRAND)
    return said[:1].upper() + said[1:]


def when(notice: Notice) -> str:
    """When what it tells of ends or happens; empty where it says nothing of that."""
    key = f"notice_when.{notice.kind}"
    return gettext(key) % words(notice) if notice.until and has(key) else ""
