"""Whether Landlock confines on this machine: found by running it, in a workspace made for that."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from multiagent_bridge.adapters.sandbox.privileges import identity
from multiagent_bridge.adapters.sandbox.running import Backend, run_plan
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Confinement, Program
from multiagent_bridge.model.workspaces import Workspace

BOUNDS = Bounds(seconds=10, processes=32)

_PROBES = r"""
can() { echo "$1"; }
writes() { (: >> "$1") 2>/dev/null && can "write to ${2:-$1}"; }
[ "$(cat inside)" = inside ] || can 'not read its workspace'
(: < "$1/outside") 2>/dev/null && can 'read outside of its workspace'
writes "$1/outside" 'a file outside of its workspace'; writes inside 'a workspace that is read-only'
writes /mab-probe; writes /usr/mab-probe; writes /proc/sys/kernel/core_pattern; writes "$HOME/probe" own
chmod 600 "$1/outside" 2>/dev/null && can 'change the permissions of files outside'
kill -0 "$2" 2>/dev/null && can 'send signals to other programs'
(: < "/proc/$2/cmdline") 2>/dev/null && can 'read the command lines of other programs'
/usr/bin/unshare --user true 2>/dev/null && can 'make a namespace'
[ "$(id -u)" = 0 ] && can 'be root'
echo done
"""
_PASSED = ["write to own", "done"]


async def proven(backend: Backend, user: str) -> None:
    """Run the self-test. `user` is `[yolo] user`. Raises Unavailable saying what does not hold."""
    with tempfile.TemporaryDirectory(prefix="mab-probe-") as place:
        workspace = _laid_out(Path(place), user)
        step = Step(("sh", "-c", _PROBES, "sh", place, str(os.getpid())))
        confinement = Confinement(workspace, False, False, BOUNDS)
        outcome = await run_plan(backend, [step], [Program("sh", "/bin/sh", "")], confinement)
    said = outcome.stdout.head.decode(errors="replace").splitlines()
    if outcome.exit_code or outcome.ended or said != _PASSED:
        wrong = [line for line in said if line not in _PASSED]
        reason = outcome.stderr.head.decode(errors="replace").strip() or outcome.ended or "it says nothing"
        what = f"under it a command can {', '.join(wrong)}" if wrong else f"its self-test fails: {reason[:200]}"
        raise Unavailable(f"Landlock does not confine here: {what}", "install bubblewrap, or use a Docker sandbox")


def _laid_out(place: Path, user: str) -> Workspace:
    """A workspace with a file in it, and one beside it that anybody could read and write."""
    place.chmod(0o755)
    folder, outside = place.resolve() / "work", place / "outside"
    folder.mkdir(0o755)
    (folder / "inside").write_text("inside")
    outside.write_text("outside")
    seen = folder.stat()
    workspace = Workspace(str(folder), seen.st_dev, seen.st_ino)
    chosen = identity(workspace, user)
    for path in (folder, folder / "inside", outside):
        if chosen is not None:
            os.chown(path, *chosen)
        path.chmod(0o777)
    return workspace
