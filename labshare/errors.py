"""The one tree of errors, each with the status that a browser or an API client receives.

    LabShareError
    |- Malformed 400            a value that cannot be read: a naive time, an unknown field, a broken file
    |- NotSignedIn 401
    |- Forbidden 403            signed in, but the role does not allow it
    |- NotFound 404             not there, or not yours to see
    |- TimeTaken 409            somebody else holds that time (409 means this and nothing else)
    |- Stale 412                the version you saw is not the version that stands
    |- Refused 422              rules say no; carries every refusal at once
    |- WrongState 422           the thing is not in a state that allows this
    |- TooManyTries 429         wrong passwords, too often; wait
    |- Busy 503                 a lock could not be had in time; try again
    |- StartupError             the process must not start; one line says why

A refusal is a code with parameters. Sentences in Vietnamese and English are made at the edge (labshare.sentences), so
nothing here is text for a person except the English fallback of `str(error)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import msgspec

Param = str | int


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's no to a person.

    `code` is the key of a sentence (`refusal.<code>` in the locale files); `params` are the values the sentence names,
    as text or whole numbers. Times are ISO 8601 UTC text; the edge shows them in the reader's zone.
    """

    code: str
    params: dict[str, Param] = {}


class LabShareError(Exception):
    """Base of every error that LabShare raises on purpose."""

    status = 500
    code = "error"

    def __init__(self, code: str = "", /, **params: Param) -> None:
        self.code = code or type(self).code
        self.params = params
        super().__init__(self._line())

    def _line(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.code} ({values})" if values else self.code

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The error as refusals, so that every edge renders one shape."""
        return (Refusal(code=self.code, params=dict(self.params)),)


class Malformed(LabShareError):
    """A value that cannot be read. `field` in params names where it stands, when there is one."""

    status = 400
    code = "malformed"


class NotSignedIn(LabShareError):
    status = 401
    code = "not_signed_in"


class Forbidden(LabShareError):
    status = 403
    code = "forbidden"


class NotFound(LabShareError):
    status = 404
    code = "not_found"


class Stale(LabShareError):
    status = 412
    code = "stale"


class WrongState(LabShareError):
    status = 422
    code = "wrong_state"


class TooManyTries(LabShareError):
    """`minutes` in params says how long to wait."""

    status = 429
    code = "too_many_tries"


class Busy(LabShareError):
    status = 503
    code = "busy"


class StartupError(LabShareError):
    code = "startup"


class Refused(LabShareError):
    """Rules say no. Carries all refusals, in the order in which the rules stand."""

    status = 422
    code = "refused"

    def __init__(self, refusals: tuple[Refusal, ...] | list[Refusal]) -> None:
        self._refusals = tuple(refusals)
        super().__init__("refused")

    def _line(self) -> str:
        return "; ".join(refusal.code for refusal in self._refusals) or "refused"

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return self._refusals

    def said_as(self, refusals: Iterable[Refusal]) -> Self:
        """The same error in other words, for a reader who sees it from another side."""
        return type(self)(tuple(refusals))


class TimeTaken(Refused):
    """That time is somebody else's. The database's final no, and the polite one of the rules, look the same."""

    status = 409
    code = "time_taken"

    def __init__(self, refusals: tuple[Refusal, ...] | list[Refusal] = ()) -> None:
        super().__init__(refusals or (Refusal(code="time_taken_meanwhile"),))
