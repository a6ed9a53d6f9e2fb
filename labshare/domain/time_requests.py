"""Requests for time in a round: what one is, and every reason for which one is refused.

Reading REQUEST_RULES is reading the policy. What must not live here: how requests are weighed against each other
(services/worth.py), or where the facts of an `Application` come from (services/rounds.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.domain.availability import StartRange, start_ranges
from labshare.domain.bookings import InstrumentRules
from labshare.domain.projects import AccessClass, Activity, Project, usable
from labshare.domain.rounds import Round
from labshare.domain.timespan import MINUTE, Span, merged, subtracted
from labshare.errors import Refusal

MOST_SESSIONS = 50
MOST_WINDOWS = 20
LONGEST_PURPOSE = 500

# R13, first form: what one slot is worth to each class, before review and fair share. Tiers are ten times apart.
TIER_WEIGHTS = {
    AccessClass.STATE_ORDER: 100_000,
    AccessClass.PARTNER: 10_000,
    AccessClass.PUBLIC_RESEARCH: 1_000,
    AccessClass.HOST: 1_000,
    AccessClass.STARTUP: 100,
    AccessClass.EDUCATION: 10,
    AccessClass.INDUSTRY: 1,
}


class RequestState(StrEnum):
    """A request is submitted until its round is published; a withdrawn one takes no part."""

    SUBMITTED = "submitted"
    WITHDRAWN = "withdrawn"
    PLACED = "placed"
    UNPLACED = "unplaced"


class TimeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An application for time: `sessions` of `session_minutes` each, of which fewer than `min_sessions` are no use.

    Eligible are the named instruments, or every offered one of the capability. No windows means any time of the round.
    Organisation, class, activity and agreement are copied from the project as the request is written.
    """

    id: UUID
    round_id: UUID
    person_id: UUID
    project_id: UUID
    organisation_id: str
    access_class: AccessClass
    activity: Activity
    agreement_id: str | None = None
    purpose: str = ""
    sessions: int
    session_minutes: int
    min_sessions: int
    instrument_numbers: tuple[int, ...] = ()
    capability_id: str | None = None
    windows: tuple[Span, ...] = ()
    review_score: int = 100
    state: RequestState = RequestState.SUBMITTED
    created_at: datetime
    version: int = 1


class Eligible(msgspec.Struct, frozen=True, kw_only=True):
    """An offered instrument, as a request sees it: its offered intervals, and its open hours a day around the round.

    `qualified_until` counts only when `qualified`; None means for ever.
    """

    rules: InstrumentRules
    capability_id: str
    offered: tuple[Span, ...]
    opened: tuple[Span, ...]
    qualified: bool = False
    qualified_until: datetime | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether the person holds what this instrument asks for, if it asks for anything."""
        return self.qualified or not self.rules.qualification


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A request as somebody wants it, with what its rules look at. `offered` holds every instrument of the round."""

    request: TimeRequest
    round: Round
    now: datetime
    offered: dict[int, Eligible]
    project: Project | None = None
    is_member: bool = False


RequestRule = Callable[[Application], Iterable[Refusal]]


def eligible(request: TimeRequest, offered: dict[int, Eligible]) -> list[Eligible]:
    """The offered instruments that may serve the request and that its person is qualified for, by number."""
    return [item for item in _named(request, offered) if item.is_allowed]


def starts(item: Eligible, minutes: int, windows: Iterable[Span], busy: Iterable[Span] = ()) -> Iterator[StartRange]:
    """Every start of a use of `minutes` minutes that lies in a window and in open hours and occupies offered time.

    `busy` are the ranges that others already occupy.
    """
    for window in merged(windows):
        # Set-up and clean-up are the centre's: they may lie outside the window, but never outside the offer.
        around = item.rules.occupied(window)
        taken = [*busy, *subtracted([around], item.offered)]
        for found in start_ranges(item.rules, minutes, window, item.opened, taken):
            last = min(found.last, window.end - minutes * MINUTE)
            if found.first <= last:
                yield StartRange(found.first, last)


def _named(request: TimeRequest, offered: dict[int, Eligible]) -> list[Eligible]:
    if request.capability_id is not None:
        return [item for _, item in sorted(offered.items()) if item.capability_id == request.capability_id]
    return [offered[number] for number in sorted(set(request.instrument_numbers)) if number in offered]


def round_accepts(wish: Application) -> Iterable[Refusal]:
    r = wish.round
    if not r.is_accepting(wish.now):
        opens, closes = r.opens_at.isoformat(), r.closes_at.isoformat()
        yield Refusal(code="round_not_accepting", params={"round": r.code, "opens_at": opens, "closes_at": closes})


def project_pays(wish: Application) -> Iterable[Refusal]:
    """The project must be verified and still valid when the round's time begins; its class is copied, never typed."""
    if wish.project is None:
        yield Refusal(code="project_unknown")
        return
    members = frozenset({wish.request.person_id}) if wish.is_member else frozenset[UUID]()
    yield from usable(wish.project, wish.request.person_id, members, wish.round.starts_at)


def amounts(wish: Application) -> Iterable[Refusal]:
    request = wish.request
    if not 1 <= request.sessions <= MOST_SESSIONS:
        yield Refusal(code="request_sessions", params={"most": MOST_SESSIONS})
    elif not 1 <= request.min_sessions <= request.sessions:
        yield Refusal(code="request_min_sessions", params={"most": request.sessions})
    if request.session_minutes < 1:
        yield Refusal(code="request_length")


def purpose_given(wish: Application) -> Iterable[Refusal]:
    if not wish.request.purpose.strip() or len(wish.request.purpose) > LONGEST_PURPOSE:
        yield Refusal(code="request_purpose", params={"most": LONGEST_PURPOSE})


def something_eligible(wish: Application) -> Iterable[Refusal]:
    """Either instruments of the round or a capability that one of them has, not both and not neither."""
    request = wish.request
    if bool(request.instrument_numbers) == (request.capability_id is not None):
        yield Refusal(code="request_names_nothing")
    elif request.capability_id is not None and not _named(request, wish.offered):
        yield Refusal(code="request_capability_not_offered", params={"capability": request.capability_id})
    elif any(number not in wish.offered for number in request.instrument_numbers):
        yield Refusal(code="request_instrument_not_offered")


def lengths_fit(wish: Application) -> Iterable[Refusal]:
    """Every named instrument must allow the length; of a capability, at least one."""
    named = _named(wish.request, wish.offered)
    refusals = [refusal for item in named for refusal in _length_on(item.rules, wish.request.session_minutes)]
    if wish.request.capability_id is None or len(refusals) == len(named):
        yield from refusals


def _length_on(rules: InstrumentRules, minutes: int) -> Iterable[Refusal]:
    if not rules.min_minutes <= minutes <= rules.max_minutes:
        yield Refusal(
            code="request_length_on",
            params={"instrument": rules.id, "least_minutes": rules.min_minutes, "most_minutes": rules.max_minutes},
        )


def qualified(wish: Application) -> Iterable[Refusal]:
    """Every named instrument asks for its own qualification; of a capability, one that the person holds is enough."""
    named = _named(wish.request, wish.offered)
    missing = [item.rules for item in named if not item.is_allowed]
    if wish.request.capability_id is None or len(missing) == len(named):
        for rules in missing:
            yield Refusal(
                code="request_not_qualified",
                params={"instrument": rules.id, "qualification": rules.qualification},
            )


def windows_fit(wish: Application) -> Iterable[Refusal]:
    """Windows lie inside the round's horizon, and at least one is long enough for a session."""
    request = wish.request
    if len(request.windows) > MOST_WINDOWS:
        yield Refusal(code="request_windows", params={"most": MOST_WINDOWS})
    for window in request.windows:
        if not wish.round.horizon.contains(window):
            start, end = window.start.isoformat(), window.end.isoformat()
            yield Refusal(code="request_window_outside", params={"from": start, "until": end})
    if request.windows and max(w.minutes for w in merged(request.windows)) < request.session_minutes:
        yield Refusal(code="request_windows_too_short", params={"minutes": request.session_minutes})


def has_room(wish: Application) -> Iterable[Refusal]:
    """Somewhere in the offered hours and the windows one session fits, before anybody else is looked at."""
    request = wish.request
    if request.session_minutes < 1:
        return
    able = eligible(request, wish.offered)
    windows = request.windows or (wish.round.horizon,)
    if able and not any(True for item in able for _ in starts(item, request.session_minutes, windows)):
        yield Refusal(code="request_no_room", params={"minutes": request.session_minutes})


REQUEST_RULES: tuple[RequestRule, ...] = (
    round_accepts,
    project_pays,
    purpose_given,
    amounts,
    something_eligible,
    lengths_fit,
    qualified,
    windows_fit,
    has_room,
)


def check_request(wish: Application) -> tuple[Refusal, ...]:
    """Every refusal of every rule, in the order of the list. Empty when the request may be written."""
    return tuple(refusal for rule in REQUEST_RULES for refusal in rule(wish))
