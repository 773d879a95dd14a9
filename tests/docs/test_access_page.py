from __future__ import annotations

import re
from pathlib import Path

from multiagent_bridge.guard.access import ACTIONS, OWNERS, Rule
from multiagent_bridge.model.callers import ROLES

PAGE = (Path(__file__).parents[2] / "docs/guide/access.md").read_text(encoding="utf-8")
ALONE = "the person at the terminal alone"
ACTION = re.compile(r"`([a-z_]+\.[a-z_]+)`( ◆)?")


def told() -> dict[str, Rule]:
    """The rules as the page has them."""
    found: dict[str, Rule] = {}
    for line in PAGE.splitlines():
        _, actions, roles, *_ = [*line.split("|"), "", ""]
        if not line.startswith("| `") or not ACTION.match(actions.strip()):
            continue
        for action, whole in ACTION.findall(actions):
            assert action not in found
            words = frozenset(re.findall(r"`(\w+)`", roles))
            found[action] = OWNERS if roles.strip() == ALONE else Rule(words, bool(whole))
    return found


def test_the_page_has_every_action_with_its_roles() -> None:
    assert told() == dict(ACTIONS)


def test_the_page_describes_every_role() -> None:
    assert re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)[: len(ROLES)] == list(ROLES)
