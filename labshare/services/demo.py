"""The demo: a true-to-life story on the real registry, made once around the day on which it is first asked for.

The steps stand in STEPS; all of them are one transaction, so that a demo is there whole or not at all. What must not
live here: chance (demo_use.py, demo_fate.py), planned work and failures (demo_places.py), rounds (demo_rounds.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.agreements import Counter, covers, limit, matches, rule_windows
from labshare.domain.bookings import Booking, BookingKind, InstrumentRules
from labshare.domain.people import Role
from labshare.domain.people_document import PeopleDocument, ProjectEntry, from_toml
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.windows import CENTRE_ZONE_NAME, midnight
from labshare.errors import Refused
from labshare.services import (
    agreements,
    balances,
    counting,
    demo_approvals,
    demo_choices,
    demo_exchanges,
    demo_modes,
    demo_notices,
    demo_qualifications,
    demo_sandbox,
    demo_units,
    people_document,
    registry,
    weighing,
)
from labshare.services.demo_bookings import User, post_rules, repeat_weekly, wait_for_another
from labshare.services.demo_diary import minutes
from labshare.services.demo_fate import run_of
from labshare.services.demo_ledger import post_entries
from labshare.services.demo_places import failures, planned, sites_of
from labshare.services.demo_rounds import Cast, bring, new_rounds
from labshare.services.demo_story import ShareStory, Story, read, read_story
from labshare.services.demo_use import Author, Share, Site, Team
from labshare.services.planning import Place
from labshare.store import audit, facts
from labshare.store import bookings as bookings_store
from labshare.store import people as people_store
from labshare.store import projects as projects_store
from labshare.store import qualifications as qualifications_store
from labshare.store import registry as registry_store
from labshare.store import usage as usage_store
from labshare.store.engine import Connection, Database

LOADED = "demo_loaded"
OnStep = Callable[[str, int, int], None]
# Planned work is made a little further ahead than uses.
AROUND = timedelta(days=60)


def load_demo(database: Database, folder: Path, now: datetime, on_step: OnStep) -> None:
    """Make the demo from `folder` (fixtures: registry, agreements, demo), unless it has been made before.

    `on_step` hears the code of each step, how many are done and how many there are. Raises what the loaders raise when
    the files are not sound; then nothing has changed.
    """
    with database.read() as db:
        if is_loaded(db):
            return
    story = read_story(folder / "demo" / "story.toml")
    with database.write() as db:
        stage = Stage(db, folder, story, now.replace(second=0, microsecond=0))
        for done, (code, step) in enumerate(STEPS):
            on_step(code, done, len(STEPS))
            step(stage)
        facts.add(db, LOADED, now.isoformat())
        audit.record(db, actor_id=None, action="load", noun="demo", noun_id=folder.name, now=now)
    on_step("done", len(STEPS), len(STEPS))


def is_loaded(db: Connection) -> bool:
    return facts.get(db, LOADED) is not None


class Stage:
    """What one step leaves for the next."""

    def __init__(self, db: Connection, folder: Path, story: Story, now: datetime) -> None:
        self.db = db
        self.folder = folder
        self.story = story
        self.now = now
        self.today: date = now.astimezone(ZoneInfo(CENTRE_ZONE_NAME)).date()
        self.long_ago = now - timedelta(days=story.past_days + 1)
        # The demo's dice, no secret: the same day throws the same.
        self.dice = Random(self.today.isoformat())  # noqa: S311  a story, not a secret
        self.cast: Cast
        self.sites: list[Site]
        self.author: Author
        self.versions: dict[str, int] = {}

    @property
    def numbers(self) -> list[int]:
        return [site.rules.number for site in self.sites]

    @property
    def rules(self) -> dict[int, InstrumentRules]:
        return {site.rules.number: site.rules for site in self.sites}


# ---------------------------------------------------------------- what others load, too


def load_registry(stage: Stage) -> None:
    files = registry.read_directory(stage.folder / "registry")
    registry.load(stage.db, None, files, stage.long_ago)


def load_people(stage: Stage) -> None:
    """Organisations first, for the agreements name them; agreements next, for the projects name those."""
    document = from_toml(read(stage.folder / "demo" / "people.toml"))
    people_document.load_document(stage.db, PeopleDocument(organisation=document.organisation), stage.long_ago)
    paths = [stage.folder / "agreements" / f"{name}.toml" for name in stage.story.agreements]
    loaded = agreements.load_agreements(stage.db, None, paths, stage.long_ago)
    stage.versions = {each.agreement_id: each.version for each in loaded}
    current = msgspec.structs.replace(document, project=tuple(_lasting(stage, each) for each in document.project))
    people_document.load_document(stage.db, current, stage.long_ago)
    stage.cast = _cast(stage.db, document, frozenset(stage.story.newcomers))


def _lasting(stage: Stage, entry: ProjectEntry) -> ProjectEntry:
    """The project with an expiry counted from today."""
    if entry.verified_by is None:
        return entry
    days = stage.story.expiring.get(entry.code, stage.story.project_days)
    return msgspec.structs.replace(entry, expires=stage.today + timedelta(days=days))


def _cast(db: Connection, document: PeopleDocument, newcomers: frozenset[str]) -> Cast:
    """Everybody, and who works in which project; newcomers have not begun to."""
    actors = people_store.actors(db)
    by_login = {actor.login: actor for actor in actors}
    lines = {line.project.code: line.project for line in projects_store.all_lines(db)}
    return Cast(
        people={actor.person_id: actor for actor in actors},
        projects=lines,
        members={
            entry.code: tuple(
                by_login[login].person_id for login in (entry.pi, *entry.members) if login not in newcomers
            )
            for entry in document.project
        },
        office=by_login["office"],
        managers={centre_id: actor for actor in actors for centre_id in actor.centre_ids},
    )


# ---------------------------------------------------------------- what only the demo knows


def plan_work(stage: Stage) -> None:
    """Planned work and failures; the calendar that everything else has to live with."""
    begins = midnight(stage.today - timedelta(days=stage.story.past_days), CENTRE_ZONE_NAME)
    span = Span(begins, stage.now + AROUND)
    instruments = {each.id: each for each in registry_store.load(stage.db).instruments}
    by_number = bookings_store.rules_of(stage.db, [instruments[told.id].number for told in stage.story.instruments])
    rules = {each.id: each for each in by_number.values()}
    typical = {each.id: each.typical_minutes for each in instruments.values()}
    stage.sites = sites_of(stage.story, rules, typical, span, stage.now)
    bookings_store.lock(stage.db, stage.numbers)
    blocks = planned(stage.story, stage.sites, stage.cast.managers, stage.now, stage.dice)
    bookings_store.add(stage.db, blocks)
    usage_store.add_records(stage.db, failures(stage.story, stage.sites, stage.cast.managers, stage.dice))
    held = qualifications_store.qualified_on(stage.db, stage.cast.people, stage.numbers)
    qualified = frozenset((person_id, number) for person_id, numbers in held.items() for number in numbers)
    stage.author = Author(stage.story, stage.now, stage.dice, qualified)
    for block in blocks:
        stage.author.stands(block)


def bring_rounds(stage: Stage) -> None:
    """Rounds before everyday use: they keep time, and what one of them published has been used."""
    by_number = {site.rules.number: site for site in stage.sites}
    numbers = {site.rules.id: number for number, site in by_number.items()}
    for told, new in zip(stage.story.rounds, new_rounds(stage.story.rounds, stage.now), strict=True):
        used = bring(stage.db, told, new, stage.cast, stage.story.plan_seconds, stage.now)
        runs = [run_of(each, by_number[each.instrument_number].outages, stage.dice) for each in used]
        usage_store.add_records(stage.db, runs)
        for booking, run in zip(used, runs, strict=True):
            stage.author.stands(booking, run)
        if told.state in ("open", "queued"):
            for instrument_id, span in new.offers:
                stage.author.keep(numbers[instrument_id], span)


def use_instruments(stage: Stage) -> None:
    """Six months of everyday use and the weeks ahead. What lies ahead is weighed like any booking."""
    teams = _teams(stage)
    for share in stage.story.shares:
        stage.author.fill(_share(stage, share, teams))
    for site in stage.sites:
        stage.author.live(site, list(teams.values()))
    bookings_store.lock(stage.db, stage.numbers, stage.cast.people)
    made = stage.author.bookings
    bookings_store.add(stage.db, [each for each in made if each.starts_at < stage.now])
    usage_store.add_records(stage.db, stage.author.records)
    # The balances that the round of the past has opened must know of the past before the future is weighed.
    balances.rebuild(stage.db, stage.now)
    ahead = [each for each in made if each.starts_at >= stage.now]
    added = [use for each in ahead for use in counting.uses(stage.rules[each.instrument_number], each)]
    weighed = weighing.weigh(stage.db, added=added, now=stage.now)
    if weighed.refusals:
        raise Refused(weighed.refusals)
    bookings_store.add(stage.db, ahead)
    weighing.post(stage.db, weighed)


def _teams(stage: Stage) -> dict[str, Team]:
    cast = stage.cast
    return {
        told.project: Team(
            project=(project := cast.projects[told.project]),
            members=cast.members[told.project],
            centres=told.centres,
            agreement_version=stage.versions.get(project.agreement_id or ""),
        )
        for told in stage.story.users
    }


def _share(stage: Stage, told: ShareStory, teams: dict[str, Team]) -> Share:
    """The minutes of the cap's current window that are still to be used, counted as the rule counts them."""
    moment = Span(stage.now, stage.now + MINUTE)
    term = next(each for each in agreements.in_force(stage.db, moment) if each.key == (told.agreement, told.rule))
    window, _ = next(iter(rule_windows(term, moment)))
    counter = Counter(term=term, scope_key="", window=window)
    balance = balances.counted(stage.db, [counter], stage.now)[0]
    wanted = limit(term.rule, balance.base_minutes) * told.percent / 100
    rules = stage.rules
    places = {each.number: Place(each.id, each.centre_id) for each in rules.values()}

    def counts(booking: Booking) -> bool:
        uses = counting.uses(rules[booking.instrument_number], booking)
        return any(covers(term.rule.where, use) and matches(term.rule.who, use) for use in uses)

    return Share(
        sites=tuple(site for site in stage.sites if covers(term.rule.where, places[site.rules.number])),
        teams=tuple(teams[code] for code in told.projects),
        window=minutes(window),
        counts=counts,
        minutes=int(wanted) - balance.matched_minutes,
    )


def post_ledger(stage: Stage) -> None:
    """What the agreements made due to the partners this quarter, and what became of it."""
    post_entries(stage.db, stage.story.ledger, stage.cast.office, stage.now)


def run_trial(stage: Stage) -> None:
    """A trial of one more share rule, which is running today."""
    text = read(stage.folder / "sandboxes" / "SBX-SHSEM-STARTUP.toml")
    centre = {number for number, rules in stage.rules.items() if rules.centre_id == "C-SHSEM"}
    used = (each for each in stage.author.bookings if each.instrument_number in centre)
    days = (
        each.starts_at.astimezone(ZoneInfo(CENTRE_ZONE_NAME)).date() for each in used if each.kind is BookingKind.USE
    )
    cast = demo_sandbox.Cast(
        office=stage.cast.office,
        administrator=next(each for each in stage.cast.people.values() if each.has(Role.ADMINISTRATOR)),
        busy_day=max(day for day in days if day < stage.today),
    )
    demo_sandbox.run_trial(stage.db, text, cast, stage.today, stage.now)


def let_one_wait(stage: Stage) -> None:
    """A booking from outside that waits for its centre."""
    cast, projects = stage.cast, stage.cast.projects
    demo_approvals.wait(
        stage.db,
        (
            demo_approvals.Ask(manager=cast.managers[rules.centre_id], rules=rules, user=user, project=project)
            for rules in stage.rules.values()
            if rules.centre_id in cast.managers
            for told in stage.story.users
            if rules.centre_id in told.centres
            if (project := projects[told.project]).organisation_id != rules.host_id
            for user in map(cast.people.__getitem__, cast.members[told.project])
        ),
        stage.now,
    )


def offer_modes(stage: Stage) -> None:
    """A microscope that may also be had with the staff's help or run by them, as it has just been booked: for one of
    these uses an operator is named, for the other the manager has yet to name one.
    """
    people = {actor.login: actor for actor in stage.cast.people.values()}
    rules = next(each for each in stage.rules.values() if each.id == "N001")
    manager = stage.cast.managers[rules.centre_id]
    staff = [people[login] for login in demo_modes.OPERATORS]
    asks = demo_modes.asks_of(people, manager, stage.cast.projects, staff[0])
    demo_modes.offer(stage.db, manager, rules, staff, asks, stage.now)


def qualify(stage: Stage) -> None:
    """Who may use what by themselves, and who is still in training."""
    cast = demo_qualifications.Cast(
        people={actor.login: actor for actor in stage.cast.people.values()},
        managers=stage.cast.managers,
        rules={each.id: each for each in stage.rules.values()},
        project=stage.cast.projects["IOP-01"],
    )
    demo_qualifications.tell(stage.db, cast, stage.now)


def book_further(stage: Stage) -> None:
    """A booking that repeats, time that somebody waits for, and a centre's rules, which hold from now on."""
    cast, told = stage.cast, stage.story.regular
    project = cast.projects[told.project]
    user = User(next(each for each in cast.people.values() if each.login == told.login), project)
    rules = [each for each in stage.rules.values() if each.centre_id == told.centre]
    repeat_weekly(stage.db, user, rules, told.purpose, stage.now)
    here = {each.number: each for each in rules}
    others = (
        (booking, here[booking.instrument_number], cast.people[booking.person_id])
        for booking in stage.author.bookings
        if booking.instrument_number in here and booking.person_id
        if booking.person_id in cast.members[told.project]
    )
    wait_for_another(stage.db, user, others, stage.now)
    post_rules(stage.db, cast.managers[told.centre], told.centre, stage.now)


def bring_news(stage: Stage) -> None:
    """What managers did today with bookings of those who lead projects, but where one waits for what comes free."""
    managers = {key: each for key, each in stage.cast.managers.items() if key != stage.story.regular.centre}
    signs = {each.person_id for each in stage.cast.managers.values()}
    leads = dict.fromkeys(project.pi_id for _, project in sorted(stage.cast.projects.items()))
    demo_notices.bring(stage.db, [each for each in leads if each not in signs], managers, stage.now)


def share_places(stage: Stage) -> None:
    """Uses beside others, on instruments that take several."""
    cast, projects = stage.cast, stage.cast.projects
    asks: list[demo_units.Beside] = []
    for use in sorted(stage.author.bookings, key=lambda each: each.starts_at):
        rules = stage.rules[use.instrument_number]
        if rules.capacity > 1 and use.kind is BookingKind.USE and use.starts_at > stage.now:
            users = tuple(
                (cast.people[person_id], projects[told.project])
                for told in stage.story.users
                if rules.centre_id in told.centres
                for person_id in cast.members[told.project]
                if person_id != use.person_id
            )
            asks.append(demo_units.Beside(number=rules.number, span=use.span, users=users))
    demo_units.share(stage.db, asks, stage.now)


def offer_bookings(stage: Stage) -> None:
    """A booking that a colleague would give to a researcher, and one that somebody would swap for theirs."""
    actor = next(each for each in stage.cast.people.values() if each.login == "researcher.ims")
    to = demo_exchanges.Receiver(actor, stage.cast.projects["IMS-01"].id)
    ahead = sorted((each for each in stage.author.bookings if each.starts_at > stage.now), key=lambda b: b.starts_at)
    demo_exchanges.offer(stage.db, to, ahead, stage.cast.people, stage.rules, stage.now)


def choose(stage: Stage) -> None:
    """What people have chosen for themselves and their centres, which holds from now on."""
    people = {actor.login: actor for actor in stage.cast.people.values()}
    cast = demo_choices.Cast(people=people, managers=stage.cast.managers, project=stage.cast.projects["HUS-01"])
    demo_choices.make(stage.db, cast, stage.now)


STEPS: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("registry", load_registry),
    ("people", load_people),
    ("work", plan_work),
    ("rounds", bring_rounds),
    ("use", use_instruments),
    ("approval", let_one_wait),
    ("modes", offer_modes),
    ("qualifications", qualify),
    ("places", share_places),
    ("bookings", book_further),
    ("notices", bring_news),
    ("exchanges", offer_bookings),
    ("choices", choose),
    ("ledger", post_ledger),
    ("trial", run_trial),
)
