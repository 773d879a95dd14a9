"""Boards: the tasks of conversations as a person sees them, in reads whose cost does not grow with what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.errors import NotFound
from multiagent_bridge.guard import tasks as guard
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.tasks import HELD, OPEN, Task
from multiagent_bridge.ports import Keys, Tx
from multiagent_bridge.services.gate import Gate
from multiagent_bridge.services.tasks import Shown, opened, rank

CONVERSATIONS = 50
"""Conversations looked at for one page of all."""

RECENT = 300
"""Entries looked at to see where tasks moved lately: those conversations come first."""

OPENED_BYTES = 8_000_000
"""Bytes of tasks that are decrypted for one page; of those beyond it shows no words."""

FREE = "nobody"
"""Stands for the assignee of a task that whoever accepts it gets."""

GONE = "gone"
"""Stands for the state of a task that is not there."""


@dataclass(frozen=True, slots=True)
class Card:
    """One task on the board. `shown` is None when the page has no room for its words.

    `role` is its assignee's. `alive_until` is when whoever holds it counts as gone (microseconds), None while nobody does.
    `needs` are the tasks it waits for, each with its state.
    """

    task: Task
    shown: Shown | None
    role: str
    ready: bool
    alive_until: int | None
    needs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Board:
    """`older` is the conversation before which the next page begins, empty at the end; `more`: some tasks are not shown."""

    cards: Sequence[Card]
    older: str
    more: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """One task whole. `above` are all tasks that it waits for, also those behind them, by id; `below` those that wait for it."""

    card: Card
    creator_role: str
    above: Mapping[str, Task]
    below: Sequence[Task]


class Boards:
    def __init__(self, gate: Gate, keys: Keys, limits: Limits) -> None:
        self._gate = gate
        self._keys = keys
        self._limits = limits

    async def board(
        self,
        caller: Caller,
        conversation_id: str = "",
        assignee: str = "",
        priority: str = "",
        every: bool = False,
        before: str | None = None,
    ) -> Board:
        """Tasks of one conversation; without it, of those where tasks moved lately; `every`: of all, those older than `before`.

        At most `tasks_page`, what is ready and urgent first, what is finished last. Raises NotAllowed, NotFound.
        """

        async def looked(tx: Tx, now: int) -> Board:
            places, older = await self._places(tx, conversation_id, every, before)
            cards: list[tuple[Conversation, Card]] = []
            more, last = False, ""
            for place in places:
                room = self._limits.tasks_page - len(cards)
                if not room:
                    # the next page goes on after the last that was looked at
                    older, more = (last if every else older), True
                    break
                last = place.id
                found = await tx.tasks.list(place.id, self._limits.open_tasks + room)
                fits = [one for one in found if priority in ("", one.priority) and _of(one, assignee)]
                sessions = {one.id: one for one in await tx.sessions.of(place.id)} if fits else {}
                known = {one.id: one.state for one in found}
                mine = [await self._card(tx, one, sessions, known) for one in fits]
                more = more or len(mine) > room
                cards += [(place, one) for one in sorted(mine, key=_first)[:room]]
            cards.sort(key=lambda one: _first(one[1]))
            return Board(self._opened(cards), older, more)

        return await self._gate.look(caller, "task.show", looked)

    async def sheet(self, caller: Caller, conversation_id: str, task_id: str) -> Sheet:
        """One task with all its words, and what it waits for. Raises NotAllowed, NotFound, Tampered."""

        async def looked(tx: Tx, now: int) -> Sheet:
            conversation = await tx.conversations.get(conversation_id)
            task = await tx.tasks.get(conversation_id, task_id) if conversation else None
            if conversation is None or task is None:
                raise NotFound("no such task", "mab task list CONV shows them")
            sessions = {one.id: one for one in await tx.sessions.of(conversation_id)}
            found = await tx.tasks.list(conversation_id, self._limits.open_tasks + self._limits.tasks_page)
            known = {one.id: one for one in found}
            card = await self._card(tx, task, sessions, {one: each.state for one, each in known.items()})
            whole = Card(
                card.task,
                opened(self._keys, conversation, task, card.ready),
                card.role,
                card.ready,
                card.alive_until,
                card.needs,
            )
            below = [one for one in found if task_id in one.depends_on]
            return Sheet(whole, _role(sessions, task.creator), await self._above(tx, task, known), below)

        return await self._gate.look(caller, "task.show", looked)

    async def _places(self, tx: Tx, wanted: str, every: bool, before: str | None) -> tuple[Sequence[Conversation], str]:
        """The conversations of one page, and where the next one begins."""
        if wanted:
            found = await tx.conversations.get(wanted)
            if found is None:
                raise NotFound("no such conversation", "mab list shows them")
            return [found], ""
        if every:
            page = await tx.conversations.newest(CONVERSATIONS, before)
            return page, page[-1].id if len(page) == CONVERSATIONS else ""
        moved: dict[str, Conversation] = {}
        for entry in (await tx.journal.newest(RECENT))[::-1]:
            if entry.action.startswith("task.") and entry.conversation and entry.conversation not in moved:
                found = await tx.conversations.get(entry.conversation)
                if found is not None:
                    moved[found.id] = found
        return list(moved.values()), ""

    async def _card(self, tx: Tx, task: Task, sessions: Mapping[str, Session], known: Mapping[str, str]) -> Card:
        needs = []
        for needed in task.depends_on:
            state = known.get(needed)
            if state is None:
                other = await tx.tasks.get(task.conversation_id, needed)
                state = other.state if other else GONE
            needs.append((needed, state))
        holder = sessions.get(task.assignee)
        until = task.alive_until(holder.last_heartbeat if holder else None) if task.state in HELD else None
        ready = task.state in OPEN and guard.ready(task, dict(needs))
        return Card(task, None, _role(sessions, task.assignee), ready, until, needs)

    def _opened(self, cards: Sequence[tuple[Conversation, Card]]) -> Sequence[Card]:
        """The cards with their words, as long as there is room."""
        weight, found = 0, []
        for conversation, card in cards:
            weight += len(card.task.body)
            shown = opened(self._keys, conversation, card.task, card.ready) if weight <= OPENED_BYTES else None
            found.append(Card(card.task, shown, card.role, card.ready, card.alive_until, card.needs))
        return found

    async def _above(self, tx: Tx, task: Task, known: Mapping[str, Task]) -> Mapping[str, Task]:
        """Everything that the task waits for, directly or not; at most as many as may be open at once."""
        found: dict[str, Task] = {}
        left = list(task.depends_on)
        while left and len(found) < self._limits.open_tasks:
            one = left.pop()
            if one in found:
                continue
            needed = known.get(one) or await tx.tasks.get(task.conversation_id, one)
            if needed is not None:
                found[one] = needed
                left.extend(needed.depends_on)
        return found


def _of(task: Task, assignee: str) -> bool:
    return not assignee or task.assignee == ("" if assignee == FREE else assignee)


def _role(sessions: Mapping[str, Session], session_id: str) -> str:
    found = sessions.get(session_id)
    return found.role if found else ""


def _first(card: Card) -> tuple[bool, bool, str, int]:
    """What is ready and urgent first, what is finished last, the newest of that first."""
    return rank(card.task, card.ready)
