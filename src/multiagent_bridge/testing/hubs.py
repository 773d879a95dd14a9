"""A whole hub in memory, for tests of whatever stands on the services."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import cast

from multiagent_bridge.adapters.background import TaskBackground
from multiagent_bridge.adapters.bell import MemoryBell
from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.system import RandomIds
from multiagent_bridge.guard import policy
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.ports import Snapshots, Store, Workspaces
from multiagent_bridge.services.hub import Ground, Hub, assemble
from multiagent_bridge.services.redaction import Redact
from multiagent_bridge.testing.clock import FakeClock

MASTER = bytes(range(32))
"""A master key for tests: never one for anything else."""

OWNER = Caller(agent="", name="operator", peer="uid:1000", operator=True)


@dataclass(frozen=True, slots=True)
class TestHub:
    """The hub, and what a test may turn: its clock, its store, its keys."""

    __test__ = False

    hub: Hub
    clock: FakeClock
    store: Store
    keys: MasterKeys


def memory_hub(
    limits: Limits | None = None,
    store: Store | None = None,
    redact: Redact | None = None,
    clock: FakeClock | None = None,
    ground: Ground | None = None,
) -> TestHub:
    """A hub over `store` (memory by default) with a clock that stands still, the real redactor and no sandbox."""
    held = store or MemoryStore()
    time = clock or FakeClock()
    keys = MasterKeys(MASTER)
    hub = assemble(
        held,
        MemoryBell(),
        time,
        RandomIds("test"),
        keys,
        StoreMeter(),
        redact or Redactor().redact,
        limits or Limits(),
        ground or nowhere(),
    )
    return TestHub(hub, time, held, keys)


def nowhere() -> Ground:
    """Ground on which nothing runs: no sandbox is set up."""
    return Ground(Default(), lambda line: (), (), cast(Workspaces, None), cast(Snapshots, None), TaskBackground())


class Default:
    """The built-in policy."""

    version = "built-in"
    judge = staticmethod(policy.judge)


def agent(name: str, alias: bool = False, yolo: bool = False) -> Caller:
    """A connection of its own, started under `name` if `alias`, its gate of commands open if `yolo`."""
    key = hashlib.sha256(name.encode()).hexdigest()[:32]
    return Caller(f"key:{key}", name, "uid:1000", f"as:1000:{name}" if alias else "", yolo=yolo)
