"""Orders: a command line turned into exactly what would run, and compared again before it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from multiagent_bridge.errors import NotApproved
from multiagent_bridge.guard import approvals
from multiagent_bridge.guard.commands.verdict import Verdict
from multiagent_bridge.model.commands import Order
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.sandboxes import Bounds
from multiagent_bridge.model.workspaces import Workspace
from multiagent_bridge.model.yolo import Enabling
from multiagent_bridge.ports import Workspaces
from multiagent_bridge.services.sandboxes import Sandboxes

Advise = Callable[[str], Sequence[str]]


class Judge(Protocol):
    """The command policy: `guard.policy.Policy`."""

    @property
    def version(self) -> str: ...

    def judge(self, command: str, mode: str, workspace: str = "") -> Verdict: ...


class Orders:
    def __init__(
        self, judge: Judge, advise: Advise, sandboxes: Sandboxes, workspaces: Workspaces, limits: Limits
    ) -> None:
        self._judge = judge
        self._advise = advise
        self._sandboxes = sandboxes
        self._workspaces = workspaces
        self._limits = limits

    async def written(self, line: str, enabling: Enabling, session_id: str) -> tuple[Verdict, Order | None]:
        """The verdict, and the order of an allowed line.

        Raises Unavailable (no sandbox works), Conflict (the workspace is gone or swapped), NotFound (no such program inside).
        """
        workspace = _of(enabling)
        verdict = self._judge.judge(line, enabling.mode, workspace.path)
        if not verdict.allowed:
            return verdict, None
        await self._workspaces.verify(workspace)
        sandbox, profile = await self._sandboxes.chosen(enabling.sandbox, enabling.mode)
        programs = await sandbox.programs(workspace, [step.argv[0] for step in verdict.steps])
        order = Order(
            line=line,
            steps=tuple(verdict.steps),
            mode=enabling.mode,
            conversation_id=enabling.conversation_id,
            session_id=session_id,
            workspace=workspace,
            programs=tuple(programs),
            scripts=tuple(await self._workspaces.scripts(workspace, verdict.steps)),
            writable=enabling.mode != "safe",
            network=enabling.network,
            bounds=self._bounds(enabling.seconds),
            sandbox=sandbox.name,
            profile=profile.fingerprint,
            lacks=tuple(profile.lacks),
            policy=self._judge.version,
            rule=verdict.rule,
            advice=tuple(self._advise(line)) if enabling.mode == "yolo" else (),
        )
        return verdict, order

    async def unchanged(self, order: Order, enabling: Enabling | None) -> None:
        """Look at everything again. Raises NotApproved naming what is no longer what a person saw, and what `written` raises."""
        if enabling is None:
            raise NotApproved("commands were disabled after the approval", "ask the person to enable them again")
        verdict, now = await self.written(order.line, enabling, order.session_id)
        if now is None:
            raise NotApproved(f"the policy refuses it now: {verdict.reason}", "ask for another command")
        if what := approvals.changed(order, now):
            raise NotApproved(f"{what[0]} has changed since the approval", "ask for the command again")

    def _bounds(self, seconds: int) -> Bounds:
        limits = self._limits
        return Bounds(
            seconds=seconds,
            processes=limits.command_processes,
            memory=limits.command_bytes,
            head=limits.output_bytes,
            tail=limits.output_bytes,
        )


def _of(enabling: Enabling) -> Workspace:
    if enabling.workspace is None:
        raise NotApproved("no workspace was enabled", "a person names it: mab yolo enable")
    return enabling.workspace
