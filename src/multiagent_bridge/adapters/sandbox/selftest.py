"""Whether bubblewrap confines on this machine: found by running it, never by its version (notes/guard section 3).

A pass is remembered in the state directory for this boot, this bubblewrap and this profile; a failure is not.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.adapters.sandbox.bubblewrap_room import BubblewrapRoom
from multiagent_bridge.adapters.sandbox.plans import Plan
from multiagent_bridge.adapters.state import opened
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Confinement, Program
from multiagent_bridge.model.workspaces import Workspace

NOWHERE = Workspace("/work", 0, 0)
"""Stands for a workspace in the self-test: empty, in memory."""
BOUNDS = Bounds(seconds=10, processes=32)
BOOT = Path("/proc/sys/kernel/random/boot_id")

_PROBES = r"""
can() { echo "$1"; }
writes() { (: > "$1") 2>/dev/null && can "write to $1"; }
writes /mab-probe; writes /usr/mab-probe; writes /etc/mab-probe; writes /dev/mab-probe; writes /proc/sys/kernel/core_pattern
[ -e "$1" ] && can 'see the state directory'
[ -e /root ] && can 'see the home of root'
[ "$(($(wc -l < /proc/net/dev) - 2))" -gt 1 ] && can 'reach a network'
[ "$(ls -d /proc/[0-9]* | wc -l)" -gt 8 ] && can 'see other programs'
[ "$(id -u)" = 0 ] && can 'be root'
/usr/bin/unshare --user true 2>/dev/null && can 'make a namespace'
/usr/bin/mount -t tmpfs none /tmp 2>/dev/null && can 'mount'
grep -q '^CapPrm:[[:space:]]*0*$' /proc/self/status || can 'use capabilities'
grep -q '^NoNewPrivs:[[:space:]]*1' /proc/self/status || can 'gain privileges'
grep -q '^Seccomp:[[:space:]]*2' /proc/self/status || can 'use every system call'
grep -q '^Max processes  *32 ' /proc/self/limits || can 'start any number of programs'
writes /work/probe || echo none
echo done
"""
_PASSED = ["write to /work/probe", "done"]


@dataclass(frozen=True, slots=True)
class Record:
    """A self-test that was passed."""

    boot: str
    fingerprint: str


async def proven(room: BubblewrapRoom, state: Path, fingerprint: str, home: Path) -> None:
    """Run the self-test in a room with an empty workspace, unless `home`'s record says that it was passed under this boot.

    `state` is the state directory. Raises Unavailable saying what does not hold.
    """
    record = Record(_boot(), fingerprint)
    path = home / "bubblewrap.json"
    if record.boot and _kept(path) == record:
        return
    step = Step(("sh", "-c", _PROBES, "sh", str(state)))
    outcome = await Plan(room, room.confinement).through([step], [Program("sh", "/bin/sh", "")])
    said = outcome.stdout.head.decode(errors="replace").splitlines()
    if outcome.exit_code or outcome.ended or said != _PASSED:
        wrong = [line for line in said if line not in _PASSED]
        reason = outcome.stderr.head.decode(errors="replace").strip() or outcome.ended or "it says nothing"
        what = f"in it a command can {', '.join(wrong)}" if wrong else f"its self-test fails: {reason[:200]}"
        raise Unavailable(f"bubblewrap does not confine here: {what}", "use a Docker sandbox, or another kernel")
    _keep(path, record)


def confinement() -> Confinement:
    """What the self-test runs under."""
    return Confinement(NOWHERE, True, False, BOUNDS)


def _boot() -> str:
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


def _kept(path: Path) -> Record | None:
    if not os.path.lexists(path):
        return None
    with os.fdopen(opened(path, os.O_RDONLY), "rb") as file:
        try:
            return Record(**json.load(file))
        except (ValueError, TypeError):
            return None


def _keep(path: Path, record: Record) -> None:
    """Whole or not at all: another process may read it now."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(opened(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w") as file:
        json.dump({"boot": record.boot, "fingerprint": record.fingerprint}, file)
    draft.rename(path)
