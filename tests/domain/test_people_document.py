"""A file of people: read whole, and every fault told with the entry that it stands in."""

from __future__ import annotations

import pytest

from labshare.domain.people import Role
from labshare.domain.people_document import Known, faults, from_toml
from labshare.errors import Malformed

KNOWN = Known(
    organisation_ids=frozenset({"I-IMS"}),
    centre_ids=frozenset({"C-ONE"}),
    instrument_ids=frozenset({"N001"}),
    agreement_ids=frozenset({"A-1"}),
    logins=frozenset({"office"}),
    office_logins=frozenset({"office"}),
)

SOUND = """
[[organisation]]
id = "O-NEW"
kind = "company"
name_vi = "Công ty mới"
name_en = "New company"

[[person]]
login = "partner.new"
name = "Đại diện Công ty mới"
organisation = "O-NEW"
roles = [{ role = "partner", organisation = "O-NEW" }, { role = "researcher" }]
qualifications = [{ instrument = "N001", until = 2027-12-31 }]

[[project]]
code = "KC-01"
title = "Màng mỏng"
organisation = "I-IMS"
pi = "partner.new"
members = ["office"]
access_class = "partner"
activity = "economic"
funding_line = "hợp đồng"
agreement = "A-1"
evidence = "Hợp đồng số 7"
verified_by = "office"
expires = 2028-06-30
"""


def found(text: str) -> list[tuple[str, str]]:
    return [(fault.code, str(fault.params["place"])) for fault in faults(from_toml(text), KNOWN)]


def test_a_sound_file_has_no_fault_and_entries_may_name_each_other() -> None:
    assert found(SOUND) == []
    document = from_toml(SOUND)
    assert [held.role for held in document.person[0].roles] == [Role.PARTNER, Role.RESEARCHER]
    assert str(document.person[0].qualifications[0].until) == "2027-12-31"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[person]]\nlogin = \n", "line 2"),
        ('[[person]]\nlogin = "x"\nname = "X"', "organisation"),
        ('[[person]]\nlogin = "x"\nname = "X"\norganisation = "O"\nrole = "researcher"', "role"),
        (
            '[[person]]\nlogin = "x"\nname = "X"\norganisation = "O"\nroles = [{ role = "boss" }]',
            "person[0].roles[0].role",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_where(text: str, place: str) -> None:
    with pytest.raises(Malformed) as refused:
        from_toml(text)
    assert refused.value.code == "people_unreadable"
    assert place in str(refused.value.params["reason"])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('id = "O-NEW"', 'id = "O-NEW"\nparent_id = "O-NONE"', [("people_unknown", "organisation O-NEW")]),
        ('login = "partner.new"', 'login = "Đối tác"', [
            ("people_bad_login", "person Đối tác"), ("people_unknown", "project KC-01"),
        ]),
        ('role = "partner", organisation = "O-NEW"', 'role = "partner"', [("people_role_place", "person partner.new")]),
        ('role = "partner", organisation = "O-NEW"', 'role = "representative"', [
            ("people_role_place", "person partner.new"),
        ]),
        ('{ role = "researcher" }', '{ role = "researcher", centre = "C-ONE" }', [
            ("people_role_place", "person partner.new"),
        ]),
        ('{ role = "researcher" }', '{ role = "lab_manager", centre = "C-NONE" }', [
            ("people_unknown", "person partner.new"),
        ]),
        ('instrument = "N001"', 'instrument = "N999"', [("people_unknown", "person partner.new")]),
        ('members = ["office"]', 'members = ["office", "ghost"]', [("people_unknown", "project KC-01")]),
        ('agreement = "A-1"', 'agreement = "A-2"', [("people_unknown", "project KC-01")]),
        ('verified_by = "office"', 'verified_by = "partner.new"', [("people_not_office", "project KC-01")]),
        ('evidence = "Hợp đồng số 7"\n', "", [("people_no_evidence", "project KC-01")]),
        ("expires = 2028-06-30\n", "", [("people_no_expiry", "project KC-01")]),
        ('name = "Đại diện', 'language = "fr"\nname = "Đại diện', [("people_bad_language", "person partner.new")]),
        ('name = "Đại diện', 'password_hash = "secret"\nname = "Đại diện', [
            ("people_plain_password", "person partner.new"),
        ]),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_entry(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    assert before in SOUND
    assert found(SOUND.replace(before, after)) == expected


def test_the_same_entry_twice_is_a_fault_of_its_noun() -> None:
    assert found(SOUND + SOUND) == [
        ("people_twice", "organisation O-NEW"),
        ("people_twice", "person partner.new"),
        ("people_twice", "project KC-01"),
    ]


def test_all_faults_are_told_at_once() -> None:
    broken = SOUND.replace("I-IMS", "I-NONE").replace("N001", "N999").replace("expires = 2028-06-30\n", "")
    assert sorted(code for code, _ in found(broken)) == ["people_no_expiry", "people_unknown", "people_unknown"]


def test_who_loses_the_user_office_in_the_file_cannot_verify_in_it() -> None:
    demoted = '[[person]]\nlogin = "office"\nname = "Office"\norganisation = "I-IMS"\n'
    assert found(SOUND + demoted) == [("people_not_office", "project KC-01")]
