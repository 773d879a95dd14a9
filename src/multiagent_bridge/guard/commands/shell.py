"""Commands of a shell line (POSIX XCU 2.9 and 2.10, bash's additions), for yolo: what would run, however deep it stands.

It executes and expands nothing. What it cannot read raises Denied: a line that is not understood is not run. It is advice before
the sandbox, not a boundary: an interpreter's own program, or a file, can do what no line shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Text, Words, refuse_evaluated

_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[\w@*-]*\])?\+?=")
_ARRAY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\+?=\(")
_DECLARING = frozenset({"declare", "typeset", "local", "export", "readonly"})
_REDIRECT = re.compile(r"(?:[0-9]{1,2}|\{[A-Za-z_][A-Za-z0-9_]*\})?(?:&>>|&>|<<<|<<-|<<|<>|<&|>>|>\||>&|>|<)(?!\()")
_SKIPPED = frozenset({"if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "{", "}", "time"})
_OPENS = frozenset({"{", "if", "while", "until", "for", "select", "case"})
_CLOSES = frozenset({"}", "fi", "done", "esac"})
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
            elif c in "<>&{0123456789" and (redirect := _REDIRECT.match(self.line, self.at)):
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

    def _finish(
        self,
        state: _State,
        found: list[Command],
        *,
        pipe: bool = False,
        background: bool = False,
        operator: str = ";",
    ) -> None:
        current = state.current
        if not current.empty():
            for text in (*current.words, *(t for _, t in current.assigned), *(t for _, t in current.redirects)):
                for first in text.fed:
                    first.source, first.piped = current, True
                found += self._inner(text)
            found.append(current)
        if background and found:
            found[-1].background = True
        if pipe and found:
            found[-1].feeds = True
        following = Command(looped=any(state.loops), after=operator, maybe=bool(state.choices))
        if pipe:
            following.source = found[-1] if found else None
            following.piped = True
        elif state.inputs and state.inputs[-1].piped:
            following.source, following.piped = state.inputs[-1].source, True
        state.current = following

    def _operator(self, state: _State, found: list[Command]) -> None:
        two = self.line[self.at : self.at + 2]
        self.at += 2 if two in ("&&", "||", ";;", "|&", ";&") else 1
        if two in (";;", ";&"):
            self._finish(state, found)
            state.pattern = state.cases > 0
        elif two[0] == "|" and two != "||":
            self._finish(state, found, pipe=True, operator="|")
        else:
            operator = two if two in ("&&", "||") else ";"
            self._finish(state, found, background=two[0] == "&" and two != "&&", operator=operator)

    def _parenthesis(self, state: _State, found: list[Command]) -> None:
        current = state.current
        if self.line.startswith("((", self.at) and current.empty():
            end = self.line.find("))", self.at)
            if end < 0:
                raise Denied("yolo.unreadable", ")) is missing")
            found += self._inner(Reader(self.line[self.at + 2 : end], self.depth + 1).quoted())
            self.at = end + 2
            return
        if len(current.words) == 1 and _EMPTY_BRACKETS.match(self.line, self.at):
            self.at = self.line.index(")", self.at) + 1
            state.current = Command(looped=current.looped)
            state.defines = True
            return
        if not current.empty():
            raise Denied("yolo.unreadable", "a bracket stands where none can")
        start = self.at
        self.at += 1
        nested = self._deeper().commands(")")
        for place, one in enumerate(nested):
            one.shell = (start, *one.shell)
            one.maybe |= bool(state.choices)
            one.after = current.after if place == 0 else one.after
            one.looped |= any(state.loops)
            if current.piped and not one.piped:
                one.source, one.piped = current.source, True
        found += nested

    def _word(self, state: _State, found: list[Command]) -> None:
        current = state.current
        if not current.words and (assigned := _ASSIGN.match(self.line, self.at)):
            self.at = assigned.end()
            appends = assigned[0].endswith("+=")
            if self.line.startswith("(", self.at):
                self.at += 1
                value = Text("$()", self._deeper().commands(")"), substituted=True)
                # the words of an array are read as commands: they are data, only what they substitute runs
                listed = [text for command in value.inner for text in command.words]
                value.inner = [inner for text in listed for inner in text.inner]
                current.assigned += [(assigned[1], text) for text in listed]
            else:
                value = self.word(assignment=True)
            value.substituted |= appends
            current.assigned.append((assigned[1], value))
            return
        declares = bool(current.words) and current.words[0].text in _DECLARING
        if declares and (assigned := _ARRAY.match(self.line, self.at)):
            self.at = assigned.end()
            current.words.append(Text(assigned[1], self._deeper().commands(")")))
            return
        text = self.word()
        if current.words or current.assigned or not text.bare:
            current.words.append(text)
        elif text.text in _SKIPPED:
            self._nest(state, text.text)
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
            self._nest(state, text.text)
            self._for(current, found)
            state.loops.append(False)
        elif text.text == "case":
            self._nest(state, text.text)
            found += self._inner(self._spaced())
            self._spaced()
            state.cases += 1
            state.pattern = True
        elif text.text == "function":
            self._spaced()
            self._blank()
            if braces := _EMPTY_BRACKETS.match(self.line, self.at):
                self.at = braces.end()
            state.defines = True
        elif text.text == "[[":
            self._condition(found)
        else:
            current.words.append(text)

    def _nest(self, state: _State, word: str) -> None:
        """What a compound command is fed, each command in it is fed."""
        if word in _OPENS:
            state.inputs.append(Command(source=state.current.source, piped=state.current.piped))
            if word != "{" or state.defines:
                state.choices.append(len(state.inputs))
            state.defines = False
        elif word in _CLOSES and state.inputs:
            if state.choices and state.choices[-1] == len(state.inputs):
                state.choices.pop()
            state.inputs.pop()
        state.current.maybe = bool(state.choices)

    def _inner(self, text: Text) -> list[Command]:
        """The commands of substitutions, each of which runs in a subshell."""
        for one in text.inner:
            one.shell = (-1 - self.at, *one.shell)
        return text.inner

    def _spaced(self) -> Text:
        self._blank()
        return self.word()

    def _for(self, current: Command, found: list[Command]) -> None:
        """The words of a loop are values of its variable."""
        self._blank()
        if self.line.startswith("((", self.at):
            self._parenthesis(_State(Command()), found)
            return
        name = self.word().text
        values = Command(after=";")
        found.append(values)
        while True:
            self._blank()
            if self.at >= len(self.line) or self.line[self.at] in ";\n":
                break
            if self.line[self.at] in "&|()<>":
                raise Denied("yolo.unreadable", "an operator stands in the words of a loop")
            text = self.word()
            found += self._inner(text)
            values.assigned.append((name, text))
        if values.assigned[:1] and values.assigned[0][1].text == "in":
            values.assigned.pop(0)
        if not values.assigned:
            values.assigned.append((name, Text("$@", variable=True)))

    def _condition(self, found: list[Command]) -> None:
        while True:
            while self.at < len(self.line) and self.line[self.at] in " \t\n&|()<>;":
                self.at += 1
            if self.at >= len(self.line):
                raise Denied("yolo.unreadable", "]] is missing")
            text = self.word()
            if text.text == "]]":
                return
            refuse_evaluated(text.text)
            found += self._inner(text)

    def _pattern(self, state: _State) -> None:
        """Over `pattern)` of a case, or its esac."""
        while self.at < len(self.line) and self.line[self.at] in " \t\n(;":
            self.at += 1
        if _ESAC.match(self.line, self.at):
            self.at += 4
            state.cases -= 1
            state.pattern = False
            self._nest(state, "esac")
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
                found += self._inner(Reader(command.fed, self.depth + 1).quoted())
        self.waiting = []


@dataclass(slots=True)
class _State:
    current: Command
    cases: int = 0
    pattern: bool = False
    loops: list[bool] = field(default_factory=list)
    inputs: list[Command] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    defines: bool = False
