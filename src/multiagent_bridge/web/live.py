"""The page *Live*: what waits for a person first, then who talks to whom, and what just happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.web.pages import Pages, Visit

ROWS = 40
"""Entries listed."""

WAITING = 20
"""Requests listed; the page of approvals has the others."""

STRIP_SECONDS, STRIP_STEPS = 900, 60
"""What the strip shows, and in how many steps."""

KINDS = ("messages", "commands", "silences", "refusals")
"""The lanes of the strip, and what the list can be narrowed to."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the strip: how many of its kind, and of each step that has some (place, count)."""

    kind: str
    count: int
    steps: Sequence[tuple[int, int]]


def routes(pages: Pages) -> Sequence[BaseRoute]:
    return (
        pages.get("/", page),
        pages.get("/live/approvals", approvals),
        pages.get("/live/conversations", conversations),
        pages.get("/live/timeline", timeline),
    )


async def page(visit: Visit) -> Response:
    names: dict[str, object] = {"waiting": None, "scenes": None, "entries": None}
    if visit.may("command.list"):
        names |= await _waiting(visit)
    if visit.may("conversation.show"):
        names |= await _scenes(visit)
    if visit.may("journal.read"):
        names |= await _happened(visit)
    return visit.page("live.html", **names)


async def approvals(visit: Visit) -> Response:
    return await visit.shared("live_approvals.html", lambda: _waiting(visit))


async def conversations(visit: Visit) -> Response:
    return await visit.shared("live_conversations.html", lambda: _scenes(visit))


async def timeline(visit: Visit) -> Response:
    return await visit.shared("live_timeline.html", lambda: _happened(visit))


async def _waiting(visit: Visit) -> Mapping[str, object]:
    found = await visit.hub.approvals.waiting(visit.caller)
    return {"waiting": found[:WAITING], "more": len(found) - WAITING}


async def _scenes(visit: Visit) -> Mapping[str, object]:
    every = visit.query.get("view") == "all"
    found = await visit.hub.overview.scenes(visit.caller, every, visit.query.get("before") or None)
    return {"scenes": found.scenes, "older": found.older, "every": every, "before": visit.query.get("before", "")}


async def _happened(visit: Visit) -> Mapping[str, object]:
    found = await visit.hub.overview.happened(visit.caller)
    kind = visit.query.get("kind", "")
    kind = kind if kind in KINDS else ""
    return {
        "entries": [one for one in found.entries if not kind or kind in kinds(one)][:ROWS],
        "lanes": lanes(found.entries, visit.now),
        "rates": found.rates,
        "kind": kind,
        "kinds": KINDS,
        "steps": STRIP_STEPS,
        "minutes": STRIP_SECONDS // 60,
    }


def kinds(entry: Entry) -> frozenset[str]:
    """The lanes that an entry is in."""
    if entry.outcome != "done":
        return frozenset({"refusals"})
    noun = entry.action.partition(".")[0]
    if entry.action == "message.send":
        return frozenset({"messages"})
    return frozenset({"commands"} if noun in ("command", "yolo") else {"silences"} if noun == "silence" else ())


def lanes(entries: Sequence[Entry], now: int) -> Sequence[Lane]:
    """The strip of the last `STRIP_SECONDS`; the newest step is the last place."""
    span = STRIP_SECONDS * SECOND
    counts: dict[str, dict[int, int]] = {kind: {} for kind in KINDS}
    for entry in entries:
        # an entry of another machine may be a little ahead of this clock
        back = max(0, now - entry.at)
        if back < span:
            place = STRIP_STEPS - 1 - back * STRIP_STEPS // span
            for kind in kinds(entry):
                counts[kind][place] = counts[kind].get(place, 0) + 1
    return [Lane(kind, sum(steps.values()), sorted(steps.items())) for kind, steps in counts.items()]
