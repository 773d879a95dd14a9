"""Commands of a shell line (POSIX XCU 2.9 and 2.10, bash's additions), for yolo: what would run, however deep it stands.

It executes and expands nothing. What it cannot read raises Denied: a line that is not understood is not run. It is advice before
the sandbox, not a boundary: an interpreter's own program, or a file, can do what no line shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Text, Words

_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[\w@*-]*\])?\+?=")
_REDIRECT = re.compile(r"(?:[0-9]{1,2}|\{[A-Za-z_][A-Za-z0-9_]*\})?(?:&>>|&>|<<<|<<-|<<|<>|<&|>>|>\||>&|>|<)(?!\()")
_SKIPPED = frozenset({"if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "{", "}", "time"})
_PORTABLE = re.compile(r"\s+-p(?=\s)")
_ENDLESS = re.compile(r"\s+(?:true|false|:|\[ 1 \]|\(\( ?1 ?\)\)|\[\[ 1 \]\])\s*[;\n]")
_EMPTY_BRACKETS = re.compile(r"\(\s*\)")
_ESAC = re.compile(r"esac\b")


def commands_of(line: str, depth: int = 0) -> list[Command]:
    """Every simple command of a line in order, those of substitutions before the command they stand in. Raises Denied."""
    return Reader(line, depth).all()


class Reader(Words):
    def commands(self, closing: str) -> list[Command]:
        """Commands up to `closing` ("" for the end of the line)."""
        found: list[Command] = []
        state = _State(Command())
        while True:
            self._blank()
            if self.at >= len(self.line):
                if closing:
                    raise Denied("yolo.unreadable", f"{closing} is missing")
                break
            c = self.line[self.at]
            if state.pattern:
                self._pattern(state)
            elif c == "\n":
                self.at += 1
                self._finish(state, found)
                self._bodies(found)
            elif c == "#" and self._at_word_start():
                self._comment()
            elif c == ")" and closing == ")":
                self.at += 1
                break
            elif redirect := _REDIRECT.match(self.line, self.at):
                self._redirect(redirect, state.current)
            elif c in ";&|":
                self._operator(state, found)
            elif c == "(":
                self._parenthesis(state, found)
            elif c == ")":
                raise Denied("yolo.unreadable", "a closing bracket stands alone")
            else:
                self._word(state, found)
        self._finish(state, found)
        return found

    def _blank(self) -> None:
        while self.at < len(self.line) and (self.line[self.at] in " \t" or self.line.startswith("\\\n", self.at)):
            self.at += 2 if self.line[self.at] == "\\" else 1

    def _at_word_start(self) -> bool:
        return self.at == 0 or self.line[self.at - 1] in " \t\n;&|()"

    def _comment(self) -> None:
        end = self.line.find("\n", self.at)
        self.at = len(self.line) if end < 0 else end

    def _finish(self, state: _State, found: list[Command], *, pipe: bool = False, background: bool = False) -> None:
        current = state.current
        if not current.empty():
            for text in (*current.words, *(t for _, t in current.assigned), *(t for _, t in current.redirects)):
                found += text.inner
            found.append(current)
        if background and found:
            found[-1].background = True
        following = Command(looped=any(state.loops))
        if pipe:
            following.source = found[-1] if found else None
            following.piped = True
        state.current = following

    def _operator(self, state: _State, found: list[Command]) -> None:
        two = self.line[self.at : self.at + 2]
        self.at += 2 if two in ("&&", "||", ";;", "|&", ";&") else 1
        if two in (";;", ";&"):
            self._finish(state, found)
            state.pattern = state.cases > 0
        elif two[0] == "|" and two != "||":
            self._finish(state, found, pipe=True)
        else:
            self._finish(state, found, background=two[0] == "&" and two != "&&")

    def _parenthesis(self, state: _State, found: list[Command]) -> None:
        current = state.current
        if self.line.startswith("((", self.at) and current.empty():
            end = self.line.find("))", self.at)
            if end < 0:
                raise Denied("yolo.unreadable", ")) is missing")
            found += Reader(self.line[self.at + 2 : end], self.depth + 1).quoted().inner
            self.at = end + 2
            return
        if len(current.words) == 1 and _EMPTY_BRACKETS.match(self.line, self.at):
            self.at = self.line.index(")", self.at) + 1
            state.current = Command(looped=current.looped)
            return
        if not current.empty():
            raise Denied("yolo.unreadable", "a bracket stands where none can")
        self.at += 1
        nested = self._deeper().commands(")")
        if nested and current.piped:
            nested[0].source, nested[0].piped = current.source, True
        found += nested

    def _word(self, state: _State, found: list[Command]) -> None:
        current = state.current
        if not current.words and (assigned := _ASSIGN.match(self.line, self.at)):
            self.at = assigned.end()
            if self.line.startswith("(", self.at):
                self.at += 1
                value = Text("$()", self._deeper().commands(")"), substituted=True)
                # the words of an array are read as commands: they are data, only what they substitute runs
                value.inner = [inner for listed in value.inner for text in listed.words for inner in text.inner]
            else:
                value = self.word(assignment=True)
            current.assigned.append((assigned[1], value))
            return
        text = self.word()
        if current.words or current.assigned or not text.bare:
            current.words.append(text)
        elif text.text in _SKIPPED:
            if text.text in ("while", "until"):
                state.loops.append(_ENDLESS.match(self.line, self.at) is not None)
            elif text.text == "done" and state.loops:
                state.loops.pop()
            elif text.text == "time" and (portable := _PORTABLE.match(self.line, self.at)):
                self.at = portable.end()
            current.looped = any(state.loops)
        elif text.text == "coproc":
            raise Denied("yolo.dynamic", "a co-process is not read")
        elif text.text in ("for", "select"):
            self._for(current, found)
            state.loops.append(False)
        elif text.text == "case":
            found += self._spaced().inner
            self._spaced()
            state.cases += 1
            state.pattern = True
        elif text.text == "function":
            self._spaced()
            self._blank()
            if braces := _EMPTY_BRACKETS.match(self.line, self.at):
                self.at = braces.end()
        elif text.text == "[[":
            self._condition(found)
        else:
            current.words.append(text)

    def _spaced(self) -> Text:
        self._blank()
        return self.word()

    def _for(self, current: Command, found: list[Command]) -> None:
        self._blank()
        if self.line.startswith("((", self.at):
            self._parenthesis(_State(Command()), found)
            return
        self.word()
        while True:
            self._blank()
            if self.at >= len(self.line) or self.line[self.at] in ";\n":
                return
            if self.line[self.at] in "&|()<>":
                raise Denied("yolo.unreadable", "an operator stands in the words of a loop")
            found += self.word().inner

    def _condition(self, found: list[Command]) -> None:
        while True:
            while self.at < len(self.line) and self.line[self.at] in " \t\n&|()<>;":
                self.at += 1
            if self.at >= len(self.line):
                raise Denied("yolo.unreadable", "]] is missing")
            text = self.word()
            if text.text == "]]":
                return
            found += text.inner

    def _pattern(self, state: _State) -> None:
        """Over `pattern)` of a case, or its esac."""
        while self.at < len(self.line) and self.line[self.at] in " \t\n(;":
            self.at += 1
        if _ESAC.match(self.line, self.at):
            self.at += 4
            state.cases -= 1
            state.pattern = False
            return
        while self.at < len(self.line) and self.line[self.at] != ")":
            if self.line[self.at] in "|* \t[]?!":
                self.at += 1
            else:
                self.word()
        if self.at >= len(self.line):
            raise Denied("yolo.unreadable", "a case is not closed")
        self.at += 1
        state.pattern = False

    def _redirect(self, found: re.Match[str], current: Command) -> None:
        operator = found[0].lstrip("0123456789")
        self.at = found.end()
        self._blank()
        target = self.word()
        if operator.startswith("{"):
            operator = operator[operator.index("}") + 1 :]
        if operator in ("<<", "<<-"):
            self.waiting.append((current, target.text, target.bare))
        elif operator == "<<<":
            current.fed = target.text
            current.redirects.append((operator, target))
        else:
            current.redirects.append((operator, target))

    def _bodies(self, found: list[Command]) -> None:
        """The here-documents that wait for this line break."""
        for command, delimiter, expanded in self.waiting:
            lines = []
            while True:
                if self.at >= len(self.line):
                    break
                end = self.line.find("\n", self.at)
                end = len(self.line) if end < 0 else end
                line = self.line[self.at : end]
                self.at = end + 1 if end < len(self.line) else end
                if line.lstrip("\t") == delimiter:
                    break
                lines.append(line)
            command.fed = "\n".join(lines)
            if expanded:
                found += Reader(command.fed, self.depth + 1).quoted().inner
        self.waiting = []


@dataclass(slots=True)
class _State:
    current: Command
    cases: int = 0
    pattern: bool = False
    loops: list[bool] = field(default_factory=list)
