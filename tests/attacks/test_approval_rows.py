"""Somebody who can write to the database, and has no key: rows alone approve nothing, and make no approval last."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import BridgeError, NotApproved, Tampered
from tests.services.guarded import Guarded, guarded

pytestmark = pytest.mark.anyio

FORGED = "f" * 64
YEAR = 365 * 86_400 * 1_000_000


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Guarded, apsw.Connection]]:
    async with SqliteStore(tmp_path / "bridge.db") as store:
        here = await guarded(store=store)
        await here.enable()
        foreign = apsw.Connection(str(store.path))
        yield here, foreign
        foreign.close()


@pytest.mark.parametrize("token", [None, FORGED])
async def test_a_row_that_says_approved_runs_nothing(place: tuple[Guarded, apsw.Connection], token: str | None) -> None:
    here, foreign = place
    number = await here.ask()
    clock, mine = here.clock, hashlib.sha256(FORGED.encode()).digest()
    foreign.execute(
        "UPDATE commands SET state = 'approved', verifier = ?, boot = ?, boottime_end = ?, granted_at = ?, until = ?,"
        " approved_by = 'person', grant_id = ''",
        (mine, clock.boot(), clock.boottime() + YEAR, clock.now(), clock.now() + YEAR),
    )
    with pytest.raises(NotApproved):
        await here.run(number, approval_token=token, wait_seconds=1)
    assert here.sandbox.runs == []


@pytest.mark.parametrize("column", ["until", "boottime_end", "granted_at", "boot", "grant_id"])
async def test_an_approval_whose_bounds_were_moved_is_none(place: tuple[Guarded, apsw.Connection], column: str) -> None:
    here, foreign = place
    number = await here.ask()
    await here.approve(number)
    wanted = {"boot": "'boot-2'", "grant_id": "'another'", "granted_at": f"granted_at - {YEAR}"}.get(
        column, f"{column} + {YEAR}"
    )
    foreign.execute(f"UPDATE commands SET {column} = {wanted} WHERE id = ?", (number,))
    if column == "granted_at":
        # the wall clock, set back to before the yes
        here.clock.jump(-1)
    try:
        told = await here.run(number, wait_seconds=1)
        assert told.state == "expired"
    except NotApproved:
        pass
    assert here.sandbox.runs == []


@pytest.mark.parametrize("column", ["digest", "sealed_order"])
async def test_an_approval_moved_under_another_command_runs_neither(
    place: tuple[Guarded, apsw.Connection], column: str
) -> None:
    here, foreign = place
    number, other = await here.ask("git status"), await here.ask("git log")
    await here.approve(number)
    foreign.execute(
        f"UPDATE commands SET {column} = (SELECT {column} FROM commands WHERE id = ?) WHERE id = ?", (other, number)
    )
    with pytest.raises((Tampered, NotApproved)):
        await here.run(number, wait_seconds=1)
    assert here.sandbox.runs == []


async def test_an_approval_copied_to_another_command_runs_nothing(place: tuple[Guarded, apsw.Connection]) -> None:
    here, foreign = place
    number, other = await here.ask("git status"), await here.ask("git log")
    [approved] = await here.approve(number)
    columns = "state, verifier, boot, boottime_end, granted_at, until, approved_by, grant_id"
    foreign.execute(f"UPDATE commands SET ({columns}) = (SELECT {columns} FROM commands WHERE id = ?)", (number,))
    for token in (None, approved.approval_token):
        with pytest.raises(BridgeError):
            await here.run(other, approval_token=token, wait_seconds=1)
    assert here.sandbox.runs == []
