"""One program's accepted options as a line of data, and the walk over an argument list that accepts nothing else.

`options` is a list of words: `-abc` three flags, `--long` a flag, `-n=number` and `--long=number` options with a value of
that kind, `-M?=number` and `--color?=auto|never` options whose value is optional and
glued on. Names match whole: getopt, argparse and git accept abbreviations, this table does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from multiagent_bridge.guard.commands.kinds import KINDS, PATH_KINDS, Kind, kind_named
from multiagent_bridge.guard.commands.paths import pattern_inside
from multiagent_bridge.guard.commands.reading import Word
from multiagent_bridge.guard.commands.verdict import Denied

_NUMBER = re.compile(r"-[0-9]{1,9}")
_LOOKS_LIKE_OPTION = re.compile(r"-[A-Za-z-]")


@dataclass(slots=True)
class Given:
    """What a walk found: options with their values, operands, and how many operands stood before `--` (-1: no `--`)."""

    options: dict[str, list[str]] = field(default_factory=dict)
    operands: list[Word] = field(default_factory=list)
    dashed: int = -1

    def has(self, *names: str) -> bool:
        return any(name in self.options for name in names)

    def texts(self) -> list[str]:
        return [word.text for word in self.operands]


Check = Callable[[Given], None]


@dataclass(frozen=True)
class Program:
    """What one program (or sub-command) may be given.

    `operands` are kinds in order, the last with `*` for any number ("text path*"). `pattern` are options that stand
    for the first operand. `number`: `-20` is accepted. `raw`: everything is an operand. `bundled` false: `-ab` is one name.
    `after` judges what follows `--`. `check` has the last word. `allow` and `refuse` are examples that hold for this row.
    """

    name: str
    options: str = ""
    operands: str = ""
    pattern: str = ""
    number: bool = False
    raw: bool = False
    bundled: bool = True
    stop: bool = False
    after: Program | None = None
    check: Check | None = None
    allow: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    flags: dict[str, tuple[bool, Kind | None]] = field(init=False, repr=False, compare=False)
    leading: tuple[str, ...] = field(init=False, repr=False, compare=False)
    rest: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        flags: dict[str, tuple[bool, Kind | None]] = {}
        for word in self.options.split():
            name, has_kind, kind = word.partition("=")
            optional = name.endswith("?")
            name = name.rstrip("?")
            if has_kind:
                flags[name] = (optional, kind_named(kind))
            elif name.startswith("--") or not self.bundled:
                flags[name] = (False, None)
            else:
                flags.update({f"-{letter}": (False, None) for letter in name[1:]})
        kinds = self.operands.split()
        rest = kinds.pop()[:-1] if kinds and kinds[-1].endswith("*") else ""
        for kind in (*kinds, *([rest] if rest else [])):
            kind_named(kind)
        object.__setattr__(self, "flags", flags)
        object.__setattr__(self, "leading", tuple(kinds))
        object.__setattr__(self, "rest", rest)

    def judge(self, words: Sequence[Word], workspace: str, area: str = "") -> Given:
        """Walk the arguments (the name not among them). Raises Denied at the first that is not accepted."""
        area = area or self.name
        given = Walk(self, workspace, area).over(words)
        self._operands(given, workspace, area)
        if self.check:
            self.check(given)
        return given

    def _operands(self, given: Given, workspace: str, area: str) -> None:
        kinds = list(self.leading)
        if self.pattern and given.has(*self.pattern.split()):
            kinds = kinds[1:]
        for place, word in enumerate(given.operands):
            kind = kinds[place] if place < len(kinds) else self.rest
            if not kind:
                raise Denied(f"{area}.operand", f"{area} takes no further argument here: {word.text}")
            if word.glob:
                if kind not in PATH_KINDS:
                    raise Denied("shell.glob", "a pattern stands where no path is wanted; quote it")
                pattern_inside(word.text)
            kind_named(kind)(word.text, workspace)


class Walk:
    def __init__(self, program: Program, workspace: str, area: str) -> None:
        self.program = program
        self.workspace = workspace
        self.area = area
        self.given = Given()

    def over(self, words: Sequence[Word]) -> Given:
        queue = list(reversed(words))
        while queue:
            word = queue.pop()
            text = word.text
            if self.program.raw or text == "-" or not text.startswith("-"):
                self.given.operands.append(word)
                if self.program.stop:
                    self.given.operands += reversed(queue)
                    break
            elif text == "--":
                self._dashes(list(reversed(queue)))
                break
            elif word.glob and not (text.startswith("--") and "=" in text):
                raise Denied("shell.glob", "a pattern stands in an option; quote it")
            elif text.startswith("--") or not self.program.bundled:
                self._long(text, queue)
            elif self.program.number and _NUMBER.fullmatch(text):
                continue
            else:
                self._letters(text, queue)
        return self.given

    def _dashes(self, rest: list[Word]) -> None:
        self.given.dashed = len(self.given.operands)
        if self.program.after:
            self.program.after.judge(rest, self.workspace, self.area)
        else:
            self.given.operands += rest

    def _long(self, text: str, queue: list[Word]) -> None:
        name, glued, value = text.partition("=")
        optional, kind = self._listed(name)
        if kind is None:
            if glued:
                raise Denied(f"{self.area}.option", f"{name} takes no value")
        elif glued:
            self._value(name, value, kind)
            return
        elif not optional:
            self._next(name, queue, kind)
            return
        self.given.options.setdefault(name, []).append("")

    def _letters(self, text: str, queue: list[Word]) -> None:
        for place in range(1, len(text)):
            name = f"-{text[place]}"
            optional, kind = self._listed(name)
            tail = text[place + 1 :]
            if kind is None:
                self.given.options.setdefault(name, []).append("")
            elif tail:
                self._value(name, tail, kind)
                return
            elif optional:
                self.given.options.setdefault(name, []).append("")
            else:
                self._next(name, queue, kind)
                return

    def _next(self, name: str, queue: list[Word], kind: Kind) -> None:
        if not queue:
            raise Denied(f"{self.area}.option", f"{name} needs a value")
        word = queue.pop()
        if word.glob:
            raise Denied("shell.glob", "a pattern stands in the value of an option; quote it")
        if _LOOKS_LIKE_OPTION.match(word.text) and name not in self.program.pattern.split():
            # should this version of the program take no separate value here, the word would be an option nobody judged
            raise Denied(f"{self.area}.option", f"the value of {name} begins with a hyphen; write {name}=VALUE")
        self._value(name, word.text, kind)
        if kind is KINDS["pair"]:
            if not queue:
                raise Denied(f"{self.area}.option", f"{name} needs a name and a value")
            queue.pop()

    def _value(self, name: str, value: str, kind: Kind) -> None:
        try:
            kind(value, self.workspace)
        except Denied as denied:
            raise Denied(denied.rule, f"{self.area} {name}: {denied.reason}") from None
        self.given.options.setdefault(name, []).append(value)

    def _listed(self, name: str) -> tuple[bool, Kind | None]:
        found = self.program.flags.get(name)
        if found is None:
            raise Denied(
                f"{self.area}.option", f"{name} is not among the options of {self.area} that this mode accepts"
            )
        return found
