"""What `mab doctor` looks at in a store that lies on a PostgreSQL server: reached, of this version, durable, private."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from multiagent_bridge.cli.checks import Check, Patient
from multiagent_bridge.errors import BridgeError

if TYPE_CHECKING:
    from multiagent_bridge.adapters.postgres.looking import Looked

FEW = 10
"""Connections left on the server below which a hub may soon be refused one."""


def server(patient: Patient) -> Iterator[Check]:
    """The database as it stands, read only: nothing is created, migrated or repaired. Nothing for a store in a file."""
    from multiagent_bridge import wiring

    settings = patient.settings
    if settings is None or not wiring.is_postgres(settings.store_url):
        return
    try:
        found = asyncio.run(wiring.looked_at(settings))
    except BridgeError as error:
        # who reads this has asked the doctor already
        mend = error.hint.removesuffix(": mab doctor") or "see that PostgreSQL runs"
        yield Check("database", "fail", error.sentence, mend)
        return
    told = f"PostgreSQL {found.server}, version {found.version}, answered in {found.milliseconds:.1f} ms"
    if found.version < found.known:
        yield Check(
            "database", "warn", f"version {found.version} is brought to {found.known} at the next use", "mab list"
        )
    else:
        # what verifies the journal opens the store, which changes nothing now
        patient.sound.add("database")
        yield Check("database", "ok", told)
    yield from _lacking(found)


def _lacking(found: Looked) -> Iterator[Check]:
    if not found.durable:
        told = "the server does not sync what it stores: a power cut may take what was acknowledged"
        yield Check("database", "warn", told, "set fsync and full_page_writes to on in postgresql.conf")
    if not (found.local or found.encrypted):
        told = "the connection to the database is not encrypted"
        yield Check("database", "warn", told, "add ?sslmode=verify-full to the store URL")
    if found.connections_left < FEW:
        told = f"the server has {found.connections_left} connections left"
        yield Check("database", "warn", told, "raise max_connections of PostgreSQL, or lower postgres.pool_size")
