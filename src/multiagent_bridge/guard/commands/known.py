"""Yolo: what is known of folders and variables while a line is judged from left to right.

Nothing is executed, so a folder or a variable has every value that it may have had: `false && cd build` leaves two folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from multiagent_bridge.guard.commands.places import HERE, Place, place_of
from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Parameter, Text

_MOST = 64
"""Folders, values of a variable, and words that one word becomes: what is not looked at would be a way through."""
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)(?::)?")
_ASSIGNING = frozenset({"export", "declare", "typeset", "readonly", "local", "env"})
_SETTING = frozenset({"read", "mapfile", "readarray", "unset", "getopts", "let", "printf", "wait"})
_UNKNOWN = "$()"
_MADE_BY_MKTEMP = "/tmp/made-by-mktemp"  # noqa: S108 - a text, not a file


@dataclass(slots=True)
class Scope:
    """The folders in which the next command may run, those in which its and-list began, and those of a subshell around it."""

    folders: tuple[Place, ...] = (HERE,)
    begun: tuple[Place, ...] = (HERE,)
    arrived: tuple[Place, ...] = (HERE,)


@dataclass(slots=True)
class Known:
    workspace: str
    scope: Scope = field(default_factory=Scope)
    values: dict[str, list[str]] = field(default_factory=dict)
    downloads: set[str] = field(default_factory=set)
    written: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    judged: int = 0
    _outer: list[Scope] = field(default_factory=list)
    _shell: tuple[int, ...] = ()
    _seen: set[Place] = field(default_factory=lambda: {HERE})
    _stops: bool = False

    @property
    def folders(self) -> tuple[Place, ...]:
        return self.scope.folders

    def begin(self, command: Command) -> None:
        """Take notice of where a command stands: in which subshell, and behind which operator."""
        while self._shell != command.shell[: len(self._shell)]:
            self._shell, self.scope = self._shell[:-1], self._outer.pop()
        for _ in command.shell[len(self._shell) :]:
            self._outer.append(self.scope)
            self.scope = replace(self.scope)
        self._shell = command.shell
        if command.after in ("&&", "|") or self._stops:
            return
        scope = self.scope
        scope.arrived = scope.folders
        scope.folders = scope.begun = _joined(scope.begun, scope.folders)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """While the commands of another shell are judged: where it goes, this one does not."""
        kept = self.scope, self._outer, self._shell
        self.scope, self._outer, self._shell = replace(self.scope), [], ()
        try:
            yield
        finally:
            self.scope, self._outer, self._shell = kept

    def move_to(self, folder: str) -> None:
        """The commands that follow may also run in another folder."""
        self.scope.folders = _joined(
            *((place_of(folder, here, self.workspace),) for here in self.folders), self.scope.folders
        )

    def moved(self, command: Command, texts: Sequence[str]) -> None:
        """The folders after `cd`, `pushd` or `popd`."""
        target = next((text for text in texts[1:] if not text.startswith("-")), "~")
        if texts[0].endswith("popd") or "-" in texts[1:]:
            made = tuple(self._seen)
        else:
            made = _joined(*((place_of(target, folder, self.workspace),) for folder in self.folders))
        self._seen |= set(made)
        if not (command.piped or command.feeds):
            self.scope.begun = _joined(self.scope.begun, self.folders)
            self.scope.folders = _joined(made, self.folders) if command.maybe else made

    def ended(self, command: Command) -> None:
        """`|| exit`: what follows runs only where the commands before succeeded."""
        if command.after == "||":
            self.scope.folders = self.scope.begun = self.scope.arrived

    def set(self, command: Command, words: Sequence[Text]) -> None:
        """Remember what builtins do to variables, and `set -e`."""
        name, texts = words[0].text, [word.text for word in words[1:]]
        if name == "set" and any(re.fullmatch(r"-[a-z]*e[a-z]*|errexit", text) for text in texts):
            self._stops = True
        if name in _ASSIGNING:
            for text in texts:
                variable, has_value, value = text.partition("=")
                if has_value:
                    self.assign(variable.rstrip("+"), _UNKNOWN if variable.endswith("+") else value)
        if name in ("source", "."):
            for variable in self.values:
                self.assign(variable, _UNKNOWN)
        if name in _SETTING:
            for text in texts:
                if set_name := re.match(r"[A-Za-z_][A-Za-z0-9_]*", text):
                    self.assign(set_name[0], _UNKNOWN)

    def assign(self, name: str, value: str) -> None:
        values = self.values.setdefault(name, [])
        if value not in values:
            values.append(value)
            _refuse_many(values)

    def valued(self, text: str) -> list[str]:
        """A text with each value that its variables may have."""
        found = [text]
        for _ in range(4):
            made = [one for text in found for one in self._once(text)]
            if made == found:
                break
            found = list(dict.fromkeys(made))
            _refuse_many(found)
        return found

    def _once(self, text: str) -> list[str]:
        for variable in _VARIABLE.finditer(text):
            if values := self.values.get(variable[1]):
                before, behind = text[: variable.start()], text[variable.end() :]
                return [before + value + behind for value in values if f"${variable[1]}" not in value] or [text]
        return [text]

    def expanded(self, text: Text) -> list[Text]:
        """The words that one word may become: a brace group and a variable with several values make several."""
        if text.bare and "$IFS" in text.text:
            raise Denied("yolo.hidden", "IFS stands for white space: the words are hidden")
        for name, parameter in text.parameters.items():
            for value in self._parameter(parameter):
                self.assign(name, value)
        if text.substituted and "PATH" not in self.values and (path := _path_made(text, self.functions)):
            text = replace(text, text=text.text.replace("$()", path, 1), substituted=False)
        if "$" not in text.text and not text.braces:
            return [text]
        made = [one for value in self.valued(text.text) for one in (_braces(value) if text.braces else [value])]
        if text.bare and text.variable:
            made = [word for one in made for word in one.split()]
        return [replace(text, text=one) for one in dict.fromkeys(made)]

    def _parameter(self, parameter: Parameter) -> list[str]:
        """The values of `${NAME<operator>word}`, as far as the line shows them."""
        own = self.values.get(parameter.name) or [f"${parameter.name}"]
        operator = parameter.operator.lstrip(":")
        if operator in ("-", "="):
            if operator == "=":
                self.assign(parameter.name, parameter.word)
            return [*own, parameter.word]
        if operator == "+":
            return ["", parameter.word]
        return list(own) if operator == "?" else [_UNKNOWN]


def _path_made(text: Text, functions: set[str]) -> str:
    """What the one substitution of a word prints, where it is a folder that everybody knows; "" elsewhere."""
    if len(text.inner) != 1 or text.text.count(_UNKNOWN) != 1 or text.process:
        return ""
    words = [word.text for word in text.inner[0].words]
    if words[:1] and words[0] in functions:
        return ""
    if words == ["pwd"] or words == ["git", "rev-parse", "--show-toplevel"]:
        return "."
    if words[:1] == ["mktemp"] and all(
        word in ("-d", "-t", "-q") or place_of(word, HERE, "").parts[:1] == ("tmp",) for word in words[1:]
    ):
        return _MADE_BY_MKTEMP
    return ""


def _joined(*folders: tuple[Place, ...]) -> tuple[Place, ...]:
    found = tuple(dict.fromkeys(place for some in folders for place in some))
    _refuse_many(found)
    return found


def _refuse_many(found: Sized) -> None:
    if len(found) > _MOST:
        raise Denied("limit.steps", "the line holds more folders, values or words than are looked at")


def _braces(text: str) -> list[str]:
    """`a{b,c}d` written out, one group after the other."""
    found = [text]
    for _ in range(8):
        made: list[str] = []
        for one in found:
            group = re.search(r"\{([^{}]*,[^{}]*)\}", one)
            made += (
                [one[: group.start()] + part + one[group.end() :] for part in group[1].split(",")] if group else [one]
            )
        if made == found:
            return found
        found = made
        _refuse_many(found)
    raise Denied("limit.depth", "the line holds more brace groups than are looked at")
