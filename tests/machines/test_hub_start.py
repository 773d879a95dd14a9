"""Which hub serves a state directory: races, what a dead hub left, databases it cannot use, and when it leaves."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attacks.wires import Knock
from tests.machines.agents import Agent, Gone
from tests.machines.places import Place, made, running, until, words_of

pytestmark = pytest.mark.machines


def hubs(place: Place) -> list[int]:
    return [process for process in running(place.home) if "serve" in words_of(process)]


def test_ten_shims_that_start_at_once_are_all_served_by_one_hub(place: Place) -> None:
    with ThreadPoolExecutor(10) as threads:
        agents = list(threads.map(lambda _: place.agent(), range(10)))
        listed = list(threads.map(lambda agent: agent.good("list_conversations"), agents))
    assert len({found["agent"] for found in listed}) == 10
    until(lambda: hubs(place) == [place.hub], "one hub is left")


def test_the_socket_of_a_dead_hub_is_replaced(place: Place) -> None:
    place.home.chmod(0o700)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(place.home / "hub.sock"))
    dead.close()
    assert place.agent().good("list_conversations")["conversations"] == []


def test_a_plain_file_in_the_sockets_place_is_replaced(place: Place) -> None:
    (place.home / "hub.sock").write_text("not a socket")
    assert place.agent().good("list_conversations")["conversations"] == []


def test_a_second_hub_started_by_hand_is_refused_with_one_sentence(place: Place) -> None:
    place.serve()
    done = place.mab("serve", status=9)
    assert done.stderr.splitlines() == [
        "mab: error: unavailable: a hub runs here already",
        "mab: hint: mab status shows it, mab serve --stop ends it",
    ]
    place.mab("serve", "--stop")


def test_a_state_directory_longer_than_a_socket_address_serves_all_the_same(place: Place) -> None:
    deep = place.home / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    inner = Place(deep)
    try:
        alice, bob, _ = inner.pair()
        waiting = bob.ask_tool("check_messages", wait_seconds=20)
        alice.good("send_to_partner", message="through a long path")
        assert bob.result(waiting).fields["messages"][0]["message"] == "through a long path"
    finally:
        inner.close()


def test_two_state_directories_side_by_side_know_nothing_of_each_other(place: Place) -> None:
    with made() as other:
        alice, _, conversation = place.pair()
        stranger = other.agent()
        assert stranger.good("list_conversations")["conversations"] == []
        refused = stranger.call("check_messages", conversation_id=conversation, session_id="b", token="0" * 64)
        assert refused.code == "not_allowed"
        assert alice.good("list_conversations")["conversations"][0]["conversation_id"] == conversation
        assert place.hub != other.hub


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_hub_without_a_database_starts_a_new_one(place: Place, era: str) -> None:
    place.mab("create", "backend", "frontend")
    for file in place.home.glob("bridge.db*"):
        file.unlink()
    assert place.agent(era=era).good("list_conversations")["conversations"] == []


def newer(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 999")
    connection.commit()
    connection.close()


def corrupt(database: Path) -> None:
    for beside in database.parent.glob("bridge.db-*"):
        beside.unlink()
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.write(os.urandom(size))


def foreign(database: Path) -> None:
    database.unlink()
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    database.chmod(0o600)


def a_directory(database: Path) -> None:
    for file in database.parent.glob("bridge.db*"):
        file.unlink()
    database.mkdir()


def planted(database: Path) -> None:
    database.rename(database.with_name("elsewhere.db"))
    database.symlink_to(database.with_name("elsewhere.db"))


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize(
    ("damage", "code", "word", "status"),
    [
        (newer, "unavailable", "newer version", 9),
        (corrupt, "tampered", "damaged", 10),
        (foreign, "unavailable", "another program", 9),
        (a_directory, "unavailable", "not a plain file", 9),
        (planted, "unavailable", "not a plain file", 9),
    ],
)
def test_a_database_that_cannot_be_used_is_one_sentence_in_the_clients_own_protocol(
    place: Place, era: str, damage: object, code: str, word: str, status: int
) -> None:
    assert callable(damage)
    place.mab("create", "backend", "frontend")
    damage(place.home / "bridge.db")
    agent = place.agent(era=era, greet=False)
    identity = agent.ask_tool("list_conversations") if era == "modern" else agent.ask("initialize", {})
    answer = agent.answer(identity)
    sentence = answer["result"]["content"][0]["text"] if era == "modern" else answer["error"]["message"]
    assert sentence.startswith(f"{code}: ")
    assert word in sentence
    assert sentence.count("\n") == 0
    assert agent.process.wait(60) == status
    assert agent.complaints() == f"mab: error: {sentence}\n"
    assert hubs(place) == []


def test_a_database_where_nobody_can_write_is_one_sentence(place: Place) -> None:
    # whoever runs the tests as root may write anyway, so the database lies on what nobody can write to
    agent = place.agent(env={"MAB_STORE": "sqlite:////proc/self/bridge.db"})
    refused = agent.call("list_conversations")
    assert refused.code == "unavailable"
    assert agent.process.wait(60) == 9


def test_standalone_tells_the_client_too_when_its_database_cannot_be_used(place: Place) -> None:
    place.mab("create", "backend", "frontend")
    newer(place.home / "bridge.db")
    agent = place.agent("--standalone")
    refused = agent.call("list_conversations")
    assert refused.code == "unavailable"
    assert "newer version" in refused.text
    assert agent.process.wait(60) == 9


def test_a_database_removed_under_a_running_hub_is_said_and_the_hub_goes_on_when_it_is_back(place: Place) -> None:
    alice, _, _ = place.pair()
    alice.good("send_to_partner", message="before")
    hub, database = place.hub, place.home / "bridge.db"
    database.rename(place.home / "aside.db")
    refused = alice.call("send_to_partner", message="while it is away")
    assert refused.code == "unavailable"
    (place.home / "aside.db").rename(database)
    assert alice.good("send_to_partner", message="after")["message_id"] == 2
    assert place.hub == hub


def test_without_a_home_directory_there_is_one_sentence(place: Place) -> None:
    agent = Agent(place.home, command=["env", "-u", "MAB_HOME", "-u", "HOME", *no_such_user()], greet=False)
    place.agents.append(agent)
    answer = agent.request("server/discover")
    assert answer["error"]["message"].startswith("invalid: the home directory is unknown")
    assert agent.process.wait(60) == 2


def no_such_user() -> list[str]:
    """A shim run where the user database knows nobody, as in a container with a random user id."""
    import sys

    code = (
        "import os, sys, os.path; os.path.expanduser = lambda path: path;"
        "from multiagent_bridge.shim import main; sys.exit(main([]))"
    )
    return [sys.executable, "-c", code]


def test_a_hub_that_nobody_is_connected_to_leaves_and_the_next_shim_starts_another() -> None:
    with made(MAB_HUB__IDLE_SECONDS="1") as place:
        first = place.agent()
        first.good("create_conversation", my_role="backend", partner_role="frontend")
        hub = place.hub
        assert first.leave() == 0
        until(lambda: hubs(place) == [], "the idle hub has left")
        assert not (place.home / "hub.sock").exists()
        assert not (place.home / "hub.pid").exists()
        second = place.agent()
        assert second.good("list_conversations")["conversations"] == []
        assert place.hub != hub
        place.verified()


def test_a_hub_never_leaves_while_somebody_is_connected() -> None:
    with made(MAB_HUB__IDLE_SECONDS="1") as place:
        quiet, busy = place.agent(), place.agent()
        quiet.good("list_conversations")
        hub = place.hub
        assert busy.leave() == 0
        # longer than the idle time, measured on the hub's own answers
        end = time.monotonic() + 2.5
        until(lambda: time.monotonic() > end, "the idle time has passed twice")
        assert quiet.good("list_conversations")["conversations"] == []
        assert place.hub == hub


def test_a_hub_that_was_briefly_visited_starts_its_idle_time_anew() -> None:
    with made(MAB_HUB__IDLE_SECONDS="12") as place:
        place.agent().good("list_conversations")
        place.agents[0].leave()
        start = time.monotonic()
        until(lambda: time.monotonic() > start + 2, "some of the idle time has passed")
        # no program has to start for this visit, and ten seconds are left for it
        visitor = Knock(place.home)
        assert visitor.greet()["ok"]
        left = time.monotonic()
        visitor.close()
        until(lambda: hubs(place) == [], "the idle hub has left")
        assert time.monotonic() - left >= 11.9


def test_a_hub_started_by_hand_stays_until_it_is_asked_to_leave() -> None:
    with made(MAB_HUB__IDLE_SECONDS="1") as place:
        hub = place.serve()
        with pytest.raises(Exception, match="timed out"):
            hub.wait(2.5)
        place.mab("serve", "--stop")
        assert hub.wait(60) == 0


def test_bad_settings_are_one_sentence_for_the_client(place: Place) -> None:
    agent = place.agent(env={"MAB_HUB__IDLE_SECONDS": "never"})
    refused = agent.call("list_conversations")
    assert refused.code == "invalid"
    assert "hub.idle_seconds" in refused.text
    assert agent.process.wait(60) == 2


def test_a_name_that_is_none_is_refused_with_one_sentence(place: Place) -> None:
    agent = place.agent("--as", "no/such name")
    refused = agent.call("list_conversations")
    assert refused.code == "invalid"
    assert agent.process.wait(60) == 2
    later = place.agent("--as", "claude")
    assert later.good("list_conversations")["agent"] == "claude"
    opened = [entry for entry in place.entries() if entry["action"] == "connection.open"]
    assert [entry["code"] for entry in opened] == ["invalid"]


def test_a_client_whose_hub_cannot_start_hears_it_even_if_it_never_asked(place: Place) -> None:
    (place.home / "bridge.db").mkdir()
    agent = place.agent(greet=False)
    assert agent.process.wait(60) == 9
    assert agent.complaints().startswith("mab: error: unavailable: ")
    with pytest.raises(Gone):
        agent.answer(1)


def test_the_state_directory_of_a_running_hub_is_closed_to_others(place: Place) -> None:
    place.agent().good("list_conversations")
    modes = {}
    for path in (place.home, *place.home.rglob("*")):
        # what the hub writes anew may be gone again
        with suppress(FileNotFoundError):
            modes[path.name] = path.stat().st_mode & 0o777
    wrong = {name: oct(mode) for name, mode in modes.items() if mode & 0o077}
    assert wrong == {}
    assert json.dumps(sorted(modes))
