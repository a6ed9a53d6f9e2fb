"""One way to answer a browser: `render` for a page or the fragment htmx asked for, `redirect` after a change.

Rendering happens in the handler's own thread, so a long page never stalls the event loop.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from litestar import Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType, RequestEncodingType
from litestar.params import Body
from litestar.plugins.htmx import HTMXRequest
from litestar.status_codes import HTTP_200_OK, HTTP_303_SEE_OTHER
from litestar.utils.empty import value_or_default
from litestar.utils.scope.state import ScopeState
from markupsafe import Markup

from labshare import i18n
from labshare.errors import Param
from labshare.sentences import worded
from labshare.settings import Settings
from labshare.web import navigation
from labshare.web.auth import reader_of
from labshare.web.templating import templates

T = TypeVar("T")
Request = HTMXRequest
Form = Annotated[T, Body(media_type=RequestEncodingType.URL_ENCODED)]
# A form that may carry a file.
Upload = Annotated[T, Body(media_type=RequestEncodingType.MULTI_PART)]

NOTICE_COOKIE = "notice"
# What is not done yet is told without the colour of success.
WAITING = frozenset(
    {
        *("booking_asked", "booking_moved_asked", "series_asked", "series_asked_partly", "asked_together"),
        "exchange_accepted_asked",
    }
)
_COUNT = re.compile(r"[0-9]{1,9}")
THEMES = ("light", "dark")


def render(
    request: Request,
    template: str,
    *,
    fragment: str | None = None,
    status: int = HTTP_200_OK,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """The page, or only its fragment when htmx asks for a part of it. The answer varies by who asks and how."""
    whole = fragment is None or not wants_fragment(request)
    text = templates().render(template if whole or fragment is None else fragment, page_context(request) | context)
    response = Response(
        text,
        media_type=MediaType.HTML,
        status_code=status,
        headers={"Vary": "Cookie, HX-Request", "Cache-Control": "private, no-cache", **(headers or {})},
    )
    if whole and NOTICE_COOKIE in request.cookies:
        response.delete_cookie(NOTICE_COOKIE)
    return response


def redirect(request: Request, url: str, *, notice: str | None = None, **named: Param) -> Response[str]:
    """Send the browser to another page of ours after a change, with a notice to show there once, and what it names."""
    if request.htmx:
        response = Response("", status_code=HTTP_200_OK, headers={"HX-Redirect": url}, media_type=MediaType.HTML)
    else:
        response = Response("", status_code=HTTP_303_SEE_OTHER, headers={"Location": url}, media_type=MediaType.HTML)
    if notice:
        # Quoted once more, as a cookie is read with its escapes undone.
        value = quote(f"{notice}?{urlencode(named)}" if named else notice)
        response.set_cookie(cookie(request, NOTICE_COOKIE, value, max_age=60))
    return response


def _notice(request: Request) -> tuple[str, str] | None:
    """The notice to show: its kind and its sentence. What the cookie names is text, however it came to be there."""
    key, _, query = request.cookies.get(NOTICE_COOKIE, "").partition("?")
    if not i18n.has(f"notice.{key}"):
        return None
    named = {name: int(value) if _COUNT.fullmatch(value) else value for name, value in parse_qsl(query)}
    return "info" if key in WAITING else "good", worded(f"notice.{key}", named)


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a page; boosted links and restored history need the whole."""
    return bool(request.htmx) and not request.htmx.boosted and not request.htmx.history_restore_request


def cookie(request: Request, name: str, value: str, *, max_age: int) -> Cookie:
    """A cookie that no script can read and no other site can send; `max_age` is seconds."""
    settings: Settings = request.app.state.settings
    return Cookie(key=name, value=value, max_age=max_age, httponly=True, samesite="lax", secure=settings.secure_cookies)


def local_path(url: str | None) -> str:
    """The url when it is a path of this site, else the home page: nobody is sent elsewhere by a crafted link."""
    is_ours = url is not None and url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()
    return url if url and is_ours else "/"


def _here(request: Request) -> str:
    """Where a change of language or colours comes back to. Of a page that answers a form, where the form was: most
    addresses that take forms show nothing.
    """
    if request.method in {"GET", "HEAD"}:
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    _, _, behind_host = request.headers.get("Referer", "").partition("://")[2].partition("/")
    return local_path(f"/{behind_host}")


def page_context(request: Request) -> dict[str, Any]:
    """What every template may use (listed in labshare.web)."""
    token: str = value_or_default(ScopeState.from_scope(request.scope).csrf_token, "")
    # A path that no route knows never meets the middleware that loads the reader.
    actor = reader_of(request)
    theme = request.cookies.get("theme")
    return {
        "actor": actor,
        "reader_known": "user" in request.scope,
        "language": i18n.language(),
        "theme": theme if theme in THEMES else None,
        "path": request.url.path,
        "here": _here(request),
        "demo": request.app.state.settings.demo,
        "csrf_token": token,
        "csrf_input": Markup('<input type="hidden" name="_csrf_token" value="{}">').format(token),
        "unread": request.scope.get("unread", 0),
        "notice": _notice(request),
        "navigation": navigation.items(actor),
    }
