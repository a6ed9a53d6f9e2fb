"""The closed vocabularies: every word that a file may hold has a name in both languages."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from labshare.domain import registry_terms as terms
from labshare.i18n import LANGUAGES, Language, catalogue

NAMED: dict[str, type[StrEnum]] = {
    "verification": terms.Verification,
    "organisation_kind": terms.OrganisationKind,
    "centre_kind": terms.CentreKind,
    "stage": terms.Stage,
    "booking_mode": terms.BookingMode,
    "booking_mode_explained": terms.BookingMode,
    "bookable_unit": terms.BookableUnit,
    "operated_by": terms.OperatedBy,
    "qualification": terms.Qualification,
    "qualification_explained": terms.Qualification,
    "hazard": terms.Hazard,
    "group_basis": terms.GroupBasis,
    "relation": terms.Relation,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", NAMED)
def test_every_word_has_a_name(kind: str, language: Language) -> None:
    missing = [word.value for word in NAMED[kind] if f"{kind}.{word.value}" not in catalogue(language).text]
    assert missing == []


def test_every_vocabulary_is_named() -> None:
    vocabularies = {kind for kind in vars(terms).values() if isinstance(kind, type) and issubclass(kind, StrEnum)}
    # Coordinates are never shown, so their words need no name.
    assert vocabularies - {StrEnum, terms.Coordinates} == set(NAMED.values())


def test_time_units_are_units() -> None:
    assert terms.BookableUnit.SAMPLE not in terms.TIME_UNITS
    assert terms.BookableUnit.HOUR in terms.TIME_UNITS


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fault_of_a_file_has_a_sentence(language: Language) -> None:
    """Checks yield their codes without naming an error, so the codes are read from the source."""
    folder = Path(terms.__file__).parent
    names = ("registry.py", "registry_check.py", "registry_csv.py", "opening.py")
    source = "".join((folder / name).read_text(encoding="utf-8") for name in names)
    codes = set(re.findall(r'"(registry_\w+|opening_\w+)"', source)) - {"registry_check"}
    # The three ways in which a column may be wrong, among others.
    assert {"registry_column_unknown", "registry_unknown_id", "opening_reversed"} <= codes
    assert {code for code in codes if f"refusal.{code}" not in catalogue(language).text} == set()
