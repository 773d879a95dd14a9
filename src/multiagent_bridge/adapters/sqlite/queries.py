"""Named queries: one .sql file a noun, each query after a line `-- name: NAME`.

Values are given by name, or, where a send passes, as a tuple in the order in which the query first names them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_NAMED = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def named(noun: str) -> Mapping[str, str]:
    """The queries of `<noun>.sql` by name."""
    parts = _NAMED.split((files(__package__) / f"{noun}.sql").read_text(encoding="utf-8"))
    return {name: query.strip() for name, query in zip(parts[1::2], parts[2::2], strict=True)}


def migrations() -> tuple[str, ...]:
    """The schema's steps in order: `migrations/0001_*.sql` is the step from version 0 to 1, and so on."""
    steps = sorted(
        (f for f in (files(__package__) / "migrations").iterdir() if f.name.endswith(".sql")), key=lambda f: f.name
    )
    numbers = [int(step.name[:4]) for step in steps]
    if numbers != list(range(1, len(steps) + 1)):
        raise RuntimeError(f"migrations must be numbered from 1 without a gap, found {numbers}")
    return tuple(step.read_text(encoding="utf-8") for step in steps)
