"""Who has fallen silent, who only waits, and who is to have the tasks of the silent."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Quiet

WAITING = ("waiting", "complete")
"""Statuses by which a session says that it expects to do nothing."""

STEP = 2 * SECOND
"""Two clocks that drift apart by more between two checks were not slewed: one of them was set."""

_NUMBERED = re.compile(r"[\s_#.-]*[0-9]+$")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a watchdog goes by. A silence is warned of after `threshold_seconds`, and again, louder, after twice as long.

    `capacity`: as many unfinished tasks one session may have before it is given none of another's. `inside`: it runs in the hub,
    and while it did not, nobody could be heard.
    """

    threshold_seconds: float = 300
    capacity: int = 3
    inside: bool = False

    @property
    def threshold(self) -> int:
        """Microseconds."""
        return int(self.threshold_seconds * SECOND)


def idle(quiet: Quiet) -> bool:
    """Whether it is quiet by choice: it said that it waits or has finished, and nothing waits for it."""
    return quiet.session.status in WAITING and not quiet.session.unread and not quiet.tasks


def ahead(quiet: Quiet, now: int) -> bool:
    """Whether something of it is from the future: the clock was set back, or another machine's clock runs ahead."""
    instants = (quiet.session.last_heartbeat, quiet.unread_since, quiet.tasks_since)
    return any(at is not None and at > now for at in instants)


def quiet_since(quiet: Quiet, now: int, since: int, seen: int) -> int:
    """The instant from which its silence counts, never before `since` and never after `now`.

    One that waits by its own word owes an answer only from when it got something to do. What lies in the future counts
    from `seen`, when it was first seen to stand so.
    """

    def past(at: int) -> int:
        return at if at <= now else seen

    began = past(quiet.session.last_heartbeat or 0)
    if quiet.session.status in WAITING:
        got = [past(at) for at in (quiet.unread_since, quiet.tasks_since) if at is not None]
        began = max(began, min(got, default=0))
    return min(max(began, since), now)


def waited_since(given: int, now: int, since: int, seen: int) -> int:
    """The instant from which a session that was never seen is waited for, since it was `given` a task; as `quiet_since`."""
    return min(max(given if given <= now else seen, since), now)


def absence(session: Session) -> str:
    """Why its tasks go to others, after its name."""
    if session.revoked:
        return "was revoked"
    return "was never seen" if session.last_heartbeat is None else "has fallen silent"


def drifted(drift: int) -> bool:
    """Whether a wall clock went further than a steady one by more than slewing explains."""
    return abs(drift) >= STEP


def kind_of(role: str) -> str:
    """A role without its case and the number that tells several of one role apart: `Worker 2` is a `worker`."""
    return _NUMBERED.sub("", role.casefold().strip()).strip()


def candidates(
    sessions: Sequence[Session], silent: Collection[str], now: int, threshold: int
) -> Mapping[Session, bool]:
    """Who may be given a task, and whether each was heard from lately; the others wait for mail, by their own word.

    Never one that is silent, revoked or was never seen.
    """
    found = {}
    for session in sessions:
        if session.id in silent or session.revoked or session.last_heartbeat is None:
            continue
        fresh = now - session.last_heartbeat < threshold
        if fresh or session.status == "waiting":
            found[session] = fresh
    return found


def successor(
    able: Mapping[Session, bool], loads: Mapping[str, int], capacity: int, role: str, last: Collection[str]
) -> Session | None:
    """Who is to have a task of a silent session of that role; None when nobody has room.

    Heard from before waiting, of the same role before others, then the least loaded. Those in `last`, the orchestrator and
    the task's creator, come after everybody else: they hand work out because others should do it, but in their hands a task
    is better off than in nobody's.
    """

    def rank(one: tuple[int, Session]) -> tuple[bool, bool, bool, int, int]:
        place, session = one
        unlike = kind_of(session.role) != kind_of(role)
        return session.id in last, not able[session], unlike, loads.get(session.id, 0), place

    roomy = [(n, session) for n, session in enumerate(able) if loads.get(session.id, 0) < capacity]
    return min(roomy, key=rank)[1] if roomy else None
