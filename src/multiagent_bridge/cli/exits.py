"""What each exit status means (SPEC section 6): one table for `mab help exit-codes`, the reference and the tests."""

from __future__ import annotations

INTERRUPTED = 130

EXITS: tuple[tuple[int, str, str], ...] = (
    (0, "done", "what was asked for was done"),
    (
        1,
        "failed",
        "it failed, or a check of mab doctor or a step of mab demo did; also when the reader of the output left",
    ),
    (2, "invalid", "the command line, an argument, a setting or a text is wrong; nothing was done"),
    (3, "refused", "a rule said no: expired, revoked, full, not agreed to"),
    (4, "not_allowed", "the caller may not do this: a wrong token or invite, another user's hub"),
    (5, "too_fast", "a limit was met; the sentence says when to try again"),
    (6, "not_approved", "no live approval for this exact command"),
    (7, "not_found", "no such conversation, session, task or file"),
    (8, "conflict", "somebody else was first, or the state is another by now"),
    (9, "unavailable", "a store, a hub or a file cannot be used now; a repeat may work"),
    (10, "tampered", "the journal or a stored text does not verify"),
    (INTERRUPTED, "interrupted", "ended by Ctrl-C"),
)
"""(status, code, meaning)"""
