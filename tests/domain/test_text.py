"""Folded text: searching without accents finds words that have them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.text import fold, searchable, sort_key, words


def test_vietnamese_accents_fold_away() -> None:
    assert fold("Kính hiển vi điện tử quét phát xạ trường") == "kinh hien vi dien tu quet phat xa truong"


def test_the_barred_letter_folds_to_d_in_both_cases() -> None:
    assert fold("Đà Lạt, đất hiếm") == "da lat, dat hiem"


def test_composed_and_decomposed_text_fold_alike() -> None:
    assert fold("ph\u1ed5") == fold("pho\u0302\u0309") == "pho"


def test_spaces_of_any_kind_become_one() -> None:
    assert fold("  X-ray\t\u00a0XRD \n") == "x-ray xrd"


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_search_words_come_once_each() -> None:
    assert words("Phổ phổ  RAMAN") == ("pho", "raman")


def test_punctuation_only_separates_words() -> None:
    assert words("FE-SEM (S-4800), 100%_") == ("fe", "sem", "s", "4800", "100")
    assert words("--- % _") == ()


def test_searchable_text_has_a_space_before_every_word() -> None:
    assert searchable("SEM kèm EDXS (Đà Lạt)") == " sem kem edxs da lat"
    assert searchable("...") == ""


@given(st.text())
def test_every_word_of_a_text_is_found_in_it(text: str) -> None:
    assert all(f" {word}" in searchable(text) for word in words(text))


def test_sort_keys_hold_only_digits_and_letters() -> None:
    assert sort_key("Máy đo BET (N2), 77 K") == "may0do0bet0n20770k"


def test_a_shorter_name_sorts_before_its_longer_sibling() -> None:
    assert sort_key("SEM") < sort_key("SEM kèm EDXS") < sort_key("SEMA")
