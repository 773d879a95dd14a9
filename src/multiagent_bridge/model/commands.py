"""Commands: what agents ask to have run, exactly what a person approves, and the legal steps of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from multiagent_bridge.errors import Tampered
from multiagent_bridge.model.sandboxes import Bounds, Program
from multiagent_bridge.model.workspaces import Workspace

STEPS: Mapping[str, tuple[str, ...]] = {
    "pending": ("approved", "denied", "expired"),
    "approved": ("running", "expired"),
    "running": ("done", "lost"),
    "done": (),
    "denied": (),
    "expired": (),
    "lost": (),
}
"""From each state to the states that may follow (ARCHITECTURE, the path of one command)."""

OPEN = tuple(state for state, after in STEPS.items() if after)
"""The states in which something may still happen."""


@dataclass(frozen=True, slots=True)
class Step:
    """One program of a plan. An executor runs it as it stands and never reads the command line again.

    `join` says how it follows the step before: "" (first), "|", "&&", "||" or ";", with the left-to-right meaning of POSIX
    (XCU 2.9.3). `streams` are to be applied in order: "1>/dev/null", "2>/dev/null", "1>&2" or "2>&1". `globs` are the places in
    `argv` that hold a pattern of `*` and `?`: expand them inside the workspace, hidden names left out, sorted; put "./"
    before a name that begins with "-"; a pattern that matches nothing stays as it is. `argv[0] == "cd"` is
    the executor's own: it changes the directory of the steps after it.
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    join: str = ""
    streams: tuple[str, ...] = ()
    globs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """Exactly what would run, where and within what: the digest that a person approves is over its canonical form.

    `programs` are what the steps' names mean at this moment, `scripts` the SHA-256 of each file of the workspace that
    a step would execute or read as its configuration. `profile` and `lacks` describe the sandbox; `policy` is the version of the
    policy that allowed it and `rule` the rule that decided. `advice` are sentences for the person who decides.
    """

    line: str
    steps: tuple[Step, ...]
    mode: str
    conversation_id: str
    session_id: str
    workspace: Workspace
    programs: tuple[Program, ...]
    scripts: tuple[tuple[str, str], ...]
    writable: bool
    network: bool
    bounds: Bounds
    sandbox: str
    profile: str
    lacks: tuple[str, ...]
    policy: str
    rule: str
    advice: tuple[str, ...] = ()

    @property
    def argv(self) -> list[Any]:
        """What is shown as `argv`: that of the one program, or one list a program."""
        lists = [list(step.argv) for step in self.steps]
        return lists[0] if len(lists) == 1 else lists

    def canonical(self) -> str:
        """Canonical JSON: sorted keys, no spaces, ASCII."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @classmethod
    def from_canonical(cls, text: str) -> Order:
        """What `canonical` wrote. Raises Tampered."""
        try:
            fields = json.loads(text)
            steps = tuple(
                Step(
                    tuple(step["argv"]),
                    tuple((name, value) for name, value in step["environment"]),
                    step["join"],
                    tuple(step["streams"]),
                    tuple(step["globs"]),
                )
                for step in fields.pop("steps")
            )
            workspace = Workspace(**fields.pop("workspace"))
            programs = tuple(Program(**program) for program in fields.pop("programs"))
            scripts = tuple((path, digest) for path, digest in fields.pop("scripts"))
            lacks, advice = tuple(fields.pop("lacks")), tuple(fields.pop("advice"))
            return cls(
                steps=steps,
                workspace=workspace,
                programs=programs,
                scripts=scripts,
                bounds=Bounds(**fields.pop("bounds")),
                lacks=lacks,
                advice=advice,
                **fields,
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Tampered("the order of a command cannot be read", "mab audit --verify") from error


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's yes to one digest, and its bounds: boot and `boottime_end` (microseconds since boot, sleep included) and the
    wall clock's `until`, whichever comes first. `verifier` is the SHA-256 of its token; `grant_id` names the grant that gave it.
    """

    verifier: bytes
    boot: str
    boottime_end: int
    granted_at: int
    until: int
    by: str
    grant_id: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One request to run something. `order`, `reason` and `outcome` are encrypted; `digest` is keyed.

    `expires_at` ends the request while nobody has decided. `runner` names the process that runs it and `deadline` when that
    run must have ended: later it is lost. Instants are microseconds since the epoch, UTC.
    """

    id: str
    conversation_id: str
    session_id: str
    state: str
    digest: str
    order: bytes
    requested_at: int
    expires_at: int
    approval: Approval | None = None
    decided_at: int | None = None
    reason: bytes = b""
    runner: str = ""
    deadline: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    outcome: bytes = b""
