"""The page *Tasks*: a board by state, what waits for what, leases running down; and one task with all its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from multiagent_bridge.model.tasks import HELD, PRIORITIES, STEPS, Task
from multiagent_bridge.services.boards import FREE, Sheet
from multiagent_bridge.web.pages import Pages, Visit

STATES: Mapping[str, tuple[str, str]] = {
    "open": ("Open", "plain"),
    "accepted": ("Accepted", "good"),
    "in_progress": ("In progress", "good"),
    "reassigned": ("Reassigned", "warn"),
    "released": ("Released", "warn"),
    "complete": ("Complete", "quiet"),
    "failed": ("Failed", "bad"),
    "gone": ("Gone", "bad"),
}
"""What each state is called, and how it looks."""

COLUMNS = tuple(state for state in STATES if state in STEPS)

DRAWN = 40
"""Tasks in one drawing; beyond it words alone say what waits for what."""

WIDTH, HEIGHT, GAP = 190, 40, 60
"""Of one box of the drawing, and between two columns of it."""


@dataclass(frozen=True, slots=True)
class Box:
    """One task of a drawing."""

    task: Task
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """What waits for what: boxes, lines from each task to the one that waits for it, and the same in words."""

    boxes: Sequence[Box]
    lines: Sequence[tuple[int, int, int, int]]
    width: int
    height: int
    words: str


def routes(pages: Pages) -> Sequence[BaseRoute]:
    return (
        pages.get("/tasks", page),
        pages.get("/tasks/board", board),
        pages.get("/tasks/{conversation_id}/{task_id}", sheet),
        pages.get("/tasks/{conversation_id}/{task_id}/sheet", sheet_part),
    )


async def page(visit: Visit) -> Response:
    return visit.page("tasks.html", **await _board(visit))


async def board(visit: Visit) -> Response:
    return await visit.shared("tasks_board.html", lambda: _board(visit))


async def sheet(visit: Visit) -> Response:
    return visit.page("task.html", **await _sheet(visit))


async def sheet_part(visit: Visit) -> Response:
    return await visit.shared("task_sheet.html", lambda: _sheet(visit))


async def _board(visit: Visit) -> Mapping[str, object]:
    asked = {name: visit.query.get(name, "").strip() for name in ("conversation", "assignee", "priority")}
    asked["priority"] = asked["priority"] if asked["priority"] in PRIORITIES else ""
    every, before = visit.query.get("view") == "all", visit.query.get("before", "")
    found = await visit.hub.boards.board(
        visit.caller, asked["conversation"], asked["assignee"], asked["priority"], every, before or None
    )
    return {
        "columns": [(state, [card for card in found.cards if card.task.state == state]) for state in COLUMNS],
        "drawing": drawing([card.task for card in found.cards]) if asked["conversation"] else None,
        "count": len(found.cards),
        "asked": asked,
        "every": every,
        "before": before,
        "older": found.older,
        "more": found.more,
        "states": STATES,
        "priorities": PRIORITIES,
        "free": FREE,
        "held": HELD,
    }


async def _sheet(visit: Visit) -> Mapping[str, object]:
    found = await visit.hub.boards.sheet(visit.caller, visit.path["conversation_id"], visit.path["task_id"])
    return {
        "sheet": found,
        "card": found.card,
        "drawing": drawing([found.card.task, *found.above.values(), *found.below]),
        "above": outline(found),
        "states": STATES,
        "held": HELD,
    }


def outline(found: Sheet) -> Sequence[tuple[int, Task | None, str]]:
    """What the task waits for, the nearest first: (steps to it, task, id), each task once; None for one that is gone."""
    rows: list[tuple[int, Task | None, str]] = []
    near, depth = list(dict.fromkeys(found.card.task.depends_on)), 1
    seen = set(near)
    while near:
        behind: list[str] = []
        for one in near:
            task = found.above.get(one)
            rows.append((depth, task, one))
            behind += [each for each in (task.depends_on if task else ()) if each not in seen]
            seen.update(behind)
        near, depth = behind, depth + 1
    return rows


def drawing(tasks: Sequence[Task]) -> Drawing | None:
    """Boxes from left to right, each to the right of all that it waits for; None when nothing waits, or with too many."""
    known = {task.id: task for task in tasks}
    waits = {one.id: [need for need in one.depends_on if need in known] for one in known.values()}
    joined = {one for one, needs in waits.items() if needs} | {need for needs in waits.values() for need in needs}
    if not joined or len(joined) > DRAWN:
        return None
    column = _columns(joined, waits)
    boxes: dict[str, Box] = {}
    rows: dict[int, int] = {}
    for one in sorted(joined, key=lambda each: (column[each], known[each].created_at, each)):
        at = rows[column[one]] = rows.get(column[one], 0) + 1
        boxes[one] = Box(known[one], column[one] * (WIDTH + GAP) + 2, (at - 1) * (HEIGHT + 14) + 2)
    lines = [
        (boxes[need].x + WIDTH, boxes[need].y + HEIGHT // 2, box.x, box.y + HEIGHT // 2)
        for one, box in boxes.items()
        for need in waits[one]
    ]
    words = "; ".join(f"{one} waits for {', '.join(waits[one])}" for one in boxes if waits[one])
    width = (max(column.values()) + 1) * (WIDTH + GAP) - GAP + 4
    return Drawing(list(boxes.values()), lines, width, max(rows.values()) * (HEIGHT + 14), words)


def _columns(joined: set[str], waits: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How far to the right each task stands: one further than the furthest that it waits for."""
    column = dict.fromkeys(joined, 0)
    # dependencies are made before what waits for them, so there is no circle; bounded all the same
    for _ in joined:
        moved = False
        for one in joined:
            place = max((column[need] + 1 for need in waits[one]), default=0)
            if place > column[one]:
                column[one], moved = place, True
        if not moved:
            break
    return column
