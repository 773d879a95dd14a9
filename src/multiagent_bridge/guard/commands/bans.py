"""Yolo: what is refused whatever the files: variables, settings of git, the text of one-liners."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy

from multiagent_bridge.guard.commands.code import is_standard_input
from multiagent_bridge.guard.commands.deny import Denials
from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Text, refuse_evaluated

_EXPORTING = frozenset({"export", "declare", "typeset", "readonly", "local", "env"})
_READS_SETTING = frozenset(
    ["--get", "--get-all", "--list", "-l", "--unset", "--get-regexp", "--show-origin", "get", "list", "unset"]
)
_EVALUATING = frozenset({"test", "[", "read", "printf", "let", "unset", "mapfile", "readarray", "getopts", "wait"})


class Bans:
    """The refusals that look at words alone."""

    def __init__(
        self, denials: Denials, environments: Sequence[Entry], settings: Sequence[Entry], codes: Sequence[Entry]
    ) -> None:
        self.denials = denials
        names = [(name, entry.text("rule")) for entry in environments for name in entry.words("names")]
        self._variables = {name: rule for name, rule in names if not name.endswith("*")}
        self._beginnings = [(name[:-1], rule) for name, rule in names if name.endswith("*")]
        self._settings = [(entry.pattern("pattern"), entry.pattern("unless"), entry.text("rule")) for entry in settings]
        self._codes = [(pattern, entry.text("rule")) for entry in codes if (pattern := entry.pattern("pattern"))]

    def with_denials(self, denials: Denials) -> Bans:
        """The same with other denials."""
        made = copy(self)
        made.denials = denials
        return made

    def refuse_assignment(self, name: str) -> None:
        """Raise Denied for a variable that puts other code into what runs, or opens the guard."""
        rule = self._variables.get(name) or next((rule for head, rule in self._beginnings if name.startswith(head)), "")
        if rule:
            raise Denied(rule, f"the variable {name} puts other code into what runs, or opens the guard")

    def refuse_code(self, code: str) -> None:
        """Raise Denied when the text of a one-liner shows a disaster. It shows little: the sandbox stops the rest."""
        for pattern, rule in self._codes:
            if pattern.search(code):
                raise Denied(rule, "the one-liner shows what no agent runs")

    def refuse_program(self, name: str, command: Command, words: Sequence[Text]) -> None:
        """Raise Denied when this program, or this program with these arguments, is refused whatever the files."""
        texts = [word.text for word in words]
        self.denials.refuse(name, texts[1:], command.piped)
        if name in _EXPORTING:
            for text in texts[1:]:
                if "=" in text:
                    self.refuse_assignment(text.partition("=")[0])
        if name in ("source", ".") and any(
            word.process or word.substituted or is_standard_input(word.text) for word in words[1:]
        ):
            raise Denied("yolo.pipe-to-shell", "what is sourced is made by another command")
        if name in _EVALUATING or name in _EXPORTING:
            for text in texts[1:]:
                refuse_evaluated(text)

    def _set(self, setting: str) -> str:
        """The rule that refuses a setting of git, "" when none does."""
        for pattern, unless, rule in self._settings:
            if pattern and pattern.match(setting) and not (unless and unless.match(setting)):
                return rule
        return ""

    def refuse_git(self, texts: Sequence[str]) -> None:
        """Raise Denied when git is configured to run something later, for every repository or this one."""
        rest = list(texts[1:])
        if rest[:2] == ["credential", "fill"]:
            raise Denied("yolo.credentials", "git credential shows credentials")
        for place, text in enumerate(rest[:-1]):
            if text in ("-c", "--config-env", "--config") and (rule := self._set(rest[place + 1])):
                raise Denied(rule, f"git is told to run something: {rest[place + 1]}")
        for text in rest:
            glued = re.match(r"-c(?=[A-Za-z])|--config(?:-env)?=", text)
            if glued and (rule := self._set(text[glued.end() :])):
                raise Denied(rule, f"git is told to run something: {text}")
        if "config" not in rest[:4]:
            return
        words = [
            text for text in rest[rest.index("config") + 1 :] if not text.startswith("-") and text not in ("set", "add")
        ]
        reads = not _READS_SETTING.isdisjoint(rest)
        if not reads and len(words) > 1 and (rule := self._set(words[0])):
            if words[0].lower().startswith("alias.") and not words[1].startswith("!"):
                return
            raise Denied(rule, f"git would run {words[1]} by itself later")
        if "-e" in rest or "--edit" in rest:
            raise Denied("yolo.persistence", "git's configuration is edited")
