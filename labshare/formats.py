"""How dates, times, lengths, numbers and money look in the current language. Pure text, no HTML.

Times arrive as aware datetimes and are shown on the 24-hour clock of the centres' zone. Weeks start on Monday.
A number is shown with the separators of the language: 1.234,5 in Vietnamese and 1,234.5 in English.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from labshare.i18n import gettext, language, ngettext

CENTRE_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")

_WEEKDAYS = {
    "vi": ("T2", "T3", "T4", "T5", "T6", "T7", "CN"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_LONG_WEEKDAYS = {
    "vi": ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NO_BREAK = "\N{NO-BREAK SPACE}"

Number = int | float | Decimal | Fraction

# What is counted in sentences, each with the form that fits a number.
NOUNS: dict[str, Callable[[int], str]] = {
    "bookings": lambda count: ngettext("%(num)s booking", "%(num)s bookings", count),
    "hours": lambda count: ngettext("%(num)s hour", "%(num)s hours", count),
    "days": lambda count: ngettext("%(num)s day", "%(num)s days", count),
    "working_days": lambda count: ngettext("%(num)s working day", "%(num)s working days", count),
    "months": lambda count: ngettext("%(num)s month", "%(num)s months", count),
    "years": lambda count: ngettext("%(num)s year", "%(num)s years", count),
}


def local(moment: datetime) -> datetime:
    """The instant on the clock of the centres."""
    return moment.astimezone(CENTRE_ZONE)


def date(value: datetime | dt.date) -> str:
    """26/11/2026 or 26 Nov 2026."""
    day = _day(value)
    return f"{_short(day)}/{day.year}" if language() == "vi" else f"{_short(day)} {day.year}"


def last_date(end: datetime) -> str:
    """The last day before this end: what expires at midnight was good until the day before."""
    return date(_last_day(end))


def end(value: datetime) -> str:
    """What comes after "until": hết 15/12/2026 or the end of 15 Dec 2026, and the moment where that is no midnight."""
    return gettext("the end of %(day)s") % {"day": last_date(value)} if _is_midnight(value) else moment(value)


def short_date(value: datetime | dt.date) -> str:
    """26/11 or 26 Nov."""
    return _short(_day(value))


def weekday(value: datetime | dt.date) -> str:
    """T5 or Thu."""
    return _WEEKDAYS[language()][_day(value).weekday()]


def long_weekday(value: datetime | dt.date) -> str:
    """Thứ Năm or Thursday."""
    return _LONG_WEEKDAYS[language()][_day(value).weekday()]


def day(value: datetime | dt.date) -> str:
    """T5 26/11/2026 or Thu 26 Nov 2026."""
    return f"{weekday(value)} {date(value)}"


def clock(moment: datetime) -> str:
    """14:05."""
    there = local(moment)
    # Calendars say hundreds of times; strftime takes six times as long.
    return f"{there.hour:02}:{there.minute:02}"


def moment(value: datetime) -> str:
    """14:05 T5 26/11/2026 or Thu 26 Nov 2026, 14:05."""
    return f"{clock(value)} {day(value)}" if language() == "vi" else f"{day(value)}, {clock(value)}"


def span(start: datetime, end: datetime) -> str:
    """The half-open span as people say it; the day is said once when both ends lie on it."""
    if _last_day(end) == _day(start):
        hours = f"{clock(start)}–{_closing(end)}"
        return f"{hours} {day(start)}" if language() == "vi" else f"{day(start)}, {hours}"
    return f"{moment(start)} – {moment(end)}"


def duration(minutes: int) -> str:
    """90 -> 1 giờ 30 phút, or 1 h 30 min."""
    hours, rest = divmod(minutes, 60)
    hour_word, minute_word = ("giờ", "phút") if language() == "vi" else ("h", "min")
    parts = [f"{number(hours)} {hour_word}"] if hours else []
    if rest or not hours:
        parts.append(f"{rest} {minute_word}")
    return " ".join(parts)


def hours(minutes: Number, digits: int = 1) -> str:
    """90 -> 1,5 giờ, or 1.5 h. Whole hours are shown without a decimal."""
    value = _exact(minutes) / 60
    shown = number(value, 0 if value.denominator == 1 else digits)
    return f"{shown} giờ" if language() == "vi" else f"{shown} h"


def counted(count: int, noun: str) -> str:
    """1 booking, 2 bookings: the number with its noun, which is one of `NOUNS`, in the form that fits it."""
    return NOUNS[noun](count) % {"num": number(count)}


def number(value: Number, digits: int = 0) -> str:
    """The number, rounded half up to so many decimals, with the separators of the language."""
    exact = _exact(value)
    rounded = Decimal(exact.numerator) / Decimal(exact.denominator)
    text = f"{rounded.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP):,f}"
    return text.translate(str.maketrans(",.", ".,")) if language() == "vi" else text


def percent(share: Number, digits: int = 1) -> str:
    """A share of one as a percentage: 2/3 -> 66,7 %."""
    return f"{number(_exact(share) * 100, digits)} %"


def money(vnd: int) -> str:
    """Whole dong, never broken over a line: 1.200.000 ₫ or VND 1,200,000."""
    return f"{number(vnd)}{_NO_BREAK}₫" if language() == "vi" else f"VND{_NO_BREAK}{number(vnd)}"


def iso(value: datetime) -> str:
    """The instant for machines, as in the `datetime` attribute of a time element."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def opening(text: str) -> str:
    """Opening hours as they are written (`Mon-Fri 08:00-18:00; Sat 08:00-12:00`), with the days in words."""
    if not text:
        return gettext("never")
    names = dict(zip(_WEEKDAYS["en"], _WEEKDAYS[language()], strict=True)) | {"daily": gettext("every day")}
    named = re.sub(r"[A-Za-z]+", lambda found: names.get(found[0], found[0]), text)
    return named.replace("-", "–").replace(",", ", ")


def _day(value: datetime | dt.date) -> dt.date:
    return local(value).date() if isinstance(value, datetime) else value


def _short(value: dt.date) -> str:
    return f"{value.day:02}/{value.month:02}" if language() == "vi" else f"{value.day} {_MONTHS[value.month - 1]}"


def _last_day(end: datetime) -> dt.date:
    # A span that closes at midnight still belongs to the day before; people say 24:00.
    return dt.date.fromordinal(_day(end).toordinal() - 1) if _is_midnight(end) else _day(end)


def _closing(end: datetime) -> str:
    return "24:00" if _is_midnight(end) else clock(end)


def _is_midnight(moment: datetime) -> bool:
    there = local(moment)
    return there.hour == there.minute == 0


def _exact(value: Number) -> Fraction:
    return Fraction(value)
