"""The page *Approvals*: what waits for a person, whole; the decision on exactly that; and how the others ended.

No answer to a browser holds a code: it is shown at the terminal, beside the same argv and digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from multiagent_bridge.errors import BridgeError, Conflict, Invalid, NotApproved, TooFast
from multiagent_bridge.guard.output import visible
from multiagent_bridge.model.commands import Step
from multiagent_bridge.services.approvals import BATCH, Request, Scope
from multiagent_bridge.web import passkeys
from multiagent_bridge.web.pages import Pages, Visit

FIELD = 500
"""Characters of a field that are looked at or shown again."""

SCOPE = ("words", "minutes", "runs")


@dataclass(frozen=True, slots=True)
class Program:
    """A step as the page shows it: each word as a JSON text in which nothing hides, so that none is read as two."""

    join: str
    environment: Sequence[str]
    words: Sequence[str]
    streams: Sequence[str]


def routes(pages: Pages) -> Sequence[BaseRoute]:
    return (
        pages.get("/approvals", page),
        pages.get("/approvals/board", board),
        pages.get("/approvals/chosen", chosen),
        pages.get("/approvals/standing", standing),
        pages.post("/approvals/approve", approve),
        pages.post("/approvals/deny", deny),
        *passkeys.routes(pages, chosen_ids, scope_of),
        pages.get("/approvals/{command_id}", one),
    )


async def page(visit: Visit) -> Response:
    names = await _board(visit)
    return visit.page("approvals.html", done=_done(visit.query.get("done", "")), **names)


async def board(visit: Visit) -> Response:
    return await visit.shared("approvals_board.html", lambda: _board(visit))


async def one(visit: Visit) -> Response:
    return await _decision(visit, [visit.path["command_id"]], visit.query)


async def chosen(visit: Visit) -> Response:
    """The ones that were chosen on the list, together."""
    return await _decision(visit, chosen_ids(visit.request.query_params.multi_items()), visit.query)


async def standing(visit: Visit) -> Response:
    """How the commands of an open decision stand now."""
    ids = chosen_ids(visit.request.query_params.multi_items())

    async def load() -> Mapping[str, object]:
        return {"seen": await visit.hub.approvals.look(visit.caller, ids), "ids": ids}

    return await visit.shared("approvals_standing.html", load)


async def approve(visit: Visit) -> Response:
    fields = await visit.fields()
    ids, typed = chosen_ids(fields), dict(fields)
    try:
        scope = scope_of(typed)
        if "answer" in typed:
            proof = typed.get("challenge", ""), typed["answer"], passkeys.origin(visit)
            done = await visit.hub.passkeys.approve(visit.caller, ids, scope, *proof)
        else:
            done = await visit.hub.approvals.approve(visit.caller, ids, typed.get("code", "")[:FIELD], scope)
    except (Conflict, Invalid, NotApproved, TooFast) as error:
        return await _again(visit, ids, typed, error)
    return visit.to("/approvals", done=f"{len(done)} approved")


async def deny(visit: Visit) -> Response:
    fields = await visit.fields()
    ids, typed = chosen_ids(fields), dict(fields)
    try:
        count = await visit.hub.approvals.deny(visit.caller, ids, typed.get("reason", ""))
    except (Conflict, Invalid) as error:
        return await _again(visit, ids, typed, error)
    return visit.to("/approvals", done=f"{count} denied")


def program(step: Step) -> Program:
    """What a person reads of one step."""
    return Program(
        step.join,
        [f"{name}={_word(value)}" for name, value in step.environment],
        [_word(word) for word in step.argv],
        step.streams,
    )


async def _board(visit: Visit) -> Mapping[str, object]:
    conversation = visit.query.get("conversation", "")
    found = await visit.hub.approvals.board(visit.caller, conversation or None)
    return {"board": found, "conversation": conversation, "shown": _shown, "visible": visible, "most": BATCH}


async def _again(visit: Visit, ids: Sequence[str], typed: Mapping[str, str], error: BridgeError) -> Response:
    """The decision once more, with what was wrong beside the form and what was typed in it; a code is never repeated."""
    answer = await _decision(visit, ids, typed, error)
    answer.status_code = error.http_status
    if isinstance(error, TooFast):
        answer.headers["retry-after"] = str(max(1, int(error.retry_after)))
    return answer


async def _decision(
    visit: Visit, ids: Sequence[str], typed: Mapping[str, str], error: BridgeError | None = None
) -> Response:
    seen = await visit.hub.approvals.look(visit.caller, ids)
    beyond = ""
    left = [one.request.command.id for one in seen if one.request.command.state == "pending"]
    waits = len(left) == len(seen)
    try:
        scope = scope_of(typed)
        if scope is not None and waits and visit.may("command.propose"):
            beyond = await visit.hub.approvals.proposed_scope(visit.caller, ids[0], scope)
    except (Conflict, Invalid) as wrong:
        # of two things that are wrong the first is what the person did
        error = error or wrong
    answer = visit.page(
        "approvals_decision.html",
        seen=seen,
        passkeys=await visit.hub.passkeys.mine(visit.caller, passkeys.origin(visit)),
        ids=[one.request.command.id for one in seen],
        waits=waits,
        left=left,
        alone=len(seen) == 1 and _plain(seen[0].request),
        beyond=beyond,
        typed={name: typed.get(name, "")[:FIELD] for name in (*SCOPE, "reason")},
        error=error,
        shown=_shown,
        visible=visible,
        may_approve=visit.may("command.approve"),
        may_deny=visit.may("command.deny"),
    )
    if error is not None:
        answer.status_code = error.http_status
    return answer


def _shown(request: Request) -> Sequence[Program]:
    return [program(step) for step in request.order.steps]


def _word(word: str) -> str:
    return visible(json.dumps(word, ensure_ascii=False))


def _plain(request: Request) -> bool:
    """Whether something of its kind can be approved in advance."""
    return len(request.order.steps) == 1 and request.order.mode != "yolo"


def chosen_ids(fields: Sequence[tuple[str, str]]) -> Sequence[str]:
    """The commands that a form or an address names, each once. Raises Invalid for none or too many."""
    found = list(dict.fromkeys(value[:FIELD] for name, value in fields if name == "id"))
    if not 1 <= len(found) <= BATCH:
        raise Invalid(f"{len(found)} commands were chosen", f"choose 1 to {BATCH} of them")
    return found


def scope_of(typed: Mapping[str, str]) -> Scope | None:
    """What is approved in advance, if that is asked for. Raises Invalid."""
    if not any(typed.get(name) for name in SCOPE):
        return None
    numbers = []
    for name in SCOPE:
        word = typed.get(name, "")
        if not (word.isascii() and word.isdigit() and len(word) <= 6):
            raise Invalid(f"{name} must be a whole number", "say how many words, minutes and runs")
        numbers.append(int(word))
    return Scope(*numbers)


def _done(said: str) -> str:
    """What was just done, if it is one of our own sentences: an address can be made by anybody."""
    count, _, verb = said.partition(" ")
    good = verb in ("approved", "denied") and count.isascii() and count.isdigit() and len(count) <= 2
    return said if good else ""
