"""Who applied in a round is told once what became of it. On both databases."""

from __future__ import annotations

from uuid import UUID

import msgspec

from labshare.domain.notices import NoticeKind
from labshare.domain.rounds import Round
from labshare.domain.time_requests import TimeRequest
from labshare.services import notices, round_letters
from labshare.store.engine import Connection, Database
from tests.furniture import COLLEAGUE, COMPETITOR, INDUSTRY_PROJECT, MANAGER, NOW, RESEARCHER, actor, furnish
from tests.round_of import ask, open_round

K = NoticeKind


def applied(db: Connection) -> tuple[Round, list[TimeRequest]]:
    """The researcher asks twice, the colleague and the competitor once each."""
    furnish(db)
    opened = open_round(db)
    mine = ask(db, opened, RESEARCHER)
    asked = [mine, msgspec.structs.replace(mine, id=UUID(int=70)), ask(db, opened, COLLEAGUE)]
    return opened, [*asked, ask(db, opened, COMPETITOR, project_id=INDUSTRY_PROJECT)]


def told(db: Connection, person_id: UUID) -> list[tuple[NoticeKind, str, str]]:
    return [(each.kind, each.name_vi, each.page) for each in notices.mine(db, actor(person_id))]


def test_who_was_given_time_for_one_request_hears_of_that_alone(database: Database) -> None:
    with database.write() as db:
        opened, requests = applied(db)
        round_letters.published(db, opened, requests, {requests[1].id, requests[2].id, None}, NOW)
        page = (opened.title_vi, f"/rounds/{opened.id}")
        assert told(db, RESEARCHER) == told(db, COLLEAGUE) == [(K.ROUND_PLACED, *page)]
        assert told(db, COMPETITOR) == [(K.ROUND_UNPLACED, *page)]
        assert told(db, MANAGER) == []


def test_everybody_hears_that_a_round_was_withdrawn(database: Database) -> None:
    with database.write() as db:
        opened, requests = applied(db)
        round_letters.withdrawn(db, opened, requests, NOW)
        for who in (RESEARCHER, COLLEAGUE, COMPETITOR):
            assert [kind for kind, _, _ in told(db, who)] == [K.ROUND_WITHDRAWN]
