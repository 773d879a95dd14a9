"""Named queries: one .sql file a noun, each query after a line `-- name: NAME`, its values written `:name`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_NAMED = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_VALUE = re.compile(r"(?<!:):([a-z_]\w*)")
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """`text` as PostgreSQL takes it, and the names of its values in the order of their numbers."""

    text: str
    names: tuple[str, ...]


def query(text: str) -> Query:
    """A statement whose values are written `:name`, each as often as it is needed."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return Query(_VALUE.sub(number, _COMMENT.sub("", text).strip().removesuffix(";")), tuple(names))


@cache
def named(noun: str) -> Mapping[str, Query]:
    """The queries of `<noun>.sql` by name."""
    parts = _NAMED.split((files(__package__) / f"{noun}.sql").read_text(encoding="utf-8"))
    return {name: query(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def migrations() -> tuple[str, ...]:
    """The schema's steps in order: `migrations/0001_*.sql` is the step from version 0 to 1, and so on."""
    steps = sorted(
        (f for f in (files(__package__) / "migrations").iterdir() if f.name.endswith(".sql")), key=lambda f: f.name
    )
    numbers = [int(step.name[:4]) for step in steps]
    if numbers != list(range(1, len(steps) + 1)):
        raise RuntimeError(f"migrations must be numbered from 1 without a gap, found {numbers}")
    return tuple(step.read_text(encoding="utf-8") for step in steps)
