"""The hooks of the clients that have them: where each keeps them, what ours say, and how they get in and out.

Sources: each program's documentation of hooks, and runs of the programs (docs/guide/hooks.md names the versions).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.clients import jsonc
from multiagent_bridge.clients.documents import Entry
from multiagent_bridge.clients.machine import DISTRIBUTION, PROGRAM_NAMES, Machine
from multiagent_bridge.errors import Conflict, Invalid

CONTAINER = "hooks"
ANSWER_SECONDS = 10
"""Longest that a client waits for an answer."""

END_SECONDS = 3
"""Longest that Codex lets a hook at the end of a session take."""

WAKER_SECONDS = 3600
"""Longest that a waker may stay beside an idle session."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """One client's hooks. `events` gives, for each of its events, the words that follow `mab hook`."""

    client: str
    file: Callable[[Machine], Path]
    events: Mapping[str, tuple[str, ...]]
    milliseconds: bool = False
    next_step: str = ""

    def groups(self, words: Sequence[str], agent: str, home: str) -> Entry:
        """Our group of each event. `words` start mab; `home` is the state directory, empty for the usual one."""
        return {event: {"hooks": [self._hook(words, what, agent, home) for what in whats]}
                for event, whats in self.events.items()}  # fmt: skip

    def _hook(self, words: Sequence[str], what: str, agent: str, home: str) -> Entry:
        command = [*words, "hook", what, "--client", self.client, "--as", agent, *(["--home", home] if home else [])]
        hook: Entry = {"type": "command", "command": shlex.join(command)}
        if what == "wake":
            return {**hook, "asyncRewake": True, "timeout": WAKER_SECONDS}
        if what == "end":
            return {**hook, "timeout": END_SECONDS}
        return {**hook, "timeout": ANSWER_SECONDS * (1000 if self.milliseconds else 1)}


HOOKS = {
    "claude-code": Hooks(
        "claude",
        lambda m: m.directory("CLAUDE_CONFIG_DIR", m.home / ".claude") / "settings.json",
        {"SessionStart": ("start", "wake"), "UserPromptSubmit": ("prompt",), "Stop": ("stop", "wake")},
        next_step="start a new session; /hooks lists them",
    ),
    "codex": Hooks(
        "codex",
        lambda m: m.directory("CODEX_HOME", m.home / ".codex") / "hooks.json",
        {"SessionStart": ("start",), "UserPromptSubmit": ("prompt",), "Stop": ("stop",), "SessionEnd": ("end",)},
        next_step="start a new session; /hooks: look at them and trust them",
    ),
    "gemini-cli": Hooks(
        "gemini",
        lambda m: m.directory("GEMINI_CLI_HOME", m.home) / ".gemini" / "settings.json",
        {"SessionStart": ("start",), "BeforeAgent": ("prompt",), "AfterAgent": ("stop",)},
        milliseconds=True,
        next_step="start a new session; /hooks panel lists them",
    ),
}


def put(text: str, groups: Entry) -> str:
    """`text` with each of `groups` once in the list of its event, and no other of ours. Raises Invalid, Conflict."""
    for event, group in groups.items():
        ours = _ours(text, event)
        if ours == [_index(text, event, group)]:
            continue
        for at in reversed(ours):
            text = _checked(text, event, at, None, jsonc.drop(text, (CONTAINER, event), at))
        text = _checked(text, event, None, group, jsonc.append(text, (CONTAINER, event), group))
    return text


def held(text: str) -> bool:
    """Whether any hook of ours stands in `text`. Raises Invalid."""
    return any(_ours(text, event) for event in _events(text))


def taken_out(text: str) -> str:
    """`text` without hooks of ours, and without the lists that are left empty. Raises Invalid, Conflict."""
    for event in _events(text):
        ours = _ours(text, event)
        for at in reversed(ours):
            text = _checked(text, event, at, None, jsonc.drop(text, (CONTAINER, event), at))
        if ours and not _list(text, event):
            text = jsonc.remove(text, (CONTAINER, event))
    return jsonc.remove(text, (CONTAINER,)) if jsonc.loads(text).get(CONTAINER) == {} else text


def is_ours(hook: object) -> bool:
    """Whether a hook runs `mab hook`."""
    command = hook.get("command") if isinstance(hook, dict) else None
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return False
    stem = Path(words[0].replace("\\", "/")).name.removesuffix(".exe") if words else ""
    started = stem in PROGRAM_NAMES or (stem in ("uvx", "uv", "pipx") and DISTRIBUTION in words[1:4])
    return started and "hook" in words[1:5]


def _events(text: str) -> list[str]:
    container = jsonc.loads(text).get(CONTAINER, {})
    if not isinstance(container, dict):
        raise Invalid('"hooks" in the file is not an object', "mend it by hand first")
    return [event for event, groups in container.items() if isinstance(groups, list)]


def _list(text: str, event: str) -> list[object]:
    container = jsonc.loads(text).get(CONTAINER, {})
    found = container.get(event, []) if isinstance(container, dict) else None
    if not isinstance(found, list):
        raise Invalid(f'"hooks" or "{event}" in the file is not what it should be', "mend it by hand first")
    return found


def _ours(text: str, event: str) -> list[int]:
    """The places of our groups. Raises Conflict for one that holds a hook of somebody else too."""
    places = []
    for at, group in enumerate(_list(text, event)):
        hooks = group.get("hooks") if isinstance(group, dict) else None
        ours = [is_ours(hook) for hook in hooks] if isinstance(hooks, list) else []
        if any(ours) and not all(ours):
            raise Conflict(f"a group of {event} holds our hook and another one", "give each a group of its own")
        if any(ours):
            places.append(at)
    return places


def _index(text: str, event: str, group: object) -> int:
    found = _list(text, event)
    return found.index(group) if group in found else -1


def _checked(text: str, event: str, dropped: int | None, added: object | None, after: str) -> str:
    """`after`, if it holds what `text` held but for one group. Raises Conflict."""
    want = list(_list(text, event))
    if dropped is not None:
        del want[dropped]
    if added is not None:
        want.append(added)
    before, have = jsonc.loads(text), jsonc.loads(after)
    container = before.get(CONTAINER, {})
    before[CONTAINER] = {**(container if isinstance(container, dict) else {}), event: want}
    if have != before:
        raise Conflict("the file cannot be edited without disturbing it", "edit it by hand: --print shows the hooks")
    return after
