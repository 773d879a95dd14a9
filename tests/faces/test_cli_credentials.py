from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.adapters.parcels import age, carriers
from multiagent_bridge.adapters.parcels.box import HomeLetterbox
from multiagent_bridge.cli import credentials_seat, credentials_sync, credentials_wake, owner
from multiagent_bridge.cli.credentials_seat import Seat
from multiagent_bridge.cli.credentials_sync import BEAT_SECONDS, PATIENCE
from multiagent_bridge.cli.credentials_told import Told
from multiagent_bridge.cli.demo_stage import invented_key
from multiagent_bridge.errors import BridgeError, NotAllowed, NotFound, Refused, TooFast, Unavailable
from multiagent_bridge.model.parcels import Parcel
from multiagent_bridge.services.parcels import Pulled
from tests.faces.terminal import Terminal

SHOWN = {
    "worker", "conversation_id", "session_id", "role", "generation", "sequence", "hub", "issued_at", "expires_at", "file",
}  # fmt: skip


class Office:
    """A hub's terminal with a conversation and a repository, and a worker's state directory."""

    def __init__(self, terminal: Terminal) -> None:
        self.mab = terminal.mab
        self.terminal = terminal
        self.repository = terminal.root / "repository.git"
        self.worker = str(terminal.root / "worker")
        subprocess.run(["git", "init", "--quiet", "--bare", str(self.repository)], check=True)
        self.conversation = terminal.opened()
        self.publisher = str(self.mab("credentials", "keygen", "--json").json["publisher"])
        self.recipient = str(self.mab("credentials", "keygen", "--json", MAB_HOME=self.worker).json["recipient"])

    def push(self, *words: str, status: int | None = 0) -> Any:
        where = ("--worker", "w1", "--repo", str(self.repository))
        return self.mab("credentials", "push", self.conversation, "b", *where, *words, status=status)

    def pull(self, *words: str, status: int | None = 0) -> Any:
        where = ("--worker", "w1", "--repo", str(self.repository))
        return self.mab("credentials", "pull", *where, *words, status=status, MAB_HOME=self.worker)


@pytest.fixture
def office(terminal: Terminal) -> Office:
    return Office(terminal)


def test_keygen_makes_an_identity_once_and_prints_it_again(terminal: Terminal) -> None:
    made = terminal.mab("credentials", "keygen", "--json").json
    assert set(made) == {"recipient", "publisher", "file", "made"}
    assert made["made"] is True
    assert Path(made["file"]).stat().st_mode & 0o777 == 0o600
    again = terminal.mab("credentials", "keygen", "--json").json
    assert again == made | {"made": False}
    assert terminal.mab("credentials", "keygen").out == (
        f"recipient  {made['recipient']}\npublisher  {made['publisher']}\n"
    )
    secret = next(line for line in Path(made["file"]).read_text().splitlines() if line.startswith("AGE-SECRET-KEY"))
    other = terminal.mab("credentials", "keygen", "--force", "--json").json
    assert (other["recipient"] != made["recipient"], other["publisher"]) == (True, made["publisher"])
    assert secret not in Path(made["file"]).read_text()


def test_push_and_pull_show_everything_but_the_token(office: Office) -> None:
    pushed = office.push("--key", office.recipient, "--json")
    assert set(pushed.json) == SHOWN | {"commit", "workers"}
    pulled = office.pull("--publisher", office.publisher, "--json")
    assert set(pulled.json) == SHOWN | {"state"}
    assert pulled.json["state"] == "new"
    assert office.pull("--json").json["state"] == "unchanged"
    token = office.terminal.token(office.conversation, "b")
    kept = Path(pulled.json["file"])
    assert json.loads(kept.read_text())["token"] == token
    assert kept.stat().st_mode & 0o777 == 0o600
    assert token not in pushed.out + pushed.err + pulled.out + pulled.err
    assert (
        office.pull().out
        == f"unchanged: w1 is {office.conversation} session b (frontend), number {pushed.json['sequence']}\n"
    )


def test_the_file_is_an_age_file_that_age_itself_could_open(office: Office) -> None:
    office.push("--key", office.recipient)
    show = ["git", "-C", str(office.repository), "show", "main:workers/w1.age"]
    sealed = subprocess.run(show, check=True, capture_output=True).stdout
    assert sealed.startswith(b"age-encryption.org/v1\n-> X25519 ")
    assert b'"signature"' in age.opened(sealed, age.identity(Path(office.worker)))


def test_a_key_may_stand_in_a_file(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"# builder\n{office.recipient}\n")
    office.push("--key-file", str(file))
    assert office.pull("--publisher", office.publisher, "--json").json["worker"] == "w1"
    file.write_text(f"{office.recipient}\n{office.recipient}\n")
    assert office.push("--key-file", str(file), status=2).code == "invalid"
    assert office.push("--key-file", str(tmp_path / "none"), status=7).code == "not_found"


@pytest.mark.parametrize("form", ["toml", "json"])
def test_a_list_of_workers_is_pushed_as_one_commit(office: Office, tmp_path: Path, form: str) -> None:
    rows = [{"name": name, "key": office.recipient, "session": session} for name, session in (("w1", "b"), ("w2", "a"))]
    file = tmp_path / f"workers.{form}"
    text = "".join("[[worker]]\n" + "".join(f'{k} = "{v}"\n' for k, v in row.items()) for row in rows)
    file.write_text(json.dumps({"worker": rows}) if form == "json" else text)
    words = ("--workers", str(file), "--repo", str(office.repository), "--json")
    pushed = office.mab("credentials", "push", office.conversation, *words).json
    assert [row["worker"] for row in pushed["workers"]] == ["w1", "w2"]
    log = ["git", "-C", str(office.repository), "log", "--format=%an %s", "main"]
    assert subprocess.run(log, check=True, capture_output=True, text=True).stdout == "mab credentials for w1, w2\n"


@pytest.mark.parametrize(
    "text", ["", "x", "[[worker]]\nname = 1\n", '{"worker": 7}', '[[worker]]\nname = "w"\nextra = "x"\n']
)
def test_a_list_that_is_none_is_invalid(office: Office, tmp_path: Path, text: str) -> None:
    file = tmp_path / "workers"
    file.write_text(text)
    words = ("credentials", "push", office.conversation, "--workers", str(file), "--repo", str(office.repository))
    assert office.mab(*words, status=2).code == "invalid"


def test_what_is_wrong_has_a_code_and_a_hint(office: Office) -> None:
    assert office.pull(status=3).code == "refused"
    assert office.pull("--publisher", "x", status=2).code == "invalid"
    assert office.pull("--publisher", office.publisher, status=7).code == "not_found"
    # one of 32 recipients ends in q by itself
    mistyped = office.recipient[:-1] + ("p" if office.recipient.endswith("q") else "q")
    assert office.push("--key", mistyped, status=2).code == "invalid"
    assert office.push("--key", "age1x", status=2).code == "invalid"
    assert office.push(status=2).code == "invalid"
    assert office.push("--key", office.recipient, "--branch", "-x", status=2).code == "invalid"
    shutil.rmtree(office.repository)
    failed = office.push("--key", office.recipient, status=9)
    assert failed.code == "unavailable"
    assert "mab: hint: " in failed.err


def test_without_an_identity_a_worker_is_told_to_make_one(office: Office, tmp_path: Path) -> None:
    words = ("credentials", "pull", "--worker", "w1", "--repo", str(office.repository))
    failed = office.mab(*words, status=7, MAB_HOME=str(tmp_path / "new"))
    assert "mab credentials keygen" in failed.err


def test_acts_and_refusals_are_entries_on_both_sides(office: Office) -> None:
    office.push("--key", office.recipient)
    office.pull("--publisher", office.publisher)
    office.pull()
    office.pull("--publisher", "mabpub-" + "0" * 64, status=3)
    theirs = office.mab("audit", "--json", MAB_HOME=office.worker).json
    rows = theirs if isinstance(theirs, list) else theirs["entries"]
    seen = [(row["action"], row["outcome"]) for row in rows]
    assert seen == [
        ("credentials.keygen", "done"), ("credentials.pull", "done"), ("credentials.pull", "refused"),
    ]  # fmt: skip
    office.mab("audit", "--verify", MAB_HOME=office.worker)


def test_the_hook_is_installed_once(office: Office) -> None:
    made = office.mab("credentials", "hook", "--repo", str(office.repository), "--json").json
    assert made == {"file": str(office.repository / "hooks" / "post-receive"), "written": True}
    assert os.access(made["file"], os.X_OK)
    assert office.mab("credentials", "hook", "--repo", str(office.repository), "--json").json["written"] is False
    assert office.mab("credentials", "hook", "--repo", str(office.terminal.root), status=2).code == "invalid"


def test_waking_nobody_is_no_failure(terminal: Terminal) -> None:
    assert terminal.mab("credentials", "wake").out == ""


@pytest.mark.anyio
async def test_a_ring_reaches_every_ear_of_the_state_directory(anyio_backend: str, tmp_path: Path) -> None:
    async with credentials_wake.listening(tmp_path) as one, credentials_wake.listening(tmp_path) as two:
        await credentials_wake.ring(tmp_path)
        assert await asyncio.gather(one.wait(60), two.wait(60)) == [True, True]


@pytest.mark.parametrize("wrong", [True, False])
def test_what_cannot_be_written_down_is_not_taken_and_comes_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    def locked() -> None:
        raise Unavailable("the store is locked", "wait")

    office.push("--key", office.recipient)
    monkeypatch.setenv("MAB_HOME", office.worker)
    publisher = "mabpub-" + "0" * 64 if wrong else office.publisher
    looking = credentials_sync.Looking(Path(office.worker), "w1", str(office.repository), "main", publisher)
    with monkeypatch.context() as patch:
        patch.setattr(owner, "hub", locked)
        with pytest.raises(Unavailable):
            asyncio.run(looking.look())
    assert looking.box.parcel("w1") is None
    with pytest.raises(Refused) if wrong else nullcontext():
        assert asyncio.run(looking.look()).fresh
    rows = office.mab("audit", "--json").json
    newest = (rows if isinstance(rows, list) else rows["entries"])[-1]
    assert (newest["action"], newest["outcome"]) == ("credentials.pull", "refused" if wrong else "done")


def test_a_worker_called_push_shares_no_repository_with_pushing(office: Office) -> None:
    """Each has a lock of its own, and one git at a time works in a local repository."""
    home, repository = Path(office.worker), str(office.repository)
    pushing = carriers.repository(home, repository, "main", "push")
    looking = credentials_sync.Looking(home, "push", repository, "main", office.publisher)
    with pytest.raises(NotFound):
        asyncio.run(looking.look())
    asyncio.run(pushing.read("workers/push.age"))
    assert len(list((home / "credentials" / "repositories").glob("*.git"))) == 2


# --- the loop of sync, on a clock that the test moves --------------------------------------------------------------------


class Played:
    """Looks and a seat that answer as told, and note what they were asked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.looks: list[Pulled | BridgeError] = []
        self.seats: list[BridgeError] = []
        self.beats: list[BridgeError] = []
        self.renewals: list[str] = []
        self.kept: list[str] = []

    async def look(self) -> Pulled:
        self.asked.append("look")
        said = self.looks.pop(0) if self.looks else NotFound("nothing yet", "wait")
        if isinstance(said, BridgeError):
            raise said
        return said

    async def take(self, parcel: Parcel) -> Parcel:
        self.asked.append(f"take {parcel.sequence}")
        if self.seats:
            raise self.seats.pop(0)
        return self._renewed(parcel)

    async def beat(self, parcel: Parcel) -> Parcel:
        self.asked.append(f"beat {parcel.sequence}")
        if self.beats:
            raise self.beats.pop(0)
        return self._renewed(parcel)

    async def renewed(self, parcel: Parcel) -> None:
        self.asked.append(f"keep {parcel.generation}")
        self.kept.append(parcel.token)

    def _renewed(self, parcel: Parcel) -> Parcel:
        """As a hub that renews a token answers, and answers again while the old one is shown."""
        if not self.renewals or parcel.token == self.renewals[0]:
            return parcel
        return replace(parcel, token=self.renewals[0], generation=parcel.generation + 1)


class Working:
    running = True

    def __init__(self, played: Played) -> None:
        self._played = played

    async def start(self, parcel: Parcel, told: Told) -> None:
        self._played.asked.append(f"start {parcel.sequence}")


def parcel(sequence: int) -> Parcel:
    return Parcel("w1", "age1", "conv_000000000001", "b", "builder", 1, "f" * 64, "", "", sequence, 1, 2)


@pytest.fixture
def played() -> Played:
    return Played()


def loop(played: Played, program: Working | None = None, every: float = 60.0) -> Any:
    return credentials_sync._Sync(played, played, program, every, False, Told(True), lambda: played.now)  # type: ignore[arg-type]


async def until(made: Any, played: Played, seconds: float) -> None:
    """Let so much time pass: every step at the moment that the loop itself names."""
    end = played.now + seconds
    while (due := max(made._next(), played.now)) < end:
        played.now = due
        await made._step()
    played.now = end


@pytest.mark.anyio
async def test_a_seat_is_kept_by_heartbeats_well_within_what_counts_as_alive(
    anyio_backend: str, played: Played
) -> None:
    played.looks = [Pulled(parcel(1), True)] + [Pulled(parcel(1), False)] * 9
    made = loop(played)
    await until(made, played, 301)
    assert played.asked.count("beat 1") == 301 // BEAT_SECONDS
    assert played.asked.count("look") == 6
    assert played.asked.count("take 1") == 1


@pytest.mark.anyio
async def test_a_token_that_is_renewed_under_a_heartbeat_is_kept_and_shown_from_then_on(
    anyio_backend: str, played: Played
) -> None:
    played.looks = [Pulled(parcel(1), True)] + [Pulled(parcel(1), False)] * 9
    made = loop(played)
    await until(made, played, 31)
    assert played.kept == []
    played.renewals = ["2" * 64]
    await until(made, played, 90)
    assert played.kept == ["2" * 64]
    played.renewals = ["3" * 64]
    await until(made, played, 90)
    assert played.kept == ["2" * 64, "3" * 64]
    assert made._seated.token == "3" * 64
    assert [said for said in played.asked if said.startswith("keep")] == ["keep 2", "keep 3"]


@pytest.mark.anyio
async def test_a_token_that_is_renewed_when_the_seat_is_taken_is_kept(anyio_backend: str, played: Played) -> None:
    played.looks, played.renewals = [Pulled(parcel(1), True)], ["2" * 64]
    made = loop(played)
    await until(made, played, 1)
    assert (played.kept, made._seated.token) == (["2" * 64], "2" * 64)


@pytest.mark.anyio
async def test_a_token_that_cannot_be_kept_is_not_gone_over_to(
    anyio_backend: str, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(parcel: Parcel) -> None:
        raise Unavailable("no space left", "make room")

    monkeypatch.setattr(played, "renewed", full)
    played.looks, played.renewals = [Pulled(parcel(1), True)], ["2" * 64]
    made = loop(played)
    await until(made, played, 10)
    assert made._seated is None
    monkeypatch.undo()
    await until(made, played, 60)
    assert (played.kept, made._seated.token) == (["2" * 64], "2" * 64)


def test_a_renewed_token_is_kept_for_the_next_start_unless_credentials_came_meanwhile(office: Office) -> None:
    office.push("--key", office.recipient)
    office.pull("--publisher", office.publisher)
    kept = HomeLetterbox(Path(office.worker))
    before, seen = kept.parcel("w1"), kept.seen("w1")
    assert before is not None
    renewed = replace(before, token="2" * 64, generation=2)
    kept.renew(renewed)
    assert (kept.parcel("w1"), kept.seen("w1")) == (renewed, seen)
    assert kept.file("w1").stat().st_mode & 0o777 == 0o600
    assert "unchanged" in office.pull().out
    assert kept.parcel("w1") == renewed
    office.push("--key", office.recipient)
    office.pull()
    after = kept.parcel("w1")
    kept.renew(renewed)
    assert kept.parcel("w1") == after != renewed


@pytest.mark.anyio
async def test_a_program_that_has_ended_gets_no_heartbeats_so_that_its_silence_shows(
    anyio_backend: str, played: Played
) -> None:
    played.looks = [Pulled(parcel(1), True)]
    program = Working(played)
    made = loop(played, program)
    await until(made, played, 61)
    program.running = False
    before = played.asked.count("beat 1")
    await until(made, played, 300)
    assert before == 2
    assert played.asked.count("beat 1") == before
    played.looks = [Pulled(parcel(2), True)]
    program.running = True
    await until(made, played, 91)
    assert "start 2" in played.asked
    assert "beat 2" in played.asked


@pytest.mark.anyio
async def test_a_program_is_given_nothing_that_opens_the_store(
    anyio_backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAB_TOKEN", "MAB_MASTER_KEY", "MAB_WEBHOOK_SECRET", "MAB_POSTGRES__PASSWORD", "MAB_REDIS__PASSWORD"):
        monkeypatch.setenv(name, "planted")
    shown = "import os, sys; open(sys.argv[1], 'w').write(repr(dict(os.environ)))"
    program = credentials_seat.Program([sys.executable, "-c", shown, str(tmp_path / "shown")])
    await program.start(parcel(1), Told(True))
    assert program._watch is not None
    await asyncio.wait_for(asyncio.shield(program._watch), 60)
    given = (tmp_path / "shown").read_text()
    assert "conv_000000000001" in given
    assert "planted" not in given


LEADER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]])
while True:
    time.sleep(0.1)
"""

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
file = open(sys.argv[1], "w")
print(os.getpid(), file=file, flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.mark.anyio
async def test_a_program_is_ended_with_what_it_started_though_that_does_not_listen(
    anyio_backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials_seat, "END_SECONDS", 0.5)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ear, heard, loop = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), asyncio.Event(), asyncio.get_running_loop()
    program = credentials_seat.Program([sys.executable, "-c", LEADER, STUBBORN, str(pipe)])
    await program.start(parcel(1), Told(True))
    loop.add_reader(ear, heard.set)
    await asyncio.wait_for(heard.wait(), 60)
    started = int(os.read(ear, 100))
    try:
        await program.end()
        heard.clear()
        # what holds the other end is gone
        await asyncio.wait_for(heard.wait(), 30)
        assert os.read(ear, 100) == b""
    finally:
        loop.remove_reader(ear)
        os.close(ear)
        with suppress(ProcessLookupError):
            os.kill(started, signal.SIGKILL)


@pytest.mark.anyio
async def test_a_repository_that_cannot_be_reached_is_asked_more_seldom_and_named_once(
    anyio_backend: str, played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    played.looks = [Unavailable("no route", "wait")] * 20
    made = loop(played)
    await until(made, played, 60.0 * PATIENCE * 5)
    assert len(played.asked) == 3 + 4
    assert capsys.readouterr().out.count("no route") == 1
    played.looks = [NotFound("nothing yet", "wait")]
    await until(made, played, 60.0 * PATIENCE)
    assert '"event":"reachable"' in capsys.readouterr().out


@pytest.mark.anyio
async def test_a_hub_that_cannot_be_reached_is_tried_again_until_it_can(anyio_backend: str, played: Played) -> None:
    played.looks = [Pulled(parcel(1), True)]
    played.seats = [Unavailable("no hub", "wait"), TooFast("slowly", retry_after=7.0), Refused("expired", "extend")]
    made = loop(played)
    await until(made, played, 59)
    assert played.asked.count("take 1") == 4


@pytest.mark.anyio
async def test_a_token_that_opens_nothing_is_tried_once_and_looked_after_at_once(
    anyio_backend: str, played: Played
) -> None:
    played.looks = [Pulled(parcel(1), True), Pulled(parcel(1), False), Pulled(parcel(2), True)]
    played.seats = [NotAllowed("wrong", "ask")]
    made = loop(played)
    await until(made, played, 30)
    assert played.asked == ["look", "take 1", "look"]
    await until(made, played, 60)
    assert "take 2" in played.asked


@pytest.mark.anyio
async def test_a_session_that_was_rotated_under_a_heartbeat_is_looked_after_at_once(
    anyio_backend: str, played: Played
) -> None:
    played.looks = [Pulled(parcel(1), True), Pulled(parcel(2), True)]
    played.beats = [NotAllowed("rotated", "ask")]
    made = loop(played, every=600.0)
    await until(made, played, BEAT_SECONDS + 2)
    assert played.asked == ["look", "take 1", "beat 1", "look", "take 2"]


@pytest.mark.anyio
async def test_credentials_that_wait_for_the_hub_outlive_the_end_of_those_before(
    anyio_backend: str, played: Played
) -> None:
    """Rotated and pushed again while the hub is away: when it is back, the old session's heartbeat is refused first."""
    played.looks = [Pulled(parcel(1), True)]
    made = loop(played)
    await until(made, played, 59)
    played.looks = [Pulled(parcel(2), True)] + [Pulled(parcel(2), False)] * 9
    played.seats = [TooFast("slowly", retry_after=50.0)]
    played.beats = [NotAllowed("rotated", "ask")]
    await until(made, played, 300)
    assert played.asked.count("take 2") == 2
    assert made._seated == parcel(2)


@pytest.mark.anyio
async def test_credentials_that_another_pull_took_are_changed_over_to(anyio_backend: str, played: Played) -> None:
    """`mab credentials pull` beside a running sync: what it took is not new to the next look, and is to the sync."""
    played.looks = [Pulled(parcel(1), True)] + [Pulled(parcel(2), False)] * 9
    made = loop(played)
    await until(made, played, 301)
    assert [said for said in played.asked if said.startswith("take")] == ["take 1", "take 2"]


@pytest.mark.anyio
async def test_each_rotation_is_said_though_its_words_are_those_of_the_last(
    anyio_backend: str, played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    made = loop(played)
    for number in (1, 2, 3):
        played.looks = [Pulled(parcel(number), True)]
        await until(made, played, 61)
        played.beats = [NotAllowed("rotated", "ask")]
        await until(made, played, 61)
    assert capsys.readouterr().out.count('"event":"rotated"') == 3


@pytest.mark.anyio
async def test_a_program_that_cannot_be_started_is_said_at_each_try(
    anyio_backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, told = credentials_seat.Program([str(tmp_path / "gone")]), Told(True)
    for number in (1, 2):
        await program.start(parcel(number), told)
    assert capsys.readouterr().out.count('"event":"failed"') == 2


def test_a_hub_elsewhere_is_reached_by_address_and_files_and_never_by_a_secret(tmp_path: Path) -> None:
    seat = Seat(tmp_path, "w1", tmp_path / "w1.key", tmp_path / "ca.pem")
    there = replace(parcel(1), hub="https://hub.example.org/mcp", hub_key="mab_key_secret")
    assert seat._elsewhere(there) == [
        "--connect", "https://hub.example.org/mcp", "--key-file", str(tmp_path / "w1.key"), "--ca", str(tmp_path / "ca.pem"),
    ]  # fmt: skip
    assert seat._elsewhere(replace(there, hub_key="")) == [
        "--connect", "https://hub.example.org/mcp", "--ca", str(tmp_path / "ca.pem"),
    ]  # fmt: skip
    assert seat._elsewhere(parcel(1)) == []


def test_a_key_for_a_hub_elsewhere_comes_from_a_file_and_is_shown_nowhere(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "hub.key"
    file.write_text("mab_key_secret\n")
    words = ("--key", office.recipient, "--hub", "https://hub.example.org/mcp", "--hub-key-file", str(file), "--json")
    pushed = office.push(*words)
    pulled = office.pull("--publisher", office.publisher, "--json")
    assert pulled.json["hub"] == "https://hub.example.org/mcp"
    assert "mab_key_secret" not in pushed.out + pushed.err + pulled.out + pulled.err
    assert Path(pulled.json["file"]).with_name("w1.key").read_text() == "mab_key_secret\n"


def test_a_secret_in_any_word_stands_in_no_entry_and_no_answer(office: Office, tmp_path: Path) -> None:
    secret = invented_key()
    repository = tmp_path / f"{secret}.git"
    plain = {
        "--worker": "w1",
        "--key": office.recipient,
        "--repo": str(repository),
        "--hub": "https://hub.example.org/mcp",
    }
    file = tmp_path / "key"
    file.write_text(f"{secret} {secret}\n")
    for option, value in {
        "--worker": secret, "--key": secret, "--key-file": str(file), "--branch": secret, "--hub": f"https://{secret}@h/",
        "--hub-key-file": str(file), "--repo": f"https://u:{secret}@git.example.org/x",
    }.items():  # fmt: skip
        words = plain | {option: value}
        said = office.mab("credentials", "push", office.conversation, "b", *sum(words.items(), ()), status=None)
        assert said.status != 0
        if option != "--worker":
            # the repository is named as it was given, and so is a path
            assert secret not in (said.out + said.err).replace(str(repository), "")
    for publisher in (secret, f"mabpub-{secret}"):
        assert secret not in office.pull("--publisher", publisher, status=2).err
    assert secret not in office.mab("audit", "--json").out + office.mab("audit", "--json", MAB_HOME=office.worker).out
    files = [path for home in (office.terminal.home, Path(office.worker)) for path in home.rglob("*") if path.is_file()]
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
