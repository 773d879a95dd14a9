"""The environment gate (SPEC section 5): the guard's tools exist only for an agent whose own environment opens it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import multiagent_bridge.shim
from tests.attacks.wires import GREETING, Knock
from tests.machines.agents import MAB, MODERN, Agent
from tests.machines.places import UNLIMITED, Place, made, until

pytestmark = [pytest.mark.machines, pytest.mark.timeout(120)]

GATED = {"enable_yolo_mode", "execute_command"}
OPEN = {"YOLO_MODE": "1"}


@pytest.fixture(scope="module")
def held() -> Iterator[Place]:
    """A place with a hub that somebody is connected to."""
    with made(**UNLIMITED) as place:
        place.agent().good("list_conversations")
        yield place


def tools(agent: Agent) -> set[str]:
    return {tool["name"] for tool in agent.request("tools/list")["result"]["tools"]}


def absent(agent: Agent) -> bool:
    """Whether both tools are answered exactly as one that never was; False when both are there."""
    listed = GATED & tools(agent)
    said = [agent.call(name, mode="safe", command="ls").text for name in sorted(GATED)]
    expected = [agent.call("x" * len(name)).text.replace("x" * len(name), name) for name in sorted(GATED)]
    assert (said == expected) is not bool(listed), said
    assert listed in (set(), GATED)
    return not listed


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_one_agents_gate_opens_nothing_for_another_at_the_same_hub(place: Place, era: str) -> None:
    before = place.agent(era=era)
    assert absent(before)
    assert not absent(place.agent(era=era, env=OPEN))
    assert absent(before)
    assert absent(place.agent(era=era))


@pytest.mark.parametrize("value", ["", "0", "true", "yes", "01", "1 ", " 1", "1\n", "2", "on", "１"])
def test_only_exactly_1_opens_the_gate(held: Place, value: str) -> None:
    assert absent(held.agent(env={"YOLO_MODE": value}))


def test_only_a_variable_of_exactly_that_name_opens_the_gate(held: Place) -> None:
    assert absent(held.agent(env={"yolo_mode": "1", "MAB_YOLO_MODE": "1", "YOLO_MODE_": "1"}))


def test_a_hub_does_not_inherit_the_gate_of_the_agent_that_started_it(place: Place) -> None:
    first = place.agent(env=OPEN)
    assert not absent(first)
    assert b"YOLO_MODE" not in Path(f"/proc/{place.hub}/environ").read_bytes()
    assert absent(place.agent())


def test_a_hub_whose_own_environment_opens_it_opens_it_for_no_agent_at_its_socket(place: Place) -> None:
    place.serve(**OPEN)
    assert absent(place.agent())
    assert not absent(place.agent(env=OPEN))


def test_a_hub_served_with_no_yolo_closes_it_for_all(place: Place) -> None:
    place.serve("--no-yolo", **OPEN)
    assert absent(place.agent(env=OPEN))
    assert absent(place.agent("--as", "claude", env=OPEN))


@pytest.mark.parametrize("value", ["1", "0"])
def test_standalone_honours_its_own_environment(place: Place, value: str) -> None:
    assert absent(place.agent("--standalone", env={"YOLO_MODE": value})) is (value != "1")


def test_a_workspaces_settings_open_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text("[limits]\nfiles = 5\n")
    (tmp_path / ".env").write_text("YOLO_MODE=1\n")
    assert absent(place.agent("--standalone", command=("env", "-C", str(tmp_path), MAB, "mcp")))


def test_the_gate_stays_as_it_was_when_the_hub_is_replaced_under_its_agents(place: Place) -> None:
    shut, opened = place.agent(), place.agent(env=OPEN)
    assert (absent(shut), absent(opened)) == (True, False)
    place.kill_hub()
    until(lambda: not shut.call("list_conversations").failed, "the next hub serves")
    until(lambda: not opened.call("list_conversations").failed, "the next hub serves")
    assert (absent(shut), absent(opened)) == (True, False)


def greeted(place: Place, **words: object) -> set[str]:
    """The tools of a connection whose greeting says `words` instead of the usual ones; "left out" takes a key away."""
    hello = {name: value for name, value in (GREETING | words).items() if value != "left out"}
    knock = Knock(place.home)
    try:
        knock.send(json.dumps(hello).encode() + b"\n")
        answer = knock.line()
        assert answer is not None
        assert answer["ok"], answer
        ask: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": MODERN}}
        knock.send(json.dumps(ask).encode() + b"\n")
        listed = knock.line()
        assert listed is not None
        return {tool["name"] for tool in listed["result"]["tools"]}
    finally:
        knock.close()


@pytest.mark.parametrize("value", ["left out", None, "1", 1, "true", [True], {"yolo": True}, 1.0])
def test_a_greeting_opens_it_with_true_alone(held: Place, value: object) -> None:
    assert not GATED & greeted(held, yolo=value)
    assert greeted(held, yolo=True) >= GATED


def test_a_greeting_may_say_what_this_hub_does_not_know_yet(held: Place) -> None:
    assert greeted(held, later={"words": [1]}, yolo=True) >= GATED


def test_an_older_shim_that_says_nothing_of_a_gate_has_it_closed_whatever_its_environment(
    held: Place, tmp_path: Path
) -> None:
    copy = tmp_path / "oldshim"
    shutil.copytree(Path(multiagent_bridge.shim.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    hub = copy / "hub.py"
    before = hub.read_text()
    after = before.replace('"yolo": os.environ.get("YOLO_MODE") == "1",', "")
    assert after != before
    hub.write_text(after)
    run = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from oldshim import main; sys.exit(main([]))"
    assert absent(held.agent(command=(sys.executable, "-c", run), env=OPEN))
    assert not absent(held.agent(env=OPEN))
