from __future__ import annotations

from dataclasses import replace

import pytest

from multiagent_bridge.errors import Conflict, Invalid, NotAllowed, NotApproved, NotFound, Refused, Unavailable
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.yolo import PHRASE
from multiagent_bridge.testing.hubs import OWNER

from .guarded import WORKSPACE, Guarded

pytestmark = pytest.mark.anyio


async def test_an_agent_can_only_ask_and_is_told_what_a_person_types(guard: Guarded) -> None:
    asked = await guard.hub.yolo.ask(guard.alice, NO_CREDENTIALS, "restricted", workspace="/anywhere", timeout=90)
    assert asked.state == "pending"
    assert f"mab yolo enable {guard.conversation} --mode restricted" in asked.how_to_approve
    with pytest.raises(Refused):
        await guard.execute("git status")
    [standing] = await guard.hub.yolo.status(OWNER)
    assert standing.enabling is None
    [wish] = standing.wishes
    assert (wish.workspace, wish.seconds, wish.enabling.mode) == ("/anywhere", 90, "restricted")


async def test_asking_twice_is_one_request(guard: Guarded) -> None:
    one = await guard.hub.yolo.ask(guard.alice, NO_CREDENTIALS, "safe")
    two = await guard.hub.yolo.ask(guard.alice, NO_CREDENTIALS, "safe")
    assert one == two


async def test_once_a_person_enabled_the_mode_the_wish_is_met(guard: Guarded) -> None:
    await guard.hub.yolo.ask(guard.alice, NO_CREDENTIALS, "restricted")
    await guard.enable("restricted")
    assert (await guard.hub.yolo.ask(guard.alice, NO_CREDENTIALS, "restricted")).state == "enabled"
    [standing] = await guard.hub.yolo.status(OWNER)
    assert standing.wishes == []
    assert standing.fields()["workspace"] == WORKSPACE


async def test_an_agent_whose_gate_is_closed_cannot_even_ask(guard: Guarded) -> None:
    with pytest.raises(NotAllowed):
        await guard.hub.yolo.ask(guard.bob, NO_CREDENTIALS, "safe")
    with pytest.raises(NotAllowed):
        await guard.execute("ls", who=guard.bob)


@pytest.mark.parametrize("phrase", ["", "i understand the risks", PHRASE + " ", "yes"])
async def test_without_the_typed_phrase_nothing_is_enabled(guard: Guarded, phrase: str) -> None:
    offer = await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE)
    with pytest.raises(Refused):
        await guard.hub.yolo.enable(OWNER, offer.enabling.id, phrase, offer.code)
    with pytest.raises(Refused):
        await guard.execute("ls")


async def test_the_code_of_one_offer_enables_no_other(guard: Guarded) -> None:
    narrow = await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE)
    wide = await guard.hub.yolo.offer(OWNER, guard.conversation, "yolo", WORKSPACE, network=True)
    with pytest.raises(NotApproved):
        await guard.hub.yolo.enable(OWNER, wide.enabling.id, PHRASE, narrow.code)


async def test_a_code_works_once(guard: Guarded) -> None:
    offer = await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE)
    await guard.hub.yolo.enable(OWNER, offer.enabling.id, PHRASE, offer.code.upper())
    await guard.hub.yolo.disable(OWNER, guard.conversation)
    with pytest.raises(Conflict):
        await guard.hub.yolo.enable(OWNER, offer.enabling.id, PHRASE, offer.code)


async def test_a_code_is_good_for_five_minutes_of_both_clocks(guard: Guarded) -> None:
    offer = await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE)
    guard.clock.advance(301)
    guard.clock.jump(-200)
    with pytest.raises(NotApproved):
        await guard.hub.yolo.enable(OWNER, offer.enabling.id, PHRASE, offer.code)
    offer = await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE)
    guard.clock.reboot()
    with pytest.raises(NotApproved):
        await guard.hub.yolo.enable(OWNER, offer.enabling.id, PHRASE, offer.code)


async def test_agents_can_neither_offer_nor_enable(guard: Guarded) -> None:
    with pytest.raises(Refused):
        await guard.hub.yolo.offer(guard.alice, guard.conversation, "yolo", WORKSPACE)
    offer = await guard.hub.yolo.offer(OWNER, guard.conversation, "yolo", WORKSPACE)
    with pytest.raises(Refused):
        await guard.hub.yolo.enable(guard.alice, offer.enabling.id, PHRASE, offer.code)
    impostor = replace(guard.alice, name="operator", peer=OWNER.peer)
    with pytest.raises(Refused):
        await guard.hub.yolo.enable(impostor, offer.enabling.id, PHRASE, offer.code)


async def test_a_wish_itself_can_never_be_enabled(guard: Guarded) -> None:
    asked = await guard.hub.yolo.ask(guard.alice, NO_CREDENTIALS, "yolo", workspace="/")
    with pytest.raises((Invalid, NotApproved)):
        await guard.hub.yolo.enable(OWNER, asked.request_id, PHRASE, "222222")


async def test_what_cannot_be_a_workspace_is_refused(guard: Guarded) -> None:
    for place in ("/", "relative", ""):
        with pytest.raises(Invalid):
            await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", place)


async def test_without_a_working_sandbox_nothing_is_offered_and_each_reason_is_told(guard: Guarded) -> None:
    guard.sandbox.seen = None
    with pytest.raises(Unavailable, match="staged: it does not work here"):
        await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE)


async def test_a_sandbox_that_is_not_enough_for_a_mode_is_not_used_for_it(guard: Guarded) -> None:
    assert guard.sandbox.seen is not None
    guard.sandbox.seen = replace(guard.sandbox.seen, modes=("safe",))
    await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE)
    with pytest.raises(Unavailable, match="not enough for mode yolo"):
        await guard.hub.yolo.offer(OWNER, guard.conversation, "yolo", WORKSPACE)


async def test_running_without_a_sandbox_is_only_ever_named_never_chosen(guard: Guarded) -> None:
    guard.sandbox.name = "none"
    with pytest.raises(Unavailable):
        await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE)
    offer = await guard.hub.yolo.offer(OWNER, guard.conversation, "safe", WORKSPACE, sandbox="none")
    assert offer.enabling.sandbox == "none"


async def test_disabling_ends_the_mode_its_grants_and_what_waits(guard: Guarded) -> None:
    await guard.enable()
    pending = await guard.ask("git status")
    approved = await guard.ask("git log")
    await guard.approve(approved)
    assert await guard.hub.yolo.disable(OWNER, guard.conversation) == 2
    states = {await_id: (await guard.hub.commands.told(OWNER, await_id)).state for await_id in (pending, approved)}
    assert states == {pending: "denied", approved: "expired"}
    with pytest.raises(Refused):
        await guard.execute("git status")
    assert guard.sandbox.runs == []


async def test_a_mode_ends_by_itself_when_its_minutes_are_over(guard: Guarded) -> None:
    await guard.enable(minutes=10)
    await guard.execute("git status")
    guard.clock.advance(601)
    with pytest.raises(Refused):
        await guard.execute("git status")


async def test_another_conversation_is_another_decision(guard: Guarded) -> None:
    await guard.enable()
    made = await guard.hub.conversations.create(guard.alice, "other", "partner")
    with pytest.raises(Refused):
        await guard.hub.commands.execute(
            guard.alice, replace(NO_CREDENTIALS, conversation_id=made.conversation.id), "git status"
        )


async def test_a_person_can_say_no_to_a_wish(guard: Guarded) -> None:
    asked = await guard.hub.yolo.ask(guard.alice, NO_CREDENTIALS, "yolo")
    await guard.hub.yolo.deny(OWNER, asked.request_id, "not today")
    with pytest.raises(Conflict):
        await guard.hub.yolo.deny(OWNER, asked.request_id, "again")
    with pytest.raises(NotFound):
        await guard.hub.yolo.deny(OWNER, "yolo_nothing", "")


async def test_every_step_and_every_refusal_is_an_entry(guard: Guarded) -> None:
    with pytest.raises(Refused):
        await guard.hub.yolo.offer(guard.alice, guard.conversation, "yolo", WORKSPACE)
    await guard.enable()
    await guard.hub.yolo.disable(OWNER, guard.conversation)
    actions = [(e.action, e.outcome) for e in await guard.hub.journal.entries(0, 100)]
    assert [pair for pair in actions if pair[0].startswith("yolo.")] == [
        ("yolo.offer", "refused"), ("yolo.offer", "done"), ("yolo.enable", "done"), ("yolo.disable", "done"),
    ]  # fmt: skip
