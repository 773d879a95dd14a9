"""Words of a shell line (POSIX XCU 2.2 and 2.6, bash's additions): quotes removed, expansions named, substitutions opened."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from multiagent_bridge.guard.commands.verdict import Denied

DEEPEST = 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_PLAIN = re.compile(r"[^\s;&|()<>'\"\\$`{]+")
_PLAIN_QUOTED = re.compile(r"[^\"\\$`]+")
_EVALUATED = re.compile(r"\w\[[^\]]*(?:\$\((?!\))|`)")
_INDEX = re.compile(r"\[(?:@|\*|[0-9]+)\]")
_OPERATOR = re.compile(r":?[-=?+]")
_ANSI = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}
_ANSI_CODE = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})")


@dataclass(frozen=True, slots=True)
class Parameter:
    """`${NAME<operator>word}` (POSIX XCU 2.6.2): what a word becomes in place of its variable."""

    name: str
    operator: str
    word: str


@dataclass(slots=True)
class Text:
    """One word after quote removal. Variables stay as `$NAME`; a substitution stands as `$()`.

    `variable`: it holds a variable other than HOME and PWD. `process`: it is a process substitution; the commands of `>(...)`
    are `fed` by what stands around them. `bare`: nothing is quoted.
    """

    text: str = ""
    inner: list[Command] = field(default_factory=list)
    substituted: bool = False
    process: bool = False
    fed: list[Command] = field(default_factory=list)
    braces: bool = False
    bare: bool = True
    variable: bool = False
    parameters: dict[str, Parameter] = field(default_factory=dict)


@dataclass(slots=True)
class Command:
    """A simple command: words, assignments before it, redirections, what feeds it.

    `background`: it was followed by `&`. `looped`: it stands in a loop without end. `after`: the operator before it. `feeds`:
    a pipe takes its output. `shell`: the subshells around it. `maybe`: it stands where it may not run at all.
    """

    words: list[Text] = field(default_factory=list)
    assigned: list[tuple[str, Text]] = field(default_factory=list)
    redirects: list[tuple[str, Text]] = field(default_factory=list)
    source: Command | None = None
    piped: bool = False
    background: bool = False
    fed: str | None = None
    looped: bool = False
    after: str = ""
    feeds: bool = False
    shell: tuple[int, ...] = ()
    maybe: bool = False

    def empty(self) -> bool:
        return not (self.words or self.assigned or self.redirects)


def refuse_evaluated(text: str) -> None:
    """Raise Denied for a substitution in the index of an array: bash runs it even where quotes hide it."""
    if _EVALUATED.search(text):
        raise Denied("yolo.hidden", "a command hides in the index of an array")


class Words:
    """Reads words from a line. What stands in a substitution is read by `commands`, which the reader of commands adds."""

    def __init__(self, line: str, depth: int) -> None:
        self.line = line
        self.at = 0
        self.depth = depth
        self.waiting: list[tuple[Command, str, bool]] = []

    def commands(self, closing: str) -> list[Command]:
        raise NotImplementedError

    def all(self) -> list[Command]:
        """Every command of the line. Raises Denied when the line nests too deeply or a bracket does not match."""
        if self.depth > DEEPEST * 4:
            raise Denied("limit.depth", "the line nests too deeply to be read")
        found = self.commands("")
        if self.at < len(self.line):
            raise Denied("yolo.unreadable", "a bracket does not match")
        return found

    def _deeper(self) -> Words:
        self.depth += 1
        if self.depth > DEEPEST * 4:
            raise Denied("limit.depth", "the line nests too deeply to be read")
        return self

    def word(self, *, assignment: bool = False) -> Text:
        """One word from here on. Raises Denied when there is none."""
        made = Text()
        parts: list[str] = []
        start = self.at
        while self.at < len(self.line):
            if plain := _PLAIN.match(self.line, self.at):
                parts.append(plain[0])
                self.at = plain.end()
                continue
            c = self.line[self.at]
            if c in " \t\n;&|)" or (c == "(" and not assignment):
                break
            if c in "<>":
                if self.line[self.at + 1 : self.at + 2] != "(" or parts:
                    break
                self.at += 2
                inner = self._deeper().commands(")")
                made.inner += inner
                made.fed += inner[:1] if c == ">" else []
                made.process = made.substituted = True
                parts.append("$()")
            elif c == "'":
                parts.append(self._single())
                made.bare = False
            elif c == '"':
                self.at += 1
                parts.append(self._double(made, '"'))
                made.bare = False
            elif c == "\\":
                if self.line[self.at + 1 : self.at + 2] != "\n":
                    parts.append(self.line[self.at + 1 : self.at + 2])
                    made.bare = False
                self.at += 2
            elif c in "$`":
                parts.append(self._dollar(made))
            else:
                made.braces |= c == "{" and self._expands_braces()
                parts.append(c)
                self.at += 1
        if self.at == start:
            if assignment:
                return made
            raise Denied("yolo.unreadable", "a word is missing")
        made.text = "".join(parts)
        return made

    def quoted(self) -> Text:
        """The whole line as the inside of double quotes."""
        made = Text()
        made.text = self._double(made, "")
        return made

    def _expands_braces(self) -> bool:
        end = self.line.find("}", self.at)
        inside = self.line[self.at + 1 : end] if end > 0 else ""
        return bool(inside) and ("," in inside or ".." in inside) and " " not in inside

    def _single(self) -> str:
        end = self.line.find("'", self.at + 1)
        if end < 0:
            raise Denied("yolo.unreadable", "a quote is not closed")
        text = self.line[self.at + 1 : end]
        self.at = end + 1
        return text

    def _double(self, made: Text, closing: str) -> str:
        parts: list[str] = []
        while True:
            if self.at >= len(self.line):
                if closing:
                    raise Denied("yolo.unreadable", "a quote is not closed")
                return "".join(parts)
            if plain := _PLAIN_QUOTED.match(self.line, self.at):
                parts.append(plain[0])
                self.at = plain.end()
                continue
            c = self.line[self.at]
            if c == closing:
                self.at += 1
                return "".join(parts)
            if c == "\\":
                follower = self.line[self.at + 1 : self.at + 2]
                parts.append(follower if follower in '"\\$`' else "" if follower == "\n" else c + follower)
                self.at += 2
            elif c in "$`":
                parts.append(self._dollar(made, quoted=True))
            else:
                parts.append(c)
                self.at += 1

    def _dollar(self, made: Text, *, quoted: bool = False) -> str:
        rest = self.line[self.at + 1 : self.at + 3]
        if self.line[self.at] == "`":
            return self._backtick(made)
        if rest == "((":
            return self._arithmetic(made)
        if rest[:1] == "(":
            self.at += 2
            made.inner += self._deeper().commands(")")
            made.substituted = True
            return "$()"
        if rest[:1] == "{":
            return self._parameter(made)
        if rest[:1] == "'" and not quoted:
            made.bare = False
            return self._ansi()
        if rest[:1] == '"' and not quoted:
            self.at += 2
            made.bare = False
            return self._double(made, '"')
        if found := _NAME.match(self.line, self.at + 1):
            self.at = found.end()
            made.variable |= found[0] not in ("HOME", "PWD")
            return f"${found[0]}"
        self.at += 1
        return "$"

    def _backtick(self, made: Text) -> str:
        parts = []
        self.at += 1
        while self.at < len(self.line) and self.line[self.at] != "`":
            if self.line[self.at] == "\\" and self.line[self.at + 1 : self.at + 2] in ("`", "\\", "$"):
                self.at += 1
            parts.append(self.line[self.at : self.at + 1])
            self.at += 1
        if self.at >= len(self.line):
            raise Denied("yolo.unreadable", "a backtick is not closed")
        self.at += 1
        made.inner += type(self)("".join(parts), self.depth + 1).all()
        made.substituted = True
        return "$()"

    def _arithmetic(self, made: Text) -> str:
        start, depth, at = self.at + 3, 2, self.at + 3
        while at < len(self.line) and depth:
            depth += {"(": 1, ")": -1}.get(self.line[at], 0)
            at += 1
        if depth:
            raise Denied("yolo.unreadable", ")) is missing")
        inner = type(self)(self.line[start : max(start, at - 2)], self.depth + 1).quoted()
        made.inner += inner.inner
        self.at = at
        return "$()"

    def _parameter(self, made: Text) -> str:
        start, depth, at = self.at + 2, 1, self.at + 2
        while at < len(self.line) and depth:
            c = self.line[at]
            at += 2 if c == "\\" else 1
            depth += {"{": 1, "}": -1}.get(c, 0)
        if depth:
            raise Denied("yolo.unreadable", "} is missing")
        body = self.line[start : at - 1]
        self.at = at
        made.variable |= body not in ("HOME", "PWD")
        name = _NAME.match(body)
        if name and name.end() == len(body):
            return f"${body}"
        if self.depth > DEEPEST:
            raise Denied("limit.depth", "the line nests too deeply to be read")
        inner = type(self)(body, self.depth + 1).quoted()
        made.inner += inner.inner
        made.substituted |= inner.substituted or body.startswith("!") or body.endswith("@P")
        made.parameters |= inner.parameters
        operator = _OPERATOR.match(body, name.end() if name else 0)
        token = f"_{start}_{self.depth}_"
        if name and (index := _INDEX.fullmatch(body, name.end())):
            made.parameters[token] = Parameter(name[0], "?", index[0])
        elif name and operator:
            word = inner.text[len(name[0]) + len(operator[0]) :]
            made.parameters[token] = Parameter(name[0], operator[0], word)
        else:
            made.parameters[token] = Parameter(name[0] if name else "_", "", "")
        return f"${token}"

    def _ansi(self) -> str:
        self.at += 2
        parts = []
        while self.at < len(self.line) and self.line[self.at] != "'":
            if self.line[self.at] != "\\":
                parts.append(self.line[self.at])
                self.at += 1
            elif code := _ANSI_CODE.match(self.line, self.at + 1):
                digits, base = next((text, 8 if place == 3 else 16) for place, text in enumerate(code.groups()) if text)
                number = int(digits, base)
                parts.append(chr(number) if number <= 0x10FFFF else "?")
                self.at = code.end()
            else:
                follower = self.line[self.at + 1 : self.at + 2]
                parts.append(_ANSI.get(follower, "\\" + follower))
                self.at += 2
        if self.at >= len(self.line):
            raise Denied("yolo.unreadable", "a quote is not closed")
        self.at += 1
        return "".join(parts)
