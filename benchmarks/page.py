"""docs/benchmarks.md: the newest full measurement of every figure, each with its day and the load of the machine then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.figures import Fact, Figure

INTRODUCTION = """# Figures

Every row is a ratio (or a count) within one run, so that it says something about the program and not about the machine;
absolute times beside it are for the machine named below and no other. `./dev bench` measures again, `./dev bench --quick`
in a few minutes, `./dev bench --only NAME` one row; with `--write` what was measured in full is renewed on this page.

The no-op is a tool that returns at once, registered on the same hub and reached over the same `mab mcp`. Calls are made by
the client of the MCP SDK, except in `throughput`, `history`, `crash` and where *bare wire* is written: there a client that
only writes and reads JSON lines stands on both sides, because the SDK client's own work would drown the difference.
"""
HEAD = ("what", "bar", "measured", "", "when, load")
TITLE = "## Measured"


def renewed(page: str, figures: Sequence[Figure], facts: Mapping[str, Fact]) -> str:
    """The page with these figures in place of older ones of the same name. What stands behind the table is kept.

    Raises ValueError for a figure that a table cannot hold.
    """
    when = f"{str(facts['at'])[:10]}, {str(facts['load']).split()[0]}"
    rows = {cells[0]: cells for cells in map(_cells, page.splitlines()) if len(cells) == len(HEAD) and cells != HEAD}
    for figure in figures:
        cells = (figure.what, figure.bar, figure.measured, "met" if figure.met else "**missed**", when)
        if any("|" in cell or "\n" in cell for cell in cells):
            raise ValueError(f"{figure.row}: a cell holds a line or a bar")
        rows[figure.what] = cells
    machine = [f"- {name}: {value}" for name, value in facts.items() if name not in ("at", "load")]
    lines = [INTRODUCTION, TITLE, "", *machine, "", _line(HEAD), "|---" * len(HEAD) + "|"]
    return "\n".join([*lines, *map(_line, rows.values())]) + "\n" + _behind(page)


def _cells(line: str) -> tuple[str, ...]:
    if not line.startswith("| "):
        return ()
    return tuple(cell.strip() for cell in line.strip("|").split("|"))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _behind(page: str) -> str:
    """The sections after the table."""
    lines = page.splitlines()
    last = max((n for n, line in enumerate(lines) if line.startswith("|")), default=len(lines))
    return "\n".join(lines[last + 1 :]) + "\n" if lines[last + 1 :] else ""
