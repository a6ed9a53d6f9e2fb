"""Who may let whom in, that a token counts once, and that nobody learns which addresses are known. Both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.affiliations import AffiliationState
from labshare.domain.invitations import ASKED_HOLDS, INVITED_HOLDS
from labshare.domain.people import TRIES_PER_ADDRESS, TRIES_PER_LOGIN, TRY_WINDOW, Grant, Role
from labshare.errors import Forbidden, NotFound, Refused, TooManyTries
from labshare.services import affiliations, invitations, notices, people
from labshare.store import audit, outbox
from labshare.store import people as people_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import ADMINISTRATOR, COMPETITOR, MANAGER, NOW, OFFICE, PARTNER, RESEARCHER, actor, furnish

SECRET = "a secret that only these tests use"
HERE = "10.0.0.1"
EMAIL = "an@x.vn"


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(email="Researcher@X.vn"))
    return database


def invite(db: Connection, by: UUID = PARTNER, email: str = EMAIL, organisation_id: str = "O-CO") -> None:
    invitations.invite(
        db, actor(by), email=email, name="An", organisation_id=organisation_id, language="vi", secret=SECRET, now=NOW
    )


def register(db: Connection, email: str = EMAIL, address: str = HERE) -> None:
    invitations.register(db, email=email, address=address, language="vi", secret=SECRET, now=NOW)


def tokens(db: Connection) -> list[str]:
    """The tokens in the letters that wait, by address."""
    waiting = sorted(invitations.letters(db, NOW), key=lambda each: each.invitation.email)
    return [invitations.token_of(SECRET, each.invitation.id) for each in waiting]


def join(db: Connection, token: str, login: str = "an", organisation_id: str = "") -> UUID:
    return invitations.join(
        db, token, login=login, name="An", organisation_id=organisation_id, password_hash="a hash", now=NOW
    )


def state_of(db: Connection, person_id: UUID) -> tuple[AffiliationState, tuple[Grant, ...]]:
    found = people_store.actor(db, person_id)
    assert found is not None
    return affiliations.mine(db, found).state, found.grants


@pytest.mark.parametrize("by", [PARTNER, OFFICE, ADMINISTRATOR])
def test_whom_the_organisation_invited_is_confirmed_there(house: Database, by: UUID) -> None:
    with house.write() as db:
        invite(db, by)
        (token,) = tokens(db)
        person_id = join(db, token, organisation_id="I-IMS")
        person = people_store.get(db, person_id)
        assert person is not None
        # The invitation says where they work, whatever is typed.
        assert (person.organisation_id, person.email, person.login) == ("O-CO", EMAIL, "an")
        assert state_of(db, person_id) == (AffiliationState.CONFIRMED, (Grant(role=Role.RESEARCHER),))


@pytest.mark.parametrize(
    ("by", "organisation_id"),
    [(PARTNER, "I-IMS"), (RESEARCHER, "I-IMS"), (MANAGER, "I-IMS"), (COMPETITOR, "O-CO")],
)
def test_nobody_invites_for_whom_they_do_not_speak(house: Database, by: UUID, organisation_id: str) -> None:
    with house.write() as db:
        with pytest.raises(Forbidden):
            invite(db, by, organisation_id=organisation_id)
        assert tokens(db) == []


def test_faults_of_an_invitation_are_told_and_write_nothing(house: Database) -> None:
    with house.write() as db:
        with pytest.raises(Refused, match="email_unreadable"):
            invite(db, email="an")
        with pytest.raises(Refused, match="organisation_unknown"):
            invite(db, OFFICE, organisation_id="O-NONE")
        assert tokens(db) == []


def test_an_invitation_from_somebody_who_has_left_since_lets_in_but_confirms_nothing(house: Database) -> None:
    with house.write() as db:
        invite(db)
        affiliations.end(db, actor(OFFICE), PARTNER, version=1, reason="moved", now=NOW)
        person_id = join(db, tokens(db)[0])
        assert state_of(db, person_id) == (AffiliationState.WAITING, ())


def test_who_registers_proves_the_address_and_waits(house: Database) -> None:
    with house.write() as db:
        register(db, " An@X.vn ")
        person_id = join(db, tokens(db)[0], organisation_id="O-CO")
        assert state_of(db, person_id) == (AffiliationState.WAITING, ())
        assert [line.login for line in affiliations.waiting(db, actor(PARTNER))] == ["an"]
        assert people.begin_sign_in(db, "an", HERE, NOW) == (person_id, "a hash")


def test_who_registers_names_an_organisation_that_exists(house: Database) -> None:
    with house.write() as db:
        register(db)
        (token,) = tokens(db)
    for organisation_id in ("", "O-NONE", "C-ONE"):
        with pytest.raises(Refused, match="organisation_unknown"), house.write() as db:
            join(db, token, organisation_id=organisation_id)


def test_a_refused_join_leaves_the_token_good(house: Database) -> None:
    with house.write() as db:
        invite(db)
        (token,) = tokens(db)
    with pytest.raises(Refused, match="login_taken"), house.write() as db:
        join(db, token, login="researcher")
    with house.write() as db:
        assert invitations.find(db, token, NOW).email == EMAIL
        join(db, token)


def test_a_token_counts_once_and_until_it_expires(house: Database) -> None:
    with house.write() as db:
        invite(db)
        register(db, "b@x.vn")
        first, second = tokens(db)
        assert invitations.find(db, first, NOW + INVITED_HOLDS - timedelta(seconds=1))
        with pytest.raises(NotFound):
            invitations.find(db, first, NOW + INVITED_HOLDS)
        with pytest.raises(NotFound):
            invitations.find(db, second, NOW + ASKED_HOLDS)
        join(db, first)
        for spent in (first, "", "x" * 43):
            with pytest.raises(NotFound, match="invitation_not_found"):
                invitations.find(db, spent, NOW)
            with pytest.raises(NotFound, match="invitation_not_found"):
                join(db, spent, login="another")


def test_of_two_who_spend_one_token_at_the_same_moment_one_comes_in(house: Database) -> None:
    with house.write() as db:
        invite(db)
        (token,) = tokens(db)
    start, outcomes = threading.Barrier(2), list[str]()

    def spend(login: str) -> None:
        start.wait()
        try:
            with house.write() as db:
                join(db, token, login=login)
            outcomes.append("in")
        except NotFound:
            outcomes.append("out")

    both = [threading.Thread(target=spend, args=(login,)) for login in ("one", "two")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(outcomes) == ["in", "out"]
    with house.read() as db:
        logins = db.execute(sa.select(t.persons.c.login).where(t.persons.c.email == EMAIL)).scalars().all()
    assert len(logins) == 1


def test_two_letters_to_one_address_make_one_account(house: Database) -> None:
    with house.write() as db:
        register(db)
        register(db)
        first, second = tokens(db)
        join(db, first, organisation_id="O-CO")
        with pytest.raises(NotFound):
            join(db, second, login="again", organisation_id="O-CO")


def test_a_known_address_is_answered_as_an_unknown_one_and_only_its_letter_says_so(house: Database) -> None:
    """Both calls return nothing, count one try, and leave one row and one message."""
    with house.write() as db:
        for number, email in enumerate(("researcher@x.vn", "nobody@x.vn"), start=1):
            assert register(db, email) is None
            assert len(invitations.letters(db, NOW)) == number
            assert len([m for m in outbox.waiting(db) if m.topic == notices.LETTERS]) == number
            assert people_store.tries_since(db, f"@{email}", f"register:{HERE}", NOW - TRY_WINDOW) == (1, number)
        unknown, known = sorted(invitations.letters(db, NOW), key=lambda each: each.invitation.email)
    assert (known.login, known.invitation.person_id) == ("researcher", RESEARCHER)
    assert (unknown.login, unknown.invitation.person_id) == ("", None)


@pytest.mark.parametrize("disabled", [False, True])
def test_an_inviter_learns_nothing_of_an_address_either(house: Database, disabled: bool) -> None:
    """The line is the same for a newcomer, for somebody who has an account and for somebody who had one, to its end."""
    with house.write() as db:
        if disabled:
            db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(disabled_at=NOW))
        invite(db)
        invite(db, email="researcher@x.vn")
        letters = {each.invitation.email: each for each in invitations.letters(db, NOW)}
        assert letters.keys() == ({EMAIL} if disabled else {EMAIL, "researcher@x.vn"})
        for moment, count in ((NOW, 2), (NOW + INVITED_HOLDS - timedelta(seconds=1), 2), (NOW + INVITED_HOLDS, 0)):
            seen = invitations.open_invitations(db, actor(PARTNER), moment)
            assert len(seen) == count
            # Alike but for address and id: the letter's state and who can come in are for the office alone.
            alike = {"id": UUID(int=0), "email": "", "send_at": None}
            assert len({msgspec.structs.replace(each.invitation, **alike) for each in seen}) == min(count, 1)
        decoy = next(each for each in invitations.open_invitations(db, actor(OFFICE), NOW) if not each.lets_in)
        assert decoy.invitation.email == "researcher@x.vn"
        # A link to somebody's password is nobody's to hand over, and the line's own token is held by nobody.
        with pytest.raises(NotFound):
            invitations.find(db, invitations.token_of(SECRET, decoy.invitation.id), NOW)


def test_an_organisation_does_not_see_that_whom_it_invited_joined_another(house: Database) -> None:
    with house.write() as db:
        invite(db)
        invite(db, OFFICE, organisation_id="I-IMS")
        here = next(e for e in invitations.letters(db, NOW) if e.invitation.organisation_id == "I-IMS")
        join(db, invitations.token_of(SECRET, here.invitation.id))
        (seen,) = invitations.open_invitations(db, actor(PARTNER), NOW)
        assert (seen.invitation.email, seen.lets_in) == (EMAIL, False)


def test_who_was_disabled_gets_no_letter_and_no_second_account(house: Database) -> None:
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(disabled_at=NOW))
        register(db, "researcher@x.vn")
        assert invitations.letters(db, NOW) == []


def test_a_forgotten_password_is_replaced_and_every_sign_in_ends(house: Database) -> None:
    with house.write() as db:
        _, cookie = people.sign_in(db, RESEARCHER, "researcher", NOW, hours=12)
        register(db, "researcher@x.vn")
        (token,) = tokens(db)
    with pytest.raises(NotFound), house.write() as db:
        join(db, token, organisation_id="O-CO")
    with house.write() as db:
        assert invitations.renew_password(db, token, password_hash="new", now=NOW) == actor(RESEARCHER)
        assert people.actor_of_sign_in(db, cookie, NOW) is None
        assert people_store.password_hash(db, "researcher") == (RESEARCHER, "new")
        with pytest.raises(NotFound):
            invitations.renew_password(db, token, password_hash="again", now=NOW)


def test_one_new_password_ends_every_other_letter(house: Database) -> None:
    with house.write() as db:
        for _ in range(3):
            register(db, "researcher@x.vn")
        first, second, third = tokens(db)
        invitations.renew_password(db, first, password_hash="new", now=NOW)
        with pytest.raises(NotFound):
            invitations.renew_password(db, second, password_hash="stolen", now=NOW)
        register(db, "researcher@x.vn")
        people.change_password(db, actor(RESEARCHER), "own", NOW, but="")
        for token in (third, *tokens(db)):
            with pytest.raises(NotFound):
                invitations.renew_password(db, token, password_hash="stolen", now=NOW)
        assert people_store.password_hash(db, "researcher") == (RESEARCHER, "own")


def test_a_newcomers_token_renews_nobodys_password(house: Database) -> None:
    with house.write() as db:
        invite(db)
        (token,) = tokens(db)
    with pytest.raises(NotFound), house.write() as db:
        invitations.renew_password(db, token, password_hash="new", now=NOW)
    with house.read() as db:
        assert invitations.find(db, token, NOW)


def test_tries_at_an_address_are_limited_as_those_at_a_login(house: Database) -> None:
    with house.write() as db:
        for number in range(TRIES_PER_LOGIN):
            register(db, address=f"10.0.0.{number}")
        with pytest.raises(TooManyTries):
            register(db, address="10.0.0.99")
        # Registering at an address closes nobody's sign-in.
        assert people.begin_sign_in(db, "researcher", HERE, NOW)
        for number in range(TRIES_PER_ADDRESS):
            register(db, f"guess-{number}@x.vn", address="10.0.0.7")
        with pytest.raises(TooManyTries):
            register(db, "one-more@x.vn", address="10.0.0.7")
        # Nor does registering often from one network address close the sign-ins from there.
        assert people.begin_sign_in(db, "researcher", "10.0.0.7", NOW)


def test_only_the_hash_of_a_token_is_kept_and_another_secret_makes_another_token(house: Database) -> None:
    with house.write() as db:
        invite(db)
        row = db.execute(sa.select(t.invitations)).one()
        (token,) = tokens(db)
    assert token not in str(row)
    assert len(token) == 43
    assert len({invitations.token_of(s, i) for s in ("a" * 32, "b" * 32) for i in (row.id, uuid4())}) == 4


def test_an_open_invitation_is_seen_by_those_who_speak_for_its_organisation(house: Database) -> None:
    with house.write() as db:
        invite(db)
        invite(db, OFFICE, "b@x.vn", "I-IMS")
        register(db, "c@x.vn")

        def seen(by: UUID) -> list[str]:
            return [line.invitation.email for line in invitations.open_invitations(db, actor(by), NOW)]

        assert sorted(seen(OFFICE)) == [EMAIL, "b@x.vn", "c@x.vn"]
        assert seen(PARTNER) == [EMAIL]
        assert seen(RESEARCHER) == []


def test_inviting_and_joining_leave_lines_without_the_address(house: Database) -> None:
    with house.write() as db:
        invite(db)
        invitation = invitations.letters(db, NOW)[0].invitation
        person_id = join(db, tokens(db)[0])
        lines = [*audit.lines(db, "invitation", invitation.id), *audit.lines(db, "person", person_id)]
    assert [(line.action, line.actor_id) for line in lines] == [("invite", PARTNER), ("join", person_id)]
    assert lines[1].details["confirmed"] == 1
    assert EMAIL not in str(lines)
