"""The clients that run a program of ours within themselves: the one file that each gets, and how it is known again.

Source: opencode's documentation of plugins, and runs of the program (docs/guide/hooks.md names the version).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.clients.machine import Machine

MARK = "// Multiagent Bridge: written by `mab init --hooks`, taken out by `mab init --undo`.\n"
"""The first line of every version of the file: what begins otherwise is somebody else's."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One client's plugin: `file` is where it looks for it, `source` the program, `next_step` what a person does then."""

    client: str
    file: Callable[[Machine], Path]
    source: Path
    next_step: str

    def text(self, words: Sequence[str], agent: str, home: str) -> str:
        """The file for an agent of that name. `words` start mab; `home` is the state directory, empty for the usual one."""
        options = ["--client", self.client, "--as", agent, *(["--home", home] if home else [])]
        text = self.source.read_text("utf-8")
        for name, value in (("COMMAND", list(words)), ("OPTIONS", options)):
            text = text.replace(f"const {name} = []\n", f"const {name} = {json.dumps(value)}\n", 1)
        return text


PLUGINS = {
    "opencode": Plugin(
        "opencode",
        lambda m: m.xdg / "opencode" / "plugins" / "multiagent-bridge.js",
        Path(__file__).with_name("opencode.js"),
        next_step="start opencode anew",
    ),
}


def is_ours(text: str) -> bool:
    """Whether `mab init` wrote the file, in this version or another."""
    return text.startswith(MARK)
