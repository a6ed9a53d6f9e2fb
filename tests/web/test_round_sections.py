"""What the home page says of rounds, to each role."""

from __future__ import annotations

from labshare.domain.people import Actor
from labshare.i18n import speaking
from labshare.store.engine import Connection, Database
from labshare.web import round_sections
from labshare.web.sections import Section
from tests.furniture import COMPETITOR, MANAGER, NOW, OFFICE, PARTNER, RESEARCHER, actor
from tests.round_of import ask, close, open_round, span


def said(section: Section | None) -> list[tuple[str, str]]:
    assert section is not None
    return [(line.title, line.state[1] if line.state else "") for line in section.lines]


def test_open_calls_are_for_those_who_apply(house: Database) -> None:
    with house.write() as db, speaking("en"):
        r = open_round(db)
        section = round_sections.calls(db, actor(RESEARCHER), NOW)
        assert said(section) == [("Week 49", "open")]
        assert section is not None
        assert (section.lines[0].due_at, section.lines[0].href) == (r.closes_at, f"/rounds/{r.id}")
        assert round_sections.calls(db, actor(PARTNER), NOW) is None
        close(db, r)
        assert said(round_sections.calls(db, actor(RESEARCHER), NOW)) == []


def test_decisions_wait_for_those_whom_they_concern(house: Database) -> None:
    """The round offers the other centre's instrument: the office manages it, this manager has no part in it."""
    with house.write() as db, speaking("en"):
        r = open_round(db, ("N003", span(0, 8, 12)))
        assert said(round_sections.decisions(db, actor(OFFICE), NOW)) == []
        close(db, r)
        assert said(round_sections.decisions(db, actor(OFFICE), NOW)) == [("Week 49", "closed")]
        assert said(round_sections.decisions(db, actor(MANAGER), NOW)) == []
        assert round_sections.decisions(db, actor(RESEARCHER), NOW) is None


def test_a_manager_is_told_of_a_round_that_has_a_part_of_the_own_centre(house: Database) -> None:
    with house.write() as db, speaking("vi"):
        close(db, open_round(db, ("N002", span(0, 8, 12)), ("N003", span(0, 8, 12))))
        assert said(round_sections.decisions(db, actor(MANAGER), NOW)) == [("Đợt tuần 49", "closed")]


def test_my_requests_are_mine(house: Database) -> None:
    with house.write() as db, speaking("en"):
        ask(db, open_round(db), purpose="films")
        assert said(round_sections.my_requests(db, actor(RESEARCHER), NOW)) == [("films", "submitted")]
        assert nothing(db, actor(COMPETITOR)) is None


def nothing(db: Connection, who: Actor) -> Section | None:
    return round_sections.my_requests(db, who, NOW)
