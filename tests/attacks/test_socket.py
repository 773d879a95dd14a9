"""Attacks on the hub's socket and the bells beside it."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attacks.wires import GREETING, KEY, Knock
from tests.machines.agents import MODERN
from tests.machines.places import UNLIMITED, Place, made, until

pytestmark = [pytest.mark.machines, pytest.mark.timeout(120)]

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_conversations", "_meta": MODERN}}


@pytest.fixture(scope="module")
def held() -> Iterator[Place]:
    """A place with a hub that somebody is connected to."""
    with made(**UNLIMITED) as place:
        place.agent().good("list_conversations")
        yield place
        place.verified()


def openings(place: Place) -> list[str]:
    """The codes of every refused greeting in the journal."""
    return [e["code"] for e in place.entries() if e["action"] == "connection.open"]


def served(place: Place) -> None:
    """The hub is alive and serves those it served before."""
    assert not place.agents[0].call("list_conversations").failed


GREETINGS: dict[str, bytes] = {
    "not JSON": b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a JSON-RPC request": json.dumps(CALL).encode() + b"\n",
    "an array": b"[1, 2, 3]\n",
    "null": b"null\n",
    "empty": b"\n",
    "not UTF-8": b"\xff\xfe\xfd\n",
    "huge nesting": b"[" * 4000 + b"\n",
    "too long": b'{"mab": 1, "key": "' + b"a" * 5000 + b'"}\n',
    "far too long": b"a" * 1_000_000 + b"\n",
    "another version": json.dumps(GREETING | {"mab": 2}).encode() + b"\n",
    "no key": json.dumps({k: v for k, v in GREETING.items() if k != "key"}).encode() + b"\n",
    "a short key": json.dumps(GREETING | {"key": "abc"}).encode() + b"\n",
    "a key of another type": json.dumps(GREETING | {"key": [KEY]}).encode() + b"\n",
    "a key in capitals": json.dumps(GREETING | {"key": KEY.upper().replace("0", "A")}).encode() + b"\n",
    "a name with a line break": json.dumps(GREETING | {"as": "claude\nroot"}).encode() + b"\n",
    "a name of another type": json.dumps(GREETING | {"as": {"a": 1}}).encode() + b"\n",
    "a name of 65 characters": json.dumps(GREETING | {"as": "a" * 65}).encode() + b"\n",
}


@pytest.mark.parametrize("kind", GREETINGS)
def test_a_bad_greeting_gets_one_sentence_an_entry_and_the_door(held: Place, kind: str) -> None:
    before = len(openings(held))
    knock = Knock(held.home)
    with suppress(BrokenPipeError, ConnectionResetError):
        knock.send(GREETINGS[kind])
    answer = knock.line()
    assert answer is not None
    assert answer["ok"] is False
    assert answer["error"].startswith("invalid: ")
    assert "\n" not in answer["error"]
    assert knock.line() is None
    knock.close()
    assert openings(held)[before:] == ["invalid"]
    served(held)


def test_a_greeting_that_never_comes_is_not_waited_for(held: Place) -> None:
    before, start = len(openings(held)), time.monotonic()
    slow = Knock(held.home)
    slow.send(b'{"mab": 1,')
    answer = slow.line()
    assert answer is not None
    assert answer["error"].startswith("unavailable: no greeting came")
    assert slow.line() is None
    assert 4 < time.monotonic() - start < 40
    slow.close()
    assert openings(held)[before:] == ["unavailable"]
    served(held)


def test_a_hundred_connections_that_say_nothing_keep_nobody_out(held: Place) -> None:
    knocks = [Knock(held.home) for _ in range(100)]
    assert held.agent().good("list_conversations")["conversations"] == []
    for knock in knocks:
        knock.close()
    served(held)


def test_a_connection_that_leaves_in_the_middle_of_a_greeting_or_a_request_harms_nobody(held: Place) -> None:
    for content in (b"", b'{"mab"', json.dumps(GREETING).encode(), json.dumps(GREETING).encode() + b"\n"):
        knock = Knock(held.home)
        knock.send(content)
        knock.close()
    knock = Knock(held.home)
    assert knock.greet()["ok"]
    knock.send(json.dumps(CALL).encode()[:-10])
    knock.close()
    served(held)


def test_the_connection_key_of_another_is_not_enough_to_learn_it_from_the_store(held: Place) -> None:
    knock = Knock(held.home)
    assert knock.greet(key="ab" * 16)["ok"]
    knock.send(json.dumps(CALL).encode() + b"\n")
    assert knock.line() is not None
    knock.close()
    stored = b"".join(path.read_bytes() for path in held.home.glob("bridge.db*"))
    assert b"ab" * 16 not in stored


def test_an_older_or_equal_version_cannot_make_the_hub_leave(held: Place) -> None:
    hub = held.hub
    for version in ("0.0.1", "0.1.0", "", "none", "-1"):
        knock = Knock(held.home)
        answer = knock.greet(verb="retire", version=version)
        assert answer["error"].startswith("not_allowed: ")
        knock.close()
    assert held.hub == hub
    served(held)


def test_another_user_is_refused_by_the_hub_itself_even_where_the_file_modes_would_let_it_in(held: Place) -> None:
    if os.geteuid() != 0:
        refused_by_modes(held)
        return
    before = len(openings(held))
    held.home.chmod(0o755)
    (held.home / "hub.sock").chmod(0o777)
    script = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])\n"
        "s.sendall(sys.argv[2].encode() + b'\\n')\n"
        "print(s.recv(65536).decode())"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(held.home / "hub.sock"), json.dumps(GREETING)],
            capture_output=True,
            text=True,
            timeout=90,
        )
    finally:
        (held.home / "hub.sock").chmod(0o600)
        held.home.chmod(0o700)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    assert answer["error"] == "not_allowed: this hub serves another user (start a hub of your own: mab mcp)"
    assert openings(held)[before:] == ["not_allowed"]
    assert [e["actor"] for e in held.entries() if e["action"] == "connection.open"][-1] == "agent of uid 65534"
    served(held)


def refused_by_modes(place: Place) -> None:
    """Without root no second user can be played: what keeps others out is checked instead."""
    assert place.home.stat().st_mode & 0o077 == 0
    assert (place.home / "hub.sock").stat().st_mode & 0o077 == 0


def test_a_shim_says_nothing_to_a_hub_that_belongs_to_another_user(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        assert tmp_path.stat().st_uid == os.geteuid()
        return
    with made() as place:
        place.home.chmod(0o777)
        script = (
            "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); s.settimeout(90)\n"
            "print('ready', flush=True); c, _ = s.accept(); c.settimeout(60); print(c.recv(65536), flush=True)"
        )
        trap = subprocess.Popen([sys.executable, "-c", script, str(place.home / "hub.sock")], stdout=subprocess.PIPE)
        assert trap.stdout is not None
        assert trap.stdout.readline() == b"ready\n"
        agent = place.agent()
        refused = agent.call("list_conversations")
        assert refused.code == "not_allowed"
        assert "another user" in refused.text
        assert agent.process.wait(60) == 4
        assert trap.stdout.readline() == b"b''\n"
        trap.wait(90)
        trap.stdout.close()
        (place.home / "hub.sock").unlink()


def test_forged_bells_wake_at_most_and_deliver_nothing(held: Place) -> None:
    alice, bob, conversation = held.pair()
    waiting = bob.ask_tool("check_messages", wait_seconds=50)
    bells = held.home / "bells"
    ear = until(lambda: [path for path in bells.iterdir() if not path.name.startswith(".")], "the hub listens")[0]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as forger:
        for content in (
            b"",
            b"\0" * 512,
            b"\xff" * 2000,
            b"x" * 60_000,
            f"inbox:{conversation}/b".encode(),
            b"inbox:conv_000000000000/a",
            b"journal",
            b"*",
            json.dumps({"message": "from nobody"}).encode(),
        ):
            for _ in range(50):
                try:
                    forger.sendto(content, socket.MSG_DONTWAIT, str(ear))
                except BlockingIOError:
                    break
    alice.good("send_to_partner", message="the only one")
    (message,) = bob.result(waiting, 120).fields["messages"]
    assert message["message"] == "the only one"
    assert bob.good("check_messages")["messages"] == []
    served(held)


def test_files_planted_among_the_bells_harm_nobody(held: Place) -> None:
    alice, bob, _ = held.pair()
    bells = held.home / "bells"
    (bells / "plain").write_text("not a socket")
    (bells / "folder").mkdir()
    (bells / "link").symlink_to(held.home / "master.key")
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(bells / "dead"))
    dead.close()
    alice.good("send_to_partner", message="all the same")
    assert [m["message"] for m in bob.good("check_messages")["messages"]] == ["all the same"]
    until(lambda: not (bells / "dead").exists(), "the dead bell is swept")
    # whatever is no bell is swept too, but never what a link points to
    assert len((held.home / "master.key").read_text().strip()) == 64
    (bells / "folder").rmdir()
    served(held)


@pytest.mark.parametrize("name", ["hub.pid", "hub.log", "hub.lock", "start.lock", "master.key", "master.lock"])
def test_a_link_planted_in_the_state_directory_is_refused_and_its_target_untouched(place: Place, name: str) -> None:
    target = place.home.with_name(place.home.name + ".target")
    target.write_text("precious")
    try:
        (place.home / name).symlink_to(target)
        agent = place.agent()
        refused = agent.call("list_conversations")
        assert refused.code == "unavailable"
        assert "\n" not in refused.text
        assert agent.process.wait(60) == 9
        assert target.read_text() == "precious"
    finally:
        target.unlink()


def test_a_flood_of_wrong_tokens_is_slowed_and_spends_nobody_elses_budget(place: Place) -> None:
    alice, bob, conversation = place.pair()
    eve = place.agent()
    tokens = (f"{n:064x}" for n in itertools.count())

    def tried() -> str:
        return eve.call("check_messages", conversation_id=conversation, session_id="b", token=next(tokens)).code

    assert [tried() for _ in range(30)] == ["not_allowed"] * 30
    # a machine that is slow earns some more of them meanwhile
    until(lambda: tried() == "too_fast", "it is slowed")
    alice.good("send_to_partner", message="not my budget")
    assert len(bob.good("check_messages")["messages"]) == 1
    place.verified()
