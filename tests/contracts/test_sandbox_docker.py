"""The Docker sandbox against a stand-in for the engine's client. Which words a real engine gets, and what it is asked, is what
these tests hold; that a container confines can only be found out by running one, which the self-test does.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.adapters.sandbox import docker_engine
from multiagent_bridge.adapters.sandbox.docker import DockerSandbox
from multiagent_bridge.errors import Conflict, NotFound, Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import TIMEOUT, Bounds, Confinement, Program
from multiagent_bridge.testing import sandboxes as laws
from multiagent_bridge.testing.sandboxes import SandboxLaw, Site

pytestmark = pytest.mark.anyio

NOBODY = 65534
SECONDS = 90
LAUNCHING = (
    laws.a_program_runs_in_the_workspace,
    laws.a_signal_shows_as_128_and_its_number,
    laws.a_pipe_joins_output_to_input,
    laws.a_variable_reaches_its_own_step_only,
    laws.the_environment_of_the_caller_stays_out,
    laws.the_time_of_a_plan_is_bounded,
    laws.nothing_outlives_the_run,
    laws.a_cancelled_run_is_dead_when_it_lets_go,
    laws.a_name_means_a_program_and_its_digest,
    laws.another_folder_is_not_the_workspace,
    laws.runs_at_once_do_not_mix,
)
"""The laws that depend on how a program is launched; the others are the executor's, which other tests hold to them."""
IMAGE = "tools@sha256:" + "5e" * 32
DOUBLE = Path(__file__).with_name("docker_double.py")
HUB = """
import asyncio, sys
from pathlib import Path
from multiagent_bridge.adapters.sandbox.docker import DockerSandbox
from multiagent_bridge.testing.sandboxes import Site
state, image, clients, folder, line = sys.argv[1:]
asyncio.run(Site(DockerSandbox(Path(state), image, clients=clients), Path(folder)).shell(line))
"""


@dataclass(frozen=True)
class Harbour:
    """`clients` holds the stand-in, with what it was told and what it says."""

    site: Site
    clients: Path
    state: Path

    def says(self, *names: str) -> None:
        for name in names:
            (self.clients / "says" / name).touch()

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.clients / "calls").read_text().splitlines()]

    @property
    def runs(self) -> list[list[str]]:
        """The words of each container that was asked for, the self-test and looking up programs left out."""
        found = [call["words"] for call in self.calls if call["words"][0] == "run"]
        return [words for words in found if f"--workdir={self.site.folder}" in words]

    @property
    def left(self) -> list[Path]:
        return list((self.clients / "containers").iterdir())


@pytest.fixture
def harbour() -> Iterator[Harbour]:
    with tempfile.TemporaryDirectory(prefix="mab-harbour-") as place:
        top = Path(place).resolve()
        top.chmod(0o755)
        clients, folder, state = top / "clients", top / "workspace", top / "state"
        for one in (clients / "says", clients / "containers", folder, state):
            one.mkdir(parents=True)
        state.chmod(0o700)
        docker = clients / "docker"
        docker.write_text(f"#!{sys.executable}\n{DOUBLE.read_text('utf-8')}")
        docker.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield Harbour(Site(DockerSandbox(state, IMAGE, clients=str(clients)), folder), clients, state)


def user() -> str:
    return f"{NOBODY}:{NOBODY}" if os.geteuid() == 0 else f"{os.getuid()}:{os.getgid()}"


@pytest.mark.parametrize("law", LAUNCHING, ids=lambda law: law.__name__)
async def test_plans_run_by_way_of_an_engine(harbour: Harbour, law: SandboxLaw) -> None:
    await law(harbour.site)
    assert harbour.left == []


async def test_the_words_that_an_engine_gets(harbour: Harbour) -> None:
    folder = harbour.site.folder
    (folder / ".env").write_text("TOKEN=x")
    (folder / ".mcp.json").write_text("{}")
    outcome = await harbour.site.run(Step(("echo", "$HOME", "--rm"), (("CI", "2"),)), bounds=Bounds(20, 32, 1 << 28))
    assert outcome.stdout.head == b"$HOME --rm\n"
    (words,) = harbour.runs
    before, after = words[: words.index("--entrypoint")], words[words.index("--entrypoint") :]
    assert after[2:] == [IMAGE, "$HOME", "--rm"]
    assert after[1].endswith("/echo")
    name = before[before.index("--name") + 1]
    plain = [word for word in before if not word.startswith(("LANG=", "GIT_", "PATH="))]
    assert plain[: plain.index("--env")] == [
        "run", "--interactive", "--init", "--no-healthcheck", "--pull=never", "--name", name, "--label", "multiagent-bridge",
        "--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
        "--pids-limit=32", "--memory=268435456b", "--memory-swap=268435456b", "--cpus=1",
        "--ulimit", "nofile=1024:1024", "--ulimit", "core=0:0", "--ulimit", "fsize=268435456:268435456",
        "--ipc=private", "--shm-size=64m", "--cgroupns=private", "--hostname=sandbox", "--log-driver=none",
        "--tmpfs", "/tmp:rw,exec,nosuid,nodev,size=256m,mode=1777",
        "--tmpfs", "/home/sandbox:rw,exec,nosuid,nodev,size=64m,mode=0777",
        f"--user={user()}", f"--workdir={folder}",
        "--mount", f"type=bind,src={folder},dst={folder}",
        "--mount", f"type=bind,src={folder}/.mcp.json,dst={folder}/.mcp.json,readonly",
        "--mount", f"type=bind,src={harbour.state}/sandbox/empty,dst={folder}/.env,readonly",
    ]  # fmt: skip
    assert "CI=2" in before
    assert {"HTTPS_PROXY=", "https_proxy=", "ALL_PROXY="} <= set(before), "a client has proxies of its own to give"
    assert "docker.sock" not in " ".join(words)
    assert (harbour.state / "sandbox" / "empty").read_bytes() == b""


async def test_to_read_and_with_network_the_words_differ_in_that_alone(harbour: Harbour) -> None:
    await harbour.site.shell("true")
    await harbour.site.shell("true", writable=False)
    await harbour.site.shell("true", network=True)
    plain, reading, connected = [set(words) for words in harbour.runs]
    mount = f"type=bind,src={harbour.site.folder},dst={harbour.site.folder}"
    assert {mount} <= plain - reading
    assert {f"{mount},readonly"} <= reading - plain
    assert "--network=bridge" in connected - plain
    assert "--network=none" in plain - connected


async def test_a_runtime_is_passed_on(harbour: Harbour) -> None:
    sandbox = DockerSandbox(harbour.state, IMAGE, "runsc", clients=str(harbour.clients))
    await replace(harbour.site, sandbox=sandbox).shell("true")
    assert "--runtime=runsc" in harbour.runs[0]


async def test_git_is_protected_as_in_every_sandbox(harbour: Harbour) -> None:
    git = harbour.site.folder / ".git"
    for name in ("objects", "refs", "hooks"):
        (git / name).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text("")
    await harbour.site.shell("true")
    mounts = [word for word in harbour.runs[0] if word.startswith("type=bind")]
    assert f"type=bind,src={git},dst={git}" in mounts
    for name in ("hooks", "config", "commondir"):
        assert f"type=bind,src={git}/{name},dst={git}/{name},readonly" in mounts
    assert not (git / "commondir").exists(), "what was made to be mounted is removed"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("silent", "Cannot connect to the Docker daemon"),
        ("missing", "No such image"),
        ("broken", "no such runtime"),
        ("open", "in it a command can"),
        ("other", "belong to somebody else"),
    ],
)
async def test_an_engine_that_is_of_no_use_is_refused_and_says_why(harbour: Harbour, said: str, told: str) -> None:
    harbour.says(said)
    with pytest.raises(Unavailable) as refusal:
        await harbour.site.sandbox.profile()
    assert told in refusal.value.sentence
    assert refusal.value.hint
    assert harbour.left == []


async def test_without_a_client_there_is_no_engine(harbour: Harbour) -> None:
    (harbour.clients / "docker").unlink()
    with pytest.raises(Unavailable, match="neither docker nor podman is installed"):
        await harbour.site.sandbox.profile()


@pytest.mark.parametrize(
    "image", ["tools", "tools:latest", "tools@sha256:5e", f"-v/:/host@sha256:{'5e' * 32}", f" {IMAGE}"]
)
async def test_an_image_is_named_by_its_digest(harbour: Harbour, image: str) -> None:
    with pytest.raises(Unavailable, match="does not name an image by its digest"):
        await DockerSandbox(harbour.state, image, clients=str(harbour.clients)).profile()


async def test_an_engine_that_never_answers_is_given_up(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_engine, "SECONDS", 0.5)
    harbour.says("hangs")
    with pytest.raises(Unavailable, match="took longer"):
        await harbour.site.sandbox.profile()


async def test_a_container_that_never_started_is_not_taken_for_a_command_that_failed(harbour: Harbour) -> None:
    await harbour.site.sandbox.profile()
    programs = await harbour.site.sandbox.programs(harbour.site.workspace, ["sh"])
    harbour.says("broken")
    confinement = Confinement(harbour.site.workspace, True, False, Bounds())
    with pytest.raises(Unavailable, match="no such runtime"):
        await harbour.site.sandbox.run([Step(("sh", "-c", ": > ran"))], programs, confinement)


async def test_what_a_command_says_is_not_taken_for_the_word_of_the_engine(harbour: Harbour) -> None:
    outcome = await harbour.site.shell("echo 'docker: Error response from daemon: no' >&2; exit 125")
    assert (outcome.exit_code, outcome.ended) == (125, "")


async def test_at_the_time_limit_the_container_is_killed_by_its_name(harbour: Harbour) -> None:
    # time enough for the stand-in to have begun, on a busy machine too
    outcome = await harbour.site.shell("sleep 300", bounds=Bounds(seconds=5))
    assert outcome.ended == TIMEOUT
    name = harbour.runs[0][harbour.runs[0].index("--name") + 1]
    after = [call["words"] for call in harbour.calls if call["words"][-1] == name]
    assert [words[0] for words in after] == ["inspect", "kill", "rm"]
    assert harbour.left == []


async def test_when_the_hub_is_killed_its_containers_are_removed(harbour: Harbour) -> None:
    folder = harbour.site.folder
    words = (str(harbour.state), IMAGE, str(harbour.clients), str(folder), "echo $$ > part; mv part pid; sleep 300")
    with subprocess.Popen([sys.executable, "-c", HUB, *words]) as hub:
        async with asyncio.timeout(SECONDS):
            while not (folder / "pid").exists():
                await asyncio.sleep(0.01)
        handle = os.pidfd_open(int((folder / "pid").read_text()))
        hub.kill()
    try:
        assert select.select([handle], [], [], SECONDS)[0]
    finally:
        os.close(handle)
    async with asyncio.timeout(SECONDS):
        while harbour.left:
            await asyncio.sleep(0.01)


async def test_the_client_gets_what_it_finds_its_engine_by_and_nothing_else(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    await harbour.site.shell("true")
    for call in harbour.calls:
        assert call["environment"]["DOCKER_HOST"] == "unix:///run/other.sock"
        assert "AWS_SECRET_ACCESS_KEY" not in call["environment"]


async def test_a_name_with_a_comma_cannot_smuggle_a_mount(harbour: Harbour) -> None:
    folder = harbour.site.folder.parent / "work,src=" / "a"
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(Unavailable):
        await replace(harbour.site, folder=folder).shell("true")
    assert [call for call in harbour.calls if f"--workdir={folder}" in call["words"]] == []


async def test_a_program_of_another_image_is_another_program(harbour: Harbour) -> None:
    workspace = harbour.site.workspace
    confinement = Confinement(workspace, True, False, Bounds())
    with pytest.raises(Conflict):
        await harbour.site.sandbox.run([Step(("sh", "-c", ":"))], [Program("sh", "/bin/sh", "0" * 64)], confinement)
    with pytest.raises(NotFound):
        await harbour.site.sandbox.programs(workspace, ["sh", "no-such-program"])
    assert harbour.runs == []
