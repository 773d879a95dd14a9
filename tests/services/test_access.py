"""Who may do what: every verb of every service against every role, found by looking at the hub itself."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterator
from dataclasses import fields
from typing import Any

import pytest

from multiagent_bridge.errors import BridgeError, NotAllowed, TooFast
from multiagent_bridge.guard.access import ACTIONS, OWNERS
from multiagent_bridge.guard.resources import Resource
from multiagent_bridge.model.callers import NO_CREDENTIALS, OWNER, ROLES, Caller, Credentials
from multiagent_bridge.model.extracts import Wanted
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.model.passkeys import Origin
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.approvals import Scope
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.services.scope import within
from multiagent_bridge.services.watches import Mark
from multiagent_bridge.testing.hubs import OWNER as TERMINAL
from multiagent_bridge.testing.hubs import memory_hub

from .guarded import Guarded, guarded

pytestmark = pytest.mark.anyio

ABSENT = "conv_000000000000"

VERBS = {
    "conversations.create": "conversation.create",
    "conversations.join": "conversation.join",
    "conversations.list": "conversation.list",
    "conversations.show": "conversation.show",
    "conversations.count": "conversation.show",
    "conversations.tokens": "token.show",
    "conversations.invite": "invite.create",
    "conversations.rotate": "token.rotate",
    "conversations.revoke": "token.revoke",
    "conversations.extend": "conversation.extend",
    "conversations.cleanup": "conversation.erase",
    "conversations.tidy": "conversation.tidy",
    "retention.sweep": "conversation.tidy",
    "archives.export": "conversation.show",
    "archives.restore": "conversation.import",
    "messages.send": "message.send",
    "messages.check": "message.check",
    "messages.list": "message.show",
    "messages.speak": "message.speak",
    "threads.list": "conversation.show",
    "threads.open": "message.show",
    "threads.read": "message.show",
    "threads.search": "message.show",
    "status.update": "status.update",
    "status.heartbeat": "status.heartbeat",
    "status.partners": "status.check",
    "tasks.assign": "task.assign",
    "tasks.update": "task.update",
    "tasks.list": "task.list",
    "boards.board": "task.show",
    "boards.sheet": "task.show",
    "watchdog.check": "watchdog.check",
    "watches.follow": "session.look",
    "watches.inbox": "session.look",
    "watches.begin": "session.look",
    "watches.moved": "session.look",
    "watches.told": "message.notify",
    "wakeups.noticed": "wakeup.look",
    "yolo.ask": "yolo.ask",
    "yolo.offer": "yolo.offer",
    "yolo.enable": "yolo.enable",
    "yolo.disable": "yolo.disable",
    "yolo.deny": "yolo.deny",
    "yolo.status": "yolo.status",
    "commands.execute": "command.execute",
    "commands.told": "command.show",
    "approvals.waiting": "command.list",
    "approvals.board": "command.list",
    "approvals.look": "command.list",
    "approvals.propose": "command.propose",
    "approvals.proposed_scope": "command.propose",
    "approvals.approve": "command.approve",
    "approvals.deny": "command.deny",
    "passkeys.invite": "passkey.invite",
    "passkeys.registration": "passkey.register",
    "passkeys.register": "passkey.register",
    "passkeys.challenge": "command.approve",
    "passkeys.approve": "command.approve",
    "passkeys.mine": "command.list",
    "passkeys.list": "passkey.list",
    "passkeys.remove": "passkey.remove",
    "snapshots.list": "snapshot.list",
    "snapshots.difference": "snapshot.compare",
    "snapshots.rollback": "snapshot.restore",
    "snapshots.cleanup": "snapshot.remove",
    "identities.create": "key.create",
    "identities.list": "key.list",
    "identities.revoke": "key.revoke",
    "browsers.link": "browser.link",
    "browsers.sign_out": "browser.sign_out",
    "browsers.list": "browser.list",
    "browsers.revoke": "browser.revoke",
    "overview.scenes": "conversation.show",
    "overview.latest": "conversation.show",
    "overview.happened": "journal.read",
    "audit.entries": "journal.read",
    "audit.newest": "journal.read",
    "audit.verify": "journal.verify",
    "audit.export": "journal.export",
    "audit.report": "journal.report",
    "audit.checkpoint": "journal.checkpoint",
    "audit.last_checkpoint": "journal.checkpoint",
    "extracts.page": "journal.read",
    "extracts.entry": "journal.read",
    "verifications.begin": "journal.verify",
    "verifications.look": "journal.verify",
    "verifications.end": "journal.verify",
    "health.look": "health.read",
    "parcels.push": "credentials.push",
    "backups.make": "store.backup",
    "backups.restored": "store.restore",
    "master_keys.status": "master_key.list",
    "master_keys.rotate": "master_key.rotate",
    "master_keys.rewrap": "master_key.rewrap",
    "master_keys.retire": "master_key.retire",
    "reseals.begin": "master_key.reseal",
    "reseals.step": "master_key.reseal",
    "reseals.under_way": "master_key.reseal",
    "gauges.read": "metrics.read",
}
"""Verb to the action that the gate is asked for."""

QUIET = {"watches.follow", "watches.moved", "watches.told"}
"""Looks within what was admitted before: refused like the others, but they write no entry."""

INSIDE = {
    "identities.authenticate": "before anybody is known",
    "identities.still": "asks about an identity that was authenticated",
    "identities.resource_metadata": "public: where the issuer is",
    "browsers.sign_in": "before anybody is known",
    "browsers.begin": "before anybody is known",
    "browsers.finish": "before anybody is known; who comes back must be one who may `browser.link`",
    "browsers.accept": "the hub itself, as it starts",
    "browsers.issuer": "public: where the issuer is",
    "browsers.owner": "names a browser that was authenticated",
    "browsers.authenticate": "before anybody is known",
    "browsers.still": "asks about a browser that was authenticated",
    "browsers.seen": "counts a request of a browser that was authenticated",
    "messages.confirm": "settles a claim that `check` handed out",
    "messages.release": "settles a claim that `check` handed out",
    "messages.unconfirm": "settles a claim that `check` handed out",
    "messages.recover": "the hub itself, as it starts",
    "messages.said": "gives nothing to anybody but the owner",
    "approvals.proven": "takes its proof from another verb and asks for the same action",
    "approvals.asked": "within a transaction of another verb",
    "lapses.recover": "the hub itself, as it starts",
    "lapses.sweep": "the hub itself, on its clock",
    "lapses.ended": "within a transaction of another verb",
    "lapses.settled": "within a transaction of another verb",
    "lapses.lapsed": "a judgement without a store",
    "tasks.hand_over": "within a transaction of another verb",
    "watches.ended": "writes a refusal down",
    "wakeups.wait": "gives nothing before `noticed` was passed",
    "verifications.last": "another service asks: whether a wrong entry was found",
    "health.count": "the hub itself, as it starts",
    "health.sample": "the hub itself, on its clock",
    "evidence.verify": "faces use `audit.verify`",
    "reports.report": "faces use `audit.report`",
    "parcels.publisher": "a public key",
    "backups.due": "the hub itself, on its clock; what it makes passes `make`",
}
"""Public for other services and for the process itself, each with the reason why no caller is judged there."""

INNER_SERVICES = {"journal", "presence", "redaction"}
"""What faces read of the journal they read through `audit`."""


def services(hub: Hub) -> Iterator[tuple[str, Any]]:
    for field in fields(hub):
        service = getattr(hub, field.name)
        if type(service).__module__.startswith("multiagent_bridge.services"):
            yield field.name, service


def public(hub: Hub) -> set[str]:
    return {
        f"{name}.{verb}"
        for name, service in services(hub)
        if name not in INNER_SERVICES
        for verb, found in inspect.getmembers(type(service))
        if not verb.startswith("_") and (callable(found) or isinstance(found, property))
    }


def of_role(*roles: str, conversations: frozenset[str] | None = None) -> Caller:
    name = "+".join(roles) or "nobody"
    return Caller(
        f"bearer:{name}",
        name,
        "ip:192.0.2.7",
        roles=frozenset(roles),
        conversations=conversations,
        identity=f"key_{name}",
    )


WORDS: dict[str, object] = {
    "given": NO_CREDENTIALS,
    "conversation_id": ABSENT,
    "session_id": "a",
    "claim": "test:1",
    "ids": ["cmd_000000000000"],
    "scope": Scope(),
    "origin": Origin("http://localhost:1", "localhost"),
    "resource": Resource("inbox", ABSENT, "a"),
    "windows": (Window(10, 60),),
    "mark": Mark(0, 0),
    "roles": ["agent"],
    "archive": {},
    "addresses": [],
    "event": "wake",
    "post": None,
    "backup": None,
    "wanted": Wanted(),
}
NUMBERS = {"after", "limit", "older_than", "seconds", "through", "seq"}


def called(hub: Hub, verb: str, caller: Caller) -> Awaitable[object]:
    """The verb with words that have the right form and name nothing that is there."""
    service, name = verb.split(".")
    method = getattr(getattr(hub, service), name)
    first, *rest = inspect.signature(method).parameters.values()
    assert first.name in ("caller", "owner"), f"{verb} does not say who asks first"
    needed = [one.name for one in rest if one.default is inspect.Parameter.empty]
    words = {one: 1 if one in NUMBERS else WORDS.get(one, "text of the test") for one in needed}
    return method(caller, **words)  # type: ignore[no-any-return]


async def outcome(hub: Hub, verb: str, caller: Caller) -> Exception | None:
    try:
        await called(hub, verb, caller)
    except Exception as error:
        return error
    return None


def missing_role(error: Exception | None) -> bool:
    return isinstance(error, NotAllowed) and error.facts.get("missing") == "role"


def test_every_public_verb_says_which_action_it_is() -> None:
    assert public(memory_hub().hub) == set(VERBS) | set(INSIDE)


def test_every_action_has_a_verb_and_every_verb_a_rule() -> None:
    assert set(VERBS.values()) == set(ACTIONS)


@pytest.mark.parametrize("verb", sorted(VERBS))
@pytest.mark.parametrize("role", ["", *ROLES])
async def test_a_verb_is_open_to_its_roles_and_to_no_other(guard: Guarded, verb: str, role: str) -> None:
    rule = ACTIONS[VERBS[verb]]
    caller = of_role(*role.split())
    opens = rule is not OWNERS and (role in rule.roles or role == "admin")
    failed = await outcome(guard.hub, verb, caller)
    assert missing_role(failed) is not opens, failed
    if not opens and verb not in QUIET:
        (entry,) = await guard.hub.journal.newest(1)
        assert (entry.outcome, entry.code, entry.action) == ("refused", "not_allowed", VERBS[verb])
        assert entry.actor == caller.label


@pytest.mark.parametrize("verb", sorted(VERBS))
async def test_the_person_at_the_terminal_may_do_everything(guard: Guarded, verb: str) -> None:
    assert not missing_role(await outcome(guard.hub, verb, TERMINAL))


@pytest.mark.parametrize("verb", sorted(VERBS))
async def test_who_is_confined_to_conversations_does_nothing_to_the_whole_hub(guard: Guarded, verb: str) -> None:
    caller = of_role("admin", conversations=frozenset({guard.conversation}))
    assert missing_role(await outcome(guard.hub, verb, caller)) is ACTIONS[VERBS[verb]].whole


@pytest.mark.parametrize("role", ROLES)
async def test_the_text_of_a_message_is_followed_by_the_owner_alone(guard: Guarded, role: str) -> None:
    sent = await guard.hub.messages.send(guard.alice, NO_CREDENTIALS, "hello")
    assert await guard.hub.messages.said(of_role(role), guard.conversation, sent.message_id) is None
    assert await guard.hub.messages.said(TERMINAL, guard.conversation, sent.message_id) == "hello"


@pytest.mark.parametrize("roles", [("operator",), ("admin",), ("operator", "auditor")])
async def test_an_operator_from_elsewhere_approves_and_the_entry_names_who(
    guard: Guarded, roles: tuple[str, ...]
) -> None:
    await guard.enable()
    number = await guard.ask()
    person = of_role(*roles)
    proposal = await guard.hub.approvals.propose(person, [number])
    [approved] = await guard.hub.approvals.approve(person, [number], proposal.code)
    assert approved.command_id == number
    entry = next(one for one in await guard.hub.journal.newest(3) if one.action == "command.approve")
    assert entry.actor == person.label


@pytest.mark.parametrize("roles", [("agent", "operator"), ("agent", "admin")])
async def test_whoever_is_also_an_agent_approves_nothing(guard: Guarded, roles: tuple[str, ...]) -> None:
    await guard.enable()
    number = await guard.ask()
    both = of_role(*roles)
    proposal = await guard.hub.approvals.propose(both, [number])
    with pytest.raises(NotAllowed):
        await guard.hub.approvals.approve(both, [number], proposal.code)
    assert [one.command.state for one in await guard.hub.approvals.waiting(TERMINAL)] == ["pending"]


async def test_an_operator_of_one_conversation_sees_and_decides_nothing_of_another(guard: Guarded) -> None:
    await guard.enable()
    number = await guard.ask()
    here, elsewhere = (of_role("operator", conversations=frozenset({c})) for c in (guard.conversation, ABSENT))
    hub = guard.hub
    assert [one.command.id for one in await hub.approvals.waiting(here)] == [number]
    assert [one.command.id for one in await hub.approvals.waiting(here, every=True)] == [number]
    assert [one.conversation_id for one in await hub.yolo.status(here)] == [guard.conversation]
    assert await hub.approvals.waiting(elsewhere) == []
    assert await hub.approvals.waiting(elsewhere, every=True) == []
    assert await hub.yolo.status(elsewhere) == []
    for verb in (
        hub.approvals.propose(elsewhere, [number]),
        hub.approvals.approve(elsewhere, [number], "any code"),
        hub.approvals.deny(elsewhere, [number], ""),
        hub.approvals.waiting(elsewhere, guard.conversation),
        hub.commands.told(elsewhere, number),
        hub.yolo.disable(elsewhere, guard.conversation),
        hub.yolo.status(elsewhere, guard.conversation),
        hub.messages.list(elsewhere, guard.conversation, 0, 10),
    ):
        with pytest.raises(BridgeError) as refused:
            await verb
        assert refused.value.code == "not_found"
    assert [one.command.state for one in await hub.approvals.waiting(TERMINAL)] == ["pending"]


async def test_what_became_of_a_command_elsewhere_is_not_told(guard: Guarded) -> None:
    await guard.enable()
    number = await guard.ask()
    await guard.hub.approvals.deny(TERMINAL, [number], "")
    with pytest.raises(BridgeError) as refused:
        await guard.hub.approvals.propose(of_role("operator", conversations=frozenset({ABSENT})), [number])
    assert refused.value.code == "not_found"


async def test_a_token_of_another_conversation_opens_nothing_to_who_is_confined(guard: Guarded) -> None:
    hub = guard.hub
    [(session, token), *_] = await hub.conversations.tokens(TERMINAL, guard.conversation)
    given = Credentials(guard.conversation, session.id, token)
    here, elsewhere = (of_role("agent", conversations=frozenset({c})) for c in (guard.conversation, ABSENT))
    await hub.watches.follow(here, given, 0)
    for verb in (
        hub.watches.follow(elsewhere, given, 0),
        hub.watches.told(elsewhere, given, 1),
        hub.messages.send(elsewhere, given, "hello"),
        hub.messages.check(elsewhere, given, hub.ids.claim(), history=True),
        hub.messages.check(elsewhere, given, hub.ids.claim(), query="hello"),
        hub.status.partners(elsewhere, given),
        hub.tasks.list(elsewhere, given),
        hub.conversations.join(elsewhere, given),
        hub.conversations.list(elsewhere, given),
    ):
        with pytest.raises(NotAllowed):
            await verb
    assert (await hub.conversations.list(here, given)).places


async def test_in_the_transactions_of_who_is_confined_there_is_nothing_else(guard: Guarded) -> None:
    enabling = await guard.enable()
    number = await guard.ask()

    async def seen(caller: Caller) -> list[bool]:
        async def looked(tx: Tx) -> list[object]:
            here = within(tx, caller)
            return [
                await here.conversations.get(guard.conversation),
                await here.conversations.list(),
                await here.bindings.of(guard.alice.agent),
                await here.yolo.get(enabling.id),
                await here.yolo.list(None, 9),
                await here.commands.get(number),
                await here.commands.list(None, 9),
                await here.commands.open(None, 9),
                await here.journal.entries(0, 9, None),
                await here.journal.newest(9, guard.conversation),
            ]

        return [bool(found) for found in await guard.world.store.read(looked)]

    assert await seen(of_role("admin")) == [True] * 10
    assert await seen(of_role("admin", conversations=frozenset({guard.conversation}))) == [True] * 10
    assert await seen(of_role("admin", conversations=frozenset({ABSENT}))) == [False] * 10
    assert await seen(of_role("admin", conversations=frozenset())) == [False] * 10


async def test_refusals_for_want_of_a_role_are_limited_and_spend_nobody_elses_budget() -> None:
    made = await guarded(Limits(reads=(Window(3, 60),)))
    hub = made.hub
    refused = [await outcome(hub, "conversations.tokens", of_role("agent")) for _ in range(5)]
    assert [type(one) for one in refused] == [NotAllowed] * 3 + [TooFast] * 2
    assert missing_role(await outcome(hub, "conversations.tokens", of_role("auditor")))
    await hub.messages.send(made.alice, NO_CREDENTIALS, "my budget is my own")
    await made.background.close()


async def test_nobody_from_elsewhere_can_be_the_owner() -> None:
    for roles in ({OWNER}, {"admin", OWNER}):
        with pytest.raises(ValueError, match="owner"):
            Caller("bearer:x", "x", "ip:192.0.2.7", roles=frozenset(roles))
