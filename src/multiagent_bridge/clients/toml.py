"""TOML edited as text: every character that is not ours stays where it was.

TOML 1.0. tomllib judges, tomlkit renders values, and a small scanner finds the places: a tomlkit document loses the
comment that introduces the next table when a table is taken out, and space inside inline tables (run with 0.15).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

import tomlkit

from multiagent_bridge.errors import Conflict, Invalid

Path = tuple[str, ...]
_STRING = r'"""(?:[^\\]|\\.)*?"{3,5}|' r"'''.*?'{3,5}" r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"' r"|'[^'\n]*'"
_PART = r"[A-Za-z0-9_-]+" r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"' r"|'[^'\n]*'"
_KEY = rf"(?:{_PART})(?:[ \t]*\.[ \t]*(?:{_PART}))*"
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_HEADER = re.compile(rf"(\[\[?)[ \t]*({_KEY})[ \t]*\]\]?")
_PAIR = re.compile(rf"({_KEY})[ \t]*=[ \t]*")
_VALUE = re.compile(
    rf"(?P<string>{_STRING})|(?P<open>[\[{{])|(?P<close>[\]}}])|(?P<comment>#[^\n]*)|(?P<end>\r?\n)|.", re.DOTALL
)
_BLANKS = re.compile(r"[ \t]*")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_MEMBER = re.compile(rf"[ \t]*({_KEY})[ \t]*=[ \t]*")
_REST = re.compile(r"[ \t]*(?:#[^\n]*|\r)?(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class _Statement:
    """A table header (`value` is -1) or a key with its value; `start` and `end` span its lines.

    `inside`: it is a member of an inline table; `table` is that table and there are no lines.
    """

    path: Path
    table: Path
    start: int
    value: int
    value_end: int
    end: int
    inside: bool = False

    def under(self, path: Path) -> bool:
        return self.path[: len(path)] == path


def loads(text: str) -> dict[str, object]:
    """The document `text` holds. Raises Invalid with the place of the first fault."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as fault:
        what = str(fault)[:1].lower() + str(fault)[1:]
        raise Invalid(f"the file is not TOML: {what}", "mend it by hand first") from None
    except (ValueError, RecursionError):
        raise Invalid("the file is not TOML that can be read safely", "mend it by hand first") from None


def put(text: str, path: Path, value: object) -> str:
    """`text` with `value` at `path`. A table that is new goes to the end. The text must be TOML (`loads`)."""
    statements = _scan(text)
    same = next((s for s in statements if s.value >= 0 and s.path == path), None)
    if same is not None:
        return text[: same.value] + _shown(value) + text[same.value_end :]
    newline = "\r\n" if "\r\n" in text else "\n"
    around = [s for s in statements if s.value >= 0 and s.path == path[: len(s.path)]]
    if around:
        return _put_inline(text, around[-1], path, value)
    if isinstance(value, dict) and len(path) == 2:
        lines = [f"{_bare(key)} = {_shown(part)}" for key, part in value.items()]
        return _append(text, [f"[{_dotted(path)}]", *lines], newline)
    line = f"{_bare(path[-1])} = {_shown(value)}"
    last = next((s for s in reversed(statements) if s.table == path[:-1] and not s.inside), None)
    if last is not None:
        gap, end = ("", newline) if text[: last.end].endswith("\n") else (newline, "")
        return text[: last.end] + gap + line + end + text[last.end :]
    cousin = next((s for s in reversed(statements) if s.path[:-1] == path[:-1] and s.value >= 0), None)
    if cousin is not None:  # mcp_servers.mab.command = "...": a table of that name may not follow
        line = f"{_dotted(path[len(cousin.table) :])} = {_shown(value)}"
        gap, end = ("", newline) if text[: cousin.end].endswith("\n") else (newline, "")
        return text[: cousin.end] + gap + line + end + text[cousin.end :]
    return _append(text, [f"[{_dotted(path[:-1])}]", line], newline)


def remove(text: str, path: Path) -> str:
    """`text` without what stands at `path`, which must be there, and nothing else missing."""
    statements = _scan(text)
    ours = [s for s in statements if s.under(path)]
    inside = next((s for s in ours if s.inside), None)
    if inside is not None and ours[0].inside:
        return _remove_inline(text, inside)
    lines = [s for s in ours if not s.inside]
    runs: list[tuple[int, int]] = []
    for statement in lines:
        start = statement.start
        # Comments between two lines of one entry belong to it; those before the next table do not.
        if runs and not any(runs[-1][1] <= s.start < start for s in statements):
            start = runs.pop()[0]
        runs.append((start, statement.end))
    for start, end in reversed(runs):
        text = _without_lines(text, start, end)
    return text


def _without_lines(text: str, start: int, end: int) -> str:
    """The text without these lines, and without the blank line before them that would be one too many."""
    before, after = text[:start], text[end:]
    blank = re.search(r"(?:^|(?<=\n))[ \t]*\r?\n\Z", before)
    if blank and (not after.strip(" \t") or re.match(r"[ \t]*\r?\n", after)):
        before = before[: blank.start()]
    if not after and not text.endswith("\n"):
        before = before.removesuffix("\n").removesuffix("\r")
    return before + after


def _put_inline(text: str, holder: _Statement, path: Path, value: object) -> str:
    """For `mcp_servers = { ... }` on one line, which a table of its own may not extend."""
    if text[holder.value] != "{":
        raise Invalid(f'"{holder.path[-1]}" in the file is not a table', "mend it by hand first")
    member = f"{_dotted(path[len(holder.path) :])} = {_shown(value)}"
    body = text[holder.value + 1 : holder.value_end - 1]
    end = holder.value + 1 + len(body.rstrip(" \t"))
    if not body.strip(" \t"):
        return text[: holder.value] + "{ " + member + " }" + text[holder.value_end :]
    return text[:end] + ", " + member + text[end:]


def _remove_inline(text: str, member: _Statement) -> str:
    start, end = member.start, member.value_end
    comma = _COMMA.match(text, end)
    before = text[:start].rstrip(" \t")
    if comma:
        end = comma.end()
    elif before.endswith(","):
        start = len(before) - 1
    return text[:start] + text[end:]


def _scan(text: str) -> list[_Statement]:
    """The statements of a text that is known to be TOML, in order, members of inline tables behind their table."""
    found: list[_Statement] = []
    table: Path = ()
    at = 1 if text.startswith("\ufeff") else 0
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if at >= len(text):
            return found
        start = max(text.rfind("\n", 0, at) + 1, 1 if text.startswith("\ufeff") else 0)
        if header := _HEADER.match(text, at):
            table, at = _path(header[2]), header.end()
            path, value, value_end = table, -1, -1
        elif pair := _PAIR.match(text, at):
            path, value = table + _path(pair[1]), pair.end()
            value_end = at = _value_end(text, value)
        else:
            raise Conflict("the file cannot be edited safely", "add the entry by hand: --print")
        rest = _REST.match(text, at)
        at = rest.end() if rest else at
        found.append(_Statement(path, table, start, value, value_end, at))
        if value >= 0 and text[value] == "{":
            found += _members(text, path, value)


def _members(text: str, path: Path, at: int) -> list[_Statement]:
    """What stands in the inline table that opens at `at`, one level after the other."""
    found: list[_Statement] = []
    while pair := _MEMBER.match(text, at + 1):
        name, value = path + _path(pair[1]), pair.end()
        at = _value_end(text, value, ",}")
        found.append(_Statement(name, path, pair.start(1), value, at, at, inside=True))
        if text[value] == "{":
            found += _members(text, name, value)
        blanks = _BLANKS.match(text, at)
        at = blanks.end() if blanks else at
        if text[at] != ",":
            break
    return found


def _value_end(text: str, at: int, stops: str = "") -> int:
    """Where the value that starts at `at` ends: before a line end, a comment, or one of `stops` on its own level."""
    depth, end = 0, at
    while at < len(text) and (token := _VALUE.match(text, at)):
        if depth == 0 and (token.lastgroup in ("end", "comment") or token[0] in tuple(stops)):
            break
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        at = token.end()
        end = end if token[0] in (" ", "\t") else at
    return end


def _path(key: str) -> Path:
    return tuple(_plain(part) for part in re.findall(_PART, key))


def _plain(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    return str(tomllib.loads(f"key = {part}")["key"]) if part[0] == '"' else part


def _append(text: str, lines: list[str], newline: str) -> str:
    """`text` with `lines` behind it, a blank line between; a missing final newline stays missing."""
    if not text.removeprefix("\ufeff"):
        return text + newline.join(lines) + newline
    gap = "" if text.endswith("\n") else newline
    if not (text + gap).endswith(("\n\n", "\n\r\n")):
        gap += newline
    return text + gap + newline.join(lines) + (newline if text.endswith("\n") else "")


def _inline(value: object) -> object:
    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    for key, part in value.items():
        table[key] = _inline(part)
    return table


def _shown(value: object) -> str:
    return str(tomlkit.item(_inline(value)).as_string())


def _bare(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _shown(key)


def _dotted(path: Path) -> str:
    return ".".join(_bare(key) for key in path)
