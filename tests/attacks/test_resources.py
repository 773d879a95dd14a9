"""Bounds: what one agent can make the hub remember, do and wait for."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import string
import time
from pathlib import Path

import anyio
import pytest

from multiagent_bridge.adapters import state
from multiagent_bridge.adapters.bell import DatagramBell
from multiagent_bridge.errors import Invalid, TooFast, Unavailable
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.mcp import connection as connections
from multiagent_bridge.mcp.connection import Connection
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.services import redaction
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub
from tests.faces.terminal import Terminal
from tests.services.conftest import Pair, paired


@pytest.fixture
async def pair(anyio_backend: str) -> Pair:
    return await paired(memory_hub())


def key() -> str:
    """A private key of some four thousand characters."""
    lines = "\n".join(secrets.token_hex(32) for _ in range(60))
    return f"-----BEGIN {'PRIVATE'} KEY-----\n{lines}\n-----END {'PRIVATE'} KEY-----\n"


def test_secrets_seen_are_remembered_within_bounds() -> None:
    """Without them eleven messages took 1.3 GB and thirteen seconds of the one writer's time."""
    remembered = Redaction(Redactor().redact)
    for conversation in range(20):
        for _ in range(3):
            remembered.said(f"conv_{conversation}", "\n".join(key() for _ in range(5)))
            assert remembered._seen[f"conv_{conversation}"].weight <= redaction.OF_ONE
        assert sum(seen.weight for seen in remembered._seen.values()) <= redaction.OF_ALL


def test_a_secret_just_seen_is_found_again_however_many_came_before() -> None:
    remembered = Redaction(Redactor().redact)
    chance = random.Random(12)  # in one of 250 passwords by chance alone there is a vendor's key, and its kind is told
    for _ in range(12):
        password = "".join(chance.choices(string.ascii_letters + string.digits, k=500))
        assert "PASSWORD_REDACTED" in remembered.said("conv_x", f"password: {password}").text
        assert password[:300] not in remembered.said("conv_x", f"as I said {password}").text


async def test_a_million_names_are_counted_before_they_are_read(pair: Pair) -> None:
    for words in ({"to": ["b"] * 1_000_000}, {"files_involved": ["a.py"] * 1_000_000}):
        began = time.thread_time()
        with pytest.raises(Invalid) as refused:
            await pair.send(pair.alice, "x", **words)
        assert "1000000" in refused.value.sentence
        assert time.thread_time() - began < 0.5


async def test_a_number_of_five_thousand_digits_is_invalid_and_not_repeated(pair: Pair) -> None:
    for words in ({"limit": 10**5000}, {"ack_through": -(10**5000)}, {"before": 1e300}):
        with pytest.raises(Invalid) as refused:
            await pair.check(pair.bob, **words)
        assert len(str(refused.value)) < 300


async def test_invites_and_bindings_that_ended_are_swept(pair: Pair) -> None:
    made = pair.made.conversation.id
    for _ in range(5):
        await pair.hub.conversations.invite(OWNER, made, "b")
    pair.clock.advance(pair.hub.limits.invite_seconds + 1)
    await pair.hub.conversations.invite(OWNER, made, "b")
    assert await pair.world.store.write(lambda tx: tx.invites.sweep(2**60)) == 1
    pair.clock.advance(pair.hub.limits.conversation_seconds_max + 1)
    await pair.hub.conversations.cleanup(OWNER, 10**9)
    assert await pair.world.store.write(lambda tx: tx.bindings.sweep(2**60, "key:")) == 0


async def test_a_connection_that_is_refused_without_end_goes_at_a_walk(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refusal is an entry written for good: a loop of them must not fill the disk in an hour."""
    connection = Connection(pair.hub, agent("mallory"))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    # however slow the machine is, no time empties the bucket meanwhile
    monkeypatch.setattr(connections, "REFUSAL_SECONDS", 3600.0)
    monkeypatch.setattr(connections.anyio, "sleep", sleep)
    for _ in range(connections.REFUSALS):
        await connection.pace()
        connection.refused()
    at_first = list(slept)
    for _ in range(20):
        connection.refused()
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(connection.pace)
    monkeypatch.undo()
    await connection.close()
    assert at_first == []
    # ten at once stand in one line: each waits longer than the one before
    assert len(slept) == 10
    assert slept[-1] > slept[0] + 8 * 3600.0


async def test_another_connection_goes_on_as_before(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REFUSAL_SECONDS", 3600.0)
    loud, calm = Connection(pair.hub, agent("mallory")), Connection(pair.hub, pair.alice)
    for _ in range(connections.REFUSALS * 2):
        loud.refused()
    with anyio.fail_after(30):
        await calm.pace()
    for held in (loud, calm):
        await held.close()


async def test_a_session_cannot_spend_what_is_another_s(pair: Pair) -> None:
    for _ in range(10):
        await pair.send(pair.alice, "x")
    with pytest.raises(TooFast):
        await pair.send(pair.alice, "x")
    await pair.send(pair.bob, "y")
    assert (await pair.hub.conversations.list(pair.bob, NO_CREDENTIALS)).places


# -- the state directory


def test_a_kill_at_any_step_of_making_the_key_leaves_a_directory_that_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    calls = ("write", "fsync", "rename", "link", "unlink")
    for name in calls:
        for before in (True, False):
            home = state.prepared(tmp_path / f"{name}-{before}")
            with monkeypatch.context() as patch:
                real = getattr(os, name)

                def dies(*words: object, real: object = real, before: bool = before, **more: object) -> None:
                    if not before:
                        real(*words, **more)  # type: ignore[operator]
                    raise Killed

                patch.setattr(os, name, dies)
                with contextlib.suppress(Killed):
                    state.master_key(home, None)
            key = state.master_key(home, None)
            assert len(key) == 32
            assert state.master_key(home, None) == key
            assert (home / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_pipe_planted_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    home = state.prepared(tmp_path / "home")
    for name in ("master.key", "hub.log", "hub.lock"):
        os.mkfifo(home / name, 0o600)
    for act in (
        lambda: state.read_secret(home / "master.key"),
        lambda: state.opened(home / "hub.log", os.O_WRONLY | os.O_APPEND),
        lambda: state.try_lock(home / "hub.lock"),
        lambda: state.master_key(home, None),
    ):
        with pytest.raises(Unavailable):
            act()


async def test_a_link_or_a_file_in_the_place_of_the_bells_is_one_sentence(tmp_path: Path, anyio_backend: str) -> None:
    async def changed() -> bool:
        return False

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        bell = DatagramBell(tmp_path / name, changed)
        with pytest.raises(Unavailable):
            await bell.open()
        await bell.close()
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("key", "value"),
    [("home", "'/srv/theirs'"), ("store", "'sqlite:////srv/theirs.db'"), ("master_key", f"'{'ab' * 32}'")],
)
def test_a_workspace_cannot_say_where_conversations_and_keys_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str, value: str
) -> None:
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    (terminal.project / "bridge.toml").write_text(f"{key} = {value}\n")
    for words in (("create", "one side", "other side"), ("config", "validate"), ("list",)):
        done = terminal.mab(*words, status=2)
        assert done.code == "invalid"
        assert key in done.err
        assert "ab" * 32 not in done.err
    (terminal.project / "bridge.toml").unlink()
    (terminal.user / "bridge.toml").write_text(f"{key} = {value}\n")
    assert terminal.mab("config", "validate").status == 0


@pytest.mark.parametrize("rate", ["[[0, 60]]", "[[10, 0]]", "[[-1, 60]]"])
def test_a_rate_that_divides_by_nothing_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rate: str
) -> None:
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    assert terminal.mab("list", status=2, MAB_LIMITS__WRITES=rate).code == "invalid"
