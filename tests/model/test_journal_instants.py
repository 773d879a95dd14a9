"""Instants as text: held against the standard library's calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiagent_bridge.errors import Invalid
from multiagent_bridge.model.journal import iso_to_microseconds, microseconds_to_iso

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 253_402_300_799_999_999


@given(st.integers(0, LAST))
@example(0)
@example(LAST)
@example(951_782_400_000_000)
@example(4_107_542_400_000_000)
def test_every_instant_is_written_as_the_calendar_has_it_and_comes_back(us: int) -> None:
    text = (EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert microseconds_to_iso(us) == text
    assert iso_to_microseconds(text) == us


def test_every_day_of_four_hundred_years_is_right() -> None:
    day = EPOCH
    while day.year < 2371:
        us = (day - EPOCH) // timedelta(microseconds=1)
        assert microseconds_to_iso(us)[:10] == day.strftime("%Y-%m-%d")
        assert iso_to_microseconds(day.strftime("%Y-%m-%dT00:00:00.000000Z")) == us
        day += timedelta(days=1)


@pytest.mark.parametrize("us", [-1, LAST + 1, 10**30])
def test_an_instant_outside_the_years_1970_to_9999_is_invalid(us: int) -> None:
    with pytest.raises(Invalid):
        microseconds_to_iso(us)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:04:05.678901+00:00",
        "2026-02-29T00:00:00.000000Z",
        "2100-02-29T00:00:00.000000Z",
        "2026-04-31T00:00:00.000000Z",
        "2026-00-01T00:00:00.000000Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-01-00T00:00:00.000000Z",
        "2026-12-32T00:00:00.000000Z",
        "2026-01-01T24:00:00.000000Z",
        "2026-01-01T00:60:00.000000Z",
        "2026-01-01T00:00:60.000000Z",
        "1969-12-31T23:59:59.999999Z",
        "2026-01-01T00:00:00.000000Z\n",
        "2026-01-01t00:00:00.000000z",
        "\u0662026-01-01T00:00:00.000000Z",
        " 2026-01-01T00:00:00.000000Z",
    ],
)
def test_text_that_is_no_instant_in_this_one_form_is_invalid(text: str) -> None:
    with pytest.raises(Invalid):
        iso_to_microseconds(text)
