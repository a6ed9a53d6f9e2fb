"""What the reader of TOML says of a document, told in the reader's language: every kind of fault names its place."""

from __future__ import annotations

import pytest

from labshare.domain.agreement_documents import from_toml
from labshare.errors import Malformed
from labshare.i18n import Language, speaking
from labshare.sentences import sentence
from tests.domain.test_agreement_documents import DOCUMENT


def _told(old: str, new: str, language: Language) -> str:
    assert old in DOCUMENT
    with pytest.raises(Malformed) as caught:
        from_toml(DOCUMENT.replace(old, new))
    with speaking(language):
        return sentence(caught.value.refusals[0])


@pytest.mark.parametrize(
    ("old", "new", "vi", "en"),
    [
        (
            'window = "quarter"\n', "",
            "rules[0] thiếu trường `window`; hãy thêm vào",
            "rules[0] lacks the field `window`; add it",
        ),
        (
            "release_hours", "release",
            "rules[0] có trường `release` không tồn tại; hãy xem lại chính tả hoặc bỏ đi",
            "rules[0] has a field `release`, which does not exist; look at its spelling or leave it out",
        ),
        (
            'kind = "floor"', 'kind = "ceiling"',
            "rules[0].kind không thể là `ceiling`; hãy xem lại chính tả",
            "rules[0].kind cannot be `ceiling`; look at its spelling",
        ),
        (
            '"16 %"', "0.16",
            'rules[0].share là `0.16`; tỷ lệ phải viết trong dấu nháy, như "16 %" hoặc "4/25"',
            'rules[0].share is `0.16`; a share is written in quotes, as "16 %" or "4/25"',
        ),
        (
            '"16 %"', '"sixteen"',
            'rules[0].share là `sixteen`; tỷ lệ phải viết trong dấu nháy, như "16 %" hoặc "4/25"',
            'rules[0].share is `sixteen`; a share is written in quotes, as "16 %" or "4/25"',
        ),
        (
            "release_hours = 168", 'release_hours = "168"',
            "rules[0].release_hours phải là số nguyên không có dấu nháy",
            "rules[0].release_hours must be a whole number without quotes",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_the_language_of_its_reader(old: str, new: str, vi: str, en: str) -> None:
    assert _told(old, new, "vi") == f"Không đọc được thỏa thuận: {vi}"
    assert _told(old, new, "en") == f"The agreement cannot be read: {en}"


def test_what_is_no_toml_names_its_line() -> None:
    with pytest.raises(Malformed) as caught:
        from_toml('format = "labshare-agreement/1"\nid PPP\n')
    # "id PPP": the second line, where an equals sign is wanted in the place of the fourth character.
    assert {"fault": "toml", "line": "2", "column": "4"}.items() <= dict(caught.value.params).items()
    with speaking("vi"):
        assert "dòng 2 không đúng TOML, từ ký tự thứ 4" in sentence(caught.value.refusals[0])


def test_what_nobody_has_words_for_is_told_as_it_was_said() -> None:
    assert _told("release_hours = 168", "release_hours = " + "9" * 5000, "vi").startswith(
        "Không đọc được thỏa thuận: Exceeds"
    )
