"""The header Idempotency-Key: a change that was sent with one may be sent again, and is made once.

Kept are answers of the work, its refusals (4xx) as well. What cannot be read is refused before a key is looked at, and
a fault or a lock that was not to be had (5xx) leaves the key free, so that a retry tries again.

What must not live here: how long keys are kept, and who waits for whom (services/idempotency.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast

import msgspec
from litestar import Response
from litestar.params import HeaderParameter

from labshare.domain.people import Actor
from labshare.errors import LabShareError
from labshare.services import Connection, Database
from labshare.services import idempotency as service
from labshare.services.idempotency import Answer
from labshare.web.api.answers import PRIVATE
from labshare.web.clearances import hold_back, write_or_hold_back
from labshare.web.errors import PROBLEM_TYPE, of_labshare
from labshare.web.rendering import Request

T = TypeVar("T")

Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        # 1 to 100 visible characters of ASCII.
        pattern=r"^[\x21-\x7e]{1,100}$",
        description="Chosen anew for each change. The same call sent again with it within 24 hours is answered as the "
        "first was, and changes nothing more.",
    ),
]


def once(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    work: Callable[[Connection], Response[T]],
    *,
    key: str | None,
    body: bytes = b"",
) -> Response[T]:
    """Do the work in a write of its own and answer; with a key that was used before, answer as then and do nothing.

    Raises what the work raises, `WrongState` for a key of another call, and `Busy` when the first call still runs.
    """
    if key is None:
        with write_or_hold_back(database, me, now) as db:
            return work(db)
    refusal: LabShareError | None = None
    with database.write() as db:
        kept = service.begin(db, me, key, _asked(request, body), now)
        if kept is None:
            try:
                with database.attempt(db):
                    kept = _kept(work(db))
            except LabShareError as error:
                if error.status >= 500:
                    raise
                refusal, kept = error, _kept(of_labshare(request, error))
            service.finish(db, me, key, kept)
    if refusal is not None:
        hold_back(database, me, refusal, now)
        raise refusal
    return cast("Response[T]", _told(kept))


def _asked(request: Request, body: bytes) -> str:
    """One hash of all that says what is asked: method, address, the version that was seen, and body."""
    seen = request.headers.get("if-match", "")
    parts = (request.method, request.url.path, request.url.query, seen, hashlib.sha256(body).hexdigest())
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _kept(response: Response[Any]) -> Answer:
    content = response.content
    body: bytes = content if isinstance(content, bytes) else msgspec.json.encode(content)
    headers = response.headers
    return Answer(
        status=response.status_code or 200,
        etag=headers.get("ETag", ""),
        location=headers.get("Location", ""),
        body=body.decode(),
    )


def _told(kept: Answer) -> Response[bytes]:
    is_problem = kept.status >= 400
    named = {"ETag": kept.etag, "Location": kept.location}
    headers = {} if is_problem else {**PRIVATE, **{name: value for name, value in named.items() if value}}
    media_type = PROBLEM_TYPE if is_problem else "application/json"
    return Response(kept.body.encode(), status_code=kept.status, headers=headers, media_type=media_type)
