"""Alerts and notices as a way in or a way out: where they may be sent, what they may carry, what they may start."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import stat
import subprocess
import time
from pathlib import Path

import pytest

from multiagent_bridge.adapters.alerts.command import Command, environment
from multiagent_bridge.adapters.alerts.lines import JsonLines
from multiagent_bridge.adapters.alerts.webhook import TRIES, Webhook, checked, secret_of, signature
from multiagent_bridge.errors import Invalid, Unavailable
from tests.adapters.receiver import Receiver, receiving
from tests.adapters.test_alerts import ALERT, SECRET
from tests.faces.terminal import Terminal

pytestmark = pytest.mark.anyio


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "http://0.0.0.0:1/",
        "http://127.0.0.1.example.org/", "http://localhost.example.org/", "http://127.1/", "http://2130706433/",
        "http://127.0.0.1@example.org/", "http://example.org#@127.0.0.1/", "http://example.org\\@127.0.0.1/",
        "https://user:password@example.org/", "https://example.org/#x", "https://exa mple.org/", "https://",
        "https://example.org/\r\nX-Evil: 1", "https://example.org/\tx", "https://ex\u0430mple.org/", "file:///etc/passwd",
        "ftp://example.org/", "unix:///run/docker.sock", "//example.org", "example.org", "", "https://" + "a" * 3000,
        "javascript:alert(1)", "http+unix://%2Frun%2Fdocker.sock/", "HTTP://example.org",
    ],
)  # fmt: skip
def test_no_webhook_but_https_or_this_machine(url: str) -> None:
    with pytest.raises(Invalid):
        Webhook(url, SECRET)


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a?b=c", "http://127.0.0.1:9/", "http://127.9.9.9/", "http://[::1]:9/", "HTTP://LOCALHOST"],
)
def test_https_and_this_machine_are_good(url: str) -> None:
    assert checked(url).host


async def test_a_redirect_leads_nowhere() -> None:
    async with receiving() as inside:

        async def away(writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 307 X\r\nLocation: {inside.url}\r\nContent-Length: 0\r\n\r\n".encode())

        async with receiving(away) as there:
            with pytest.raises(Unavailable, match="307"):
                await Webhook(there.url, SECRET).deliver(ALERT)
            assert len(there.received) == 1
        assert inside.received == []


async def test_the_environment_redirects_nothing_and_adds_no_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with receiving() as trap, receiving() as there:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        await Webhook(there.url, SECRET).deliver(ALERT)
        assert trap.received == []
        assert "authorization" not in there.received[0].headers


async def test_a_server_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", "key", "-out", "cert"], cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    async with receiving(tls=tls) as there:
        with pytest.raises(Unavailable, match="no connection"):
            await Webhook(f"https://localhost:{there.port}/", SECRET, pause=0.01).deliver(ALERT)
        assert there.received == []


async def test_an_endless_answer_is_not_read() -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        while sent < 200_000_000:
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    async with receiving(flood) as there:
        async with asyncio.timeout(60):
            await Webhook(there.url, SECRET).deliver(ALERT)
    assert sent < 50_000_000


async def test_headers_without_end_or_no_answer_at_all_are_bounded() -> None:
    async def headers(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 5_000_000)

    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(600)

    for answer in (headers, silence):
        async with receiving(answer) as there:
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await Webhook(there.url, SECRET, pause=0.01, seconds=1.0).deliver(ALERT)
            assert time.monotonic() - began < 60
            assert 1 <= len(there.received) <= TRIES


async def test_what_an_agent_words_makes_no_header_and_no_line() -> None:
    evil = {**ALERT, "role": "tests\r\nMab-Signature: v1=0\r\n\r\n{}", "id": 7}
    async with receiving() as there:
        await Webhook(there.url, SECRET).deliver(evil)
        [got] = there.received
    assert sum(name == "mab-signature" for name in got.headers) == 1
    assert got.body.count(b"\n") == 0
    assert json.loads(got.body)["role"] == evil["role"]


async def test_an_id_that_would_make_a_header_is_not_sent() -> None:
    async with receiving() as there:
        with pytest.raises(Unavailable):
            await Webhook(there.url, SECRET, pause=0.01).deliver({"id": "7\r\nX-Evil: 1"})
        assert there.received == []


def test_a_signature_fits_one_secret_one_time_and_one_body() -> None:
    base = signature(SECRET, "1790000000", b"{}")
    others = {
        signature(SECRET + b"x", "1790000000", b"{}"),
        signature(SECRET, "1790000001", b"{}"),
        signature(SECRET, "1790000000", b"{} "),
        # the full stop keeps a digit of the body out of the time
        signature(SECRET, "179000000", b"0.{}"),
    }
    assert base not in others
    assert len(others) == 4


async def test_the_secret_is_never_sent_nor_said() -> None:
    async with receiving(500) as there:
        with pytest.raises(Unavailable) as failed:
            await Webhook(there.url, SECRET, pause=0.01).deliver(ALERT)
        sent = "".join(str(got) for got in there.received)
    assert SECRET.decode() not in sent + str(failed.value) + repr(failed.value.__cause__)


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 15])
def test_a_secret_that_can_be_guessed_signs_nothing(secret: bytes) -> None:
    with pytest.raises(Invalid):
        Webhook("https://example.org/", secret)


def test_a_secret_file_that_others_can_read_or_that_is_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    path.chmod(0o640)
    with pytest.raises(Unavailable):
        secret_of(f"file:{path}")
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(Unavailable):
        secret_of(f"file:{tmp_path / 'link'}")


async def test_a_file_of_alerts_is_never_somebody_else_s(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    os.link(target, tmp_path / "hard")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "hard", "pipe", "folder", "missing/alerts"):
        with pytest.raises(Unavailable):
            async with asyncio.timeout(60):
                await JsonLines(tmp_path / name).deliver(ALERT)
    assert target.read_text() == "precious"
    old = os.umask(0)
    try:
        await JsonLines(tmp_path / "new").deliver(ALERT)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "evil", ["$(touch owned)", "`touch owned`", "; touch owned", "| touch owned", "a\ntouch owned"]
)
async def test_nothing_of_a_notice_reaches_a_shell(tmp_path: Path, evil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notice = dict.fromkeys(ALERT, evil) | {"from": evil, "status": evil, "role": evil}
    # the worst a person might write: every variable unquoted in a shell
    line = "for name in $(env | grep -o '^MAB_NOTICE_[A-Z_]*'); do eval echo \\$$name; done; eval echo $MAB_NOTICE_ROLE"
    await Command(["sh", "-c", line]).deliver(notice)
    await Command.of(f"echo {evil.splitlines()[0].replace('`', '')}").deliver(notice)
    assert not (tmp_path / "owned").exists()


def test_roles_and_secrets_stay_out_of_the_environment_of_the_program() -> None:
    ours = {
        "PATH": "/bin", "MAB_HOME": "/h", "MAB_MASTER_KEY": "k", "MAB_TOKEN": "t", "MAB_WEBHOOK_SECRET": "s",
        "MAB_POSTGRES__PASSWORD": "p", "MAB_WATCHDOG__WEBHOOK_SECRET": "s", "MAB_NOTICE_KIND": "planted",
        "MAB_NOTICE_X": "planted",
    }  # fmt: skip
    found = environment(ours, {**ALERT, "role": "tests"})
    assert {name: found[name] for name in found if not name.startswith("MAB_NOTICE_")} == {
        "PATH": "/bin",
        "MAB_HOME": "/h",
    }
    assert found["MAB_NOTICE_KIND"] == "silent"
    assert "tests" not in found.values()
    assert "MAB_NOTICE_X" not in found


async def test_a_program_that_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    line = f"trap '' TERM INT HUP; sleep 300 & echo $! $$ > {pids}; wait; sleep 300"
    began = time.monotonic()
    with pytest.raises(Unavailable, match="longer than"):
        await Command(["sh", "-c", line], seconds=3.0).deliver(ALERT)
    assert time.monotonic() - began < 60
    for pid in map(int, pids.read_text().split()):
        async with asyncio.timeout(60):
            while _lives(pid):
                await asyncio.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_workspace_s_settings_start_no_program_and_post_nowhere(terminal: Terminal) -> None:
    for line in ('command = ["touch", "owned"]', 'webhook = "https://evil.example"', "inside = true"):
        (terminal.project / "bridge.toml").write_text(f"[watchdog]\n{line}\n")
        assert terminal.mab("watchdog", "--once", status=2).code == "invalid"
    assert not (terminal.project / "owned").exists()


def test_no_message_and_no_secret_in_a_role_ever_leaves_with_an_alert(terminal: Terminal) -> None:
    key = "AKIA" + "Q7WERTYUIOPASDFG"
    conversation = terminal.opened("orchestrator", f"tests {key}")
    terminal.mab("heartbeat", conversation, "-s", "b")
    terminal.mab("send", conversation, f"the plan is xyzzy, use {key}")
    terminal.mab("task", "assign", conversation, "xyzzy the frobnicator", "--to", "b")
    terminal.later(400)
    out = terminal.root / "got"
    done = terminal.mab(
        "watchdog", "--once", "--json", "-", "--exec", f"sh -c 'cat > {out}; env >> {out}'", MAB_MASTER_KEY="",
    )  # fmt: skip
    said = done.out + done.err + out.read_text()
    assert "silent" in said
    assert "AWS_KEY_REDACTED" in said
    for word in ("xyzzy", "frobnicator", key):
        assert word not in said


async def test_a_receiver_can_tell_a_notice_that_was_sent_again() -> None:
    there: Receiver
    async with receiving(500, 200) as there:
        await Webhook(there.url, SECRET, pause=0.01).deliver(ALERT)
        first, second = there.received
    assert first.headers["mab-notice"] == second.headers["mab-notice"] == "7"
    assert first.body == second.body
