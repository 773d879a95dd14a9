"""The difference a person sees before anything is written: a unified diff that leaks no secret and steers no terminal.

Lines around ours belong to other servers, so values that look like secrets are shown as `***`; control characters are
escaped; lines of a minified file are cut down to the place that changes, of which everything that is added is shown.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from multiagent_bridge.clients.files import shown

CONTEXT = 3
WIDEST = 300
AROUND = 60
_NAMED = re.compile(
    r"""(?i)((["']?)[\w.-]*(?:token|secret|passw|api[_-]?key|[_-]key|authorization|credential|cookie)[\w.-]*\2\s*[:=]\s*)"""
    r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',}\]]+)"""
)
_LONG = re.compile(r"""(["'])(?:Bearer\s+)?[A-Za-z0-9+=_.~-]{20,}\1""")


def difference(path: Path, before: str | None, after: str | None, *, ours: bool = True) -> list[str]:
    """The unified diff from `before` to `after`, a file that is not there being None. Lines without line ends.

    `ours`: what is added is our own entry, which holds no secret and is shown in full.
    """
    old, new = _lines(before), _lines(after)
    known = before or "" if ours else None
    name = shown(path)
    out = [f"--- {name if before is not None else '/dev/null'}", f"+++ {name if after is not None else '/dev/null'}"]
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    first, last = max(0, head - CONTEXT), min(tail, CONTEXT)
    old, new = old[first : len(old) - tail + last], new[first : len(new) - tail + last]
    body: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            body += [" " + _masked(line) for line in old[a:b]]
            continue
        pairs = [(_masked(o), _masked(n, known)) for o, n in zip(old[a:b], new[c:d], strict=False)]
        gone = [*(o for o, _ in pairs), *(_masked(o) for o in old[a + len(pairs) : b])]
        come = [*(n for _, n in pairs), *(_masked(n, known) for n in new[c + len(pairs) : d])]
        places = [_common(list(o), list(n)) for o, n in pairs]
        body += ["-" + _cut(line, place) for line, place in zip(gone, [*places, *[0] * len(gone)], strict=False)]
        ends = [_common(list(o)[at:][::-1], list(n)[at:][::-1]) for (o, n), at in zip(pairs, places, strict=True)]
        added = zip(come, [*places, *[0] * len(come)], [*ends, *[0] * len(come)], strict=False)
        body += ["+" + _whole(line, place, end) for line, place, end in added]
    spans = [f"{first + 1 if lines else 0},{len(lines)}" for lines in (old, new)]
    return [
        *out,
        f"@@ -{spans[0]} +{spans[1]} @@",
        *(shown(line if line[:1] == "+" else _cut(line, 0)) for line in body),
    ]


def _lines(text: str | None) -> list[str]:
    if text is None:
        return []
    lines = text.split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def _common(old: list[str], new: list[str]) -> int:
    """How many leading items two lists share."""
    return next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _masked(line: str, known: str | None = None) -> str:
    """`line` without what looks like a secret. With `known`, a long value that does not occur there is our own."""
    line = _NAMED.sub(_starred, line)
    return _LONG.sub(lambda found: found[0] if known is not None and found[0] not in known else '"***"', line)


def _cut(line: str, place: int) -> str:
    if len(line) <= WIDEST:
        return line
    start = max(0, place - WIDEST // 5)
    return ("…" if start else "") + line[start : start + WIDEST] + ("…" if start + WIDEST < len(line) else "")


def _whole(line: str, place: int, end: int) -> str:
    """All that is new in `line`, from `place` to `end` characters before its end, with a little of what stands around it."""
    start, stop = max(0, place - AROUND), min(len(line), len(line) - end + AROUND)
    return ("…" if start else "") + line[start:stop] + ("…" if stop < len(line) else "")


def _starred(found: re.Match[str]) -> str:
    quote = found[3][0] if found[3][0] in "\"'" else ""
    return f"{found[1]}{quote}***{quote}"
