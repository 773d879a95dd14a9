"""The page *Journal*: entries by number, what is asked of them in the address; verification, checkpoint and export."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress

from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from multiagent_bridge.errors import Conflict, Invalid, NotAllowed, NotFound
from multiagent_bridge.guard.access import ACTIONS
from multiagent_bridge.model.extracts import Wanted
from multiagent_bridge.model.instants import iso_to_microseconds, microseconds_to_iso
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.web.pages import Pages, Visit

LINE_CHARACTERS = 2_000
"""What a list shows of one line; the page of the entry has it whole."""

CHUNK = 250
"""Lines of an export that are sent at once."""

OUTCOMES = ("done", "refused")

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d))?(?:\.(\d{1,6}))?Z?", re.ASCII)


def routes(pages: Pages) -> Sequence[BaseRoute]:
    exports = Exports()
    return (
        pages.get("/journal", page),
        pages.get("/journal/list", listed),
        pages.get("/journal/entries/{seq}", entry),
        pages.get("/journal/verification", verification),
        pages.get("/journal/verification/progress", progress),
        pages.post("/journal/verification", verify),
        pages.post("/journal/verification/stop", stop),
        pages.get("/journal/checkpoint", checkpoint),
        pages.get("/journal/checkpoint/note", note),
        pages.post("/journal/checkpoint", signed),
        pages.post("/journal/export", exports.export),
    )


async def page(visit: Visit) -> Response:
    return visit.page("journal.html", actions=sorted(ACTIONS), outcomes=OUTCOMES, **await _listed(visit))


async def listed(visit: Visit) -> Response:
    return await visit.shared("journal_list.html", lambda: _listed(visit))


async def entry(visit: Visit) -> Response:
    found = await visit.hub.extracts.entry(visit.caller, whole(visit.path["seq"], "that is no number of an entry"))
    return visit.page("journal_entry.html", entry=found)


async def verification(visit: Visit) -> Response:
    return visit.page("journal_verification.html", done=await visit.hub.verifications.look(visit.caller))


async def progress(visit: Visit) -> Response:
    done = await visit.hub.verifications.look(visit.caller)
    part = visit.fragment("journal_progress.html", done=done)
    if done is None or done.state != "running":
        # the page shows what it came to
        part.headers["hx-refresh"] = "true"
    return part


async def verify(visit: Visit) -> Response:
    form = await visit.form()
    # a browser sends lines of a form as a network terminal would
    kept = form.get("note", "").replace("\r\n", "\n")
    await visit.hub.verifications.begin(visit.caller, kept if kept.strip() else "")
    return visit.to("/journal/verification")


async def stop(visit: Visit) -> Response:
    # it may have ended meanwhile: the page says how
    with suppress(NotFound):
        await visit.hub.verifications.end(visit.caller)
    return visit.to("/journal/verification")


async def checkpoint(visit: Visit) -> Response:
    return visit.page("journal_checkpoint.html", found=await visit.hub.audit.last_checkpoint(visit.caller))


async def note(visit: Visit) -> Response:
    found = await visit.hub.audit.last_checkpoint(visit.caller)
    if found is None:
        raise NotFound("there is no checkpoint yet", "make one on the page before")
    named = {"content-disposition": f'attachment; filename="checkpoint-{found[0]}.txt"'}
    return Response(found[1], media_type="text/plain; charset=utf-8", headers=named)


async def signed(visit: Visit) -> Response:
    await visit.hub.audit.checkpoint(visit.caller)
    return visit.to("/journal/checkpoint")


class Download(StreamingResponse):
    """A stream that says when it is over, however it ended."""

    def __init__(self, content: AsyncIterator[str], named: str, under_way: set[str], who: str) -> None:
        headers = {"content-disposition": f'attachment; filename="{named}"'}
        super().__init__(content, media_type="application/jsonl", headers=headers)
        self._under_way = under_way
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._under_way.discard(self._who)


class Exports:
    """Downloads of the journal: one at a time for each who is signed in."""

    def __init__(self) -> None:
        self._under_way: set[str] = set()

    async def export(self, visit: Visit) -> Response:
        """Every line as it lies in the store. It ends without an end when the sign-in does."""
        who = visit.identity.id
        if who in self._under_way:
            raise Conflict("an export of yours is under way", "wait for its end, or cancel it in the browser")
        self._under_way.add(who)
        try:
            _, lines = await visit.hub.audit.export(visit.caller)
        except BaseException:
            self._under_way.discard(who)
            raise
        stamp = re.sub(r"[-:]|\.\d+", "", microseconds_to_iso(visit.now))
        return Download(_streamed(visit, lines), f"journal-{stamp}.jsonl", self._under_way, who)


async def _streamed(visit: Visit, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    held: list[str] = []
    async for line in lines:
        held.append(f"{line}\n")
        if len(held) == CHUNK:
            if not await visit.hub.browsers.still(visit.identity):
                raise NotAllowed("the sign-in of this export has ended", "sign in and export again")
            yield "".join(held)
            held.clear()
    yield "".join(held)


async def _listed(visit: Visit) -> Mapping[str, object]:
    query = visit.query
    asked = {name: query.get(name, "").strip() for name in ("conversation", "actor", "action", "outcome", "target")}
    times = {name: query.get(name, "").strip() for name in ("since", "until")}
    wanted = Wanted(**asked, since=instant(times["since"]), until=instant(times["until"], end=True))
    before = whole(query["before"], "that is no place in the journal") if query.get("before") else None
    found = await visit.hub.extracts.page(visit.caller, wanted, before)
    filters = asked | times
    return {
        "found": found,
        "filters": filters,
        "filtered": any(filters.values()),
        "searches": wanted.searches,
        "first": before is None,
        "most": LINE_CHARACTERS,
    }


def whole(text: str, wrong: str) -> int:
    """A number of an entry. Raises Invalid saying what is `wrong`."""
    if not text.isascii() or not text.isdigit() or len(text) > 15 or not int(text):
        raise Invalid(wrong, "a whole number from 1")
    return int(text)


def instant(text: str, end: bool = False) -> int | None:
    """An instant as a form gives it, UTC; the `end` of the minute or second that was named. None for no text. Raises Invalid."""
    if not text:
        return None
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise Invalid("that is no time", "such as 2026-01-02T03:04, UTC")
    minute, second, fraction = found.groups()
    at = iso_to_microseconds(f"{minute}:{second or '00'}.{(fraction or '').ljust(6, '0')}Z")
    if not end or fraction:
        return at
    return at + (SECOND if second else 60 * SECOND) - 1
