"""The page of figures is renewed row by row, and keeps what was not measured again."""

from __future__ import annotations

import pytest

from benchmarks.figures import Fact, Figure
from benchmarks.page import renewed

MONDAY: dict[str, Fact] = {"at": "2026-11-16T10:00:00Z", "load": "0.10 0.20 0.30", "cores": 2}
TUESDAY: dict[str, Fact] = {"at": "2026-11-17T10:00:00Z", "load": "1.50 0.20 0.30", "cores": 4}


def figure(what: str, measured: str = "1.00 x", met: bool = True) -> Figure:
    return Figure("row", what, "at most 2 x", measured, met)


def test_a_figure_takes_the_place_of_its_older_self_and_leaves_the_others() -> None:
    page = renewed("", [figure("one"), figure("two")], MONDAY)
    page = renewed(page, [figure("two", "3.00 x", met=False), figure("three")], TUESDAY)
    assert [line for line in page.splitlines() if line.startswith("|")][2:] == [
        "| one | at most 2 x | 1.00 x | met | 2026-11-16, 0.10 |",
        "| two | at most 2 x | 3.00 x | **missed** | 2026-11-17, 1.50 |",
        "| three | at most 2 x | 1.00 x | met | 2026-11-17, 1.50 |",
    ]
    assert "- cores: 4" in page
    assert "- cores: 2" not in page


def test_what_stands_behind_the_table_is_kept_and_nothing_grows() -> None:
    page = renewed("", [figure("one")], MONDAY) + "\n## The bar that is missed\n\nWhy.\n"
    again = renewed(page, [figure("one")], MONDAY)
    assert again == page


def test_a_figure_that_would_break_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="a line or a bar"):
        renewed("", [figure("one | two")], MONDAY)
