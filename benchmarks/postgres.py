"""A store on PostgreSQL: what the chain costs, what a send costs, two hubs against one, and waking across hubs.

The server is the one of the tests, with `fsync` on, on a Unix socket of this machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg

from benchmarks import https, places
from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.latency import TEXT, _timed
from benchmarks.load import texts
from benchmarks.places import ROOT, Place
from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.model.journal import Draft, Verifier
from tests.postgres_server import Server, served

CLIENTS, AGENTS = 50, 100
DRAFT = Draft(1_790_000_000_000_000, "conv_bench", "a", "session conv_bench/a", "message.send", facts={"n": 1})


def rows(quick: bool) -> list[Figure]:
    with served(fsync=True) as server:
        sends = [*_send(server, quick), *_send_far(server, quick)]
        return [*_appends(server, quick), *sends, *_hubs(server, quick), *_wake(server, quick)]


def _appends(server: Server, quick: bool) -> list[Figure]:
    """Entries a second at the head of the chain, and rows a second where there is no chain, in turn."""
    seconds, rounds = (1.0, 3) if quick else (3.0, 5)
    plain, one, two = asyncio.run(_append_rates(server.create_now(), seconds, rounds))
    ratio = p50(one) / p50(plain)
    facts = {
        "ratio": ratio,
        "inserts_per_second": p50(plain),
        "appends_per_second": p50(one),
        "appends_per_second_two_hubs": p50(two),
        "ratio_two_hubs": p50(two) / p50(plain),
        "clients": CLIENTS,
    }
    measured = (
        f"{ratio:.2f} x ({p50(one):.0f} / {p50(plain):.0f} a second); "
        f"as two hubs of {CLIENTS // 2} clients {p50(two) / p50(plain):.2f} x"
    )
    what = f"journal appends at the chain's head on PostgreSQL, {CLIENTS} clients, against the same inserts without a chain"
    return [Figure("postgres", what, "at least 0.5 x", measured, ratio >= 0.5, facts)]


async def _append_rates(url: str, seconds: float, rounds: int) -> tuple[list[float], list[float], list[float]]:
    async with PostgresStore(Address(url)) as first, PostgresStore(Address(url)) as second:
        entry, _ = await first.write(lambda tx: tx.journal.append(DRAFT))
        pool = [await asyncpg.connect(url) for _ in range(CLIENTS)]
        await pool[0].execute("CREATE TABLE plain (seq BIGSERIAL PRIMARY KEY, conversation_id TEXT, line TEXT)")
        await pool[0].execute("CREATE INDEX plain_by_conversation ON plain (conversation_id, seq)")

        async def insert(number: int) -> None:
            await pool[number].execute(
                "INSERT INTO plain (conversation_id, line) VALUES ($1, $2)", "conv_bench", entry.line
            )

        async def append(number: int, stores: Sequence[PostgresStore]) -> None:
            await stores[number % len(stores)].write(lambda tx: tx.journal.append(DRAFT))

        plain: list[float] = []
        one: list[float] = []
        two: list[float] = []
        for _ in range(rounds):
            plain.append(await _rate(insert, seconds))
            one.append(await _rate(lambda n: append(n, [first]), seconds))
            two.append(await _rate(lambda n: append(n, [first, second]), seconds))
        for connection in pool:
            await connection.close()
        await _check_chain(first)
    return plain, one, two


async def _rate(work, seconds: float) -> float:  # type: ignore[no-untyped-def]
    """How often a second, by CLIENTS in a closed loop."""
    done, began = 0, time.perf_counter()

    async def client(number: int) -> None:
        nonlocal done
        while time.perf_counter() < began + seconds:
            await work(number)
            done += 1

    await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    return done / (time.perf_counter() - began)


async def _check_chain(store: PostgresStore) -> int:
    verifier, seen = Verifier(), 0
    while page := await store.read(lambda tx, after=seen: tx.journal.lines(after, 5000)):  # type: ignore[misc]
        for _, line in page:
            verifier.feed(line)
        seen = page[-1][0]
    return verifier.finish(await store.read(lambda tx: tx.journal.head())).size


@contextmanager
def _hub(url: str, key: str) -> Iterator[Place]:
    """A state directory whose hub, which also knows `noop`, works on that database."""
    with places.place() as here:
        here.env |= {"MAB_STORE": url, "MAB_MASTER_KEY": key}
        hub = subprocess.Popen([sys.executable, "-m", "benchmarks.hub"], cwd=ROOT, env=here.env, stderr=subprocess.PIPE)
        assert hub.stderr is not None
        try:
            line = hub.stderr.readline()
            assert b"listens" in line, line.decode()
            here.hub = hub.pid
            yield here
        finally:
            hub.terminate()
            hub.wait(120)
            hub.stderr.close()


def _send(server: Server, quick: bool) -> list[Figure]:
    """`send_to_partner` against the no-op through the SDK's client and `mab mcp`, call by call in turn."""
    count = 100 if quick else 600
    with _hub(server.create_now(), secrets.token_hex(32)) as here:
        noop, sent = asyncio.run(_sends(here, count))
    ratio = p50(sent) / p50(noop)
    facts = {
        "ratio": ratio,
        "noop_p50_ms": p50(noop) * 1e3,
        "send_p50_ms": p50(sent) * 1e3,
        "send_p99_ms": percentile(sent, 0.99) * 1e3,
        "calls": count,
    }
    measured = f"{ratio:.2f} x ({milliseconds(p50(sent))} / {milliseconds(p50(noop))})"
    what = "durable `send_to_partner` over stdio on PostgreSQL, p50, against a no-op tool on the same hub and path"
    return [Figure("postgres", what, "at most 3.0 x", measured, ratio <= 3.0, facts)]


def _send_far(server: Server, quick: bool) -> list[Figure]:
    """The same over HTTPS."""
    count = 100 if quick else 600
    with https.served(1, store=server.create_now(), master_key=secrets.token_hex(32)) as far:
        noop, sent = asyncio.run(https.sends(far, count))
    ratio = p50(sent) / p50(noop)
    facts = {"ratio": ratio, "noop_p50_ms": p50(noop) * 1e3, "send_p50_ms": p50(sent) * 1e3, "calls": count}
    measured = f"{ratio:.2f} x ({milliseconds(p50(sent))} / {milliseconds(p50(noop))})"
    what = "durable `send_to_partner` over HTTPS on PostgreSQL, p50, against a no-op tool on the same hub and path"
    return [Figure("postgres", what, "at most 3.0 x", measured, ratio <= 3.0, facts)]


async def _sends(here: Place, count: int) -> tuple[list[float], list[float]]:
    noop: list[float] = []
    sent: list[float] = []
    async with here.client() as client:
        await client.call_tool("create_conversation", {"my_role": "backend", "partner_role": "frontend"})
        for n in range(count + 20):
            idle = await _timed(lambda: client.call_tool("noop", {}))
            real = await _timed(lambda: client.call_tool("send_to_partner", {"message": TEXT}))
            if n >= 20:
                noop.append(idle)
                sent.append(real)
    return noop, sent


def _hubs(server: Server, quick: bool) -> list[Figure]:
    """Agents within hub processes, so that it is store and hub that are measured; one hub and two, in turn."""
    seconds, turns = (4.0, 2) if quick else (10.0, 4)
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    lost = doubled = 0
    errors: list[str] = []
    for turn in range(2 * turns):
        # the order turns, so that a machine that grows busier favours neither
        count = (1, 2, 2, 1)[turn % 4]
        before = _spent(server)
        rate, missing, twice, wrong = _round(server, count, seconds)
        rates[count].append(rate)
        costs[count].append((_spent(server) - before) / max(rate * seconds, 1))
        lost, doubled, errors = lost + missing, doubled + twice, errors + wrong
    ratio = p50(rates[2]) / p50(rates[1])
    facts = {
        "ratio": ratio,
        "one_hub_per_second": p50(rates[1]),
        "two_hubs_per_second": p50(rates[2]),
        "one_hub_cpu_ms_a_send": p50(costs[1]) * 1e3,
        "two_hubs_cpu_ms_a_send": p50(costs[2]) * 1e3,
        "lost": lost,
        "doubled": doubled,
        "errors": len(errors),
        "first_error": errors[0] if errors else None,
    }
    measured = (
        f"{ratio:.2f} x ({p50(rates[2]):.0f} / {p50(rates[1]):.0f} a second; CPU a send, starts included, "
        f"{p50(costs[2]) / p50(costs[1]):.2f} x); {lost} lost, {doubled} doubled, {len(errors)} errors; every chain verifies"
    )
    what = f"{AGENTS} agents sending through two hubs on one PostgreSQL, against one hub"
    met = ratio >= 1.0 and not (lost or doubled or errors)
    return [Figure("postgres", what, "at least 1.0 x, none lost or doubled", measured, met, facts)]


def _spent(server: Server) -> float:
    """CPU seconds of the server and of every process of ours that has ended."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + ours.ru_utime + ours.ru_stime


def _round(server: Server, count: int, seconds: float) -> tuple[float, int, int, list[str]]:
    """Sends a second of AGENTS through `count` hubs; how many were lost and doubled; errors."""
    url, key = server.create_now(), secrets.token_hex(32)
    with ExitStack() as stack:
        homes = [stack.enter_context(places.place()) for _ in range(count)]
        hubs = []
        for home in homes:
            home.env |= {"MAB_STORE": url, "MAB_MASTER_KEY": key}
            words = [sys.executable, "-m", "benchmarks.postgres_hub", str(AGENTS // count), str(seconds)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            hubs.append(subprocess.Popen(words, cwd=ROOT, env=home.env, text=True, **pipes))  # type: ignore[call-overload]
        for hub in hubs:
            # once all have started, however long that takes here
            assert hub.stdout.readline() == "ready\n"
        begin = f"{time.monotonic() + 0.5}\n"
        for hub in hubs:
            hub.stdin.write(begin)
            hub.stdin.flush()
        reports = [json.loads(hub.communicate()[0]) for hub in hubs]
        before = dict(os.environ)
        try:
            stored = asyncio.run(texts(homes[0]))
        finally:
            os.environ.clear()
            os.environ.update(before)
    asyncio.run(_chain_of(url))
    sent = Counter(text for report in reports for text in report["sent"])
    errors = [error for report in reports for error in report["errors"]]
    lost = sum(1 for text in sent if not stored[text])
    return sum(sent.values()) / seconds, lost, sum(1 for number in stored.values() if number > 1), errors


async def _chain_of(url: str) -> int:
    async with PostgresStore(Address(url)) as store:
        return await _check_chain(store)


def _wake(server: Server, quick: bool) -> list[Figure]:
    """From the sender's call at one hub to the return of `check_messages` in a client of another hub."""
    count = 60 if quick else 400
    url, key = server.create_now(), secrets.token_hex(32)
    with _hub(url, key) as ours, _hub(url, key) as theirs:
        woken = asyncio.run(_wakes(ours, theirs, count))
    slowest = percentile(woken, 0.99)
    facts = {
        "wake_p50_ms": p50(woken) * 1e3,
        "wake_p99_ms": slowest * 1e3,
        "wake_max_ms": max(woken) * 1e3,
        "calls": count,
    }
    measured = f"p50 {milliseconds(p50(woken))}, p99 {milliseconds(slowest)}, longest {milliseconds(max(woken))}"
    what = "send at one hub to the return of a waiting `check_messages` at another, by NOTIFY"
    return [Figure("postgres", what, "p99 under 100 ms", measured, slowest < 0.1, facts)]


async def _wakes(ours: Place, theirs: Place, count: int) -> list[float]:
    woken = []
    async with ours.client() as client:
        made = await client.call_tool("create_conversation", {"my_role": "backend", "partner_role": "frontend"})
        assert made.structured_content is not None
        invite = made.structured_content["sessions"][1]["invite"]
        waiter = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.waiter",
            invite,
            str(count),
            cwd=ROOT,
            env=theirs.env,
            stdout=subprocess.PIPE,
        )
        assert waiter.stdout is not None
        assert await waiter.stdout.readline() == b"ready\n"
        for n in range(count):
            # the reader is back in its wait before the next send
            await asyncio.sleep(0.03)
            start = time.monotonic()
            await client.call_tool("send_to_partner", {"message": f"number {n}"})
            number, at = (await waiter.stdout.readline()).split()
            assert int(number) == n
            woken.append(float(at) - start)
        await waiter.wait()
    return woken
