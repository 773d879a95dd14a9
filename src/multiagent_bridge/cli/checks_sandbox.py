"""What `mab doctor` finds out about sandboxes, by running each: whether it works, for which modes, and what it does not stop."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from multiagent_bridge.cli.checks import Check, Patient
from multiagent_bridge.errors import BridgeError

if TYPE_CHECKING:
    from multiagent_bridge.model.sandboxes import Profile
    from multiagent_bridge.ports import Sandbox

INSTALL = (
    "apt install bubblewrap, dnf install bubblewrap, or the like; docs/security/sandbox.md says what else there is"
)


def sandbox(patient: Patient) -> Iterator[Check]:
    """One finding for each that is set up, then what the best of them lacks. Without one commands are refused, not the bridge."""
    if patient.settings is None:
        return
    with ExitStack() as stack:
        place = patient.home if patient.home is not None and "directory" in patient.sound else _lent(stack)
        found = [(one, asyncio.run(_judged(one))) for one in _configured(patient, place)]
    works = [judged for one, judged in found if not isinstance(judged, BridgeError) and one.name != "none"]
    reached = False
    for one, judged in found:
        # what stands behind the first that works is of no use to anybody, unless they asked for it
        yield _told(one, judged, needed=not reached or one.name == "docker")
        reached = reached or judged in works
    if works:
        yield from _best(works[0])
    else:
        yield Check("sandbox", "warn", "none works here, so commands are refused", INSTALL)
    if os.geteuid() == 0:
        who = patient.settings.yolo.user or "the owner of their workspace, or nobody where that is root"
        yield Check("commands as root", "ok", f"run as {who}")


def _best(profile: Profile) -> Iterator[Check]:
    """The one that commands get, and what it lacks."""
    missing = [mode for mode in ("safe", "restricted", "yolo") if mode not in profile.modes]
    told = f"commands run in {profile.backend}"
    if missing:
        yield Check("sandbox", "warn", f"{told}, which is not enough for {' and '.join(missing)}", INSTALL)
    else:
        yield Check("sandbox", "ok", told)
    for lack in profile.lacks:
        yield Check("sandbox lacks", "ok", lack)


def _configured(patient: Patient, place: Path) -> tuple[Sandbox, ...]:
    from multiagent_bridge.adapters.sandbox.choice import sandboxes

    if patient.settings is None:
        return ()
    yolo = patient.settings.yolo
    return tuple(sandboxes(place, yolo.user, yolo.docker_image, yolo.docker_runtime, yolo.sandbox_required))


def _lent(stack: ExitStack) -> Path:
    """A state directory for this look alone: a doctor makes none."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mab-doctor-")))


async def _judged(one: Sandbox) -> Profile | BridgeError:
    try:
        return await one.profile()
    except BridgeError as error:
        return error


def _told(one: Sandbox, judged: Profile | BridgeError, needed: bool) -> Check:
    """`needed`: it was asked for, or nothing better works."""
    if isinstance(judged, BridgeError):
        return Check(one.name, "warn" if needed else "ok", judged.sentence, judged.hint if needed else "")
    modes = ", ".join(judged.modes)
    if one.name == "none":
        told = f"where no sandbox works, commands of mode {modes} run without one"
        return Check("no sandbox", "warn", told, "take sandbox_required out of [yolo] in your bridge.toml")
    return Check(one.name, "ok", f"confines; good for {modes}")
