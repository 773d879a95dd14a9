"""Yolo: what `find` removes: where it begins, and whether its tests leave anything out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_RUNS = frozenset(["-exec", "-execdir", "-ok", "-okdir"])
_BEFORE = frozenset(["-H", "-L", "-P"])
_BY_NAME = frozenset(
    ["-name", "-iname", "-path", "-ipath", "-wholename", "-iwholename", "-regex", "-iregex", "-lname", "-ilname"]
)
_NARROW = frozenset(["-mtime", "-mmin", "-ctime", "-cmin", "-atime", "-amin", "-newer", "-size", "-user", "-inum"])
_OR = frozenset(["-o", "-or", ","])
_NOT = frozenset(["!", "-not"])
_REMOVERS = frozenset(["rm", "shred", "unlink", "rmdir", "srm", "wipe"])


def starts(texts: Sequence[str]) -> list[str]:
    """The folders that find begins in (the name of the program first in `texts`)."""
    at = _first(texts)
    end = next((place for place in range(at, len(texts)) if texts[place].startswith(("-", "(", "!"))), len(texts))
    return list(texts[at:end]) or ["."]


def _first(texts: Sequence[str]) -> int:
    at = 1
    while at < len(texts) and (texts[at] in _BEFORE or re.match(r"-O[0-9]|-D$", texts[at])):
        at += 2 if texts[at] == "-D" else 1
    return at


def runs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the words of each program that find runs begin and end."""
    for place, text in enumerate(texts):
        if text in _RUNS and place + 1 < len(texts):
            stop = next((at for at in range(place + 1, len(texts)) if texts[at] in (";", "+")), len(texts))
            if stop > place + 1:
                yield place + 1, stop


def removes_all(texts: Sequence[str]) -> bool:
    """Whether some action removes what no test of its own and-list has chosen by name, age or size."""
    for place, text in enumerate(texts):
        inner = texts[place + 1 : place + 2]
        removes = text == "-delete" or (text in _RUNS and bool(inner) and inner[0].rsplit("/", 1)[-1] in _REMOVERS)
        if removes and not _chosen(_and_list(list(texts[_first(texts) : place]))):
            return True
    return False


def removes(texts: Sequence[str]) -> bool:
    return "-delete" in texts or any(texts[begin].rsplit("/", 1)[-1] in _REMOVERS for begin, _ in runs(texts))


def _and_list(texts: list[str]) -> list[str]:
    """What stands behind the last `-o` outside brackets; an open bracket is looked into."""
    depth, begin = 0, 0
    for place, text in enumerate(texts):
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif text in _OR and depth <= 0:
            begin = place + 1
    return texts[begin:]


def _chosen(texts: list[str]) -> bool:
    """Whether an and-list holds a test that says yes to few: not negated, and with a letter or digit in a name."""
    at = 0
    negated = False
    while at < len(texts):
        text = texts[at]
        if text in _NOT:
            negated = not negated
            at += 1
            continue
        if text == "(":
            end = _closing(texts, at)
            if not negated and all(_chosen(one) for one in _alternatives(texts[at + 1 : end])):
                return True
            at = end + 1
        else:
            value = texts[at + 1] if at + 1 < len(texts) else ""
            narrow = (
                text == "-empty" or text in _NARROW or (text in _BY_NAME and re.search(r"[\w~]", value) is not None)
            )
            if narrow and not negated:
                return True
            at += 2 if text in _BY_NAME or text in _NARROW or text in ("-type", "-maxdepth", "-mindepth") else 1
        negated = False
    return False


def _closing(texts: list[str], at: int) -> int:
    depth = 0
    for place in range(at, len(texts)):
        depth += {"(": 1, ")": -1}.get(texts[place], 0)
        if depth == 0:
            return place
    return len(texts)


def _alternatives(texts: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    depth = 0
    for text in texts:
        depth += {"(": 1, ")": -1}.get(text, 0)
        if text in _OR and depth == 0:
            found.append([])
        else:
            found[-1].append(text)
    return found
