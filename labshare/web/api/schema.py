"""What OpenAPI says of the API: the bodies that handlers read themselves, problems, and how a caller is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import msgspec
from litestar import Request, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    Operation,
    RequestBody,
    SecurityScheme,
    Tag,
)

from labshare import __version__
from labshare.errors import NotFound, Param, Refusal
from labshare.sentences import sentence

SCHEMA_URL = "/api/v1/openapi.json"
PROBLEM_TYPE = "application/problem+json"


class ProblemRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """One reason: a code with its values for programs, and a sentence in the language of Accept-Language for people."""

    code: str
    params: dict[str, Param]
    sentence: str


def told(refusal: Refusal) -> ProblemRefusal:
    """With its sentence in the language of the request."""
    return ProblemRefusal(code=refusal.code, params=refusal.params, sentence=sentence(refusal, for_program=True))


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457. `refusals` holds every reason at once."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    refusals: tuple[ProblemRefusal, ...]


_MEANINGS = {
    400: "What was sent cannot be read: malformed JSON, an unknown field, a naive or reversed time.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The role does not allow it.",
    404: "Not there, or not yours to see.",
    409: "That time is taken; nothing else is 409.",
    412: "The version you saw is not the one that stands.",
    422: "Rules say no, or the state does not allow it.",
    503: "Busy: try again after Retry-After seconds.",
}


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that an endpoint may answer with."""
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            description=_MEANINGS[status],
            media_type=PROBLEM_TYPE,
        )
        for status in (400, 401, *statuses)
    }


def accepts(kind: type[msgspec.Struct]) -> type[Operation]:
    """The operation of a handler that reads its body itself, so that Litestar's lenient reading never touches it."""

    @dataclass
    class Accepting(Operation):
        def __post_init__(self) -> None:
            schema: Any = msgspec.json.schema(kind, ref_template="#/components/schemas/{name}")
            definition = _whole(schema["$defs"][kind.__name__], schema["$defs"])
            self.request_body = RequestBody(required=True, content={"application/json": OpenAPIMediaType(definition)})

    return Accepting


def _whole(definition: Any, parts: dict[str, Any]) -> Any:
    """The definition with its parts in place: Litestar knows no components beside those of what handlers return."""
    if isinstance(definition, dict):
        found = cast("dict[str, Any]", definition)
        if "$ref" in found:
            return _whole(parts[found["$ref"].rsplit("/", 1)[-1]], parts)
        return {name: _whole(value, parts) for name, value in found.items()}
    if isinstance(definition, list):
        return [_whole(each, parts) for each in cast("list[Any]", definition)]
    return definition


DESCRIPTION = """
Instruments and bookings for programs, under the rules of the pages.

- A caller is known by a token: `Authorization: Bearer labshare_...`, made by `labshare token create --person LOGIN`.
- Times carry their offset and are whole minutes: `2026-11-25T09:00:00+07:00`. Answers are in UTC.
- A change names the version that was seen: `If-Match: "3"`, as the ETag of the booking, or the field `version`.
- A change that may have to be sent again carries a key of the caller's choosing in `Idempotency-Key`: the same call
  sent with it again within 24 hours, by the same person, is answered as the first was, a refusal too, and changes
  nothing more; another call with the same key is 422. A retry waits for a first call that still runs, or is 503.
- Lists come page after page (`limit`, at most 200): `next`, and the header `Link` with `rel="next"`, is the address of
  the following page. What is added or taken away meanwhile makes nothing appear twice or go missing.
- Every no is a problem of RFC 9457 with all its reasons in `refusals`, in the language of `Accept-Language` (vi, en).
"""


def _nothing_below(request: Request[Any, Any, Any]) -> None:
    """Litestar answers below the description with a page of its own. Raises `NotFound` in its place."""
    if request.path_params:
        raise NotFound()


CONFIG = OpenAPIConfig(
    title="LabShare",
    version=__version__,
    description=DESCRIPTION,
    openapi_router=Router(SCHEMA_URL, route_handlers=[], before_request=_nothing_below, include_in_schema=False),
    render_plugins=[JsonRenderPlugin(path="/")],
    components=Components(
        security_schemes={
            "token": SecurityScheme(
                type="http", scheme="bearer", description="From `labshare token create --person LOGIN`."
            )
        }
    ),
    security=[{"token": []}],
    tags=[
        Tag(name=name)
        for name in (
            "instruments",
            "bookings",
            "series",
            "waitlist",
            "booking rules",
            "qualifications",
            "projects",
            "feeds",
            "notices",
        )
    ],
    use_handler_docstrings=True,
)
