"""The catalogues: merged from small files, looked up in the language of the moment."""

from __future__ import annotations

import threading

import pytest

from labshare.i18n import gettext, has, known_language, language, ngettext, speaking, word


def test_vietnamese_is_spoken_unless_somebody_asks_for_another() -> None:
    assert language() == "vi"
    assert gettext("Sign in") == "Đăng nhập"
    with speaking("en"):
        assert gettext("Sign in") == "Sign in"
        with speaking("vi"):
            assert gettext("Sign in") == "Đăng nhập"
        assert language() == "en"
    assert language() == "vi"


def test_the_language_is_given_back_when_a_block_fails() -> None:
    with pytest.raises(ZeroDivisionError), speaking("en"):
        _ = 1 / 0
    assert language() == "vi"


def test_another_thread_is_not_overheard() -> None:
    heard: list[str] = []
    with speaking("en"):
        thread = threading.Thread(target=lambda: heard.append(language()))
        thread.start()
        thread.join()
    assert heard == ["vi"]


def test_a_sentence_that_nobody_translated_stands_as_it_is() -> None:
    assert gettext("Nobody translated this sentence.") == "Nobody translated this sentence."


@pytest.mark.parametrize(("count", "said"), [(0, "rows"), (1, "row"), (2, "rows")])
def test_english_tells_one_from_many_without_a_catalogue(count: int, said: str) -> None:
    with speaking("en"):
        assert ngettext("row", "rows", count) == said


def test_a_value_is_said_by_its_key_in_both_languages() -> None:
    with speaking("vi"):
        assert word("access_class", "industry") == "Doanh nghiệp"
    with speaking("en"):
        assert word("access_class", "industry") == "Industry"
        assert word("access_class", "unheard_of") == "unheard_of"
        assert not has("access_class.unheard_of")


@pytest.mark.parametrize(("text", "known"), [("vi", "vi"), ("en", "en"), ("fr", None), ("", None), (None, None)])
def test_only_our_languages_are_known(text: str | None, known: str | None) -> None:
    assert known_language(text) == known
