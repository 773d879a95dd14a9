from __future__ import annotations

import re
from pathlib import Path

import pytest

from multiagent_bridge.mcp.server import TOOLS
from multiagent_bridge.mcp.tools import CREDENTIALS

PAGE = (Path(__file__).parents[2] / "docs/reference/tools.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    parts = re.split(r"^## (\S+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_has_a_section_for_every_tool_in_their_order() -> None:
    assert [name for name in sections() if "_" in name] == [tool.name for tool in TOOLS]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_argument_and_every_choice_is_described(tool: object) -> None:
    described = sections()[tool.name]  # type: ignore[attr-defined]
    for name, schema in tool.properties.items():  # type: ignore[attr-defined]
        assert name in CREDENTIALS or f"`{name}`" in described
        for choice in schema.get("enum", ()):
            assert f"`{choice}`" in described
