"""A row of a table has whom its keys say."""

from __future__ import annotations

import pytest

from labshare.domain.profiles import Group, Profile, Size, everybody, is_among
from labshare.domain.projects import AccessClass, Activity

A_SMALL_FIRM = Profile(access_class=AccessClass.INDUSTRY, activity=Activity.ECONOMIC, size=Size.SME)


@pytest.mark.parametrize(
    ("group", "is_in"),
    [
        (Group(), True),
        (Group(access_class=(AccessClass.STARTUP, AccessClass.INDUSTRY)), True),
        (Group(access_class=(AccessClass.STARTUP,)), False),
        (Group(access_class=(AccessClass.INDUSTRY,), size=(Size.SME,)), True),
        (Group(access_class=(AccessClass.INDUSTRY,), size=(Size.LARGE,)), False),
        (Group(activity=(Activity.NON_ECONOMIC,)), False),
    ],
)
def test_every_key_that_is_given_must_match(group: Group, *, is_in: bool) -> None:
    assert group.has(A_SMALL_FIRM) is is_in
    assert is_among([group], A_SMALL_FIRM) is is_in


def test_no_groups_have_nobody_and_one_that_matches_is_enough() -> None:
    assert not is_among([], A_SMALL_FIRM)
    assert is_among([Group(access_class=(AccessClass.HOST,)), Group(size=(Size.SME,))], A_SMALL_FIRM)


def test_a_size_that_nobody_has_proved_is_large() -> None:
    assert Profile(access_class=AccessClass.INDUSTRY, activity=Activity.ECONOMIC).size is Size.LARGE


def test_everybody_is_one_profile_of_each_kind() -> None:
    # Seven classes, two activities, two sizes.
    assert len(set(everybody())) == 7 * 2 * 2
