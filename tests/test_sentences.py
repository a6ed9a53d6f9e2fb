"""Refusals in words: each parameter as a person reads it."""

from __future__ import annotations

import pytest

from labshare.domain.qualifications import EndKind
from labshare.errors import Param, Refusal, Refused, Stale
from labshare.i18n import Language, speaking
from labshare.sentences import readable, sentence, sentences, worded


@pytest.mark.parametrize(
    ("name", "value", "vi", "en"),
    [
        # 07:05 UTC is 14:05 in Hanoi.
        ("until", "2026-11-26T07:05:00Z", "14:05 T5 26/11/2026", "Thu 26 Nov 2026, 14:05"),
        ("until", "2026-11-26T14:05:00+07:00", "14:05 T5 26/11/2026", "Thu 26 Nov 2026, 14:05"),
        ("until", "2026-11-26", "26/11/2026", "26 Nov 2026"),
        ("least_minutes", 90, "1 giờ 30 phút", "1 h 30 min"),
        ("minutes", 15, "15 phút", "15 min"),
        ("price_vnd", 1200000, "1.200.000\N{NO-BREAK SPACE}₫", "VND\N{NO-BREAK SPACE}1,200,000"),
        ("most", 1500, "1.500", "1,500"),
        ("within_days", 1500, "1.500 ngày", "1,500 days"),
        ("days", 1, "1 ngày", "1 day"),
        ("hours", 1, "1 giờ", "1 hour"),
        # Hours of the day are no number of them.
        ("hours", "08:00-12:00", "08:00-12:00", "08:00-12:00"),
        ("access_class", "industry", "Doanh nghiệp", "Industry"),
        ("project", "2026-KC-01", "2026-KC-01", "2026-KC-01"),
        # In Hanoi that is in the year 10000: a name that looks like a time is shown as it came.
        ("instrument", "9999-12-31T23:59:00Z", "9999-12-31T23:59:00Z", "9999-12-31T23:59:00Z"),
        # A naive time says nothing about when, so it is shown as it came.
        ("until", "2026-11-26T14:05:00", "2026-11-26T14:05:00", "2026-11-26T14:05:00"),
    ],
)
def test_a_parameter_is_shown_as_its_name_and_form_say(name: str, value: Param, vi: str, en: str) -> None:
    with speaking("vi"):
        assert readable(name, value) == vi
    with speaking("en"):
        assert readable(name, value) == en


@pytest.mark.parametrize(
    ("language", "said"), [("vi", "Mã dự án KC-01 đã được dùng."), ("en", "The project code KC-01 is taken.")]
)
def test_a_refusal_is_said_in_the_readers_language(language: Language, said: str) -> None:
    with speaking(language):
        assert sentence(Refusal(code="project_code_taken", params={"project": "KC-01"})) == said


@pytest.mark.parametrize(
    ("until", "vi", "en"),
    [
        # 17:00 UTC is midnight in Hanoi.
        ("2026-12-15T17:00:00+00:00", "đến hết 15/12/2026", "until the end of 15 Dec 2026"),
        ("2026-12-18T21:25:00+00:00", "đến 04:25 T7 19/12/2026", "until Sat 19 Dec 2026, 04:25"),
    ],
)
def test_what_ends_with_a_day_is_told_by_its_last_day(until: str, vi: str, en: str) -> None:
    codes = ("qualification_expires", "qualification_ends", "qualification_last_use", "qualification_lapses")
    for code in (*codes, "qualification_lapsed", "safety_course_expired"):
        for kind in EndKind:
            refusal = Refusal(code=code, params={"until": until, "end_kind": kind, "qualification": "SEM"})
            with speaking("vi"):
                assert vi in sentence(refusal)
            with speaking("en"):
                assert en in sentence(refusal)


def test_a_missing_parameter_is_a_dash_and_an_unknown_code_its_own_name() -> None:
    with speaking("en"):
        assert sentence(Refusal(code="project_code_taken")) == "The project code – is taken."
        assert sentence(Refusal(code="never_heard_of")) == "never_heard_of"
        assert "until –," in sentence(Refusal(code="qualification_expires", params={"until": "soon"}))


def test_an_error_says_all_its_reasons() -> None:
    with speaking("en"):
        both = Refused([Refusal(code="evidence_missing"), Refusal(code="expiry_passed")])
        assert [said[:9] for said in sentences(both)] == ["State the", "The expir"]
        assert len(sentences(Stale())) == 1


def test_a_percent_sign_in_a_name_breaks_nothing() -> None:
    with speaking("en"):
        said = sentence(Refusal(code="project_code_taken", params={"project": "100%(x)s"}))
    assert said == "The project code 100%(x)s is taken."


@pytest.mark.parametrize(
    ("key", "params", "one", "more"),
    [
        ("booking_rule.most_bookings_within", {"holder": "person", "most": 1, "within_days": 1},
         "Each person has at most 1 booking beginning within 1 day.",
         "Each person has at most 2 bookings beginning within 2 days."),
        ("booking_rule.lock_window", {"hours": 1},
         "From 1 hour before its start only the managers move or cancel a booking.",
         "From 2 hours before its start only the managers move or cancel a booking."),
        ("booking_rule.advance", {"days": 1},
         "A booking ends within 1 day from now at the latest.",
         "A booking ends within 2 days from now at the latest."),
        ("refusal.too_far_ahead", {"days": 1, "until": "2026-11-24"},
         "This instrument can be booked at most 1 day ahead, that is until 24 Nov 2026. Choose an earlier day.",
         "This instrument can be booked at most 2 days ahead, that is until 24 Nov 2026. Choose an earlier day."),
    ],
)  # fmt: skip
def test_one_of_what_is_counted_is_in_the_singular(key: str, params: dict[str, Param], one: str, more: str) -> None:
    with speaking("en"):
        assert worded(key, params) == one
        assert worded(key, {name: 2 if value == 1 else value for name, value in params.items()}) == more
    with speaking("vi"):
        assert "–" not in worded(key, params)


def test_a_program_is_told_of_a_field_by_the_name_that_it_sends() -> None:
    refusal = Refusal(code="malformed_field", params={"field": "project"})
    with speaking("en"):
        assert sentence(refusal) == "The value of “Project” could not be read."
        assert sentence(refusal, for_program=True) == "The value of “project” could not be read."
    with speaking("vi"):
        assert sentence(refusal, for_program=True) == "Không đọc được giá trị ở ô “project”."
