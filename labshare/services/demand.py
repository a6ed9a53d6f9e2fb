"""The real demand of a past period as the facts of a round, so that the planner can divide that time again.

What counts as demand, and how far it may move:

- a use that lay wholly in the period and was wanted (domain/replay.py), with its real length, on its own instrument;
  it may begin up to so many days before or after the day on which it took place, inside the period;
- a request of a round whose time lay wholly in the period, with its own windows, instruments and sessions, whether it
  was served or not; the bookings that came of it are not counted twice. Of rounds that reach beyond the period, only
  the bookings count;
- who was refused at the booking form left no trace, and is missing here.

Everything else stands as it was: blocks, uses that reach over an end of the period, uses of other instruments.
What must not live here: rules of agreements and solving (replay.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import msgspec

from labshare.domain.bookings import OCCUPYING, Booking, InstrumentRules
from labshare.domain.ordering import decayed
from labshare.domain.replay import WANTED
from labshare.domain.rounds import SLOT_CHOICES, Offer, Round, RoundState
from labshare.domain.time_requests import RequestState, TimeRequest
from labshare.domain.timespan import Span, clipped
from labshare.services import clauses, plans
from labshare.services.planning import REMEMBERED_HALF_LIVES, Facts
from labshare.store import bookings as bookings_store
from labshare.store import capacity as capacity_store
from labshare.store import demand as store
from labshare.store import organisations as organisations_store
from labshare.store import projects as projects_store
from labshare.store import qualifications as qualifications_store
from labshare.store import rounds as rounds_store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection

# The round that never was.
REPLAY = UUID(int=0)
# Shorter slots would make a season's plan several times larger for a few minutes at the ends of uses.
SHORTEST_SLOT = 15
_NO_CALL = frozenset({RoundState.DRAFT, RoundState.WITHDRAWN})


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """A period to be planned again. `uses` and `requests` say how many of each `facts.requests` were made of.

    `standing` are the uses that are not planned again, from the earliest window that counts; `rules` are those of every
    instrument that is named.
    """

    facts: Facts
    uses: int
    requests: int
    standing: tuple[Booking, ...]
    rules: dict[int, InstrumentRules]


def load(db: Connection, period: Span, numbers: Collection[int], freedom_days: int, since: datetime) -> Demand:
    """The demand for these instruments in the period, as of its first minute. Some ten queries."""
    asked = _requests(db, period, numbers)
    answered = {request.id for request in asked}
    found = store.uses(db, Span(min(since, period.start), period.end), WANTED | OCCUPYING)
    mine = [
        each
        for each in found
        if each.instrument_number in numbers and each.state in WANTED and period.contains(each.occupied)
    ]
    again = [each for each in mine if each.request_id not in answered]
    moved = {each.id for each in mine}
    standing = tuple(each for each in found if each.id not in moved and each.state in OCCUPYING)
    rules = bookings_store.rules_of(db, {*numbers, *(each.instrument_number for each in standing)})
    requests = (*asked, *(_request(each, period, freedom_days) for each in again))
    slot = slot_minutes([request.session_minutes + _around(rules, request) for request in requests])
    return Demand(
        facts=_facts(db, _round(period, slot), requests, mine, standing, {n: rules[n] for n in sorted(numbers)}),
        uses=len(again),
        requests=len(asked),
        standing=standing,
        rules=rules,
    )


def slot_minutes(lengths: Iterable[int]) -> int:
    """The longest slot that divides all of these lengths, but none under a quarter of an hour."""
    lengths = list(lengths)
    fitting = (slot for slot in sorted(SLOT_CHOICES, reverse=True) if all(length % slot == 0 for length in lengths))
    return max(SHORTEST_SLOT, next(fitting, 0))


def _around(rules: dict[int, InstrumentRules], request: TimeRequest) -> int:
    """Set-up and clean-up of the first instrument that the request names; those of a capability are not looked up."""
    named = [rules[number] for number in request.instrument_numbers[:1] if number in rules]
    return sum(each.setup_minutes + each.cleanup_minutes for each in named)


def _requests(db: Connection, period: Span, numbers: Collection[int]) -> list[TimeRequest]:
    """Requests of the rounds of the period that could only be served by these instruments."""
    found = [
        (r, request)
        for r in rounds_store.listed(db)
        if r.state not in _NO_CALL and period.contains(r.horizon)
        for request in requests_store.of_round(db, r.id)
        if request.state is not RequestState.WITHDRAWN
    ]
    offered = rounds_store.numbers_by_round(db, {r.id for r, _ in found})
    capabilities = rounds_store.capabilities_of(db, set[int]().union(*offered.values()))
    mine: list[TimeRequest] = []
    for r, request in found:
        able = set(request.instrument_numbers) or {
            number for number in offered[r.id] if capabilities[number] == request.capability_id
        }
        if able and able <= set(numbers):
            # Inside the centres of the replay the capability could find instruments that the round never offered.
            windows = request.windows or (r.horizon,)
            named = tuple(sorted(able))
            mine.append(msgspec.structs.replace(request, windows=windows, instrument_numbers=named, capability_id=None))
    return mine


def _request(use: Booking, period: Span, freedom_days: int) -> TimeRequest:
    """A use as the request that it would have been: one session of its length, around the time that it had."""
    assert use.person_id
    assert use.project_id
    assert use.organisation_id
    assert use.access_class
    assert use.activity
    days = timedelta(days=freedom_days)
    return TimeRequest(
        id=use.id,
        round_id=REPLAY,
        person_id=use.person_id,
        project_id=use.project_id,
        organisation_id=use.organisation_id,
        access_class=use.access_class,
        activity=use.activity,
        agreement_id=use.agreement_id,
        purpose=use.purpose,
        sessions=1,
        session_minutes=use.span.minutes,
        min_sessions=1,
        instrument_numbers=(use.instrument_number,),
        windows=tuple(clipped([Span(use.starts_at - days, use.ends_at + days)], period)),
        created_at=use.created_at,
    )


def _round(period: Span, slot: int) -> Round:
    return Round(
        id=REPLAY,
        code="replay",
        title_vi="",
        title_en="",
        opens_at=period.start,
        closes_at=period.start,
        publishes_at=period.start,
        starts_at=period.start,
        ends_at=period.end,
        slot_minutes=slot,
        created_at=period.start,
    )


def _facts(
    db: Connection,
    r: Round,
    requests: tuple[TimeRequest, ...],
    used: Sequence[Booking],
    standing: Sequence[Booking],
    rules: dict[int, InstrumentRules],
) -> Facts:
    """What planning would have known on the first day; who used an instrument was qualified for it, then."""
    persons = {request.person_id for request in requests}
    r_id, first, end = r.id, r.starts_at, r.ends_at
    offers = tuple(
        Offer(id=uuid5(r_id, each.id), round_id=r_id, instrument_number=number, starts_at=first, ends_at=end)
        for number, each in rules.items()
    )
    busy, elsewhere = _taken(standing, rules, persons)
    for block in capacity_store.blocks(db, rules, r.horizon):
        busy[block.instrument_number].append(block.span)
    qualified = qualifications_store.qualified_on(db, persons, rules)
    for use in used:
        assert use.person_id
        qualified.setdefault(use.person_id, {})[use.instrument_number] = None
    order = clauses.order_at(db, list(rules.values()), r.starts_at)
    since = r.starts_at - REMEMBERED_HALF_LIVES * order.half_life
    recent = requests_store.recent_use(db, rules, Span(since, r.starts_at))
    return Facts(
        round=r,
        now=r.starts_at,
        instruments=plans.offered(db, r, offers, rules),
        requests=requests,
        busy=busy,
        person_busy=elsewhere,
        qualified=qualified,
        projects=dict.fromkeys((request.project_id for request in requests), None),
        project_names=projects_store.names_of(db, {request.project_id for request in requests}),
        recent=decayed(recent, r.starts_at, order.half_life),
        tiers=order.tiers,
        sizes=organisations_store.sizes(db, {request.organisation_id for request in requests}),
    )


def _taken(
    standing: Sequence[Booking], rules: Collection[int], persons: Collection[UUID]
) -> tuple[dict[int, list[Span]], dict[UUID, list[Span]]]:
    """When these instruments are occupied by what is not planned again, and where these persons are then."""
    busy: dict[int, list[Span]] = {number: [] for number in rules}
    elsewhere: dict[UUID, list[Span]] = {}
    for use in standing:
        if use.instrument_number in busy:
            busy[use.instrument_number].append(use.occupied)
        if use.attended and use.person_id and use.person_id in persons:
            elsewhere.setdefault(use.person_id, []).append(use.span)
    return busy, elsewhere
