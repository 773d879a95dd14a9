"""The dashboard: how soon it shows what happens, what a hundred open pages cost, and what a page of a full store weighs."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

import apsw
import httpx2
from playwright.sync_api import Page, sync_playwright

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.latency import TEXT
from benchmarks.places import ROOT, Place, place
from benchmarks.wire import MAB, Wire
from multiagent_bridge import config, wiring
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.journal import Draft, Head, Value
from multiagent_bridge.model.journal import append as appended

PAGES = 100
PERSONS = 5
"""Who has them open: a hub holds 64 pages of one sign-in."""

AGENTS = 10
SENDS_A_SECOND = 5.0
"""Of each agent: all of them together stay below what one core can do, so that waiting is measured and not a queue."""

SECONDS = 120.0
"""Longest wait for anything that must come; what a browser has not shown by then counts as lost."""

FEW, MANY, ENTRIES = 10, 10_000, 1_000_000
LINES = 2_000
"""Rows a statement stores at once."""

WATCH = """
() => {
  window.seen = {};
  const look = () => {
    const found = [...document.querySelectorAll("#timeline li[id]")].filter(li => !(li.id in window.seen));
    for (const li of found) window.seen[li.id] = null;
    // the second frame begins when the first one was painted
    if (found.length) requestAnimationFrame(() => requestAnimationFrame(() => {
      const now = (performance.timeOrigin + performance.now()) / 1000;
      for (const li of found) window.seen[li.id] = {text: li.textContent, at: now};
    }));
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}
"""


@dataclass(frozen=True)
class Window:
    """A hub that serves the dashboard on loopback, and where."""

    here: Place
    url: str

    def link(self) -> str:
        """A one-time link, as the person at the terminal gets it."""
        done = subprocess.run([MAB, "dashboard", "--json"], env=self.here.env, capture_output=True, check=True)
        return str(json.loads(done.stdout)["url"])

    async def browser(self) -> httpx2.AsyncClient:
        """A browser that is signed in, without the weight of one."""
        here = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
        limits = httpx2.Limits(max_connections=None)
        browser = httpx2.AsyncClient(base_url=self.url, headers=here, trust_env=False, timeout=60, limits=limits)
        link = await asyncio.to_thread(self.link)
        fields = {"code": link.rpartition("#")[2].rpartition("=")[2]}
        answer = await browser.post("/sign-in", data=fields, headers={"origin": self.url})
        assert answer.status_code == 303, answer.text
        return browser


@contextmanager
def served(here: Place) -> Iterator[Window]:
    env = here.env | {"MAB_HTTP__LISTEN": "127.0.0.1:0"}
    hub = subprocess.Popen([sys.executable, "-m", "benchmarks.hub"], cwd=ROOT, env=env, stderr=subprocess.PIPE)
    assert hub.stderr is not None
    try:
        lines = [hub.stderr.readline().decode() for _ in range(2)]
        assert "listens" in lines[0], lines
        assert "serves" in lines[1], lines
        yield Window(here, lines[1].split()[2].removesuffix("/mcp"))
    finally:
        hub.terminate()
        hub.wait(120)
        hub.stderr.close()


def window(quick: bool) -> list[Figure]:
    """All three, each with a hub of its own."""
    return [*pixels(quick), *open_pages(quick), *weight(quick)]


def pixels(quick: bool) -> list[Figure]:
    """From the call of a send in another process to the second frame after its entry is in the page, in Chromium."""
    count = 40 if quick else 200
    with place() as here, served(here) as window:
        sender = here.wire()
        sender.call("create_conversation", my_role="backend", partner_role="frontend")
        with sync_playwright() as playwright:
            flags = ["--no-sandbox"] if os.geteuid() == 0 else []
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
            page = chromium.new_page()
            page.set_default_timeout(1000 * SECONDS)
            page.goto(window.link())
            page.get_by_role("button", name="Sign in").click()
            page.locator("#timeline li").first.wait_for()
            page.evaluate(WATCH)
            took = [found - began for began, found in _watched(page, sender, count)]
            chromium.close()
        sender.close()
    facts = {
        "p50_ms": p50(took) * 1e3,
        "p95_ms": percentile(took, 0.95) * 1e3,
        "p99_ms": percentile(took, 0.99) * 1e3,
        "events": count,
        "lost": count - len(took),
    }
    measured = f"p95 {milliseconds(percentile(took, 0.95))}, p50 {milliseconds(p50(took))}; {count - len(took)} lost"
    met = percentile(took, 0.95) < 0.25 and len(took) == count
    return [Figure("dashboard", "event in the hub to pixels in the browser", "p95 under 250 ms", measured, met, facts)]


def _watched(page: Page, sender: Wire, count: int) -> list[tuple[float, float]]:
    """When each send began, and when its entry was seen; those that were never seen are left out."""
    began: dict[str, float] = {}
    dice = random.Random(7)
    for _ in range(count):
        start = time.time()
        began[f"message {sender.call('send_to_partner', message=TEXT)['message_id']}"] = start
        page.wait_for_timeout(dice.uniform(20, 300))
    found: dict[str, float] = {}
    end = time.monotonic() + SECONDS
    while began.keys() - found and time.monotonic() < end:
        page.wait_for_timeout(100)
        for one in page.evaluate("() => Object.values(window.seen)"):
            if one is not None and "message.send" in one["text"]:
                name = "message " + one["text"].partition("message ")[2].split()[0]
                found[name] = one["at"]
    return [(start, found[name]) for name, start in began.items() if name in found]


def open_pages(quick: bool) -> list[Figure]:
    """Sends of agents, each at its own pace, with and without pages that fetch what a page of Chromium would."""
    seconds = 6.0 if quick else 20.0
    with place() as here, served(here) as window:
        agents = [here.wire() for _ in range(AGENTS)]
        for agent in agents:
            agent.call("create_conversation", my_role="backend", partner_role="frontend")
        alone = asyncio.run(_sent(agents, seconds))
        looking = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.onlooker", window.url, str(PAGES)],
            cwd=ROOT,
            env=here.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert looking.stdin is not None
        assert looking.stdout is not None
        looking.stdin.write((json.dumps(asyncio.run(_cookies(window))) + "\n").encode())
        looking.stdin.flush()
        assert looking.stdout.readline() == b"open\n"
        watched = asyncio.run(_sent(agents, seconds))
        fetched, errors = json.loads(looking.communicate()[0])
        again = asyncio.run(_sent(agents, seconds))
        for agent in agents:
            agent.close()
    base = p50([*alone, *again])
    ratio = p50(watched) / base
    facts = {
        "ratio": ratio,
        "send_p50_ms": base * 1e3,
        "watched_p50_ms": p50(watched) * 1e3,
        "watched_p95_ms": percentile(watched, 0.95) * 1e3,
        "pages": PAGES,
        "fetched": fetched,
        "errors": errors,
    }
    measured = f"{ratio:.2f} x ({milliseconds(p50(watched))} / {milliseconds(base)}); {fetched} parts fetched"
    what = f"{PAGES} open dashboards while {AGENTS} agents send {SENDS_A_SECOND:g} times a second each: send, p50"
    return [Figure("dashboard", what, "at most 1.5 x without them", measured, ratio <= 1.5 and not errors, facts)]


async def _cookies(window: Window) -> list[str]:
    """The Cookie line of each who looks."""
    lines = []
    for _ in range(PERSONS):
        browser = await window.browser()
        await browser.aclose()
        lines.append("; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar))
    return lines


async def _sent(agents: Sequence[Wire], seconds: float) -> list[float]:
    """What each send took: every agent a thread of its own, at its own beat."""
    end = time.monotonic() + seconds

    def sends(agent: Wire, number: int) -> list[float]:
        took, dice = [], random.Random(number)
        while time.monotonic() < end:
            start = time.perf_counter()
            agent.call("send_to_partner", message=TEXT)
            took.append(time.perf_counter() - start)
            time.sleep(dice.uniform(0.5, 1.5) / SENDS_A_SECOND)
        return took

    found = await asyncio.gather(*(asyncio.to_thread(sends, agent, n) for n, agent in enumerate(agents)))
    return [one for part in found for one in part]


def weight(quick: bool) -> list[Figure]:
    """The first page of a full store against that of a new one: time of its answer, and everything it transfers."""
    count = 10 if quick else 40
    many, entries = (1_000, 50_000) if quick else (MANY, ENTRIES)
    found = []
    for conversations, lines in ((FEW, 0), (many, entries)):
        with place() as here:
            asyncio.run(_filled(here, conversations))
            if lines:
                _lengthened(here, lines)
            with served(here) as window:
                found.append(asyncio.run(_opened(window, count)))
    (small, light), (large, heavy) = found
    ratio = p50(large) / p50(small)
    facts = {
        "ratio": ratio,
        "small_p50_ms": p50(small) * 1e3,
        "large_p50_ms": p50(large) * 1e3,
        "small_bytes": light,
        "large_bytes": heavy,
        "conversations": many,
        "entries": entries,
    }
    measured = f"{ratio:.2f} x ({milliseconds(p50(large))} / {milliseconds(p50(small))}), {heavy / 1000:.0f} kB with all it loads"
    what = f"first page with {many:,} conversations and {entries:,} entries"
    bar = f"under 3 x the page with {FEW}, at most 200 KB transferred"
    return [Figure("dashboard", what, bar, measured, ratio < 3.0 and heavy <= 200_000, facts)]


async def _filled(here: Place, conversations: int) -> None:
    os.environ.update(here.env)
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack)
        for start in range(0, conversations, 64):
            numbers = range(start, min(start + 64, conversations))
            callers = [Caller(f"key:{n}", f"filler {n}", "uid:0") for n in numbers]
            await asyncio.gather(*(hub.conversations.create(one, "backend", "frontend") for one in callers))


def _lengthened(here: Place, until: int) -> None:
    """Entries at the journal's end, chained as every other, up to so many of all."""
    store = apsw.Connection(str(here.home / "bridge.db"))
    names = [name for (name,) in store.execute("SELECT id FROM conversations")]
    ((text,),) = store.execute("SELECT head FROM journal_head")
    head, now = Head.from_text(text), time.time_ns() // 1000
    with store:
        while head.size < until:
            rows: list[tuple[int, str, str]] = []
            while len(rows) < LINES and head.size < until:
                name, at = names[head.size % len(names)], now - (until - head.size) * 1_000
                facts: dict[str, Value] = {"message_id": 7, "bytes": 120, "to": "b", "type": "info", "redactions": ""}
                draft = Draft(at, name, "a", f"session {name}/a", "message.send", target="message 7", facts=facts)
                entry, head = appended(head, draft)
                rows.append((entry.seq, entry.conversation, entry.line))
            store.executemany("INSERT INTO journal (seq, conversation_id, line) VALUES (?, ?, ?)", rows)
        store.execute("UPDATE journal_head SET head = ?", (head.to_text(),))
    store.close()


async def _opened(window: Window, count: int) -> tuple[list[float], int]:
    """How long the page's own answer took, and the bytes on the wire of a first visit with a cold cache."""
    browser = await window.browser()
    first = await browser.get("/")
    assert first.status_code == 200, first.text
    size = _size(first)
    for path in sorted({part.partition('"')[0] for part in first.text.split('"/static/')[1:]}):
        size += _size(await browser.get(f"/static/{path}"))
    took = []
    for _ in range(count):
        start = time.perf_counter()
        await browser.get("/")
        took.append(time.perf_counter() - start)
    await browser.aclose()
    return took, size


def _size(answer: httpx2.Response) -> int:
    return answer.num_bytes_downloaded + sum(len(key) + len(value) + 4 for key, value in answer.headers.raw)
