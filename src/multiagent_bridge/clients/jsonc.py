"""JSON with comments and trailing commas, edited as text: every character that is not ours stays where it was.

Accepts what VS Code, Zed and opencode accept (JSON, `//` and `/* */`, trailing commas, a byte order mark); plain JSON
(RFC 8259) is a subset. A text that holds nothing but space and comments counts as an empty object, as VS Code has it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from multiagent_bridge.errors import Invalid

Path = tuple[str, ...]
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<comment>//[^\r\n]*|/\*.*?\*/)|(?P<string>"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*")"""
    r"""|(?P<mark>[{}\[\]:,])|(?P<word>[-+.\w]+)""",
    re.DOTALL,
)
_INK = re.compile(r"[^\r\n]")
_BLANKS = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Member:
    """One `"key": value`; `index` is the value's first token, `comma` the offset of the comma behind it or -1."""

    key: str
    start: int
    index: int
    value: int
    end: int
    comma: int


@dataclass(frozen=True, slots=True)
class _Object:
    open: int
    close: int
    members: tuple[_Member, ...]


def loads(text: str) -> dict[str, object]:
    """The object `text` holds. Raises Invalid with the line of the first fault."""
    return _read(text).value()


def put(text: str, path: Path, value: object) -> str:
    """`text` with `value` at `path`; containers on the way are made. Raises Invalid where one is something else."""
    return _read(text).put(path, value)


def remove(text: str, path: Path) -> str:
    """`text` without the member at `path`, which must be there."""
    return _read(text).remove(path)


def append(text: str, path: Path, item: object) -> str:
    """`text` with `item` at the end of the list at `path`, which is made if need be. Raises Invalid for no list."""
    return _read(text).append(path, item)


def drop(text: str, path: Path, at: int) -> str:
    """`text` without the item number `at` of the list at `path`, which must be there."""
    return _read(text).drop(path, at)


@lru_cache(maxsize=2)
def _read(text: str) -> _Text:
    """One edit looks at the same few megabytes several times: before, after, and to compare them."""
    return _Text(text)


class _Text:
    """One text, its tokens and its habits (line end, indent, space after a colon)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ink: list[_Token] = []
        self.comments: list[_Token] = []
        at = 1 if text.startswith("\ufeff") else 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise _fault(text, at, "something that is not JSON")
            token = _Token(found.lastgroup or "", at, found.end())
            if token.kind == "comment":
                self.comments.append(token)
            elif token.kind != "space":
                self.ink.append(token)
            at = token.end
        self.newline = "\r\n" if "\r\n" in text else "\n"
        colon = re.search(r'":(.)', text, re.DOTALL)
        self.colon = ":" if colon and not colon[1].isspace() else ": "
        self.flat = bool(self.ink) and not ("\n" in text.strip() or len(self.ink) == 2)
        indent = re.search(r'\n([ \t]+)"', text)
        self.unit = indent[1] if indent else "  "

    def value(self) -> dict[str, object]:
        """What the text holds, a new value each time."""
        if not self.ink:
            return {}
        try:
            value = json.loads(self._strict, parse_constant=_no_constant)
        except json.JSONDecodeError as fault:
            raise _fault(self.text, fault.pos, fault.msg) from None
        except (ValueError, RecursionError):
            raise Invalid("the file is not JSON that can be read safely", "mend it by hand first") from None
        if not isinstance(value, dict):
            raise Invalid("the file holds no JSON object", "its outermost value must be { ... }")
        return value

    @cached_property
    def _strict(self) -> str:
        """The text with comments and trailing commas blanked out, every character at its place."""
        pieces, at = [], 0
        for blank in sorted([*self.comments, *self._trailing_commas()], key=lambda token: token.start):
            pieces += [self.text[at : blank.start], _INK.sub(" ", self.text[blank.start : blank.end])]
            at = blank.end
        clean = "".join([*pieces, self.text[at:]])
        return " " + clean[1:] if clean.startswith("\ufeff") else clean

    def put(self, path: Path, value: object) -> str:
        if not self.ink:
            fresh = self._render(_nested(path, value), "")
            gap = self.newline if self.text.strip("\ufeff") and not self.text.endswith(("\n", "\r")) else ""
            return self.text + gap + fresh + self.newline
        here = self._object(0)
        for depth, key in enumerate(path):
            member = _only(here, key)
            if member is None:
                return self._apply(self._insert(here, key, _nested(path[depth + 1 :], value)))
            if depth == len(path) - 1:
                shown = self._render(value, self._indent(member.start), flat=self._same_line(member.start, member.end))
                return self._apply([(member.value, member.end, shown)])
            here = self._inside(member)
        raise AssertionError("a path has at least one key")

    def remove(self, path: Path) -> str:
        here = self._object(0)
        for key in path[:-1]:
            here = self._inside(_there(here, key))
        member = _there(here, path[-1])
        place = here.members.index(member)
        edits: list[tuple[int, int, str]] = []
        end = member.end
        if member.comma >= 0 and not self._comment_in(member.end, member.comma):
            end = member.comma + 1
        elif member.comma >= 0:
            edits.append((member.comma, member.comma + 1, ""))
        elif place:
            before = here.members[place - 1].comma
            edits.append((before, before + 1, ""))
        start, last = member.start, place == len(here.members) - 1
        blank_to = _BLANKS.match(self.text, end).end()  # type: ignore[union-attr]
        if self.text[blank_to] in "\r\n":
            start, end = self._ink_before(start), blank_to
        elif last and place and member.comma < 0:
            start = len(self.text[:start].rstrip(" \t"))
        else:
            end = blank_to
        if not (self.text[here.open + 1 : start] + self.text[end : here.close]).strip():
            start, end = here.open + 1, here.close
        return self._apply([*edits, (start, end, "")])

    def append(self, path: Path, item: object) -> str:
        items = self._items(path)
        if items is None:
            return self.put(path, [item])
        opening, closing, spans = items
        if not spans:
            return self._apply([(opening + 1, closing, self._render(item, self._indent(opening), flat=True))])
        first, (_, end, comma) = spans[0][0], spans[-1]
        if not self._first_on_line(first):
            gap = "" if self.colon == ":" else " "
            return self._apply([(end, end, "," + gap + self._render(item, "", flat=True))])
        indent, tail = self._indent(first), self._ink_before(closing)
        line = self.newline + indent + self._render(item, indent) + ("," if comma >= 0 else "")
        return self._apply([*([] if comma >= 0 else [(end, end, ",")]), (tail, tail, line)])

    def drop(self, path: Path, at: int) -> str:
        items = self._items(path)
        if items is None:
            raise Invalid(f'the file has no "{path[-1]}"', "nothing to remove")
        opening, closing, spans = items
        if len(spans) == 1:
            return self._apply([(opening + 1, closing, "")])
        start, end, comma = spans[at]
        own_line = self._first_on_line(start)
        if at < len(spans) - 1 and not own_line:
            return self._apply([(start, spans[at + 1][0], "")])
        edits = [(self._ink_before(start), comma + 1 if comma >= 0 else end, "")]
        if comma < 0:
            before = spans[at - 1][2]
            edits = [(before, edits[0][1], "")] if before + 1 == edits[0][0] else [(before, before + 1, ""), *edits]
        return self._apply(edits)

    def _items(self, path: Path) -> tuple[int, int, list[tuple[int, int, int]]] | None:
        """The offsets of a list's brackets, and of each item's start, end and comma (or -1); None for no such list."""
        if not self.ink:
            return None
        here = self._object(0)
        for key in path[:-1]:
            member = _only(here, key)
            if member is None:
                return None
            here = self._inside(member)
        member = _only(here, path[-1])
        if member is None:
            return None
        if self._shown(member.index) != "[":
            raise Invalid(f'"{path[-1]}" in the file is not a list', "mend it by hand first")
        last, at, spans = self._skip(member.index), member.index + 1, []
        while at < last:
            end = self._skip(at)
            comma = self.ink[end + 1].start if self._shown(end + 1) == "," else -1
            spans.append((self.ink[at].start, self.ink[end].end, comma))
            at = end + (2 if comma >= 0 else 1)
        return self.ink[member.index].start, self.ink[last].start, spans

    def _insert(self, here: _Object, key: str, value: object) -> list[tuple[int, int, str]]:
        name = json.dumps(key, ensure_ascii=False) + self.colon
        base = self._indent(here.open)
        tail = self._ink_before(here.close)
        if not here.members:
            if self.flat:
                return [(here.open + 1, here.open + 1, name + self._render(value, "", flat=True))]
            inner = base + self.unit
            body = self.newline + inner + name + self._render(value, inner)
            closing = self.newline + base
            if tail == here.open + 1:
                return [(tail, here.close, body + closing)]
            return [(tail, tail, body + ("" if "\n" in self.text[tail : here.close] else closing))]
        last = here.members[-1]
        comma = [(last.end, last.end, ",")] if last.comma < 0 else []
        after = "," if last.comma >= 0 else ""
        own_line = [member for member in here.members if self._first_on_line(member.start)]
        if own_line or self._line_comment_ends(tail):
            inner = self._indent(own_line[-1].start) if own_line else base + self.unit
            return [*comma, (tail, tail, self.newline + inner + name + self._render(value, inner) + after)]
        gap = "" if self.colon == ":" else " "
        at = last.end if last.comma < 0 else last.comma + 1
        return [*comma, (at, at, gap + name + self._render(value, "", flat=True) + after)]

    def _render(self, value: object, indent: str, *, flat: bool = False) -> str:
        """`value` as JSON; objects one member a line unless `flat`, lists always on one line."""
        if not isinstance(value, dict) or not value or flat or self.flat:
            gaps = (",", ":") if self.colon == ":" else (", ", ": ")
            return json.dumps(value, ensure_ascii=False, separators=gaps)
        inner = self.newline + indent + self.unit
        lines = [json.dumps(key, ensure_ascii=False) + self.colon + self._render(part, indent + self.unit)
                 for key, part in value.items()]  # fmt: skip
        return "{" + inner + ("," + inner).join(lines) + self.newline + indent + "}"

    def _object(self, index: int) -> _Object:
        """The object whose brace is token `index`, its members one level deep."""
        if self._shown(index) != "{":
            raise Invalid("the file holds no JSON object", "its outermost value must be { ... }")
        members: list[_Member] = []
        at = index + 1
        while self._shown(at) != "}":
            key, first = self.ink[at], at + 2
            last = self._skip(first)
            comma = self.ink[last + 1].start if self._shown(last + 1) == "," else -1
            name = json.loads(self.text[key.start : key.end])
            members.append(_Member(name, key.start, first, self.ink[first].start, self.ink[last].end, comma))
            at = last + (2 if comma >= 0 else 1)
        return _Object(self.ink[index].start, self.ink[at].start, tuple(members))

    def _inside(self, member: _Member) -> _Object:
        if self._shown(member.index) != "{":
            raise Invalid(f'"{member.key}" in the file is not an object', "mend it by hand first")
        return self._object(member.index)

    def _skip(self, index: int) -> int:
        """The last token of the value that starts at token `index`."""
        depth = 0
        while True:
            shown = self._shown(index)
            depth += (shown in ("{", "[")) - (shown in ("}", "]"))
            if depth == 0:
                return index
            index += 1

    def _shown(self, index: int) -> str:
        token = self.ink[index]
        return self.text[token.start : token.end] if token.kind == "mark" else ""

    def _trailing_commas(self) -> list[_Token]:
        marks = [self._shown(index) for index in range(len(self.ink))]
        return [
            self.ink[at]
            for at in range(1, len(marks) - 1)
            if marks[at] == "," and marks[at + 1] in ("}", "]") and marks[at - 1] not in ("{", "[", ",", ":")
        ]

    def _ink_before(self, at: int) -> int:
        """The offset just behind the last character before `at` that is not space."""
        return len(self.text[:at].rstrip(" \t\r\n"))

    def _indent(self, at: int) -> str:
        found = _BLANKS.match(self.text, self.text.rfind("\n", 0, at) + 1)
        return found[0] if found else ""

    def _first_on_line(self, at: int) -> bool:
        start = self.text.rfind("\n", 0, at) + 1
        return start > 0 and not self.text[start:at].strip()

    def _same_line(self, start: int, end: int) -> bool:
        return not self._first_on_line(start) and "\n" not in self.text[start:end]

    def _line_comment_ends(self, at: int) -> bool:
        return any(token.end == at and self.text.startswith("//", token.start) for token in self.comments)

    def _comment_in(self, start: int, end: int) -> bool:
        return any(start <= token.start < end for token in self.comments)

    def _apply(self, edits: list[tuple[int, int, str]]) -> str:
        pieces, at = [], 0
        for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
            pieces += [self.text[at:start], new]
            at = end
        return "".join([*pieces, self.text[at:]])


def _only(here: _Object, key: str) -> _Member | None:
    found = [member for member in here.members if member.key == key]
    if len(found) > 1:
        raise Invalid(f'the file has "{key}" twice', "keep one of them")
    return found[0] if found else None


def _there(here: _Object, key: str) -> _Member:
    member = _only(here, key)
    if member is None:
        raise Invalid(f'the file has no "{key}"', "nothing to remove")
    return member


def _nested(path: Path, value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _fault(text: str, at: int, what: str) -> Invalid:
    line = text.count("\n", 0, at) + 1
    what = what[:1].lower() + what[1:]
    return Invalid(f"the file is not JSON: line {line}: {what}", "mend it by hand first", line=line)
