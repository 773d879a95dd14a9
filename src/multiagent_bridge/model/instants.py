"""Instants as text and back, without a clock: microseconds since 1970, UTC, leap seconds not counted (POSIX time)."""

from __future__ import annotations

import re
from functools import lru_cache

from multiagent_bridge.errors import Invalid

DAY = 86_400_000_000
"""Microseconds."""

_INSTANT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6})Z")
_CUMULATIVE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def microseconds_to_iso(us: int) -> str:
    """Microseconds since 1970 as ISO 8601 UTC, `2026-01-02T03:04:05.678901Z`. Raises Invalid outside 1970 to 9999."""
    if not 0 <= us < 2_932_897 * DAY:
        raise Invalid("the instant lies outside the years 1970 to 9999", "pass microseconds since 1970, UTC")
    days, rest = divmod(us, DAY)
    seconds, fraction = divmod(rest, 1_000_000)
    return f"{_date(days)}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}Z"


def iso_to_microseconds(text: str) -> int:
    """The inverse of `microseconds_to_iso`; only its own form. Raises Invalid."""
    match = _INSTANT.fullmatch(text)
    if match:
        year, month, day, hour, minute, second, fraction = map(int, match.groups())
        if year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60:
            days = _days(year) + _CUMULATIVE[month - 1] + (month > 2 and _leap(year)) + day - 1
            # A day past the end of its month lands in the next one, and so does not come back the same.
            if _date(days) == text[:10]:
                return ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + fraction
    raise Invalid("the instant is not of the form 2026-01-02T03:04:05.678901Z", "use ISO 8601, UTC, six digits")


def _days(year: int) -> int:
    """Days from 1970-01-01 to the first of January."""
    past = year - 1
    return past * 365 + past // 4 - past // 100 + past // 400 - 719_162


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@lru_cache(maxsize=64)
def _date(days: int) -> str:
    """The Gregorian date of a number of days after 1970-01-01."""
    year = 1970 + days * 400 // 146_097
    while _days(year + 1) <= days:
        year += 1
    while _days(year) > days:
        year -= 1
    day, leap = days - _days(year), _leap(year)
    month = next(m for m in range(12, 0, -1) if day >= _CUMULATIVE[m - 1] + (m > 2 and leap))
    return f"{year:04}-{month:02}-{day - _CUMULATIVE[month - 1] - (month > 2 and leap) + 1:02}"
