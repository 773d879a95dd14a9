"""`mab task list` at a terminal: how each task stands, in one line, and what agents wrote of it behind bars."""

from __future__ import annotations

from tests.faces.terminal import Terminal


def test_a_line_says_how_a_task_stands_and_what_it_waits_for(terminal: Terminal) -> None:
    conversation = terminal.opened()
    first = terminal.mab("task", "assign", conversation, "build", "--json").json["task_id"]
    second = terminal.mab("task", "assign", conversation, "test", "--to", "b", "--after", first, "--json").json[
        "task_id"
    ]
    assert terminal.mab("task", "list", conversation).out.splitlines() == [
        f"{first}  P2  open, ready, with nobody, fence 1",
        "  | build",
        f"{second}  P2  open, after {first}, with b, fence 1",
        "  | test",
    ]
    terminal.mab("task", "update", conversation, first, "accept", "--session", "b")
    terminal.mab(
        "task", "update", conversation, first, "complete", "--session", "b", "--fence", "2", "--result", "done"
    )
    assert terminal.mab("task", "list", conversation).out.splitlines() == [
        f"{second}  P2  open, ready, with b, fence 1",
        "  | test",
        f"{first}  P2  complete, with b, fence 2",
        "  | build",
        "  | done",
    ]
