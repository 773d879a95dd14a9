"""Commands in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.commands import Command


class Commands(Protocol):
    """Newest and oldest are by when they were added, whatever the clock said."""

    async def add(self, command: Command) -> None:
        """Raises Conflict when the id is taken, NotFound without its conversation, RuntimeError unless it is pending, or
        approved by a grant (`approval.grant_id`).
        """

    async def get(self, command_id: str) -> Command | None: ...

    async def open(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        """The oldest `limit` that are pending, approved or running (of one conversation if given), oldest first."""
        ...

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        """The newest `limit` (of one conversation if given), newest first."""
        ...

    async def change(self, command: Command, was: str) -> bool:
        """Replace the row by `command` if its state is `was`: of many who race one gets True, False changes nothing.

        Raises RuntimeError, whatever the row holds, for a step that is none of model.commands.STEPS, for running (only
        `start` makes a command that), for approved without an approval, and when what was asked for would change:
        conversation, session, digest, order, `requested_at`.
        """
        ...

    async def start(
        self,
        command_id: str,
        digest: str,
        verifier: bytes,
        boot: str,
        boottime: int,
        now: int,
        runner: str,
        deadline: int,
    ) -> bool:
        """approved -> running, the single use of an approval, in one statement: state, digest, verifier and boot are equal
        (an empty boot never is), `boottime` lies before its end, and `granted_at` <= `now` < `until`. False changes nothing.
        """
        ...

    async def overdue(self, now: int, boot: str, boottime: int, limit: int) -> Sequence[Command]:
        """Pending ones past `expires_at`, running ones past `deadline`, and approved ones that are past `until`, of `boot` and
        past `boottime_end`, without a boot, or granted further ahead of `now` than they last (the clock was set back).

        One of another boot may be another machine's, which shares the store: that alone does not end it.
        """
        ...

    async def running(self, runner: str) -> Sequence[Command]:
        """The running ones of that runner: after its death they are lost."""
        ...
