"""Test 8: every act of tests 1 to 7 is looked up in the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from multiagent_bridge.model.journal import Entry
from multiagent_bridge.validation.agents import Said
from multiagent_bridge.validation.frame import Sheet
from multiagent_bridge.validation.team import Team

ENTRIES = 351
"""The protocol asks for over 350."""

DOORS = {
    "create_conversation": "conversation.create",
    "join_conversation": "conversation.join",
    "send_to_partner": "message.send",
    "assign_task": "task.assign",
}
"""What a tool that was obeyed is called in the journal."""

Key = tuple[str, str, str]


def expected(said: Sequence[Said]) -> Iterator[Key]:
    """Action, conversation and target of each act that was obeyed; what was asked again under one key counts once."""
    for one in said:
        if one.code:
            continue
        where = str(one.fields.get("conversation_id") or one.arguments.get("conversation_id", ""))
        if one.tool == "update_task":
            # an accept of what one holds already is a renewal
            yield f"task.{one.arguments['action']}", where, str(one.fields["task_id"])
        elif one.tool == "send_to_partner":
            yield "message.send", where, f"message {one.fields['message_id']}"
        elif one.tool == "assign_task":
            yield "task.assign", where, str(one.fields["task_id"])
        elif one.tool in DOORS:
            yield DOORS[one.tool], where, ""


def written(entries: Sequence[Entry]) -> Counter[Key]:
    """The same of the journal."""
    found: Counter[Key] = Counter()
    for entry in entries:
        if entry.outcome != "done":
            continue
        action = "task.accept" if entry.action == "task.renew" else entry.action
        target = "" if action.startswith("conversation.") else entry.target
        found[action, entry.conversation, target] += 1
    return found


def whole(entry: Entry) -> bool:
    """Whether an entry has what the protocol asks for: time, session or actor, action, result, latency; a message its number."""
    if not (entry.at > 0 and entry.actor and entry.action and entry.outcome in ("done", "refused")):
        return False
    if entry.latency_us < 0 or (entry.outcome == "refused") != bool(entry.code):
        return False
    if entry.action == "message.send" and entry.outcome == "done":
        return bool(entry.conversation and entry.session and entry.digest) and "message_id" in entry.facts
    return True


async def trail(team: Team, sheet: Sheet) -> None:
    """Test 8."""
    sheet.first = team.began
    entries = [entry for entry in await team.ledger.entries(0) if entry.seq >= team.began]
    said = [one for agent in team.everybody for one in agent.said]
    acts = Counter(expected(said))
    found = written(entries)
    missing = sum((acts - Counter({key: found[key] for key in acts})).values())
    sheet.did(
        f"looked up {sum(acts.values())} acts of nine agents, each by action, conversation and number, in the journal"
    )
    refused = Counter(one for call in said for one in _refused(call))
    kept = Counter(entry.code for entry in entries if entry.outcome == "refused")
    unwritten = sum((refused - kept).values())
    sheet.did(f"looked up {sum(refused.values())} refusals that the agents met")
    verified = await team.ledger.verify()
    sheet.measure("latency of an act, as the journal has it", _latencies(entries), "us")
    sheet.target("entries of tests 1 to 7", "at least", ENTRIES, len(entries))
    sheet.target("acts that are in no entry", "exactly", 0, missing)
    sheet.target("refusals that are in no entry", "exactly", 0, unwritten)
    sheet.target("entries that lack a field", "exactly", 0, sum(not whole(entry) for entry in entries))
    sheet.target("entries that verify", "at least", entries[-1].seq if entries else 1, verified.entries)
    sheet.target("checkpoints that verify", "at least", 1, verified.checkpoints)


def _refused(call: Said) -> Iterator[str]:
    """The codes of the refusals of one call that the journal must know: a store that is locked writes none."""
    attempts: Sequence[Mapping[str, object]] = call.attempts
    for attempt in attempts:
        code = str(attempt["code"])
        if code and code not in ("unavailable", "broken"):
            yield code


def _latencies(entries: Sequence[Entry]) -> list[int]:
    return [entry.latency_us for entry in entries if entry.outcome == "done" and entry.latency_us]
