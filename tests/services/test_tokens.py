"""A secret speaks for its person until it expires, is revoked, or the person is disabled; only its hash is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from labshare.domain.people import Role
from labshare.domain.tokens import SECRET_PREFIX, TokenState
from labshare.errors import NotFound, NotSignedIn
from labshare.services import tokens
from labshare.store import audit
from labshare.store.engine import Connection, Database
from labshare.store.tables import grants, organisations, persons
from labshare.store.tables import tokens as table

DAY = timedelta(days=1)


@pytest.fixture
def person_id(database: Database) -> UUID:
    """A researcher of an institute, with the login `researcher.ims`."""
    person_id = uuid4()
    with database.write() as db:
        db.execute(organisations.insert().values(id="I-IMS", kind="institute", **_provenance()))
        db.execute(persons.insert().values(id=person_id, login="researcher.ims", organisation_id="I-IMS"))
        db.execute(grants.insert().values(id=uuid4(), person_id=person_id, role="researcher"))
    return person_id


def _provenance() -> dict[str, str]:
    return {"source": "test", "verification": "illustrative"}


def issue(db: Connection, now: datetime, days: int = 90) -> tokens.Issued:
    return tokens.create(db, login="researcher.ims", days=days, label="script", now=now)


def test_a_secret_speaks_for_its_person_with_their_grants(database: Database, person_id: UUID, now: datetime) -> None:
    with database.write() as db:
        issued = issue(db, now)
        actor = tokens.actor_of(db, issued.secret, now)
    assert (actor.person_id, actor.login) == (person_id, "researcher.ims")
    assert actor.has(Role.RESEARCHER)


@pytest.mark.usefixtures("person_id")
def test_the_secret_itself_is_kept_nowhere(database: Database, now: datetime) -> None:
    with database.write() as db:
        issued = issue(db, now)
        row = db.execute(sa.select(table)).mappings().one()
        (line,) = audit.lines(db, "token", issued.token.id)
    assert issued.secret.startswith(SECRET_PREFIX)
    random_part = issued.secret.removeprefix(SECRET_PREFIX)
    # 32 bytes are 43 letters of base64 without padding.
    assert len(random_part) == 43
    assert random_part not in str(dict(row)) + str(line)


@pytest.mark.usefixtures("person_id")
def test_two_tokens_never_share_a_secret(database: Database, now: datetime) -> None:
    with database.write() as db:
        assert issue(db, now).secret != issue(db, now).secret


@pytest.mark.usefixtures("person_id")
def test_an_expired_secret_speaks_for_nobody(database: Database, now: datetime) -> None:
    with database.write() as db:
        issued = issue(db, now, days=1)
        assert tokens.actor_of(db, issued.secret, now + DAY - timedelta(seconds=1)).login == "researcher.ims"
        with pytest.raises(NotSignedIn):
            tokens.actor_of(db, issued.secret, now + DAY)


@pytest.mark.usefixtures("person_id")
def test_a_revoked_secret_speaks_for_nobody_and_is_revoked_once(database: Database, now: datetime) -> None:
    with database.write() as db:
        first, second = issue(db, now), issue(db, now)
        tokens.revoke(db, first.token.id, now)
        with pytest.raises(NotSignedIn):
            tokens.actor_of(db, first.secret, now)
        # Only the one that was named ends.
        assert tokens.actor_of(db, second.secret, now).login == "researcher.ims"
        with pytest.raises(NotFound):
            tokens.revoke(db, first.token.id, now + DAY)
        states = {line.token.id: line.token.state(now) for line in tokens.listing(db)}
    assert states == {first.token.id: TokenState.REVOKED, second.token.id: TokenState.ACTIVE}


def test_the_secret_of_a_disabled_person_speaks_for_nobody(database: Database, person_id: UUID, now: datetime) -> None:
    with database.write() as db:
        issued = issue(db, now)
        db.execute(persons.update().where(persons.c.id == person_id).values(disabled_at=now))
        with pytest.raises(NotSignedIn):
            tokens.actor_of(db, issued.secret, now)


@pytest.mark.parametrize("secret", ["", "labshare_", "labshare_" + "A" * 43, "%", "x" * 10_000])
@pytest.mark.usefixtures("person_id")
def test_what_was_never_issued_speaks_for_nobody(database: Database, now: datetime, secret: str) -> None:
    with database.write() as db:
        issue(db, now)
        with pytest.raises(NotSignedIn):
            tokens.actor_of(db, secret, now)


@pytest.mark.usefixtures("person_id")
def test_an_unknown_login_gets_no_token(database: Database, now: datetime) -> None:
    with database.write() as db:
        with pytest.raises(NotFound):
            tokens.create(db, login="nobody", days=90, label="", now=now)
        with pytest.raises(NotFound):
            tokens.listing(db, "nobody")
        assert tokens.listing(db) == []


@pytest.mark.usefixtures("person_id")
def test_the_newest_token_is_listed_first(database: Database, now: datetime) -> None:
    with database.write() as db:
        older, newer = issue(db, now), issue(db, now + DAY)
        listed = [line.token.id for line in tokens.listing(db, "researcher.ims")]
    assert listed == [newer.token.id, older.token.id]
