"""`mab dashboard`: the link, who is signed in, and signing out, by the owner at the terminal."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from multiagent_bridge.cli import owner, places
from tests.faces.terminal import Terminal, ended

FIELDS = {
    "browser_id", "name", "roles", "conversations", "key_id", "signed_in_at", "seen_at", "expires_at",
}  # fmt: skip


@contextmanager
def serving(terminal: Terminal, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command that serves, and the first line that it wrote; ended afterwards if it still runs."""
    process = terminal.started(*words)
    stream = process.stdout if words[0] == "dashboard" else process.stderr
    assert stream is not None
    try:
        yield process, stream.readline()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        ended(process)


def signed_in(url: str, code: str) -> int:
    """The status of a form with this code, sent as a browser would."""
    origin = url.partition("/sign-in")[0]
    body = urllib.parse.urlencode({"code": code}).encode()
    lines = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    request = urllib.request.Request(f"{origin}/sign-in", body, lines)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    try:
        with opener.open(request, timeout=90) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *words: object) -> None:
        return None


def a_browser() -> str:
    """A browser that is signed in; its id."""

    async def came(hub, me) -> str:  # type: ignore[no-untyped-def]
        made = await hub.browsers.link(me)
        return str((await hub.browsers.sign_in(made.code, "ip:192.0.2.7")).browser.id)

    return owner.run(came)


def test_without_a_hub_it_serves_the_dashboard_itself_until_it_is_told_to_end(terminal: Terminal) -> None:
    with serving(terminal, "dashboard", "--json", "--no-browser") as (process, line):
        made = json.loads(line)
        assert set(made) == {"url", "code", "expires_at"}
        assert made["url"].startswith("http://127.0.0.1:")
        assert made["url"].endswith(f"/sign-in#{made['code']}")
        assert signed_in(made["url"], made["code"]) == 303
        assert signed_in(made["url"], made["code"]) == 403
        where = terminal.home / "dashboard.url"
        assert stat.S_IMODE(where.stat().st_mode) == 0o600
        again = terminal.process("dashboard", "--json", "--no-browser").json
        assert again["url"].partition("#")[0] == made["url"].partition("#")[0]
        process.send_signal(signal.SIGTERM)
        assert ended(process).status == 0
    assert not where.exists()


def test_with_an_http_hub_it_prints_a_link_of_that_hub_and_leaves(terminal: Terminal) -> None:
    with serving(terminal, "serve", "--http", "127.0.0.1:0") as (_, line):
        assert "listens" in line
        done = terminal.process("dashboard", "--no-browser")
        link = done.out.strip()
        assert "within a minute" in done.err
        code = link.partition("#")[2]
        assert code not in done.err
        assert signed_in(link, code) == 303
        assert code not in terminal.mab("audit", "--json").out
    assert not (terminal.home / "hub.url").exists()


def test_the_list_says_who_is_signed_in_and_signing_out_ends_it(terminal: Terminal) -> None:
    first, second, third = (a_browser() for _ in range(3))
    rows = terminal.mab("dashboard", "--list", "--json").json
    assert [set(row) for row in rows] == [FIELDS] * 3
    assert [row["browser_id"] for row in rows] == [first, second, third]
    assert first in terminal.mab("dashboard", "--list").out
    assert first in terminal.mab("dashboard", "--sign-out", first).err
    assert terminal.mab("dashboard", "--sign-out", first, status=7).code == "not_found"
    terminal.mab("dashboard", "--sign-out", "all")
    done = terminal.mab("dashboard", "--list")
    assert (done.out, "nobody is signed in" in done.err) == ("", True)


def test_list_and_sign_out_are_two_things(terminal: Terminal) -> None:
    assert terminal.mab("dashboard", "--list", "--sign-out", "all", status=2).code == "invalid"


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("https://0.0.0.0:8765", "https://127.0.0.1:8765"),
        ("https://[::]:8765", "https://[::1]:8765"),
        ("https://bridge.example.org", "https://bridge.example.org"),
    ],
)
def test_a_hub_that_listens_everywhere_is_reached_on_this_machine(url: str, reached: str) -> None:
    assert places.reached(url) == reached
