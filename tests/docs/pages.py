"""Reads the project's Markdown: its pages, their fenced blocks, their links and headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("console", "bash", "sh", "shell")

_FENCE = re.compile(r"^(`{3,}|~{3,})\s*([\w+-]*)\s*$")
_MARK = re.compile(r"^<!--\s*(run|not run)(?::\s*(.*?))?\s*-->$")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its lines, the line it starts on, and the comment that stands before it.

    `<!-- run -->` has it executed, `<!-- run: exit 3 -->` executed with that exit status, `<!-- not run: why -->` not.
    """

    page: Path
    line: int
    language: str
    lines: tuple[str, ...]
    mark: str | None
    note: str

    @property
    def status(self) -> int:
        """The exit status that each command of the block must have."""
        found = re.fullmatch(r"exit (\d+)", self.note)
        return int(found[1]) if found else 0

    def commands(self) -> list[tuple[str, str]]:
        """(command, expected output) pairs; in a console block `$ ` and `> ` lead commands, the rest is printed."""
        if self.language != "console":
            return [("\n".join(self.lines), "")]
        pairs: list[tuple[list[str], list[str]]] = []
        for text in self.lines:
            if text.startswith("$ "):
                pairs.append(([text[2:]], []))
            elif text.startswith("> ") and pairs and not pairs[-1][1]:
                pairs[-1][0].append(text[2:])
            elif pairs:
                pairs[-1][1].append(text)
        return [("\n".join(command), "\n".join(output).strip()) for command, output in pairs]


def pages() -> list[Path]:
    """Every Markdown page a reader may open: those at the root and all under docs/."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of `page`, in order. Raises ValueError for a fence that never closes."""
    found: list[Block] = []
    opened: tuple[int, str, str] | None = None
    body: list[str] = []
    mark: tuple[str | None, str] = (None, "")
    for number, text in enumerate(page.read_text("utf-8").splitlines(), 1):
        if opened:
            if text.strip() == opened[1]:
                found.append(Block(page, opened[0], opened[2], tuple(body), *mark))
                opened, body, mark = None, [], (None, "")
            else:
                body.append(text)
        elif fence := _FENCE.match(text):
            opened = (number, fence[1], fence[2])
        elif said := _MARK.match(text.strip()):
            mark = (said[1], said[2] or "")
        elif text.strip():
            mark = (None, "")
    if opened:
        raise ValueError(f"{page}: the block of line {opened[0]} never closes")
    return found


def prose(page: Path) -> list[str]:
    """The lines of `page` outside fenced blocks, with inline code taken out."""
    lines, inside = [], ""
    for text in page.read_text("utf-8").splitlines():
        fence = _FENCE.match(text)
        if inside:
            inside = "" if text.strip() == inside else inside
        elif fence:
            inside = fence[1]
        else:
            lines.append(re.sub(r"`[^`]*`", "", text))
    return lines


def links(page: Path) -> list[str]:
    """The targets of inline links and pictures."""
    return [target for text in prose(page) for target in _LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """The fragment names of the headings, as the usual renderers make them: lower case, spaces to hyphens."""
    inside, names = "", set()
    for text in page.read_text("utf-8").splitlines():
        fence = _FENCE.match(text)
        if inside:
            inside = "" if text.strip() == inside else inside
        elif fence:
            inside = fence[1]
        elif heading := re.match(r"#{1,6}\s+(.*?)\s*#*$", text):
            plain = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            names.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return names
