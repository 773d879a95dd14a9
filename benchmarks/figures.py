"""One measured row, and how a list of them is shown and kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

Fact = str | int | float | bool | None


@dataclass(frozen=True)
class Figure:
    """`measured` and `bar` are texts for people; `met` is the verdict; `facts` hold the numbers it was drawn from."""

    row: str
    what: str
    bar: str
    measured: str
    met: bool
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled, invented or refused meanwhile: what no busy machine excuses."""
        return not any(self.facts.get(name) for name in ("lost", "doubled", "never_sent", "errors", "complaints"))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them lie, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def machine() -> dict[str, Fact]:
    """The facts without which absolute figures mean nothing."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cores": os.cpu_count(),
        "load": " ".join(f"{part:.2f}" for part in os.getloadavg()),
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "disk": _disk(),
    }


def _disk() -> str:
    """What one durable write costs here without any of our code: 16 KiB appended and synced."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            file.write(b"x" * 16_384)
            file.flush()
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return f"bare fdatasync p50 {milliseconds(p50(times))}, p99 {milliseconds(percentile(times, 0.99))}"


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table of the rows."""
    lines = ["| what | bar | measured | |", "|---|---|---|---|"]
    lines += [f"| {f.what} | {f.bar} | {f.measured} | {'met' if f.met else '**missed**'} |" for f in figures]
    return "\n".join(lines)


def keep(figures: Sequence[Figure], facts: Mapping[str, Fact], quick: bool, folder: Path) -> Path:
    """Write the run as JSON and return where."""
    folder.mkdir(exist_ok=True)
    stamp = str(facts["at"]).replace(":", "").replace("-", "")
    path = folder / f"bench-{stamp}.json"
    run = {"machine": dict(facts), "quick": quick, "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
    return path
