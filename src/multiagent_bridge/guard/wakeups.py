"""Whether an idle agent may be set going again without a person: once for each new message, and not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.wakeups import Past

Judgement = Literal["wake", "told", "paused", "pause"]
"""`told`: it was woken for this mail before. `pause`: the wake-ups of this conversation stop here."""

MOST = 8
"""Wake-ups in a row of a conversation of two; every further session adds half of that."""

WINDOW = 10 * 60 * SECOND
"""A row is what happens within this time, in microseconds, while no person types."""

PAUSE = 30 * 60 * SECOND
"""For how long nobody is woken after that, unless a person types to one of the agents."""


def allowed(sessions: int) -> int:
    """Wake-ups in a row of a conversation of so many sessions."""
    return MOST * max(2, sessions) // 2


def judged(past: Sequence[Past], session: str, newest: int, sessions: int, now: int) -> Judgement:
    """What becomes of waking `session` for its mail up to message `newest`. `past` is in the order it was written.

    What lies in the future (the clock was set back) neither counts nor pauses.
    """
    if newest <= max((one.through for one in past if one.kind == "wake" and one.session == session), default=0):
        return "told"
    row: list[Past] = []
    paused = None
    for one in past:
        if one.kind == "wake":
            row.append(one)
        else:
            row.clear()
            paused = one if one.kind == "pause" else None
    if paused is not None and 0 <= now - paused.at < PAUSE:
        return "paused"
    return "pause" if sum(0 <= now - one.at < WINDOW for one in row) >= allowed(sessions) else "wake"
