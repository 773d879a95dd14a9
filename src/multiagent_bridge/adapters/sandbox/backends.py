"""The interface that every backend offers to the executor.

A backend makes a *room* ready for one plan and says how one program is launched in it. The executor (`running`) does
the rest, the same for all: pipes of our own between programs (no shell), `&&`, `||`, `;`, streams, globs and `cd`,
one deadline, output held within its bounds, and the death of everything that was started.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from multiagent_bridge.model.sandboxes import Confinement

MEMORY = "memory"
"""Why a run was ended: its programs held more than `Bounds.memory`."""


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Launch:
    """How one program of a plan is started from here.

    `argv`, `environment` (all of it) and `cwd` are those of the launcher on the host; it becomes the leader of a session and
    process group of its own, under `user` (uid, gid) when given. `inherit` are descriptors that it gets under the same
    numbers; the executor closes them here once it has started, or could not be.

    `kill` is awaited once, always, after the launcher has ended and its process group was killed: it ends what a signal to
    the group does not reach, and returns when nothing of the tree is left. `verdict` is then given the launcher's exit status
    (128 + N for signal N) and the end of what stood on standard error; it returns the program's own status, or raises
    Unavailable when the program was never started. `resident` is the number of bytes that the tree holds; it is asked several
    times a second and must not block.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str | None = None
    inherit: tuple[int, ...] = ()
    user: tuple[int, int] | None = None
    kill: Callable[[], Awaitable[None]] = field(default=_nothing)
    verdict: Callable[[int, bytes], int] = field(default=lambda status, said: status)
    resident: Callable[[], int] = field(default=lambda: 0)


class Room(Protocol):
    """A confinement made ready. It serves one plan, whose programs are launched one by one or several at once."""

    def launch(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> Launch:
        """`argv[0]` is the absolute path of the program inside, `environment` what the step adds to the room's own, `cwd` an
        absolute path of the workspace as the host names it. Raises Unavailable.
        """
        ...


class Backend(Protocol):
    def prepared(self, confinement: Confinement) -> AbstractAsyncContextManager[Room]:
        """A room for one plan. Entering raises Unavailable when it cannot be built, and leaves nothing behind then; what it set
        up is undone on exit, and after a crash of this process by whoever enters a room in that workspace next.
        """
        ...
