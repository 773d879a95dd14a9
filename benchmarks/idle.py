"""What a hundred agents that say nothing cost the hub."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.places import served
from benchmarks.start import resident

AGENTS = 100
_TICKS = os.sysconf("SC_CLK_TCK")


def busy(process: int) -> float:
    """Seconds of processor time it has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def agents(quick: bool) -> list[Figure]:
    """A hundred shims: merely connected, then all of them waiting in `check_messages`."""
    seconds = 8.0 if quick else 40.0
    with served() as here:
        first = here.wire()
        first.call("create_conversation", my_role="sender", partner_role="reader")
        before = resident(here.hub)
        wires = []
        for _ in range(AGENTS):
            wire = here.wire()
            wire.call("create_conversation", my_role="sender", partner_role="reader")
            wires.append(wire)
        connected = _share(here.hub, seconds)
        each = (resident(here.hub) - before) / AGENTS
        asked = [wire.ask("check_messages", {"wait_seconds": 50}) for wire in wires]
        time.sleep(1.0)
        waiting = _share(here.hub, seconds)
        each_waiting = (resident(here.hub) - before) / AGENTS
        for wire, identity in zip(wires, asked, strict=True):
            wire.answer(identity)
        for wire in (first, *wires):
            wire.close()
    facts = {
        "connected_share": connected,
        "waiting_share": waiting,
        "kib_each_connected": each,
        "kib_each_waiting": each_waiting,
        "seconds": seconds,
    }
    measured = (
        f"connected {connected:.2%} of a core, {each:.0f} KiB each; "
        f"all waiting in check_messages {waiting:.2%}, {each_waiting:.0f} KiB each"
    )
    met = max(connected, waiting) < 0.01 and max(each, each_waiting) < 2048
    what = f"{AGENTS} connected idle agents"
    return [Figure("idle", what, "hub under 1 % of a core, under 2 MB each", measured, met, facts)]


def _share(process: int, seconds: float) -> float:
    """The share of one core it uses over the next seconds."""
    before, began = busy(process), time.monotonic()
    time.sleep(seconds)
    return (busy(process) - before) / (time.monotonic() - began)
