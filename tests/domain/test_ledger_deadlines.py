"""What comes due by itself: checkpoints with grace, notice and time to object, the end of a period, and how far time is
carried.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from labshare.domain.ledger import Cause, Step
from labshare.domain.ledger_clauses import Entitlement
from labshare.domain.ledger_deadlines import (
    CarryOver,
    Checkpoint,
    LedgerRules,
    PullBack,
    announced,
    carried_on,
    closing,
    just_judged,
    next_deadline,
    next_judgement,
    next_period,
    pulled_back_at,
)
from labshare.domain.timespan import Span
from labshare.domain.windows import CALENDAR, Window, window_at
from tests.domain.clauses import whole
from tests.domain.test_ledger import ACCOUNT, HOUR, START, STATEMENT, at, entry

ZONE = "Asia/Ho_Chi_Minh"
# Ninety days: a third of them is day 30.
PERIOD = Span(START, START + timedelta(days=90))


def of(party: str) -> Entitlement:
    return next(each for each in whole().entitlements if each.party == party)


def pull_back(party: str) -> PullBack:
    found = of(party).pull_back
    assert found is not None
    return found


def lost(party: str, place: int, granted: int, used: int) -> float:
    """Hours that the checkpoint takes of so many granted at the start, with so many used on the second day."""
    entries = [entry(1, Cause.GRANTED, granted * HOUR, 0), entry(2, Cause.DELIVERED, -used * HOUR, 1)]
    clause = pull_back(party)
    return pulled_back_at(entries, PERIOD, clause, clause.checkpoints[place], at(80)) / HOUR


def test_who_used_little_by_a_third_of_the_period_loses_some() -> None:
    """R08: 120 h, 9 used (7.5 % < 10 %) at a third: 0.30 x 111 h = 33.3 h. At two thirds 0.75 x 111 h = 83.25 h."""
    assert (lost("O-B", 0, 120, 9), lost("O-B", 1, 120, 9)) == (33.3, 83.25)
    # A sixth used, above both steps of the first checkpoint: nothing is lost.
    assert lost("O-B", 0, 120, 20) == 0


def test_the_softer_pull_back() -> None:
    """R09: 200 h, 16 used (8 %) at the first checkpoint: 0.25 x 184 h = 46 h."""
    assert lost("O-A", 0, 200, 16) == 46


def test_a_checkpoint_comes_with_its_part_of_the_period_and_after_the_grace() -> None:
    """Sixty days of grace: the first checkpoint, on day 30, waits for them. R09 has 14 days' notice, 7 to object."""
    soft, hard = pull_back("O-A"), pull_back("O-B")
    assert [soft.judged_at(PERIOD, each) for each in soft.checkpoints] == [at(30), at(60)]
    assert [hard.judged_at(PERIOD, each) for each in hard.checkpoints] == [at(60), at(60)]
    first = soft.checkpoints[0]
    assert (soft.appeal_until(PERIOD, first), soft.posted_at(PERIOD, first)) == (at(37), at(44))
    assert (soft.rule, hard.rule) == ("R09", "R08")


def test_a_loss_is_told_from_its_checkpoint_until_it_is_posted() -> None:
    """200 h, 16 used: 46 h from day 30 on, until day 44; then nothing waits."""
    entries = (entry(1, Cause.GRANTED, 200 * HOUR, 0), entry(2, Cause.DELIVERED, -16 * HOUR, 1))
    rules = LedgerRules(pull_back=PullBack(checkpoints=pull_back("O-A").checkpoints[:1], notice_days=14, appeal_days=7))
    assert announced(entries, PERIOD, rules, at(29)) == []
    for day in (30, 43):
        (told,) = announced(entries, PERIOD, rules, at(day))
        assert (told.minutes, told.appeal_until, told.posted_at) == (46 * HOUR, at(37), at(44))
    assert announced(entries, PERIOD, rules, at(44)) == []
    assert announced(entries, PERIOD, LedgerRules(), at(30)) == []
    assert [next_deadline(entries, PERIOD, rules, at(day)) for day in (29, 43, 44)] == [at(44), at(44), None]
    assert [next_judgement(PERIOD, rules, at(day)) for day in (29, 30)] == [at(30), None]
    assert next_judgement(PERIOD, LedgerRules(pull_back=pull_back("O-B")), at(0)) is None


def test_what_was_judged_last_is_told_and_no_earlier_loss_again() -> None:
    """200 h, 16 used by day 30 and 134 more by day 40: 46 h at the first checkpoint, none at the second on day 60.

    With forty days' notice the first still waits on day 60, and is not told again.
    """
    first, second = pull_back("O-A").checkpoints
    rules = LedgerRules(pull_back=PullBack(checkpoints=(first, second), notice_days=40))
    entries = (
        entry(1, Cause.GRANTED, 200 * HOUR, 0),
        entry(2, Cause.DELIVERED, -16 * HOUR, 1),
        entry(3, Cause.DELIVERED, -134 * HOUR, 40),
    )
    told = just_judged(entries, PERIOD, rules, at(30))
    assert told
    assert (told.checkpoint, told.minutes) == (first, 46 * HOUR)
    assert [each.checkpoint for each in announced(entries, PERIOD, rules, at(60))] == [first]
    assert just_judged(entries, PERIOD, rules, at(60)) is None


def test_time_is_carried_for_so_many_periods() -> None:
    quarter = window_at(Window.QUARTER, START + timedelta(days=9), ZONE)
    following = next_period(quarter, ZONE)
    assert CarryOver().until(quarter, ZONE) == following.end
    assert CarryOver(periods=3).until(quarter, ZONE) == next_period(next_period(following, ZONE), ZONE).end


def test_carried_time_with_days_left_goes_on_as_far_as_it_is_unused() -> None:
    """30 h carried until day 180, 12 of them used: 18 h go on at the end of the period on day 92; of 5 h that end with
    the period nothing does. What has gone on is no longer left here.
    """
    first = entry(1, Cause.CARRIED_OVER, 30 * HOUR, 0, until=180, reference="a")
    entries = (
        first,
        entry(2, Cause.CARRIED_OVER, 5 * HOUR, 0, until=92, reference="b"),
        entry(3, Cause.DELIVERED, -17 * HOUR, 5),
        entry(4, Cause.CREDITED, 2 * HOUR, 6, until=180),
    )
    assert carried_on(entries, ACCOUNT.period, at(92)) == [(first, 18 * HOUR)]
    gone = entry(5, Cause.CARRIED_OVER, -18 * HOUR, 92, reference=str(first.id))
    assert carried_on((*entries, gone), ACCOUNT.period, at(93)) == []


def test_an_account_closes_with_a_part_carried_over_and_the_rest_lapsed() -> None:
    """120 h granted, 9 used, 24 displaced and credited until day 80. At day 70: 111 - 24 open = 87 h are left of 96 due
    (87 + 9), of which a quarter, 24 h, goes over and 63 h lapse.
    """
    assert closing(STATEMENT, Fraction(1, 4), at(70)) == (24 * HOUR, 63 * HOUR)
    # After its day the credit's 24 h are no longer kept apart: they must have lapsed before.
    gone = (*STATEMENT, entry(7, Cause.LAPSED, -24 * HOUR, 80, reference=str(STATEMENT[3].id)))
    assert closing(gone, Fraction(1, 4), at(80)) == (24 * HOUR, 63 * HOUR)
    assert closing((), Fraction(1, 4), at(80)) == (0, 0)


def test_the_next_deadline_is_the_first_of_checkpoints_credits_and_the_end() -> None:
    """92 days: a third is over after 30 days and 16 hours."""
    rules = LedgerRules(
        carry_over=CarryOver(),
        pull_back=PullBack(
            checkpoints=(Checkpoint(at=Fraction(1, 3), steps=()), Checkpoint(at=Fraction(2, 3), steps=())),
        ),
    )
    third, end = START + timedelta(days=30, hours=16), ACCOUNT.period.end
    asked = (at(0), third, third + timedelta(days=31), at(80), end)
    assert [next_deadline(STATEMENT, ACCOUNT.period, rules, moment) for moment in asked] == [
        third, START + timedelta(days=61, hours=8), at(80), end, None,
    ]  # fmt: skip
    assert next_deadline(STATEMENT[:3], ACCOUNT.period, LedgerRules(), at(0)) is None


def test_a_late_pull_back_counts_earlier_ones_and_takes_no_more_than_is_left() -> None:
    """100 h, nothing used. 30 h pulled back on day 90, late; at two thirds 75 % of the other 70 h (52.5) are due."""
    checkpoint = Checkpoint(at=Fraction(2, 3), steps=(Step(used_less_than=Fraction(1, 10), forfeit=Fraction(3, 4)),))
    clause = PullBack(checkpoints=(checkpoint,))
    entries = (entry(1, Cause.GRANTED, 100 * HOUR, 0), entry(2, Cause.PULLED_BACK, -30 * HOUR, 90))
    assert pulled_back_at(entries, ACCOUNT.period, clause, checkpoint, at(90)) == 3150
    late = (*entries, entry(3, Cause.DELIVERED, -50 * HOUR, 89))
    assert pulled_back_at(late, ACCOUNT.period, clause, checkpoint, at(90)) == 20 * HOUR


def test_the_next_period_is_the_next_of_its_kind() -> None:
    zone = "Asia/Ho_Chi_Minh"
    for kind in CALENDAR:
        first = window_at(kind, START, zone)
        assert next_period(first, zone) == window_at(kind, first.end, zone)
    # Ten days are no window of the calendar: ten more follow.
    assert next_period(Span(at(3), at(13)), "UTC") == Span(at(13), at(23))
