"""Who reads and in which language: the sign-in cookie and the language cookie, looked at once for each request."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from labshare.domain.people import Actor
from labshare.i18n import DEFAULT_LANGUAGE, Language, known_language, speaking
from labshare.services import Database, notices, people, tokens

SIGN_IN_COOKIE = "sign_in"
LANGUAGE_COOKIE = "language"
API_PREFIX = "/api/"
_QUALITY = re.compile(r"q=([01](?:\.\d{0,3})?)")
Connection = ASGIConnection[Any, Any, Any, Any]


class KnowTheReader(ASGIMiddleware):
    """Puts the actor (or None) on the scope, and lets all that follows speak their language.

    A page knows its reader by the sign-in cookie, the API by a bearer token alone: requests under /api carry no CSRF
    token, so there a cookie must not act for anybody. Raises `NotSignedIn` for a bearer token that speaks for nobody.
    """

    scopes = (ScopeType.HTTP,)

    @staticmethod
    def should_bypass_for_scope(scope: Scope) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]  Litestar declares it as a variable
        """Files are everybody's."""
        return scope["path"].startswith("/static/")

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        connection: Connection = ASGIConnection(scope)
        is_program = scope["path"].startswith(API_PREFIX)
        token = _bearer(connection) if is_program else connection.cookies.get(SIGN_IN_COOKIE)
        has_bell = not is_program and _is_page(connection)
        known = await sync_to_thread(self._known, token, is_program, has_bell) if token else (None, 0)
        scope["user"], cast("dict[str, Any]", scope)["unread"] = known
        with speaking(language_of(connection)):
            await next_app(scope, receive, send)

    def _known(self, token: str, is_program: bool, has_bell: bool) -> tuple[Actor | None, int]:
        """The actor, and for the bell of a page how many notices they have not read: asked here, where a connection is
        at hand, as a page is rendered while its handler still holds one.
        """
        with self._database.read() as db:
            actor = (tokens.actor_of if is_program else people.actor_of_sign_in)(db, token, self._clock())
            return actor, notices.unread(db, actor) if actor and has_bell else 0


def reader_of(connection: Connection) -> Actor | None:
    """Who asks. Nobody on a path that no route knows, because middleware never runs there."""
    return cast("dict[str, Any]", connection.scope).get("user")


def _is_page(connection: Connection) -> bool:
    """Whether the answer may be a whole page: no part of one that htmx asks for, and no stream."""
    headers = connection.headers
    is_whole = "hx-request" not in headers or "hx-boosted" in headers or "hx-history-restore-request" in headers
    return is_whole and "text/event-stream" not in headers.get("accept", "")


def _bearer(connection: Connection) -> str | None:
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def language_of(connection: Connection) -> Language:
    """The language that the reader chose; a program may ask by Accept-Language; everybody else reads Vietnamese."""
    chosen = known_language(connection.cookies.get(LANGUAGE_COOKIE))
    if chosen or not connection.scope["path"].startswith(API_PREFIX):
        return chosen or DEFAULT_LANGUAGE
    return accepted_language(connection.headers.get("accept-language", "")) or DEFAULT_LANGUAGE


def accepted_language(header: str) -> Language | None:
    """Our language that the header likes best; the first one where it likes two alike, None where it likes neither."""
    liked: dict[Language, float] = {}
    for part in header.split(","):
        tag, _, weight = part.partition(";")
        language = known_language(tag.strip().lower().partition("-")[0])
        quality = _QUALITY.fullmatch(weight.strip())
        if language and language not in liked and (quality or not weight):
            liked[language] = float(quality[1]) if quality else 1.0
    best = max(liked, key=liked.__getitem__, default=None)
    return best if best and liked[best] > 0 else None
