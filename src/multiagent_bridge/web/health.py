"""The page *Health*: what a doctor says of the running hub, and the last hour of its gauges drawn and told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from multiagent_bridge.model.health import Counts, Sample
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.services.health import SAMPLE_SECONDS
from multiagent_bridge.web.pages import Pages, Visit

SPAN = 3_600 * SECOND
"""What a picture shows."""

WIDTH, HEIGHT = 480, 80

STEPS = 12
"""Rows of the table beside the pictures."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One line over the last hour: the points of an SVG polyline, and what it says in words."""

    title: str
    points: str
    now: str
    most: str
    bad: bool = False

    @property
    def label(self) -> str:
        return f"{self.title}, in the last hour: now {self.now}, at most {self.most}"


@dataclass(frozen=True, slots=True)
class Row:
    """Five minutes of the table: calls and refusals in all, the largest of everything else. `p95` is in seconds."""

    at: int
    calls: int
    refused: int
    p95: float | None
    transactions: int
    waiting: int
    approvals: int


@dataclass(frozen=True, slots=True)
class Tool:
    """The calls of one tool since the hub began: how many, and what those came to that were not done."""

    name: str
    done: int
    others: Sequence[tuple[str, int]]


def routes(pages: Pages) -> Sequence[BaseRoute]:
    return (pages.get("/health", page), pages.get("/health/now", now))


async def page(visit: Visit) -> Response:
    return visit.page("health.html", **await _seen(visit))


async def now(visit: Visit) -> Response:
    return await visit.shared("health_now.html", lambda: _seen(visit))


async def _seen(visit: Visit) -> Mapping[str, object]:
    found = await visit.hub.health.look(visit.caller)
    return {
        "health": found,
        "pictures": pictures(found.samples, visit.now),
        "rows": rows(found.samples, visit.now),
        "tools": tools(found.counts),
        "width": WIDTH,
        "height": HEIGHT,
    }


def pictures(samples: Sequence[Sample], at: int) -> Sequence[Picture]:
    """The gauges of the last hour, each with its words; none without samples."""
    young = [one for one in samples if 0 <= at - one.at < SPAN]
    if not young:
        return ()
    drawn: Sequence[tuple[str, Callable[[Sample], float | None], Callable[[float], str], bool]] = (
        (f"Calls in {SAMPLE_SECONDS} s", lambda one: one.calls, _count, False),
        (f"Errors in {SAMPLE_SECONDS} s", lambda one: one.refused, _count, True),
        ("Time of 95 in 100 calls", lambda one: one.p95, seconds, False),
        ("Transactions under way", lambda one: one.transactions, _count, False),
        ("Agents that wait", lambda one: one.waiting, _count, False),
        ("Commands that wait for a person", lambda one: one.approvals, _count, False),
    )
    return [_picture(title, [(one.at, of(one)) for one in young], at, told, bad) for title, of, told, bad in drawn]


def _picture(
    title: str, values: Sequence[tuple[int, float | None]], at: int, told: Callable[[float], str], bad: bool
) -> Picture:
    known = [(when, value) for when, value in values if value is not None]
    most = max((value for _, value in known), default=0.0)
    scale = (HEIGHT - 8) / most if most else 0.0
    points = " ".join(
        f"{WIDTH - (at - when) * WIDTH // SPAN},{HEIGHT - 4 - value * scale:.0f}" for when, value in known
    )
    last = values[-1][1]
    return Picture(title, points, "none" if last is None else told(last), told(most) if known else "none", bad)


def rows(samples: Sequence[Sample], at: int) -> Sequence[Row]:
    """The last hour in steps, the newest first; steps without a sample are left out."""
    span = SPAN // STEPS
    kept: dict[int, list[Sample]] = {}
    for one in samples:
        if 0 <= at - one.at < SPAN:
            kept.setdefault((at - one.at) // span, []).append(one)
    return [
        Row(
            at=step[0].at,
            calls=sum(one.calls for one in step),
            refused=sum(one.refused for one in step),
            p95=max((one.p95 for one in step if one.p95 is not None), default=None),
            transactions=max(one.transactions for one in step),
            waiting=max(one.waiting for one in step),
            approvals=max(one.approvals for one in step),
        )
        for _, step in sorted(kept.items())
    ]


def tools(counts: Counts | None) -> Sequence[Tool]:
    """Tools that were called, the most called first."""
    found: dict[str, dict[str, int]] = {}
    for (name, outcome), count in (counts.calls if counts else {}).items():
        found.setdefault(name, {})[outcome] = count
    made = [
        Tool(name, outcomes.get("done", 0), sorted((one, n) for one, n in outcomes.items() if one != "done"))
        for name, outcomes in found.items()
    ]
    return sorted(made, key=lambda one: (-one.done - sum(count for _, count in one.others), one.name))


def seconds(value: float) -> str:
    """A length of time in its own unit."""
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"


def _count(value: float) -> str:
    return f"{value:,.0f}"
