"""Every limit of SPEC section 3, with its default. All are settings."""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 1_000_000
"""Microseconds in a second: the unit of every instant and duration on this floor."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` acts in `seconds`, refilled evenly (a token bucket as GCRA)."""

    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits one hub works under (SPEC section 3). Durations are seconds, sizes characters or bytes as named."""

    conversation_seconds: int = 3 * 3600
    conversation_seconds_max: int = 30 * 86_400
    sessions: int = 64
    message_characters: int = 50_000
    files: int = 20
    file_characters: int = 1_024
    role_min: int = 3
    role_max: int = 100
    note_characters: int = 1_000
    key_characters: int = 200
    query_characters: int = 200
    writes: tuple[Window, ...] = (Window(10, 60), Window(100, 3600), Window(500, 86_400))
    reads: tuple[Window, ...] = (Window(120, 60),)
    creations: tuple[Window, ...] = (Window(60, 60), Window(1000, 3600))
    failures: tuple[Window, ...] = (Window(30, 60), Window(300, 3600))
    invites: tuple[Window, ...] = (Window(30, 60), Window(300, 3600))
    conversation_messages: int = 10_000
    conversation_bytes: int = 50_000_000
    invite_seconds: int = 15 * 60
    alive_seconds: int = 120
    wait_seconds_max: int = 50
    page: int = 20
    page_max: int = 100
    page_characters: int = 100_000
    claim_seconds: int = 60
    rotate_seconds: int = 0
    grace_seconds: int = 3_600
    checkpoint_entries: int = 100
    command_characters: int = 1_000
    command_seconds: int = 30
    command_seconds_max: int = 3_600
    command_processes: int = 64
    command_bytes: int = 1 << 30
    output_bytes: int = 64 << 10
    open_commands: int = 20
    request_seconds: int = 3_600
    approval_seconds: int = 300
    offer_seconds: int = 300
    grant_minutes_max: int = 480
    grant_runs_max: int = 1_000
    reason_characters: int = 500
    title_characters: int = 200
    task_characters: int = 10_000
    task_dependencies: int = 20
    open_tasks: int = 500
    tasks_page: int = 200
    lease_seconds: int = 600
    lease_seconds_max: int = 86_400
    path_characters: int = 4_096
