"""Attacks on the hub's HTTP face."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.routing import Route

from multiagent_bridge import config
from multiagent_bridge.errors import Invalid, TooFast, Unavailable
from multiagent_bridge.web import addresses
from multiagent_bridge.web.door import OPEN
from tests.faces.http_yard import ALICE, BOB, Yard, fields, posted, request, yard

pytestmark = pytest.mark.anyio

FOREIGN = (
    "evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "evil.example#127.0.0.1",
    "127.0.0.1, evil.example",
    "127.0.0.1\tevil.example",
    "127.0.0.1:80:80",
    "127.0.0.1:99999",
    "0.0.0.0",
    "[::]",
    "[::ffff:7f00:1]",
    "2130706433",
    "127.1",
    "localhost.",
    "LOCALHOST\u017f",
    "",
)
PAGES = (
    "https://evil.example",
    "http://evil.example",
    "null",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1",
    "http://localhost:1",
    "file://",
    "http://127.0.0.1@evil.example",
    "chrome-extension://abcdef",
    "*",
)


def routes(here: Yard) -> list[str]:
    """Every path there is, and one that is not."""
    found = [route.path for route in here.face.app.routes if isinstance(route, Route)]
    assert len(found) == len(here.face.app.routes)
    return [*found, "/", "/nothing"]


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def get(path: str, *lines: str, host: str = "127.0.0.1", verb: str = "GET", token: str = ALICE) -> bytes:
    head = [f"{verb} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", *lines, "Connection: close"]
    return "\r\n".join([*head, "", ""]).encode()


async def served(here: Yard) -> None:
    """The hub still serves its agents."""
    with anyio.fail_after(60):
        async with here.client(ALICE) as alice:
            await fields(alice, "list_conversations")


async def test_a_foreign_host_is_refused_on_every_route() -> None:
    async with yard() as here:
        for path in routes(here):
            for host in FOREIGN:
                assert status(await here.raw(get(path, host=host))) in (400, 421), (path, host)
        assert here.table.asked == []
        for host in ("127.0.0.1", "localhost", "LocalHost", f"127.0.0.1:{here.port}", "[::1]:1"):
            assert status(await here.raw(get("/healthz", host=host))) == 200, host
        await served(here)


async def test_a_page_of_elsewhere_is_refused_on_every_route() -> None:
    async with yard(origins=("https://board.example",)) as here:
        own = f"127.0.0.1:{here.port}"
        for path in routes(here):
            for origin in PAGES:
                assert status(await here.raw(get(path, f"Origin: {origin}", host=own))) in (400, 403), (path, origin)
        assert here.table.asked == []
        for origin in (f"http://{own}", f"http://localhost:{here.port}", "https://board.example"):
            assert status(await here.raw(get("/healthz", f"Origin: {origin}", host=own))) == 200, origin
        both = get("/healthz", f"Origin: http://{own}", "Origin: https://evil.example", host=own)
        assert status(await here.raw(both)) == 400


async def test_only_pages_that_were_named_may_read_an_answer_and_none_gets_in_without_a_credential() -> None:
    async with yard(origins=("https://board.example",)) as here, here.http(None) as page:
        ask = {"access-control-request-method": "POST"}
        named = await page.options("/mcp", headers=ask | {"origin": "https://board.example"})
        assert (named.status_code, named.headers["access-control-allow-origin"]) == (204, "https://board.example")
        assert "access-control-allow-credentials" not in named.headers
        answer = await page.post("/mcp", headers={"origin": "https://board.example"})
        assert (answer.status_code, answer.headers["vary"]) == (401, "origin")
        for origin in ("https://evil.example", "https://board.example.evil.example", "http://board.example"):
            refused = await page.options("/mcp", headers=ask | {"origin": origin})
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in refused.headers
        own = await page.options("/mcp", headers=ask | {"origin": here.face.url})
        assert own.status_code == 401
        assert "access-control-allow-origin" not in own.headers


async def test_a_name_that_was_rebound_to_this_machine_opens_nothing_though_its_page_is_its_own_origin() -> None:
    async with yard() as here:
        rebound = request("list_conversations", host=f"evil.example:{here.port}")
        rebound = rebound.replace(b"\r\n\r\n", f"\r\nOrigin: http://evil.example:{here.port}\r\n\r\n".encode(), 1)
        assert status(await here.raw(rebound + get("/healthz"))) == 421
        assert here.table.asked == []


async def test_nothing_but_the_probes_and_the_way_to_the_issuer_answers_without_a_credential() -> None:
    async with yard() as here, here.http(None) as nobody, here.http("wrong") as wrong:
        for path in routes(here):
            for verb in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"):
                for client in (nobody, wrong):
                    answer = await client.request(verb, path)
                    assert answer.status_code == (answer.status_code if path in OPEN else 401), (verb, path)
                    assert path not in OPEN or answer.status_code in (200, 404, 405), (verb, path)


@pytest.mark.parametrize(
    "path", ["//mcp", "/mcp/", "/%6dcp/", "/./mcp", "/healthz/../mcp", "/healthz%2f..%2fmcp", "/HEALTHZ", "/healthz/"]
)
async def test_no_way_of_writing_a_path_gets_around_the_door(path: str) -> None:
    async with yard() as here:
        anonymous = get(path).replace(b"Authorization", b"X-Nothing")
        assert status(await here.raw(anonymous)) == 401
        assert status(await here.raw(get(path))) == 404


async def test_a_request_for_another_machine_is_not_taken_for_one_of_ours() -> None:
    async with yard() as here:
        for target in ("http://evil.example/mcp", "http://127.0.0.1/healthz", "*", "mcp", "127.0.0.1:443"):
            for verb in ("GET", "OPTIONS", "CONNECT"):
                assert status(await here.raw(get(target, verb=verb))) == 400, target


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "OPTIONS", "TRACE", "HEAD", "BREW"])
async def test_a_wrong_method_is_refused_to_those_who_may_ask(verb: str) -> None:
    async with yard() as here:
        for path in ("/mcp", "/healthz", "/readyz"):
            if (verb, path) not in (("HEAD", "/healthz"), ("HEAD", "/readyz")):
                assert status(await here.raw(get(path, verb=verb))) == 405, path


@pytest.mark.parametrize(
    "query",
    [f"access_token={ALICE}", f"token={ALICE}", f"API_KEY={ALICE}", "x=1&Authorization=Bearer%20x", "key", "x=1"],
)
async def test_a_credential_in_the_address_is_refused_even_beside_a_good_one(query: str) -> None:
    async with yard() as here:
        answer = await here.raw(request("list_conversations", path=f"/mcp?{query}") + get("/healthz"))
        assert status(answer) == 400
        assert ALICE.encode() not in answer
        if query != "x=1":
            assert here.table.asked == []
        alone = get(f"/healthz?{query}").replace(b"\r\nAuthorization", b"\r\nX-Nothing")
        assert status(await here.raw(alone)) == (200 if query == "x=1" else 400)


POST = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + ALICE.encode() + b"\r\n"
HIDDEN = b"DELETE /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "smuggled",
    [
        pytest.param(
            b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN, id="length-and-chunks"
        ),
        pytest.param(
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + HIDDEN, id="chunks-and-length"
        ),
        pytest.param(b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + HIDDEN, id="two-lengths"),
        pytest.param(b"Content-Length: 0, 44\r\n\r\n" + HIDDEN, id="two-lengths-in-a-line"),
        pytest.param(b"Content-Length: +5\r\n\r\n12345" + HIDDEN, id="signed-length"),
        pytest.param(b"Content-Length: 0x5\r\n\r\n12345" + HIDDEN, id="hexadecimal-length"),
        pytest.param(b"Content-Length: -1\r\n\r\n" + HIDDEN, id="negative-length"),
        pytest.param(b"Content-Length : 5\r\n\r\n12345" + HIDDEN, id="space-before-colon"),
        pytest.param(b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN, id="unknown-coding"),
        pytest.param(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + HIDDEN, id="two-codings"),
        pytest.param(b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN, id="coding-list"),
        pytest.param(b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + HIDDEN, id="vertical-tab"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + HIDDEN, id="bad-chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + HIDDEN, id="negative-chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n" + HIDDEN, id="endless-chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" + HIDDEN, id="chunk-too-long"),
        pytest.param(b"X: a\r\n Content-Length: 3\r\nX\x00Y: b\r\n\r\n" + HIDDEN, id="nul-in-name"),
        pytest.param(b"Host: evil.example\r\n\r\n" + HIDDEN, id="second-host"),
        pytest.param(b"X: a\rContent-Length: 44\r\n\r\n" + HIDDEN, id="bare-carriage-return"),
    ],
)
async def test_a_request_whose_end_two_readers_may_see_differently_is_refused_and_what_follows_never_read(
    smuggled: bytes,
) -> None:
    async with yard() as here:
        with anyio.fail_after(60):
            answer = await here.raw(POST + smuggled)
        assert status(answer) in (400, 501), answer
        assert answer.count(b"HTTP/1.1 ") == 1, answer
        await served(here)


async def test_requests_sent_ahead_in_one_piece_are_each_judged_for_themselves() -> None:
    async with yard() as here:
        ahead = get("/healthz").replace(b"Connection: close\r\n", b"")
        answer = await here.raw(ahead + get("/mcp", host="evil.example"))
        assert re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) == [b"200", b"421"]
        anonymous = get("/mcp").replace(b"Authorization", b"X-Nothing")
        answer = await here.raw(ahead + anonymous)
        assert re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) == [b"200", b"401"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["X: " + "a" * 20_000], {400, 431}, id="long-line"),
        pytest.param([f"X-{n}: {'a' * 150}" for n in range(99)], {431, 400}, id="many-long-lines"),
        pytest.param([f"X-{n}: a" for n in range(400)], {431}, id="many-lines"),
        pytest.param(["X: " + "a" * 1_000_000], {400, 431, 0}, id="bomb"),
        pytest.param(["Authorization: Bearer other"], {400}, id="two-credentials"),
        pytest.param(["Content-Length: 99999999999999999999"], {400, 413}, id="endless-length"),
    ],
)
async def test_a_header_that_is_too_much_is_refused(lines: list[str], expected: set[int]) -> None:
    async with yard() as here:
        for path in ("/healthz", "/mcp"):
            try:
                answer = status(await here.raw(get(path, *lines)))
            except ConnectionError:
                answer = 0
            assert answer in expected | ({200} if lines[0][:4] in ("Auth", "Cont") and path == "/healthz" else set())
        await served(here)


async def test_a_body_that_is_too_long_is_refused_whether_it_says_so_or_not() -> None:
    async with yard() as here:
        said = await here.raw(POST + b"Content-Length: 5000000\r\n\r\n")
        assert status(said) == 413
        chunks = (b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 70
        try:
            unsaid = await here.raw(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
            assert status(unsaid) == 413
        except ConnectionError:
            # the hub closed while we still sent
            pass
        await served(here)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"null", b"[" * 100_000, b'{"id":' + b"9" * 5_000 + b"}", b"\xff\xfe", b'"x"']
)
async def test_no_body_makes_the_hub_fail(body: bytes) -> None:
    async with yard() as here, here.http() as http:
        for version in ("2026-07-28", "2025-11-25", None):
            lines = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
            answer = await http.post(
                "/mcp", content=body, headers=lines | ({"mcp-protocol-version": version} if version else {})
            )
            assert 400 <= answer.status_code < 500, (version, answer.text)
        await served(here)


@pytest.mark.parametrize(
    "lines",
    [
        {"mab-connection": "short"},
        {"mab-connection": "g" * 32},
        {"mab-agent": "../../etc"},
        {"mab-agent": "a" * 65},
        {"mab-agent": "a b"},
    ],
)
async def test_what_a_connection_says_about_itself_must_have_its_form(lines: dict[str, str]) -> None:
    async with yard() as here, here.http() as http:
        body, head = posted("list_conversations")
        assert (await http.post("/mcp", json=body, headers=head | lines)).status_code == 400


async def test_nobody_takes_up_the_conversations_of_another_by_naming_its_connection() -> None:
    key = "0123456789abcdef" * 2
    async with yard() as here:
        async with here.client(ALICE, **{"mab-connection": key, "mab-agent": "one"}) as alice:
            await fields(alice, "create_conversation", my_role="backend", partner_role="frontend")
        async with here.client(BOB, **{"mab-connection": key, "mab-agent": "one"}) as bob:
            assert (await fields(bob, "list_conversations"))["conversations"] == []
        async with here.client(ALICE, **{"mab-agent": "two"}) as other:
            assert (await fields(other, "list_conversations"))["conversations"] == []
        async with here.client(ALICE, **{"mab-agent": "one"}) as again:
            assert len((await fields(again, "list_conversations"))["conversations"]) == 1


def test_a_workspaces_file_cannot_open_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "bridge.toml").write_text('[http]\nlisten = "0.0.0.0:8765"\n')
    with pytest.raises(Invalid):
        config.load()


@pytest.mark.parametrize(
    ("error", "expected", "wait"),
    [
        (TooFast("too many failed authentications", "try again in 7 s", retry_after=7), 429, "7"),
        (Unavailable("the issuer does not answer", "try again"), 503, "5"),
    ],
)
async def test_who_guesses_too_fast_or_cannot_be_checked_is_told_when_to_come_back(
    error: TooFast | Unavailable, expected: int, wait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(bearer: str, peer: str) -> Any:
        raise error

    async with yard() as here, here.http() as http:
        monkeypatch.setattr(here.table, "authenticate", refuse)
        answer = await http.post("/mcp", json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (expected, wait)
        assert answer.json()["error"] == error.code


async def test_a_flood_of_strangers_costs_few_entries() -> None:
    async with yard() as here:
        before = (await here.world.hub.journal.head()).size
        async with here.http(None) as nobody:
            for _ in range(200):
                assert (await nobody.post("/mcp")).status_code == 401
        written = await here.world.hub.journal.newest(100)
        entries = [entry for entry in written if entry.action == "http.enter"]
        assert 1 <= len(entries) <= 25
        assert (await here.world.hub.journal.head()).size - before == len(entries)
        assert entries[0].code == "not_allowed"


PROXY = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}


@pytest.mark.parametrize(
    ("lines", "expected", "seen"),
    [
        pytest.param(PROXY, 200, "ip:203.0.113.9", id="as-it-should-be"),
        pytest.param({"x-forwarded-proto": "https"}, 400, "", id="no-client"),
        pytest.param({"x-forwarded-for": "203.0.113.9"}, 403, "", id="no-scheme"),
        pytest.param(PROXY | {"x-forwarded-proto": "http"}, 403, "", id="plain"),
        pytest.param(PROXY | {"x-forwarded-proto": "https, http"}, 403, "", id="plain-at-last"),
        pytest.param(
            PROXY | {"x-forwarded-for": "198.51.100.1, 203.0.113.9"}, 200, "ip:203.0.113.9", id="forged-first"
        ),
        pytest.param(PROXY | {"x-forwarded-for": "203.0.113.9, 127.0.0.1"}, 200, "ip:203.0.113.9", id="two-proxies"),
        pytest.param(PROXY | {"x-forwarded-for": "unknown"}, 400, "", id="no-address"),
        pytest.param(PROXY | {"x-forwarded-for": "::ffff:203.0.113.9"}, 200, "ip:203.0.113.9", id="mapped"),
        pytest.param(PROXY | {"x-forwarded-host": "evil.example"}, 200, "ip:203.0.113.9", id="its-host-counts-nothing"),
    ],
)
async def test_behind_a_proxy_only_its_own_last_word_counts(lines: dict[str, str], expected: int, seen: str) -> None:
    async with yard(proxies=("127.0.0.1",)) as here, here.http() as http:
        body, head = posted("list_conversations")
        answer = await http.post("/mcp", json=body, headers=head | lines)
        assert answer.status_code == expected
        assert here.table.asked == ([seen] if seen else [])


async def test_without_a_proxy_nobodys_word_about_the_client_counts() -> None:
    async with yard() as here, here.http() as http:
        body, head = posted("list_conversations")
        await http.post("/mcp", json=body, headers=head | PROXY)
        assert here.table.asked == ["ip:127.0.0.1"]


async def test_who_comes_around_the_proxy_is_refused() -> None:
    async with yard(proxies=("192.0.2.1",)) as here:
        from multiagent_bridge.web import rules

        head = [(b"host", b"127.0.0.1"), *[(k.encode(), v.encode()) for k, v in PROXY.items()]]
        with pytest.raises(rules.Refusal) as refused:
            rules.checked(here.face.rules, "POST", b"/mcp", b"", head, "198.51.100.7")
        assert refused.value.status == 403


@pytest.mark.parametrize(
    "place",
    [
        {"listen": "0.0.0.0:0"},
        {"listen": "[::]:0"},
        {"tls_cert": "only.pem"},
        {"tls_client_ca": "only.pem"},
        {"proxies": ("0.0.0.0/0",)},
        {"proxies": ("everybody",)},
        {"public_url": "http://hub.example"},
        {"public_url": "https://hub.example/path"},
        {"listen": "8765"},
        {"listen": ":8765"},
        {"listen": "127.0.0.1:65536"},
        {"listen": "::1:80"},
        {"listen": "systemd"},
    ],
    ids=lambda place: "-".join(f"{name}={value}" for name, value in place.items()),
)
async def test_a_place_that_would_let_strangers_listen_or_in_is_no_place_to_serve(place: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        async with yard(**place):
            pass


async def test_a_name_of_which_this_machine_has_one_address_only_is_listened_at_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def resolved(host: str, port: int, **more: Any) -> list[Any]:
        # as localhost is where ::1 is switched off; that address is nobody's (RFC 5737)
        there = ["192.0.2.1"] if host == "elsewhere" else ["192.0.2.1", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in there]

    monkeypatch.setattr("multiagent_bridge.web.addresses.socket.getaddrinfo", resolved)
    (made,) = addresses.listening("localhost:0")
    with made:
        assert made.getsockname()[0] == "127.0.0.1"
        assert addresses.on_loopback([made])
    with pytest.raises(Unavailable):
        addresses.listening("elsewhere:0")


async def test_off_loopback_it_listens_with_tls_or_behind_a_named_proxy(tmp_path: Path) -> None:
    async with yard(tmp_path / "tls", listen="0.0.0.0:0") as here, here.http() as http:
        assert (await http.get(f"https://127.0.0.1:{here.port}/healthz")).status_code == 200
    async with yard(listen="0.0.0.0:0", proxies=("192.0.2.1",)) as here:
        assert status(await here.raw(get("/healthz"))) == 200


async def test_no_answer_and_no_entry_repeats_a_credential() -> None:
    async with yard() as here:
        tries = (
            get(f"/mcp?token={ALICE}"),
            get("/mcp", f"Authorization: Bearer {ALICE}"),
            get("/mcp", token=f"{ALICE}\t{ALICE}"),
            get("/mcp", host=ALICE),
            get("/mcp", f"Origin: https://{ALICE}"),
        )
        for asked in tries:
            assert ALICE.encode() not in await here.raw(asked)
        entries = await here.world.hub.journal.newest(50)
        assert entries
        assert ALICE not in repr(entries)
