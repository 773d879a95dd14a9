from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiagent_bridge.adapters.system import RandomIds
from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.guard import access
from multiagent_bridge.guard.identities import (
    ALPHABET,
    BODY,
    PREFIX,
    Claiming,
    claimed,
    is_key,
    is_token,
    origin,
    shown,
    written,
)
from multiagent_bridge.model.callers import ROLES, Caller
from multiagent_bridge.model.limits import SECOND

NOW = 1_790_000_000 * SECOND
WHOLE = {"sub": "user-7", "exp": NOW // SECOND + 60, "roles": ["a", "b"]}
HOW = Claiming(roles={"agent": frozenset({"a"}), "admin": frozenset({"boss"})})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def test_keys_are_random_long_and_recognisable() -> None:
    made = {RandomIds().api_key() for _ in range(1000)}
    assert len(made) == 1000
    assert all(is_key(key) and key.startswith(PREFIX) and len(key) == 57 for key in made)
    # each of 62 characters in each place: 43 of them hold 256 bits
    assert set("".join(key[len(PREFIX) : len(PREFIX) + BODY] for key in made)) == set(ALPHABET)
    assert len(ALPHABET) ** BODY > 1 << 256


def test_the_checksum_is_the_one_that_is_documented() -> None:
    assert written("0" * BODY) == "mab_key_" + "0" * BODY + "2xne4G"


@given(st.text(ALPHABET, min_size=BODY, max_size=BODY), st.integers(0, 56), st.sampled_from(string.printable))
def test_a_key_with_one_character_changed_is_no_key(body: str, place: int, other: str) -> None:
    key = written(body)
    changed = key[:place] + other + key[place + 1 :]
    assert is_key(key)
    assert is_key(changed) is (changed == key)


@given(st.text(max_size=100))
def test_any_text_can_be_judged(given_text: str) -> None:
    assert is_key(given_text) in (True, False)
    assert is_token(given_text) in (True, False)
    assert origin(given_text) is not None
    name = shown(given_text)
    assert 1 <= len(name) <= 100
    assert not set(name) & set("()\n\r\t\x00")


@given(st.dictionaries(st.sampled_from(["sub", "exp", "nbf", "iat", "roles", "preferred_username"]), JSON))
def test_no_claims_give_more_than_was_mapped(claims: dict[str, object]) -> None:
    try:
        found = claimed(claims, HOW, NOW)
    except NotAllowed:
        return
    assert found.roles <= {"agent", "admin"}
    assert found.expires_at > NOW - 31 * SECOND
    assert isinstance(claims["roles"], list)
    assert isinstance(claims["sub"], str)


@given(JSON)
def test_roles_are_a_list_of_texts_or_nothing(roles: object) -> None:
    try:
        found = claimed({**WHOLE, "roles": roles}, HOW, NOW)
    except NotAllowed:
        return
    assert isinstance(roles, list)
    assert "agent" not in found.roles or "a" in roles


def test_a_claim_with_a_dot_in_its_name_is_found_before_an_object_is_entered() -> None:
    how = Claiming(roles=HOW.roles, roles_claim="https://example.org/roles")
    assert claimed({**WHOLE, "https://example.org/roles": ["boss"]}, how, NOW).roles == {"admin"}
    nested = Claiming(roles=HOW.roles, roles_claim="resource_access.mab.roles")
    assert claimed({**WHOLE, "resource_access": {"mab": {"roles": ["a"]}}}, nested, NOW).roles == {"agent"}
    for wrong in ({}, {"mab": ["a"]}, {"mab": {"roles": "a"}}, ["mab"], "mab"):
        with pytest.raises(NotAllowed):
            claimed({**WHOLE, "resource_access": wrong}, nested, NOW)


def test_an_action_that_nobody_listed_is_the_owners_alone() -> None:
    for role in ROLES:
        with pytest.raises(NotAllowed):
            access.permit(Caller("bearer:x", "x", "ip:192.0.2.7", roles=frozenset({role})), "thing.do")
    access.permit(Caller("", "operator", "uid:1000", operator=True), "thing.do")


def test_admin_may_do_all_that_is_not_the_owners() -> None:
    admin = Caller("bearer:x", "x", "ip:192.0.2.7", roles=frozenset({"admin"}))
    for action, rule in access.ACTIONS.items():
        if rule is not access.OWNERS:
            access.permit(admin, action)


def test_an_agent_on_this_machine_may_use_the_tools_and_nothing_else() -> None:
    agent = Caller("key:x", "x", "uid:1000")
    open_to = set()
    for action in access.ACTIONS:
        try:
            access.permit(agent, action)
        except NotAllowed:
            continue
        open_to.add(action)
    assert open_to == {
        "conversation.create", "conversation.join", "conversation.list", "session.look", "message.send",
        "message.check", "message.notify", "status.update", "status.heartbeat", "status.check", "wakeup.look",
        "task.assign", "task.update", "task.list", "yolo.ask", "command.execute", "browser.sign_out",
    }  # fmt: skip


def test_operators_admins_and_the_owner_oversee_what_they_have_not_joined() -> None:
    seen = {role: Caller("bearer:x", "x", "ip:192.0.2.7", roles=frozenset({role})).oversees for role in ROLES}
    assert seen == {"agent": False, "operator": True, "auditor": False, "admin": True}
    assert Caller("", "operator", "uid:1000", operator=True).oversees
