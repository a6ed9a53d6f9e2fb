"""What people type into a form as a day, an hour, a length or hours of opening, read generously and never guessed.

A clock time may be written as it is said: 9, 9h, 9h30, 09:30, 0930, 9.30. What must not live here: rules about when an
instrument may be used; a time that can be read is handed on, however unlikely.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from labshare.domain.opening import DAY_MINUTES, DAYS, clock, parse_opening
from labshare.errors import Malformed
from labshare.formats import CENTRE_ZONE

# Far enough for every plan and report, and near enough that no arithmetic on times leaves the calendar.
FIRST_YEAR, LAST_YEAR = 2000, 2199
LONGEST_MINUTES = 366 * DAY_MINUTES

_CLOCK = re.compile(r"(\d{1,2})(?:\s*(?:[:.hg]|giờ)\s*(\d{2})?|(\d{2}))?", re.IGNORECASE)
_LENGTH = re.compile(
    r"(?:(?P<hours>\d{1,4}(?:[.,]\d{1,2})?)\s*(?:h|g|giờ|tiếng|hours?)\s*)?"
    r"(?:(?P<minutes>\d{1,6})\s*(?:ph|phút|m|min|minutes?)?)?",
    re.IGNORECASE,
)
_HOURS = re.compile(r"(\d{1,6}(?:[.,]\d{1,2})?)(?:\s*(?:h|g|giờ|hours?))?", re.IGNORECASE)
_COLON_LENGTH = re.compile(r"(\d{1,4}):([0-5]\d)")
_DAYS_AND_HOURS = re.compile(r"(?P<days>.*\S)\s+(?P<hours>[0-9]\S*)")
# Days of the week as the pages print them and as people say them, in both languages.
_DAY_WORDS = {name.casefold(): name for name in DAYS} | {
    **dict(zip(("t2", "t3", "t4", "t5", "t6", "t7", "cn"), DAYS, strict=True)),
    **dict(zip(("thứ hai", "thứ ba", "thứ tư", "thứ năm", "thứ sáu", "thứ bảy", "chủ nhật"), DAYS, strict=True)),
    **{f"thứ {number}": name for number, name in enumerate(DAYS[:-1], start=2)},
    **dict.fromkeys(("daily", "every day", "hằng ngày", "hàng ngày", "mỗi ngày"), "daily"),
}
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")


def typed_date(text: str, field: str) -> date:
    """2026-11-26 as a date field sends it, or 26/11/2026 as people write it. Raises `Malformed` naming the field."""
    text = text.strip()
    try:
        if match := _DAY_FIRST.fullmatch(text):
            day, month, year = (int(part) for part in match.groups())
            found = date(year, month, day)
        else:
            found = date.fromisoformat(text)
    except ValueError:
        raise Malformed("malformed_date", field=field) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Malformed("malformed_date", field=field)
    return found


def typed_clock(text: str, field: str) -> int:
    """Minutes after midnight, 0 to 1440 (24:00 is the end of the day). Raises `Malformed` naming the field."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise Malformed("malformed_clock", field=field)
    hour, minute = int(match[1]), int(match[2] or match[3] or 0)
    if minute > 59 or hour * 60 + minute > DAY_MINUTES:
        raise Malformed("malformed_clock", field=field)
    return hour * 60 + minute


def typed_length(text: str, field: str) -> int:
    """Minutes, from 90, 2h, 1h30, 1:30 or 1,5 giờ. Raises `Malformed` naming the field."""
    text = text.strip()
    if colon := _COLON_LENGTH.fullmatch(text):
        minutes = int(colon[1]) * 60 + int(colon[2])
    elif match := _LENGTH.fullmatch(text):
        hours = float((match["hours"] or "0").replace(",", "."))
        minutes = round(hours * 60) + int(match["minutes"] or 0)
    else:
        raise Malformed("malformed_length", field=field)
    if not 0 < minutes <= LONGEST_MINUTES:
        raise Malformed("malformed_length", field=field)
    return minutes


def typed_hours(text: str, field: str) -> int:
    """Minutes of an amount of time: a number is hours (24, 1,5), else a length as in `typed_length`; 0 can be read.

    Raises `Malformed` naming the field.
    """
    if match := _HOURS.fullmatch(text.strip()):
        return round(Decimal(match[1].replace(",", ".")) * 60)
    return typed_length(text, field)


def typed_week_hours(text: str, field: str) -> str:
    """The hours of a week as `parse_opening` reads them, from T2-T6 8:00-18:00; CN 8h-12h, or with English names.

    Raises `Malformed` naming the field, and as `part` what cannot be read, as it was typed.
    """
    parts = [(part, _week_part(part.strip(), field)) for part in text.split(";") if part.strip()]
    for typed, canonical in parts:
        _require_hours(canonical, typed.strip(), field)
    canonical = "; ".join(each for _, each in parts)
    _require_hours(canonical, text, field)
    return canonical


def typed_day_hours(text: str, field: str) -> str:
    """The hours of one day as 08:00-12:00,13:00-17:00, from 8:00-12:00, 13h-17h. Raises as `typed_week_hours` does."""
    try:
        canonical = _stretches(_squeezed(text), field)
    except Malformed:
        raise Malformed("malformed_day_hours", field=field, part=text) from None
    _require_hours(f"daily {canonical}", text, field)
    return canonical


def _week_part(text: str, field: str) -> str:
    match = _DAYS_AND_HOURS.fullmatch(_squeezed(text))
    names = re.split("([,-])", match["days"]) if match else ["?"]
    # Every other one stands between two names.
    names[::2] = [_DAY_WORDS.get(name.casefold(), "") for name in names[::2]]
    try:
        if match is None or not all(names):
            raise Malformed
        return f"{''.join(names)} {_stretches(match['hours'], field)}"
    except Malformed:
        raise Malformed("malformed_week_hours", field=field, part=text) from None


def _squeezed(text: str) -> str:
    """With plain dashes, and nothing around them and around commas."""
    return re.sub(r"\s*([,-])\s*", r"\1", text.strip().replace("–", "-"))


def _stretches(text: str, field: str) -> str:
    ends = [stretch.split("-") for stretch in text.split(",")]
    return ",".join("-".join(clock(typed_clock(end, field)) for end in each) for each in ends)


def _require_hours(canonical: str, typed: str, field: str) -> None:
    try:
        parse_opening(canonical)
    except Malformed as fault:
        code = "malformed_week_hours" if fault.code == "opening_unreadable" else fault.code
        raise Malformed(code, field=field, part=typed) from None


def instant(day: date, minute: int) -> datetime:
    """The instant `minute` minutes after midnight of that day on the centres' clock, as UTC."""
    midnight = datetime.combine(day, time(), tzinfo=CENTRE_ZONE)
    return (midnight + timedelta(minutes=minute)).astimezone(UTC)
