"""One mapper from errors to answers: a page, a fragment for htmx, or (under /api) a problem document of RFC 9457.

What must not live here: sentences (locale/*/errors.po) and decisions; the status stands on each error's class.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Response
from litestar.enums import MediaType
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg
from litestar.status_codes import HTTP_405_METHOD_NOT_ALLOWED
from litestar.types import ExceptionHandlersMap

from labshare.errors import Busy, LabShareError, Malformed, NotFound, NotSignedIn, Refusal
from labshare.i18n import gettext, has, speaking
from labshare.sentences import sentence
from labshare.web.auth import API_PREFIX, language_of
from labshare.web.rendering import Request, local_path, redirect, render, wants_fragment

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, in the terms of HTTP: a status, a code for programs and every reason for people."""

    status: int
    code: str
    refusals: tuple[Refusal, ...] = ()
    headers: dict[str, str] = {}


def of_labshare(request: Request, error: LabShareError) -> Response[Any]:
    """A no on purpose, or a lock that could not be had in time."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(error, Busy) else {}
    if isinstance(error, NotSignedIn) and request.url.path.startswith(API_PREFIX):
        headers["WWW-Authenticate"] = 'Bearer realm="LabShare"'
    return _answer(request, Answer(status=error.status, code=error.code, refusals=error.refusals, headers=headers))


def of_framework(request: Request, error: HTTPException) -> Response[Any]:
    """What Litestar refused before a handler of ours ran: no such page, a form that cannot be read, a stale token."""
    if isinstance(error, ValidationException):
        fields = _fields(request, error)
        return _answer(request, Answer(status=400, code=fields[0].code, refusals=fields))
    if error.status_code == HTTP_405_METHOD_NOT_ALLOWED and request.method == "GET" and not _is_program(request):
        # An address that only takes forms, opened again: the page above it has them, or leads there.
        return redirect(request, _page_above(request))
    known = {403: Refusal(code="form_expired"), 404: NotFound().refusals[0], 405: Refusal(code="method_not_allowed")}
    refusal = known.get(error.status_code, Refusal(code="malformed_request"))
    headers = dict(error.headers or {})
    return _answer(request, Answer(status=error.status_code, code=refusal.code, refusals=(refusal,), headers=headers))


def of_bug(request: Request, error: Exception) -> Response[Any]:
    """A fault of ours. People read that it is; the log has the rest."""
    log.error("unhandled error at %s %s", request.method, request.url.path, exc_info=error)
    return _answer(request, Answer(status=500, code="fault", refusals=(Refusal(code="fault"),)))


HANDLERS: ExceptionHandlersMap = {
    LabShareError: of_labshare,  # pyright: ignore[reportAssignmentType]  Litestar types requests without our user
    HTTPException: of_framework,
    Exception: of_bug,
}


def _fields(request: Request, error: ValidationException) -> tuple[Refusal, ...]:
    """One refusal for each field that Litestar could not read, by the name it was sent under."""
    found: list[dict[str, Any]] = error.extra if isinstance(error.extra, list) else []
    names = [_sent_as(request, str(entry["key"])) for entry in found if "key" in entry]
    return tuple(Refusal(code="malformed_field", params={"field": name}) for name in names) or Malformed().refusals


def _sent_as(request: Request, name: str) -> str:
    """The name in the address or header of what a handler calls otherwise: `Idempotency-Key` is a `key` to it."""
    parameter = request.route_handler.parsed_fn_signature.parameters.get(name)
    kind = parameter.kwarg_definition if parameter else None
    return (kind.name if isinstance(kind, ParameterKwarg) else None) or name


def _page_above(request: Request) -> str:
    """The nearest address above this one at which there is a page, were it for another reader."""
    path = request.url.path
    while path := path.rpartition("/")[0]:
        try:
            request.app.asgi_router.handle_routing(path, "GET")
        except HTTPException:
            continue
        return local_path(path)
    return "/"


def _is_program(request: Request) -> bool:
    return request.url.path.startswith(API_PREFIX)


def _answer(request: Request, answer: Answer) -> Response[Any]:
    with speaking(language_of(request)):
        if _is_program(request):
            return _problem(request, answer)
        return _fragment(request, answer) if wants_fragment(request) else _page(request, answer)


def _problem(request: Request, answer: Answer) -> Response[Any]:
    """RFC 9457, with `refusals`: each with the code for programs and the sentence for people."""
    sentences = [sentence(refusal, for_program=True) for refusal in answer.refusals]
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(answer.status).phrase,
        "status": answer.status,
        "code": answer.code,
        # Of several items each may be refused for the same reason; it is said once here.
        "detail": " ".join(dict.fromkeys(sentences)),
        "instance": request.url.path,
        "refusals": [
            {"code": refusal.code, "params": refusal.params, "sentence": said}
            for refusal, said in zip(answer.refusals, sentences, strict=True)
        ],
    }
    body = msgspec.json.encode(document)
    return Response(body, status_code=answer.status, headers=answer.headers, media_type=PROBLEM_TYPE)


def _fragment(request: Request, answer: Answer) -> Response[Any]:
    """The reasons alone, sent to the place that the form named instead of the element it wanted to change."""
    place = request.headers.get("X-Refusals", "")
    target = f"#{place}" if _ID.fullmatch(place) else "#refusals"
    headers = {**answer.headers, "HX-Retarget": target, "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
    return render(
        request,
        "errors/page.html",
        fragment="errors/_refusals.html",
        status=answer.status,
        headers=headers,
        answer=answer,
        heading=heading(answer.status),
    )


def _page(request: Request, answer: Answer) -> Response[Any]:
    try:
        return render(
            request,
            "errors/page.html",
            status=answer.status,
            headers=answer.headers,
            answer=answer,
            heading=heading(answer.status),
        )
    except Exception:  # The page about an error must not fail; whatever broke it is a bug, and the log has it.
        log.exception("the error page failed")
        return Response(heading(answer.status), status_code=answer.status, media_type=MediaType.TEXT)


def heading(status: int) -> str:
    """The status as a heading for people; one that has no words of its own says what its hundred means."""
    for key in (f"error.{status}", f"error.{status // 100}00"):
        if has(key):
            return gettext(key)
    return HTTPStatus(status).phrase
