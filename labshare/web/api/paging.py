"""A list page after page. A cursor says behind what the next page begins, by the values that order the list, so that
nothing is told twice or left out when rows come and go meanwhile.

What must not live here: which values order which list (the handlers), or SQL.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar.params import QueryParameter

from labshare.errors import Malformed
from labshare.web.rendering import Request

T = TypeVar("T")

USUAL_PAGE, LARGEST_PAGE = 50, 200
LONGEST_CURSOR = 400

Cursor = Annotated[
    str,
    QueryParameter(
        name="cursor",
        pattern=rf"^[A-Za-z0-9_-]{{0,{LONGEST_CURSOR}}}$",
        description="Where the page begins, as `next` of the page before says it.",
    ),
]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=LARGEST_PAGE, description="How many at most.")]


def behind(cursor: str, kind: type[T]) -> T | None:
    """The values of the last row of the page before, None for the first page. Raises `Malformed` for any other text."""
    if not cursor:
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    # A ValueError is base64 or UTF-8 that is none.
    except (msgspec.MsgspecError, ValueError) as error:
        raise Malformed("malformed_field", field="cursor") from error


def page(
    request: Request, found: Sequence[T], limit: int, place: Callable[[T], tuple[Any, ...]]
) -> tuple[Sequence[T], str | None]:
    """The rows of a page and the address of the next one, None on the last, from one row more than was asked for."""
    rows = found[:limit]
    if len(found) <= limit:
        return rows, None
    cursor = urlsafe_b64encode(msgspec.json.encode(place(rows[-1]))).decode().rstrip("=")
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return rows, f"{request.url.path}?{urlencode([*asked, ('cursor', cursor)])}"
