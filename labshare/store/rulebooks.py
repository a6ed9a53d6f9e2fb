"""All that share rules are made of, read once and remembered under the stamp of what is in force.

What must not live here: what a rule book is for (domain/rulebook.py), or writing what it is made of.
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from labshare.domain.rulebook import Rulebook
from labshare.store import agreements, booking_rules, facts, rounds, sandboxes

# By stamp. One would do for a process that serves one database; readers may still hold the one before.
_BOOKS: dict[str, Rulebook] = {}
MOST_BOOKS = 8


def rulebook(db: Connection, stamp: str | None = None) -> Rulebook:
    """All that agreements say, as sandboxes change it, for every round, and the rules of booking that centres posted.
    One query, none where the `stamp` was read before, and four more when it has changed.

    A booking reads the stamp in a statement that begins when it has the locks of its instruments: `hold_still` makes a
    signing wait for these locks, so that the stamp is that of the agreements which judge the booking, whichever process
    signed them. A stamp is never used twice, on no database, so what was read under it once need not be read again.
    """
    stamp = stamp or facts.stamp(db)
    if stamp is None:
        # Nobody has signed since there are stamps, and no centre has posted a rule of booking, which makes one.
        return Rulebook(agreements.every_version(db), sandboxes.every_holding(db), rounds.horizons(db))
    return _under(db, stamp)


def with_posted(db: Connection, stamp: str | None = None) -> Rulebook:
    """The same for those who ask for the rules of booking that centres posted and nothing else: without a stamp there
    are none, and nothing is read.
    """
    stamp = stamp or facts.stamp(db)
    return Rulebook({}) if stamp is None else _under(db, stamp)


def _under(db: Connection, stamp: str) -> Rulebook:
    found = _BOOKS.get(stamp)
    if found is None:
        found = _read(db)
        if len(_BOOKS) >= MOST_BOOKS:
            _BOOKS.clear()
        _BOOKS[stamp] = found
    return found


def _read(db: Connection) -> Rulebook:
    posted = booking_rules.standing(db)
    return Rulebook(agreements.every_version(db), sandboxes.every_holding(db), rounds.horizons(db), posted)
