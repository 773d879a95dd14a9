"""Tools of tasks: assign_task, update_task, list_tasks."""

from __future__ import annotations

from multiagent_bridge.guard.tasks import ACTIONS
from multiagent_bridge.guard.text import quoted
from multiagent_bridge.mcp.tools import COUNT, FLAG, TEXT, TEXTS, Answer, Call, Tool
from multiagent_bridge.model.tasks import PRIORITIES, STEPS
from multiagent_bridge.services.tasks import Shown, fitting


async def assign(call: Call) -> Answer:
    words = call.words("description", "to", "priority", "lease_seconds", "depends_on")
    done = await call.hub.tasks.assign(call.caller, call.credentials, call.arguments.get("title"), **words)
    fields = done.fields()
    return Answer("\n".join(f"{name}: {value}" for name, value in fields.items() if value is not None), fields)


async def update(call: Call) -> Answer:
    words = call.words("progress", "result", "fence")
    done = await call.hub.tasks.update(
        call.caller, call.credentials, call.arguments.get("task_id"), call.arguments.get("action"), **words
    )
    fields = done.fields()
    return Answer("\n".join(f"{name}: {value}" for name, value in fields.items() if value is not None), fields)


async def listed(call: Call) -> Answer:
    found = await call.hub.tasks.list(call.caller, call.credentials, **call.words("state", "mine"))
    shown = fitting(found, call.hub.limits.page_characters)
    return Answer("\n".join(_lines(one) for one in shown) or "no tasks", {"tasks": [one.fields() for one in shown]})


def _lines(one: Shown) -> str:
    """One task: what it is in one line, what agents wrote of it behind bars."""
    fields, task = one.fields(), one.task
    facts = [
        f"task {task.id}: {task.state}, {task.priority}, {'ready' if one.ready else 'not ready'}",
        f"with {task.assignee or 'nobody'}, from {task.creator}, fence {task.fence}",
        f"created {fields['created_at']}, updated {fields['updated_at']}",
    ]
    if fields["lease_expires_at"]:
        facts.append(f"lease until {fields['lease_expires_at']}")
    if task.depends_on:
        facts.append(f"after {', '.join(task.depends_on)}")
    said = [one.title, one.description, *(f"[{who}] {note}" for _, who, note in one.notes), one.result]
    return "\n".join((", ".join(facts), *(quoted(words) for words in said if words)))


TOOLS = (
    Tool(
        "assign_task",
        "Hand out a task: to a session id or role, or to whoever accepts it. depends_on: task ids.",
        {
            "title": TEXT,
            "description": TEXT,
            "to": TEXT,
            "priority": {"type": "string", "enum": list(PRIORITIES)},
            "lease_seconds": COUNT,
            "depends_on": TEXTS,
        },
        assign,
        required=("title",),
    ),
    Tool(
        "update_task",
        "Accept a task, report progress (renews its lease; say how far, so that another could go on), complete, fail or "
        "release it. fence: the number accept answered with.",
        {
            "task_id": TEXT,
            "action": {"type": "string", "enum": list(ACTIONS)},
            "progress": TEXT,
            "result": TEXT,
            "fence": COUNT,
        },
        update,
        required=("task_id", "action"),
    ),
    Tool(
        "list_tasks",
        "Tasks, ready and urgent first.",
        {"state": {"type": "string", "enum": list(STEPS)}, "mine": FLAG},
        listed,
        reads=True,
        repeatable=True,
    ),
)
