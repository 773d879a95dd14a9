"""Attacks on the text that ends a batch: it takes no values, so what agents wrote stands in it, as digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

import asyncpg
import pytest

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.framing import beginning, ending
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.model.journal import GENESIS, Draft, Head
from multiagent_bridge.testing.laws import NOW
from tests.machines.test_sqlite_races import verified
from tests.postgres_server import Server, served

NASTY = [
    "'); DELETE FROM bridge.journal; --",
    "\\'); DROP SCHEMA bridge CASCADE; --",
    '"},{"',
    "{}",
    "NULL",
    "",
    " ",
    "$$; COMMIT; $$",
    "/*",
    "a\nb",
    "é 漢字 🜂",
    "\u2019 \uff07",
    "%s {0} :seq $1",
    "\\x00",
]

_TEXTS = r"'\{(\"([0-9a-f]{2})*\",?)*\}'"
_SAFE = re.compile(rf"EXECUTE append_spelled\('\{{[0-9,]+\}}', {_TEXTS}, {_TEXTS}, '[0-9a-f ]+'\); COMMIT")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


@pytest.mark.parametrize("text", NASTY)
def test_no_text_of_an_entry_is_spelled_with_anything_but_digits(text: str) -> None:
    head = Head(1, "ab" * 32, (bytes(32),)).to_text()
    told = ending({"seqs": [1, 2], "conversations": [text, text], "lines": [text, "x"], "head": head})
    assert _SAFE.fullmatch(told)


@pytest.mark.parametrize("head", ["", "'", f"1 {GENESIS}'; --", f"1 {GENESIS}\n", f"1 {GENESIS.replace('0', 'O')}"])
def test_a_head_that_is_none_is_never_put_into_a_statement(head: str) -> None:
    assert beginning(head) == "BEGIN"
    with pytest.raises(ValueError, match="not the text of a head"):
        ending({"seqs": [1], "conversations": ["c"], "lines": ["l"], "head": head})


@pytest.mark.anyio
@pytest.mark.servers
@pytest.mark.parametrize("strings", ["on", "off"])
async def test_what_an_entry_says_is_stored_as_it_is_and_never_run(server: Server, strings: str) -> None:
    url = await server.create()
    admin = await asyncpg.connect(url)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE {name} SET standard_conforming_strings = {strings}")
    async with PostgresStore(Address(url)) as store:
        for text in NASTY:
            # a target may be anything that a person typed; a conversation is an id, but nothing here relies on that
            draft = Draft(NOW, text, "a", f"agent {text}", "message.send", target=text, facts={"said": text})
            await store.write(lambda tx, draft=draft: tx.journal.append(draft))
        entries = await verified(store)
        assert [entry["target"] for entry in entries] == NASTY
        for text in NASTY:
            found = await store.read(lambda tx, text=text: tx.journal.entries(0, 9, text))
            assert [entry.conversation for entry in found] == [text]
    await admin.close()
