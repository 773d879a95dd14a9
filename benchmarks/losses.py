"""kill -9 of a hub, of PostgreSQL and of Valkey, again and again, while agents at two hubs send, read and acknowledge."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks.crash import PAUSE_SECONDS, _verified
from benchmarks.figures import Fact, Figure
from benchmarks.load import texts
from benchmarks.places import Place, place
from benchmarks.wire import Failed, Wire
from tests import postgres_server, valkey_server

PAIRS = 4
"""Senders, each with a reader at the other hub."""
VICTIMS = {"hub": "a hub", "postgres": "PostgreSQL", "valkey": "Valkey"}
UNKNOWN = ("the hub stopped during this call", "the outcome is unknown")
"""After these alone a call may have been done all the same."""
SERVED_SECONDS = 120.0
"""Longest wait for everybody to be served again."""


class Agent(threading.Thread):
    """One end of a conversation, over a wire of its own, until `enough`; `complaint` is what it should never have met."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire
        self.enough = threading.Event()
        self.complaint = ""
        self.served = 0

    def run(self) -> None:
        try:
            while not self.enough.is_set():
                self.turn()
        except (Failed, EOFError, OSError) as failed:
            self.complaint = str(failed) or "the shim is gone"

    def turn(self) -> None:
        raise NotImplementedError

    def refused(self, failed: Failed) -> bool:
        """Whether the refused call was certainly not done. Raises what is no `unavailable`."""
        if not str(failed).startswith("unavailable: "):
            raise failed
        self.enough.wait(0.02)
        return not any(words in str(failed) for words in UNKNOWN)


class Sender(Agent):
    """Sends numbered messages. With keys it repeats each until it is acknowledged, without it never repeats one."""

    def __init__(self, wire: Wire, number: int) -> None:
        super().__init__(wire)
        self.number = number
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self._count = 0

    def turn(self) -> None:
        text = f"sender {self.number}, message {self._count}"
        self._count += 1
        keyed = self.number % 2 == 0
        while True:
            try:
                self.wire.call("send_to_partner", message=text, **({"idempotency_key": text} if keyed else {}))
            except Failed as failed:
                undone = self.refused(failed)
                if keyed:
                    continue
                if not undone:
                    self.unknown.append(text)
                return
            self.acknowledged.append(text)
            self.served += 1
            self.enough.wait(PAUSE_SECONDS)
            return


class Reader(Agent):
    """Reads and acknowledges by number. What it acknowledged must never come again."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.seen: Counter[str] = Counter()
        self.again: list[str] = []
        self.empty = threading.Event()
        self._read = self._acknowledged = 0

    def turn(self) -> None:
        words = {"ack_through": self._read} if self._read else {}
        try:
            mail = self.wire.call("check_messages", auto_ack=False, limit=50, wait_seconds=1, **words)["messages"]
        except Failed as failed:
            self.refused(failed)
            return
        self._acknowledged = self._read
        self.served += 1
        for letter in mail:
            self.seen[letter["message"]] += 1
            if letter["id"] <= self._acknowledged:
                self.again.append(letter["message"])
            self._read = max(self._read, letter["id"])
        if not mail:
            self.empty.set()


@dataclass
class Site:
    postgres: postgres_server.Server
    valkey: valkey_server.Server
    hubs: tuple[Place, Place]
    senders: list[Sender] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)

    @property
    def agents(self) -> Sequence[Agent]:
        return [*self.senders, *self.readers]

    def kill(self, victim: str, turn: int) -> None:
        """Kill it; PostgreSQL and Valkey are started again, a hub is by the next of its agents that calls."""
        if victim == "hub":
            os.kill(int((self.hubs[turn % 2].home / "hub.pid").read_text()), signal.SIGKILL)
        elif victim == "postgres":
            self.postgres.stop(signal.SIGKILL)
            self.postgres.start()
        else:
            self.valkey.stop()
            self.valkey.start()


def losses(quick: bool) -> list[Figure]:
    """Two hubs on one PostgreSQL (`fsync` on) and one Valkey that rings and counts; one row for each of the three victims."""
    return [_row(victim, 4 if quick else 50) for victim in VICTIMS]


@contextmanager
def _site() -> Iterator[Site]:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server.served(fsync=True))
        valkey = stack.enter_context(valkey_server.served())
        shared = {
            "MAB_STORE": postgres.create_now(),
            "MAB_MASTER_KEY": "5a" * 32,
            "MAB_REDIS__URL": valkey.url,
            "MAB_REDIS__PASSWORD": valkey_server.PASSWORD,
        }
        hubs = stack.enter_context(place()), stack.enter_context(place())
        for here in hubs:
            here.env |= shared
        site = Site(postgres, valkey, hubs)
        for number in range(PAIRS):
            sender = Sender(hubs[number % 2].wire(), number)
            reader = Reader(hubs[1 - number % 2].wire())
            opened = sender.wire.call("create_conversation", my_role="sender", partner_role="reader")
            reader.wire.call("join_conversation", invite=opened["sessions"][1]["invite"])
            site.senders.append(sender)
            site.readers.append(reader)
        yield site


def _row(victim: str, wanted: int) -> Figure:
    chance = random.Random(5)
    with _site() as site:
        for agent in site.agents:
            agent.start()
        killed = sum(_killed(site, victim, turn, chance) for turn in range(wanted))
        served = _moved(site)
        _ended(site.senders)
        drained = _drained(site)
        _ended(site.readers)
        for agent in site.agents:
            agent.wire.close()
        stored = asyncio.run(texts(site.hubs[0]))
        entries = asyncio.run(_verified(site.hubs[0]))
    return _judged(victim, (killed, wanted), served and drained, site, stored, entries)


def _killed(site: Site, victim: str, turn: int, chance: random.Random) -> bool:
    """Once everybody is served again, kill at a random moment of the next half second."""
    if not _moved(site):
        return False
    time.sleep(chance.random() * 0.5)
    site.kill(victim, turn)
    return True


def _moved(site: Site) -> bool:
    """Whether every agent is served twice more in time: the first answer may have been on its way already."""
    marks = [agent.served + 2 for agent in site.agents]
    end = time.monotonic() + SERVED_SECONDS
    while any(agent.served < mark for agent, mark in zip(site.agents, marks, strict=True)):
        if time.monotonic() > end or any(agent.complaint for agent in site.agents):
            return False
        time.sleep(0.005)
    return True


def _drained(site: Site) -> bool:
    """Whether every reader finds an empty inbox in time."""
    for reader in site.readers:
        reader.empty.clear()
    return all(reader.empty.wait(SERVED_SECONDS) for reader in site.readers)


def _ended(agents: Sequence[Agent]) -> None:
    for agent in agents:
        agent.enough.set()
    for agent in agents:
        agent.join(SERVED_SECONDS)
        if agent.is_alive():
            agent.complaint = agent.complaint or "a call was never answered"
            agent.wire.process.kill()


def _judged(
    victim: str, kills: tuple[int, int], served: bool, site: Site, stored: Counter[str], entries: int
) -> Figure:
    killed, wanted = kills
    acknowledged = [text for sender in site.senders for text in sender.acknowledged]
    unknown = {text for sender in site.senders for text in sender.unknown}
    seen = {text for reader in site.readers for text in reader.seen}
    lost = [text for text in acknowledged if not stored[text] or text not in seen]
    doubled = [text for text, times in stored.items() if times > 1]
    doubled += [text for reader in site.readers for text in reader.again]
    # a plain refusal is one: only where the outcome was said to be unknown may it have been done
    invented = set(stored) - set(acknowledged) - unknown
    complaints = [agent.complaint for agent in site.agents if agent.complaint]
    facts: dict[str, Fact] = {
        "kills": killed,
        "acknowledged": len(acknowledged),
        "outcome_unknown": len(unknown),
        "stored": sum(stored.values()),
        "read": sum(len(reader.seen) for reader in site.readers),
        "lost": len(lost),
        "doubled": len(doubled),
        "never_sent": len(invented),
        "complaints": "; ".join(complaints),
        "journal_entries": entries,
    }
    measured = (
        f"{killed} kills, {len(acknowledged)} acknowledged, {len(unknown)} of unknown outcome: {len(lost)} lost, "
        f"{len(doubled)} doubled; journal of {entries} entries verifies"
    )
    met = killed == wanted and served and not (lost or doubled or invented or complaints)
    what = f"`kill -9` of {VICTIMS[victim]} at random moments, {wanted} times under load of two hubs on PostgreSQL and Valkey"
    bar = "every acknowledged message stored and read once, no refused one stored; journal verifies"
    return Figure("losses", what, bar, measured, met, facts)
