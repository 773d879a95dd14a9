from __future__ import annotations

from dataclasses import replace

import pytest

from multiagent_bridge.errors import Conflict, Invalid, NotApproved, NotFound, Refused, Tampered
from multiagent_bridge.model.sandboxes import Profile
from multiagent_bridge.services.approvals import Scope
from multiagent_bridge.testing.hubs import OWNER

from .guarded import WORKSPACE, Guarded

pytestmark = pytest.mark.anyio


async def test_a_person_sees_everything_that_a_yes_is_bound_to(guard: Guarded) -> None:
    guard.sandbox.seen = Profile("staged", "f" * 64, ("safe", "restricted"), ("it does not hide other users",))
    guard.workspaces.plant(WORKSPACE, "test_a.py", b"")
    await guard.enable(network=True)
    number = await guard.ask("pytest test_a.py 2>&1 | tail -n 5")
    proposal = await guard.hub.approvals.propose(OWNER, [number])
    shown = "\n".join(proposal.lines)
    for what in (
        number, guard.conversation, "session a (backend)", '["pytest", "test_a.py"]', '| ["tail", "-n", "5"]', WORKSPACE,
        "read and write", "/usr/bin/pytest", "test_a.py", "network   YES", "LACKS     it does not hide other users",
        "restricted", proposal.requests[0].command.digest,
    ):  # fmt: skip
        assert what in shown, what
    fields = proposal.requests[0].fields()
    assert fields["argv"] == [["pytest", "test_a.py"], ["tail", "-n", "5"]]
    assert fields["seconds_left"] == 3600


async def test_the_code_of_one_command_approves_no_other(guard: Guarded) -> None:
    await guard.enable()
    one, two = await guard.ask("git status"), await guard.ask("git log")
    code = (await guard.hub.approvals.propose(OWNER, [one])).code
    for ids in ([two], [one, two]):
        with pytest.raises(NotApproved):
            await guard.hub.approvals.approve(OWNER, ids, code)
    assert {request.command.state for request in await guard.hub.approvals.waiting(OWNER)} == {"pending"}
    await guard.hub.approvals.approve(OWNER, [one], f" {code[:3].upper()}-{code[3:]} ")


async def test_a_batch_is_approved_with_one_code_or_not_at_all(guard: Guarded) -> None:
    await guard.enable()
    ids = [await guard.ask("git status"), await guard.ask("git log")]
    proposal = await guard.hub.approvals.propose(OWNER, ids)
    await guard.hub.approvals.deny(OWNER, [ids[1]], "")
    with pytest.raises(Conflict):
        await guard.hub.approvals.approve(OWNER, ids, proposal.code)
    [left] = await guard.hub.approvals.waiting(OWNER)
    assert left.command.id == ids[0]


async def test_a_code_serves_once(guard: Guarded) -> None:
    await guard.enable()
    number = await guard.ask()
    code = (await guard.hub.approvals.propose(OWNER, [number])).code
    await guard.hub.approvals.approve(OWNER, [number], code)
    with pytest.raises(Conflict):
        await guard.hub.approvals.approve(OWNER, [number], code)
    await guard.run(number)
    again = await guard.ask()
    assert again != number
    with pytest.raises(NotApproved):
        await guard.hub.approvals.approve(OWNER, [again], code)


async def test_only_the_owner_sees_or_decides_anything(guard: Guarded) -> None:
    await guard.enable()
    number = await guard.ask()
    code = (await guard.hub.approvals.propose(OWNER, [number])).code
    for who in (guard.alice, guard.bob, replace(guard.alice, name="operator", agent="")):
        with pytest.raises(Refused):
            await guard.hub.approvals.waiting(who)
        with pytest.raises(Refused):
            await guard.hub.approvals.propose(who, [number])
        with pytest.raises(Refused):
            await guard.hub.approvals.approve(who, [number], code)
        with pytest.raises(Refused):
            await guard.hub.approvals.deny(who, [number], "")
    refusals = [e for e in await guard.hub.journal.entries(0, 1000) if e.outcome == "refused"]
    assert len(refusals) == 12


async def test_a_decision_after_the_request_expired_is_refused(guard: Guarded) -> None:
    await guard.enable()
    number = await guard.ask()
    code = (await guard.hub.approvals.propose(OWNER, [number])).code
    guard.clock.advance(3600)
    with pytest.raises(Conflict, match="expired"):
        await guard.hub.approvals.approve(OWNER, [number], code)


async def test_ids_that_are_none_are_not_found(guard: Guarded) -> None:
    for ids in (["cmd_nothing"], ["'; drop table commands"]):
        with pytest.raises(NotFound):
            await guard.hub.approvals.propose(OWNER, ids)
    for many in ([], [str(number) for number in range(21)]):
        with pytest.raises(Invalid):
            await guard.hub.approvals.propose(OWNER, many)


async def test_a_scope_says_in_a_sentence_what_it_allows(guard: Guarded) -> None:
    await guard.enable()
    number = await guard.ask("pytest -q")
    sentence = await guard.hub.approvals.proposed_scope(OWNER, number, Scope(1, 30, 20))
    assert sentence == f"`pytest` with any arguments in {WORKSPACE}, without network, for 30 minutes, at most 20 runs"
    for scope in (Scope(0, 30, 20), Scope(3, 30, 20), Scope(1, 0, 20), Scope(1, 30, 0), Scope(1, 10_000, 20)):
        with pytest.raises(Invalid):
            await guard.hub.approvals.proposed_scope(OWNER, number, scope)


async def test_an_approval_tells_the_one_who_asked(guard: Guarded) -> None:
    await guard.enable()
    number = await guard.ask()
    [approved] = await guard.approve(number)
    assert approved.fields()["state"] == "approved"
    letters = (await guard.mail(guard.alice)).letters
    assert f"command {number} is approved" in letters[-1].text
    assert approved.approval_token not in letters[-1].text
    assert letters[-1].message.sender == "bridge"


async def test_an_order_that_is_not_what_its_digest_was_made_of_is_never_shown(guard: Guarded) -> None:
    await guard.enable()
    number = await guard.ask()
    command = await guard.world.store.read(lambda tx: tx.commands.get(number))
    assert command is not None
    conversation = await guard.world.store.read(lambda tx: tx.conversations.get(guard.conversation))
    assert conversation is not None
    words = guard.world.keys.open(conversation, f"commands/order/{number}", command.order).replace(
        '"status"', '"commit"'
    )
    order = guard.world.keys.seal(conversation, "commands/order/cmd_forged", words)
    forged = replace(command, id="cmd_forged", order=order)
    await guard.world.store.write(lambda tx: tx.commands.add(forged))
    with pytest.raises(Tampered):
        await guard.hub.commands.told(OWNER, "cmd_forged")
