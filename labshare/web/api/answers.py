"""How the API answers: JSON with an ETag, 304 where the caller has it already, a list page after page.

What must not live here: where a page of a list begins (paging.py).
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar, cast

import msgspec
from litestar import Response

from labshare.web.rendering import Request

T = TypeVar("T")

PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


def answer(
    request: Request,
    value: T,
    *,
    version: int | None = None,
    status: int = 200,
    location: str | None = None,
    following: str | None = None,
) -> Response[T]:
    """The value as JSON. Its ETag is the version, which a change names in If-Match, or else a hash of what is sent.

    `following` is the address of the next page of a list.
    """
    tag = f'"{_hash(value) if version is None else version}"'
    headers = {"ETag": tag, **PRIVATE}
    if location:
        headers["Location"] = location
    if following:
        headers["Link"] = f'<{following}>; rel="next"'
    if request.method == "GET" and is_known(request.headers.get("if-none-match", ""), tag):
        return cast("Response[T]", Response(None, status_code=304, headers=headers))
    return Response(value, status_code=status, headers=headers)


def is_known(if_none_match: str, tag: str) -> bool:
    """Whether the reader says that it has what bears this tag."""
    known = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return tag in known or "*" in known


def _hash(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:32]
