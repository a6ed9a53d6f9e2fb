"""A sandbox is read from TOML, written back the same, and told everything that is wrong with it at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labshare.domain.agreement_documents import from_toml as agreement_from_toml
from labshare.domain.agreements import Agreement, Kind, Scope, Version
from labshare.domain.profiles import Group, Profile
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.sandbox import Authority, Change, Criterion, Metric, Overlay, Words, priced
from labshare.domain.sandbox_documents import (
    Around,
    from_json,
    from_toml,
    of_the_days,
    sandbox_faults,
    to_json,
    to_toml,
)
from labshare.domain.tariffs import HourRate, Payer, Tariff, TariffClass, at_rates, price
from labshare.domain.timespan import Span
from labshare.errors import Malformed
from tests.domain.test_agreements import a_rule, an_agreement
from tests.domain.test_sandbox import CAP, FLOOR, LIFT, LIFTED, an_overlay, words

FIXTURES = Path(__file__).parents[2] / "fixtures"
OVERLAYS = sorted((FIXTURES / "sandboxes").glob("*.toml"))


def around(*agreements: Agreement) -> Around:
    held = agreements or (an_agreement(CAP),)
    return Around(
        organisation_ids=frozenset({"I-IMS", "O-CO"}),
        centre_ids=frozenset({"C-ONE", "C-TWO"}),
        centre_of={"N001": "C-ONE", "N003": "C-TWO"},
        agreements={each.id: tuple(other for other in held if other.id == each.id) for each in held},
    )


def codes(overlay: Overlay, *agreements: Agreement) -> list[str]:
    return [fault.code for fault in sandbox_faults(overlay, around(*agreements))]


# ---------------------------------------------------------------- as text


def test_reading_what_was_written_gives_an_equal_overlay() -> None:
    overlay = an_overlay(LIFT, Change(agreement="A", add=FLOOR), Change(agreement="B", remove="cap"))
    assert from_toml(to_toml(overlay)) == overlay
    assert from_json(to_json(overlay)) == overlay


def test_a_metric_may_be_a_whole_number_and_never_a_float() -> None:
    text = to_toml(an_overlay()).replace('threshold = "1/500"', "threshold = 3")
    assert from_toml(text).stop_if[0].threshold == 3
    with pytest.raises(Malformed, match="threshold"):
        from_toml(text.replace("threshold = 3", "threshold = 0.3"))


@pytest.mark.parametrize(
    ("was", "becomes", "named"),
    [
        ("rollback", "rolback", "rolback"),
        ('rollback = "auto"', 'rollback = "by hand"', "rollback"),
        ("start = 2026-04-01", 'start = "spring"', "start"),
        ("[[changes]]", "[[changes", "changes"),
    ],
)
def test_what_cannot_be_read_is_named(was: str, becomes: str, named: str) -> None:
    text = to_toml(an_overlay())
    assert was in text
    with pytest.raises(Malformed) as raised:
        from_toml(text.replace(was, becomes, 1))
    assert raised.value.code == "sandbox_unreadable"
    assert named in str(raised.value.params["reason"]) or "line" in str(raised.value.params["reason"])


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.name)
def test_the_overlays_that_come_with_the_system_are_sound(path: Path) -> None:
    """Against the agreements beside them; what the registry must hold is taken from the overlay itself."""
    text = path.read_text(encoding="utf-8")
    overlay = from_toml(text)
    agreements = [
        agreement_from_toml(each.read_text(encoding="utf-8")) for each in (FIXTURES / "agreements").glob("*.toml")
    ]
    named = {*overlay.participants, overlay.evaluator, *(party for each in agreements for party in each.parties)}
    known = Around(
        organisation_ids=frozenset(named),
        centre_ids=frozenset({*overlay.centres, "C-IMSKL"}),
        centre_of={
            each: overlay.centres[0]
            for change in overlay.changes
            if change.tariff
            for each in change.tariff.instruments
        },
        agreements={each.id: (each,) for each in agreements},
    )
    assert sandbox_faults(overlay, known) == ()
    assert "minh họa" in overlay.title_vi
    assert "illustrative" in overlay.title_en
    assert text.startswith("# Mẫu minh họa / illustrative")
    assert from_toml(to_toml(overlay)) == overlay


def test_there_is_an_overlay_to_begin_with() -> None:
    assert OVERLAYS


# ---------------------------------------------------------------- every fault


def test_a_sound_overlay_has_no_faults() -> None:
    assert codes(an_overlay()) == []
    assert codes(an_overlay(Change(agreement="A", add=FLOOR))) == []
    # For a while an agreement may be without any rule.
    assert codes(an_overlay(Change(agreement="A", remove="cap"))) == []


ELSEWHERE = a_rule(id="cap", where=Scope(centres=("C-ONE", "C-TWO")), sentence_vi="x", sentence_en="x")
EVERYWHERE = a_rule(id="cap", sentence_vi="x", sentence_en="x")
ON_ANOTHER = a_rule(id="cap", where=Scope(instruments=("N003",)), sentence_vi="x", sentence_en="x")
TOO_MUCH = msgspec.structs.replace(FLOOR, share=Fraction(11, 10))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"end": date(2026, 3, 31)}, "sandbox_dates_reversed"),
        # 1 April to 27 September are 180 days: 30 + 31 + 30 + 31 + 31 + 27.
        ({"end": date(2026, 9, 28)}, "sandbox_too_long"),
        ({"end": date(2026, 9, 28), "max_days": 365}, "sandbox_too_long"),
        ({"max_days": 30}, "sandbox_too_long"),
        ({"centres": ("C-ONE", "C-NONE")}, "sandbox_unknown_centre"),
        ({"participants": ()}, "sandbox_without_participants"),
        ({"participants": ("O-NONE",)}, "sandbox_unknown_party"),
        ({"evaluator": "O-NONE"}, "sandbox_unknown_party"),
        ({"authority": Authority(approved_by="O-NONE", legal="x")}, "sandbox_unknown_party"),
        ({"authority": Authority(approved_by="I-IMS", legal=" ")}, "sandbox_text_missing"),
        ({"goal": Words(vi="", en="more")}, "sandbox_text_missing"),
        ({"suspend": Words(vi="x", en=" ")}, "sandbox_text_missing"),
        ({"title_en": ""}, "sandbox_text_missing"),
        ({"changes": ()}, "sandbox_without_changes"),
    ],
)
def test_each_fault_of_the_frame_is_found(values: dict[str, Any], code: str) -> None:
    assert codes(an_overlay(**values)) == [code]


def test_a_hundred_and_eighty_days_are_not_too_long() -> None:
    assert an_overlay(end=date(2026, 9, 27)).days == 180
    assert codes(an_overlay(end=date(2026, 9, 27))) == []


def test_a_trial_without_centres_reaches_nowhere_so_every_rule_reaches_beyond_it() -> None:
    assert codes(an_overlay(centres=())) == ["sandbox_without_centres", "sandbox_rule_outside"]


NIGHT, INCIDENTS = (Metric(id=name, says=words(name)) for name in ("night", "incidents"))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"criteria": ()}, ["sandbox_without_criteria", "sandbox_metric_unused"]),
        ({"stop_if": ()}, ["sandbox_without_stop", "sandbox_metric_unused"]),
        ({"metrics": (NIGHT,)}, ["sandbox_unknown_metric"]),
        ({"metrics": (NIGHT, INCIDENTS, NIGHT)}, ["sandbox_metric_twice"]),
        ({"metrics": (NIGHT, INCIDENTS, Metric(id="cost", says=words("cost")))}, ["sandbox_metric_unused"]),
        (
            {"criteria": (Criterion(metric="night", baseline=Fraction(1, 4), target=Fraction(1, 4)),)},
            ["sandbox_criterion_still"],
        ),
        ({"metrics": (NIGHT, Metric(id="incidents", says=Words(vi="", en="x")))}, ["sandbox_text_missing"]),
    ],
)
def test_each_fault_of_the_metrics_is_found(values: dict[str, Any], found: list[str]) -> None:
    assert codes(an_overlay(**values)) == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ((Change(agreement="A"),), ["sandbox_change_unclear"]),
        ((Change(agreement="A", replace=LIFTED, remove="cap"),), ["sandbox_change_unclear"]),
        ((LIFT, Change(agreement="A", remove="cap")), ["sandbox_rule_twice"]),
        ((Change(agreement="B", remove="cap"),), ["sandbox_unknown_agreement"]),
        ((Change(agreement="A", remove="floor"),), ["sandbox_unknown_rule"]),
        ((Change(agreement="A", replace=FLOOR),), ["sandbox_unknown_rule"]),
        ((Change(agreement="A", add=LIFTED),), ["sandbox_rule_taken"]),
        ((Change(agreement="A", replace=ELSEWHERE),), ["sandbox_rule_outside"]),
        ((Change(agreement="A", replace=EVERYWHERE),), ["sandbox_rule_outside"]),
        ((Change(agreement="A", replace=ON_ANOTHER),), ["sandbox_rule_outside"]),
        ((Change(agreement="A", add=TOO_MUCH),), ["agreement_share_over_one"]),
    ],
)
def test_each_fault_of_the_changes_is_found(changes: tuple[Change, ...], found: list[str]) -> None:
    assert codes(an_overlay(*changes)) == found


def test_nothing_is_added_where_no_rule_says_when_it_would_hold() -> None:
    assert codes(an_overlay(Change(agreement="A", add=FLOOR)), an_agreement()) == ["sandbox_nothing_beside"]
    assert codes(an_overlay(Change(agreement="A", add=FLOOR)), an_agreement(CAP)) == []


@pytest.mark.parametrize("signed", [ELSEWHERE, EVERYWHERE, ON_ANOTHER], ids=["two centres", "everywhere", "instrument"])
def test_a_signed_rule_that_reaches_other_centres_cannot_be_changed_here(signed: Any) -> None:
    agreement = an_agreement(signed)
    assert codes(an_overlay(LIFT), agreement) == ["sandbox_rule_outside"]
    assert codes(an_overlay(Change(agreement="A", remove="cap")), agreement) == ["sandbox_rule_outside"]


def test_instruments_of_the_centre_are_inside_it() -> None:
    here = msgspec.structs.replace(ON_ANOTHER, where=Scope(instruments=("N001",)))
    assert codes(an_overlay(Change(agreement="A", replace=here)), an_agreement(here)) == []


def test_the_agreement_must_hold_on_every_day_of_the_trial() -> None:
    """The trial is April and May."""
    assert codes(an_overlay(), an_agreement(CAP, effective_until=date(2026, 5, 31))) == []
    assert codes(an_overlay(), an_agreement(CAP, effective_until=date(2026, 5, 30))) == ["sandbox_agreement_over"]
    assert codes(an_overlay(), an_agreement(CAP, effective_from=date(2026, 4, 2))) == ["sandbox_agreement_over"]


def test_versions_that_follow_each_other_cover_the_trial_together() -> None:
    """The first version ends on 30 April and the second goes on; where the rule is missing in one, it is no change."""
    first = an_agreement(CAP, effective_until=date(2026, 4, 30))
    second = an_agreement(CAP, effective_from=date(2026, 5, 1))
    assert codes(an_overlay(), second, first) == []
    assert codes(an_overlay(), second) == ["sandbox_agreement_over"]
    without = an_agreement(FLOOR, effective_until=date(2026, 4, 30))
    assert codes(an_overlay(), second, without) == ["sandbox_unknown_rule"]
    assert codes(an_overlay(Change(agreement="A", add=FLOOR)), second, without) == ["sandbox_rule_taken"]


def test_the_versions_of_the_days_are_the_newest_and_those_in_force() -> None:
    """Trial April and May. The first is replaced from 1 March, the second from 1 May; the fourth begins in July."""
    starts = [(1, 1), (3, 1), (5, 1), (7, 1)]
    versions = [
        Version(number=n, agreement=an_agreement(CAP, effective_from=date(2026, *day)))
        for n, day in enumerate(starts, start=1)
    ]
    found = of_the_days(versions, an_overlay())
    assert [each.effective_from.month for each in found] == [7, 5, 3]
    reversed_days = an_overlay(end=date(2026, 3, 1))
    assert [each.effective_from.month for each in of_the_days(versions, reversed_days)] == [7]


@pytest.mark.parametrize("sandbox_id", ["", "a b", "../x", "x" * 65])
def test_an_id_must_fit_into_an_address(sandbox_id: str) -> None:
    assert codes(an_overlay(id=sandbox_id)) == ["sandbox_id_unclear"]


def test_a_fault_of_the_signed_agreement_is_not_the_trial_s() -> None:
    """A rule without a sentence stands; the trial changes another one."""
    silent = a_rule(id="silent", kind=Kind.FLOOR, where=CAP.where, share=Fraction(1, 20))
    assert codes(an_overlay(), an_agreement(CAP, silent)) == []


# ---------------------------------------------------------------- R25


def night_trial() -> Overlay:
    return from_toml((FIXTURES / "sandboxes" / "SBX-SHSEM-NIGHT.toml").read_text(encoding="utf-8"))


def test_the_night_tariff_of_the_rule_catalogue_lasts_180_days_and_ends_by_itself() -> None:
    """R25: nights cost startups 0 VND at C-SHSEM, 180 days; night use 12 % -> 25 %; more than 1 per 500 h stops."""
    overlay = night_trial()
    # 4 January and the 179 days after it: 28 of January, 28, 31, 30, 31 and 30 of the months to June, and 2 of July.
    assert (overlay.days, overlay.centres) == (180, ("C-SHSEM",))
    assert overlay.span.end == datetime(2027, 7, 2, 17, tzinfo=UTC)  # midnight in Hanoi
    (criterion,), (stop,) = overlay.criteria, overlay.stop_if
    assert (criterion.baseline, criterion.is_met(Fraction(24, 100)), criterion.is_met(Fraction(1, 4))) == (
        Fraction(12, 100), False, True,
    )  # fmt: skip
    assert stop.stops_at(Fraction(3, 1000))
    assert not stop.stops_at(Fraction(2, 1000))


@pytest.mark.parametrize(
    ("access_class", "hours", "vnd"),
    [
        # 22:00-24:00 is free; 9:00-10:00 costs an hour.
        (AccessClass.STARTUP, (22, 24), 0),
        (AccessClass.STARTUP, (9, 10), 2_400_000),
        (AccessClass.INDUSTRY, (22, 24), 4_800_000),
    ],
)
def test_a_night_costs_startups_nothing(access_class: AccessClass, hours: tuple[int, int], vnd: int) -> None:
    signed = agreement_from_toml((FIXTURES / "agreements" / "PPP-SHSEM.toml").read_text(encoding="utf-8"))
    (tariff,) = priced(signed, night_trial()).tariffs
    day = datetime(2027, 1, 4, 17, tzinfo=UTC)  # midnight that begins 5 January in Hanoi
    use = Span(day + timedelta(hours=hours[0]), day + timedelta(hours=hours[1]))
    who = Payer(profile=Profile(access_class=access_class, activity=Activity.ECONOMIC))
    found = price(tariff, who, use.minutes, date(2027, 1, 5), at_rates(tariff, use, "Asia/Ho_Chi_Minh"))
    assert found.total == vnd


def a_tariff(**changes: Any) -> Tariff:
    everybody = (TariffClass(id="all", share=Fraction(1), who=(Group(),)),)
    values: dict[str, Any] = {
        "id": "night", "full_cost": 1000, "effective_from": date(2026, 1, 1), "instruments": ("N001",),
        "classes": everybody,
    }  # fmt: skip
    return Tariff(**(values | changes))


@pytest.mark.parametrize(
    ("tariff", "found"),
    [
        (a_tariff(), []),
        (a_tariff(instruments=()), ["sandbox_rule_outside"]),
        (a_tariff(instruments=("N001", "N003")), ["sandbox_rule_outside"]),
        (a_tariff(classes=()), ["clause_class_missing"] * len(AccessClass)),
        (a_tariff(hours=(HourRate(id="n", hours="at night", share=Fraction(0)),)), ["opening_unreadable"]),
        (a_tariff(hours=(HourRate(id="n", hours="daily 22:00-24:00", share=Fraction(2)),)), ["clause_share_over_one"]),
        (
            a_tariff(hours=tuple(HourRate(id=each, hours="Mon 22:00-24:00", share=Fraction(0), who=(Group(),))
                                 for each in "ab")),
            ["clause_class_both"],
        ),
    ],
)  # fmt: skip
def test_a_tariff_of_a_trial_stays_in_its_centres_and_is_whole(tariff: Tariff, found: list[str]) -> None:
    assert codes(an_overlay(Change(agreement="A", tariff=tariff))) == found


def test_a_tariff_and_a_rule_are_two_changes() -> None:
    assert codes(an_overlay(Change(agreement="A", tariff=a_tariff(), remove="cap"))) == ["sandbox_change_unclear"]
    assert from_toml(to_toml(an_overlay(Change(agreement="A", tariff=a_tariff())))).changes[0].tariff == a_tariff()
