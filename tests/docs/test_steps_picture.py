"""The pictures of the legal steps are what the code goes by."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from multiagent_bridge.model import commands, yolo

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/inside/a-command.md").read_text("utf-8")
ARROW = re.compile(r"^    (\S+) --> ([^\s:]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_steps", ROOT / "tools/draw_steps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_the_tables_as_they_are(drawing: ModuleType) -> None:
    assert drawing.page(PAGE) == PAGE, "run: python tools/draw_steps.py"


@pytest.mark.parametrize(("name", "table"), [("commands", commands.STEPS), ("yolo", yolo.STEPS)])
def test_a_reader_of_the_picture_finds_every_step_and_no_other(name: str, table: dict[str, tuple[str, ...]]) -> None:
    shown = PAGE.partition(f"<!-- drawn from model/{name}.py -->")[2].partition("\n```\n")[0]
    arrows = set(ARROW.findall(shown))
    assert {step for step in arrows if "[*]" not in step} == {(was, to) for was in table for to in table[was]}
    assert {was for was, to in arrows if to == "[*]"} == {state for state in table if not table[state]}


def test_a_new_step_cannot_be_forgotten(drawing: ModuleType) -> None:
    reasons = dict(drawing.COMMAND)
    with pytest.raises(KeyError):
        drawing.picture({**commands.STEPS, "lost": ("done",)}, reasons)
    with pytest.raises(ValueError, match="no such steps"):
        drawing.picture({**commands.STEPS, "pending": ("approved",)}, reasons)
    with pytest.raises(ValueError, match="0 places"):
        drawing.page("a page without pictures")
