"""Every error a caller can meet.

    BridgeError              code          exit  http
    + Invalid                invalid        2    422   the request itself is wrong
    + Refused                refused        3    403   a rule said no
    | + NotAllowed           not_allowed    4    403   this actor may not do this
    | + TooFast              too_fast       5    429   carries retry_after
    | + NotApproved          not_approved   6    409   no live approval for this exact command
    + NotFound               not_found      7    404
    + Conflict               conflict       8    409   lost a race, or wrong state
    + Unavailable            unavailable    9    503   a store or a peer is down; a retry may work
    + Tampered               tampered      10    500   the journal does not verify

Each instance is one sentence (lower case, no full stop), an optional hint that says what to do, and facts as data.
The sentence and the hint may be shown to anyone who may see the refusal: no secret is ever put in them.
"""

from __future__ import annotations

from typing import ClassVar

Fact = str | int | float | bool | None


class BridgeError(Exception):
    """Base of every error the bridge raises on purpose."""

    code: ClassVar[str] = "failed"
    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, sentence: str, hint: str = "", **facts: Fact) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.facts: dict[str, Fact] = facts

    def __str__(self) -> str:
        """`code: what is wrong (what to do)`, the form every face shows (SPEC section 2)."""
        return f"{self.code}: {self.sentence}" + (f" ({self.hint})" if self.hint else "")


class Invalid(BridgeError):
    code, exit_status, http_status = "invalid", 2, 422


class Refused(BridgeError):
    code, exit_status, http_status = "refused", 3, 403


class NotAllowed(Refused):
    code, exit_status, http_status = "not_allowed", 4, 403


class TooFast(Refused):
    """A limit was met. `retry_after` is in seconds."""

    code, exit_status, http_status = "too_fast", 5, 429

    def __init__(self, sentence: str, hint: str = "", *, retry_after: float, **facts: Fact) -> None:
        super().__init__(sentence, hint, retry_after=retry_after, **facts)
        self.retry_after = retry_after


class NotApproved(Refused):
    code, exit_status, http_status = "not_approved", 6, 409


class NotFound(BridgeError):
    code, exit_status, http_status = "not_found", 7, 404


class Conflict(BridgeError):
    code, exit_status, http_status = "conflict", 8, 409


class Unavailable(BridgeError):
    code, exit_status, http_status = "unavailable", 9, 503


class Tampered(BridgeError):
    code, exit_status, http_status = "tampered", 10, 500
