"""Who reads and in which language: the sign-in cookie and the language cookie, looked at once for each request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from labshare.domain.people import Actor
from labshare.i18n import DEFAULT_LANGUAGE, Language, known_language, speaking
from labshare.services import Database, people

SIGN_IN_COOKIE = "sign_in"
LANGUAGE_COOKIE = "language"
Connection = ASGIConnection[object, object, object, object]


class KnowTheReader(ASGIMiddleware):
    """Puts the actor (or None) and the token's text on the scope, and lets all that follows speak their language.

    The API is excluded: there a cookie must not act for anybody, since requests under /api carry no CSRF token.
    """

    scopes = (ScopeType.HTTP,)
    exclude_path_pattern = ("^/static/", "^/api/")

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        connection: Connection = ASGIConnection(scope)
        token = connection.cookies.get(SIGN_IN_COOKIE)
        scope["auth"] = token
        scope["user"] = await sync_to_thread(self._actor, token) if token else None
        with speaking(language_of(connection)):
            await next_app(scope, receive, send)

    def _actor(self, token: str) -> Actor | None:
        with self._database.read() as db:
            return people.actor_of_sign_in(db, token, self._clock())


def language_of(connection: Connection) -> Language:
    """The language that the reader chose; a program may ask by Accept-Language; everybody else reads Vietnamese."""
    chosen = known_language(connection.cookies.get(LANGUAGE_COOKIE))
    if chosen or not connection.url.path.startswith("/api/"):
        return chosen or DEFAULT_LANGUAGE
    return known_language(connection.headers.get("accept-language", "")[:2]) or DEFAULT_LANGUAGE
