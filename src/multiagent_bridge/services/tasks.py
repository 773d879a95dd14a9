"""Tasks: handed out, accepted under a lease, reported on, finished once; given to another when their holder falls silent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import BridgeError, Conflict, Fact, Invalid, NotFound, Refused
from multiagent_bridge.guard import tasks as guard
from multiagent_bridge.guard import text
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.tasks import HELD, OPEN, STEPS, Task
from multiagent_bridge.ports import Bell, Ids, Keys, Tx
from multiagent_bridge.services.dependents import Dependents, states
from multiagent_bridge.services.gate import Gate, Standing
from multiagent_bridge.services.journal import Journal, Request
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.services.topics import inbox, tasks_topic

Fields = dict[str, object]

NOTES = 20
"""Notes of progress kept a task, the newest: whoever takes over needs the last, not every one."""


@dataclass(frozen=True, slots=True)
class Assigned:
    task_id: str
    state: str
    assignee: str

    def fields(self) -> Fields:
        """The result of `assign_task` (SPEC section 2)."""
        return {"task_id": self.task_id, "state": self.state, "assignee": self.assignee or None}


@dataclass(frozen=True, slots=True)
class Updated:
    task: Task

    def fields(self) -> Fields:
        """The result of `update_task` (SPEC section 2)."""
        lease = self.task.lease_expires_at
        return {
            "task_id": self.task.id,
            "state": self.task.state,
            "fence": self.task.fence,
            "lease_expires_at": None if lease is None else microseconds_to_iso(lease),
        }


@dataclass(frozen=True, slots=True)
class Shown:
    """One task in clear. `notes` are (instant, session, text), oldest first."""

    task: Task
    title: str
    description: str
    notes: Sequence[tuple[int, str, str]]
    result: str
    ready: bool

    def fields(self) -> Fields:
        task, lease = self.task, self.task.lease_expires_at
        return {
            "task_id": task.id,
            "title": self.title,
            "description": self.description,
            "state": task.state,
            "priority": task.priority,
            "ready": self.ready,
            "creator": task.creator,
            "assignee": task.assignee or None,
            "fence": task.fence,
            "lease_expires_at": None if lease is None else microseconds_to_iso(lease),
            "depends_on": list(task.depends_on),
            "progress": [{"at": microseconds_to_iso(at), "from": who, "note": note} for at, who, note in self.notes],
            "result": self.result or None,
            "created_at": microseconds_to_iso(task.created_at),
            "updated_at": microseconds_to_iso(task.updated_at),
        }


class Tasks:
    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        notices: Notices,
        bell: Bell,
        ids: Ids,
        keys: Keys,
        redaction: Redaction,
        limits: Limits,
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._notices = notices
        self._dependents = Dependents(notices)
        self._bell = bell
        self._ids = ids
        self._keys = keys
        self._redaction = redaction
        self._limits = limits

    async def assign(
        self,
        caller: Caller,
        given: Credentials,
        title: object,
        description: object = None,
        to: object = None,
        priority: object = None,
        lease_seconds: object = None,
        depends_on: object = None,
    ) -> Assigned:
        """Hand out a task, to one session or to whoever accepts it, and tell them.

        Raises Invalid (words, an unknown session or dependency), Conflict (a dependency that has failed), Refused (too many
        open tasks), TooFast, NotAllowed.
        """
        try:
            words = guard.assignment(self._limits, title, description, to, priority, lease_seconds, depends_on)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, given, "task.assign", refusal) from refusal

        async def assigned(me: Standing) -> tuple[str, Sequence[str], Assigned]:
            mine = me.conversation.id
            worker = guard.chosen(words.to, me.sessions)
            if await me.tx.tasks.count(mine, OPEN) >= self._limits.open_tasks:
                raise Refused(f"{self._limits.open_tasks} tasks are open", "finish some first")
            for needed in words.depends_on:
                other = await me.tx.tasks.get(mine, needed)
                if other is None:
                    raise Invalid("depends_on names a task that is not there", "make that one first: list_tasks")
                if other.state == "failed":
                    # who waits for it was told when it failed: this one would wait for ever and nobody would hear of it
                    raise Conflict(f"{needed} has failed: nothing can wait for it", "assign that one anew first")
            number = self._ids.named("task")
            said = self._redaction.said(mine, words.title), self._redaction.said(mine, words.description)
            task = Task(
                id=number,
                conversation_id=mine,
                creator=me.session.id,
                assignee=worker.id if worker else "",
                state="open",
                priority=words.priority,
                fence=1,
                lease_seconds=words.lease_seconds,
                lease_expires_at=None,
                depends_on=words.depends_on,
                body=b"",
                created_at=me.now,
                updated_at=me.now,
            )
            task = self._sealed(me.conversation, Shown(task, said[0].text, said[1].text, (), "", True))
            await me.tx.tasks.add(task)
            facts: dict[str, Fact] = {
                "to": task.assignee,
                "priority": task.priority,
                "fence": 1,
                "redactions": ",".join(dict.fromkeys((*said[0].kinds, *said[1].kinds))),
            }
            await me.record("task.assign", number, facts, self._keys.digest(said[0].text))
            readers = [worker.id] if worker else [s.id for s in me.partners]
            line = (
                f"task {number} ({task.priority}) {'for you' if worker else 'for whoever accepts it'}: {said[0].text}"
            )
            await self._notices.post(me.tx, me.ticket, me.now, me.conversation, line, readers, "task_assignment")
            return mine, readers, Assigned(number, task.state, task.assignee)

        mine, readers, done = await self._gate.enter(caller, given, "task.assign", self._limits.writes, assigned)
        self._ring(mine, readers)
        return done

    async def update(
        self,
        caller: Caller,
        given: Credentials,
        task_id: object,
        action: object,
        progress: object = None,
        result: object = None,
        fence: object = None,
    ) -> Updated:
        """Accept a task, report on it (which renews its lease), finish it or give it back.

        Raises Invalid, NotFound, Conflict (given to another, finished already, not ready, an old fence), Refused, TooFast.
        """
        try:
            asked = guard.update(self._limits, task_id, action, progress, result, fence)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, given, "task.update", refusal) from refusal

        async def updated(me: Standing) -> tuple[str, Sequence[str], Updated]:
            mine = me.conversation.id
            task = await me.tx.tasks.get(mine, asked.task_id)
            if task is None:
                raise NotFound("no such task", "list_tasks shows them")
            holder = next((s for s in me.sessions if s.id == task.assignee), None)
            lapsed = holder is None or me.now >= task.alive_until(holder.last_heartbeat)
            guard.allowed(task, asked, me.session.id, lapsed, guard.ready(task, await states(me.tx, task)))
            if asked.action == "accept" and task.state in HELD and task.assignee == me.session.id:
                # a worker that starts again finds what it had
                return mine, (), Updated(await self._renewed(me, task))
            after = self._after(me, task, asked)
            if not await me.tx.tasks.change(after, task.state, task.fence):
                raise Conflict("the task has just changed", "list_tasks, then try again")
            facts: dict[str, Fact] = {"fence": after.fence, "was": task.state, "assignee": after.assignee}
            await me.record(f"task.{asked.action}", task.id, facts)
            left = [other.id for other in me.partners if other.id == task.assignee and not other.revoked]
            readers = [task.creator] if task.creator not in (me.session.id, *left) else []
            if asked.action != "progress":
                line = f"task {task.id} is {after.state} (session {me.session.id})"
                await self._notices.post(me.tx, me.ticket, me.now, me.conversation, line, readers)
                # who had it and took no part in this would go on with it
                line = f"{line}: it is no longer yours, stop working on it"
                await self._notices.post(me.tx, me.ticket, me.now, me.conversation, line, left)
                readers = [*readers, *left]
            if after.state not in OPEN:
                readers = [*readers, *await self._dependents.told(me, after)]
            return mine, readers, Updated(after)

        mine, readers, done = await self._gate.enter(caller, given, "task.update", self._limits.writes, updated)
        self._ring(mine, readers)
        return done

    async def list(
        self, caller: Caller, given: Credentials, state: object = None, mine: object = False
    ) -> Sequence[Shown]:
        """The tasks of the conversation, what is ready and urgent first, what is finished last, the newest of that first.

        Of one state, or only one's own. At most `tasks_page` of them. Raises Invalid.
        """
        try:
            wanted = None if state is None else text.choice("state", state, tuple(STEPS))
            own = text.flag("mine", mine)
        except BridgeError as refusal:
            raise await self._gate.refuse(caller, given, "task.list", refusal) from refusal

        async def listed(me: Standing) -> Sequence[Shown]:
            page = self._limits.tasks_page
            # every open one, and as many of the finished as are shown at all
            found = await me.tx.tasks.list(me.conversation.id, self._limits.open_tasks + page)
            judged = [
                (task, task.state in OPEN and guard.ready(task, await states(me.tx, task)))
                for task in found
                if wanted in (None, task.state) and (not own or task.assignee == me.session.id)
            ]
            judged.sort(key=lambda one: rank(*one))
            return [self._opened(me.conversation, task, ready) for task, ready in judged[:page]]

        return await self._gate.enter(caller, given, "task.list", self._limits.reads, listed)

    async def hand_over(
        self, tx: Tx, request: Request, now: int, conversation: Conversation, task: Task, to: Session | None, why: str
    ) -> Task | None:
        """Take a task from who holds it and give it to `to`, or to nobody; part of the transaction of whoever decides that.

        Returns the task as it stands, or None when it moved meanwhile. The caller rings.
        """
        after = replace(
            task,
            state="reassigned" if to else "released",
            assignee=to.id if to else "",
            fence=task.fence + 1,
            lease_expires_at=None,
            updated_at=now,
        )
        if not await tx.tasks.change(after, task.state, task.fence):
            return None
        facts: dict[str, Fact] = {"fence": after.fence, "was": task.assignee, "to": after.assignee, "why": why}
        await self._journal.record(tx, request, now, "task.reassign", task.id, facts)
        if to is not None:
            line = (
                f"task {task.id} ({task.priority}) was given to you: {why}. list_tasks shows it and its last progress"
            )
            await self._notices.post(tx, request, now, conversation, line, [to.id], "task_assignment")
        return after

    async def _renewed(self, me: Standing, task: Task) -> Task:
        after = replace(task, lease_expires_at=me.now + task.lease_seconds * SECOND, updated_at=me.now)
        if not await me.tx.tasks.change(after, task.state, task.fence):
            raise Conflict("the task has just changed", "list_tasks, then try again")
        await me.record("task.renew", task.id, {"fence": task.fence})
        return after

    def _after(self, me: Standing, task: Task, asked: guard.Update) -> Task:
        """The task after a step that is allowed."""
        shown, mine = self._opened(me.conversation, task, True), me.conversation.id
        notes = list(shown.notes)
        if asked.progress is not None:
            notes.append((me.now, me.session.id, self._redaction.said(mine, asked.progress).text))
        result = shown.result if asked.result is None else self._redaction.said(mine, asked.result).text
        state = guard.AFTER[asked.action]
        handed_over = asked.action in ("accept", "release")
        after = replace(
            task,
            state=state,
            assignee=me.session.id if asked.action == "accept" else "" if asked.action == "release" else task.assignee,
            fence=task.fence + 1 if handed_over else task.fence,
            lease_expires_at=me.now + task.lease_seconds * SECOND if state in HELD else None,
            updated_at=me.now,
        )
        return self._sealed(me.conversation, replace(shown, task=after, notes=notes[-NOTES:], result=result))

    def _sealed(self, conversation: Conversation, shown: Shown) -> Task:
        body = json.dumps(
            {"title": shown.title, "description": shown.description, "notes": shown.notes, "result": shown.result}
        )
        return replace(shown.task, body=self._keys.seal(conversation, f"tasks/body/{shown.task.id}", body))

    def _opened(self, conversation: Conversation, task: Task, is_ready: bool) -> Shown:
        return opened(self._keys, conversation, task, is_ready)

    def _ring(self, conversation_id: str, readers: Sequence[str]) -> None:
        self._bell.ring(tasks_topic(conversation_id))
        for reader in dict.fromkeys(readers):
            self._bell.ring(inbox(conversation_id, reader))


def fitting(shown: Sequence[Shown], budget: int) -> Sequence[Shown]:
    """The longest run of them with so many characters of text, at least one: clients cut off or refuse a longer answer."""
    kept: list[Shown] = []
    for one in shown:
        budget -= sum(map(len, (one.title, one.description, one.result, *(note for _, _, note in one.notes))))
        if kept and budget < 0:
            break
        kept.append(one)
    return kept


def rank(task: Task, is_ready: bool) -> tuple[bool, bool, str, int]:
    """Where a task stands in a list: of what is finished the newest is what somebody waits for."""
    if task.state not in OPEN:
        return True, True, "", -task.updated_at
    return False, not is_ready, task.priority, task.created_at


def opened(keys: Keys, conversation: Conversation, task: Task, is_ready: bool) -> Shown:
    """A task of that conversation in clear. Raises Tampered."""
    parts = json.loads(keys.open(conversation, f"tasks/body/{task.id}", task.body))
    notes = [(at, who, note) for at, who, note in parts["notes"]]
    return Shown(task, parts["title"], parts["description"], notes, parts["result"], is_ready)
