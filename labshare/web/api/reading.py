"""What a program sends, read strictly: bodies, times, versions. Everything that cannot be read is a `Malformed`.

What must not live here: rules about what may be done with what was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, TypeVar

import msgspec
from litestar.params import QueryParameter
from msgspec import UNSET, Meta, UnsetType

from labshare.domain.timespan import Span, require_minute, require_utc
from labshare.errors import Malformed, NotFound, Stale
from labshare.web.typed import FIRST_YEAR, LAST_YEAR

T = TypeVar("T")

LARGEST_BODY = 64 * 1024
LARGEST_VERSION = 2**31 - 1
# PostgreSQL refuses a NUL in any text, so none gets that far.
CODE, TEXT = r"^[^\x00-\x1f\x7f]{0,64}$", r"^[^\x00]{0,500}$"
Code = Annotated[str, Meta(pattern=CODE, min_length=1)]
Text = Annotated[str, Meta(pattern=TEXT)]
# Without an offset it would be refused, but with a reason of its own (`moment`).
Moment = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"})]
Version = Annotated[int, Meta(ge=1, le=LARGEST_VERSION)]

_NAMED = re.compile(r"field `([^`]+)`")
# What msgspec tells apart by its words alone.
_FIELD_FAULTS = {"Object missing required field": "field_missing", "Object contains unknown field": "field_unknown"}
_PLACE = re.compile(r"at `(?:key in )?\$\.?([^`]*)`")
_TAG = re.compile(r'"(\d{1,10})"')


def decode(body: bytes, kind: type[T]) -> T:
    """The JSON body as a struct. Raises `Malformed` naming the field that is unknown, missing or of another type."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("malformed_json") from error


class _Items(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    items: tuple[msgspec.Raw, ...]


def decode_items(body: bytes, kind: type[T], most: int) -> list[T]:
    """The items of a body that is a list of them, 1 to `most`. Raises `Malformed` naming the place of the wrong one."""
    items = decode(body, _Items).items
    if not 1 <= len(items) <= most:
        raise Malformed("malformed_field", field="items")
    return [at_place(place, partial(decode, bytes(item), kind)) for place, item in enumerate(items)]


def at_place(place: int, read: Callable[[], T]) -> T:
    """What is read of one item among several; what is wrong with it names its place as `item`."""
    try:
        return read()
    except (Malformed, NotFound) as error:
        raise type(error)(error.code, **error.params, item=place) from error


def asked(name: str, description: str, pattern: str = CODE) -> QueryParameter:
    """A text in the query."""
    return QueryParameter(name=name, description=description, pattern=pattern)


def moment(value: datetime, field: str) -> datetime:
    """A time of a body in UTC, on a whole minute. Raises `Malformed` as `instant` does, and for other seconds.

    Each end of a span is judged by itself, before the two are compared: a naive and an aware one cannot be.
    """
    return require_minute(instant(value, field))


def instant(value: datetime, field: str) -> datetime:
    """A time of a body in UTC. Raises `Malformed` when naive or outside the years we plan for."""
    if value.tzinfo is None:
        raise Malformed("naive_time", field=field)
    # Far from both ends of the calendar, where turning into UTC would leave it.
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise Malformed("malformed_field", field=field)
    return require_utc(value)


def typed_moment(text: str, field: str) -> datetime:
    """A time of the query. A plus sign that was not escaped arrives as a space and is read as meant."""
    try:
        # Strict: a bare number is no time.
        value = msgspec.convert(text.replace(" ", "+"), datetime)
    except msgspec.ValidationError as error:
        raise Malformed("malformed_field", field=field) from error
    return moment(value, field)


def span(starts_at: datetime, ends_at: datetime) -> Span:
    """Raises `Malformed` for times that cannot be read or are reversed."""
    return Span(moment(starts_at, "starts_at"), moment(ends_at, "ends_at"))


def seen_version(if_match: str | None, given: int | None) -> int:
    """The version that the caller saw: the ETag in If-Match, or the field `version`.

    Raises `Malformed` when neither says one or the two differ, and `Stale` for the ETag of something else.
    """
    tagged = _version_of(if_match) if if_match is not None else None
    if tagged is None and given is None:
        raise Malformed("version_missing")
    if tagged is not None and given is not None and tagged != given:
        raise Malformed("version_twice")
    return given if tagged is None else tagged  # pyright: ignore[reportReturnType]  one of the two is there


def _version_of(if_match: str) -> int:
    tag = if_match.strip()
    if tag == "*" or not tag.endswith('"'):
        raise Malformed("version_missing")
    match = _TAG.fullmatch(tag)
    if match is None:
        raise Stale("booking_changed")
    return int(match[1])


def _wrong_field(message: str) -> Malformed:
    place = _PLACE.search(message)
    path = [place[1]] if place and place[1] else []
    named = _NAMED.search(message)
    code = next((code for words, code in _FIELD_FAULTS.items() if message.startswith(words)), "malformed_field")
    return Malformed(code, field=".".join([*path, *([named[1]] if named else [])]) or "$")


def set_or_none(value: T | UnsetType) -> T | None:
    """What a program said, None for what it left out."""
    return None if value is UNSET else value
