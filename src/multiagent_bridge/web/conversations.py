"""The pages *Conversations* and *Conversation*: who is in it, what was said, and a box for the person to write into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from multiagent_bridge.errors import BridgeError, Invalid, TooFast
from multiagent_bridge.model.mail import Letter
from multiagent_bridge.model.messages import ACTION_TYPES, BIGGEST_ID, DEFAULT_ACTION_TYPE, Delivery
from multiagent_bridge.services.letters import OPERATOR
from multiagent_bridge.services.notices import BRIDGE
from multiagent_bridge.services.threads import STATES
from multiagent_bridge.web.pages import Pages, Visit

FOLD = 2_000
"""Characters of a message that stand in the open; the others are folded."""

RECIPIENTS = 8
"""Recipients whose deliveries stand in the open; with more of them they are folded."""

KINDS = {"acknowledged": "good", "delivered": "warn"}
"""How a state of delivery looks."""


@dataclass(frozen=True, slots=True)
class Row:
    """One message as the page shows it: `head` in the open, `tail` folded. `by` is who said it: session, operator or bridge."""

    letter: Letter
    head: str
    tail: str
    by: str
    deliveries: Sequence[Delivery]

    @property
    def states(self) -> str:
        """How many deliveries there are of each state, in words."""
        found = [one.state for one in self.deliveries]
        return ", ".join(f"{found.count(state)} {state}" for state in dict.fromkeys(found))


def routes(pages: Pages) -> Sequence[BaseRoute]:
    return (
        pages.get("/conversations", listing),
        pages.get("/conversations/list", listed),
        pages.get("/conversations/{conversation_id}", page),
        pages.get("/conversations/{conversation_id}/members", members),
        pages.get("/conversations/{conversation_id}/thread", thread),
        pages.post("/conversations/{conversation_id}/speak", speak),
    )


async def listing(visit: Visit) -> Response:
    return visit.page("conversations.html", **await _listed(visit))


async def listed(visit: Visit) -> Response:
    return await visit.shared("conversations_list.html", lambda: _listed(visit))


async def page(visit: Visit) -> Response:
    mine = visit.path["conversation_id"]
    await visit.hub.threads.open(visit.caller, mine)
    asked = {name: visit.query.get(name, "") for name in ("q", "from", "type")}
    names: dict[str, object] = {"asked": asked, "found": None, "rows": ()}
    if any(asked.values()):
        names |= await _thread(visit, limit=0) | await _found(visit, asked)
    else:
        names |= await _thread(visit)
    reply_to = _number(visit, "reply_to")
    form = _form(visit, {"reply_to": str(reply_to or ""), "key": visit.hub.ids.named("said")}, ())
    return visit.page("conversation.html", **form, **names)


async def members(visit: Visit) -> Response:
    await visit.hub.threads.open(visit.caller, visit.path["conversation_id"])
    return await visit.shared("conversation_members.html", lambda: _thread(visit, limit=0))


async def thread(visit: Visit) -> Response:
    # whoever reads leaves an entry of their own, also when the part itself was made for another
    await visit.hub.threads.open(visit.caller, visit.path["conversation_id"])
    return await visit.shared("conversation_thread.html", lambda: _thread(visit))


async def speak(visit: Visit) -> Response:
    """Say it, then see it. Refused, the box comes back with every word that was typed."""
    fields = await visit.fields()
    form, to = dict(fields), [value for name, value in fields if name == "to"]
    mine, reply_to = visit.path["conversation_id"], form.get("reply_to", "")
    # a browser ends the lines of a form with both
    words = form.get("message", "").replace("\r\n", "\n")
    try:
        await visit.hub.messages.speak(
            visit.caller,
            mine,
            words,
            form.get("type") or DEFAULT_ACTION_TYPE,
            to or None,
            _whole("reply_to", reply_to),
            form.get("key") or None,
        )
    except BridgeError as refused:
        return await _refused(visit, {**form, "message": words}, to, refused)
    return visit.to(f"/conversations/{mine}")


async def _refused(visit: Visit, typed: Mapping[str, str], to: Sequence[str], error: BridgeError) -> Response:
    mine = visit.path["conversation_id"]
    try:
        there: object = (await visit.hub.threads.read(visit.caller, mine, limit=0)).members
    except BridgeError:
        # the box must come back whatever else does not
        there = ()
    answer = visit.page(
        "conversation_refused.html", conversation_id=mine, members=there, error=error, **_form(visit, typed, to)
    )
    answer.status_code = error.http_status
    if isinstance(error, TooFast):
        answer.headers["retry-after"] = str(max(1, int(error.retry_after)))
    return answer


def _form(visit: Visit, typed: Mapping[str, str], to: Sequence[str]) -> dict[str, object]:
    names = {"message": "", "type": DEFAULT_ACTION_TYPE, "reply_to": "", "key": ""}
    return {
        "typed": {name: typed.get(name, standard) for name, standard in names.items()},
        "to": list(to),
        "types": ACTION_TYPES,
    }


async def _listed(visit: Visit) -> Mapping[str, object]:
    state, words, before = (visit.query.get(name, "") for name in ("state", "q", "before"))
    state = state if state in STATES else STATES[0]
    found = await visit.hub.threads.list(visit.caller, state, words, before or None)
    return {
        "scenes": found.scenes,
        "older": found.older,
        "state": state,
        "states": STATES,
        "words": words,
        "before": before,
    }


async def _thread(visit: Visit, **limit: int) -> dict[str, object]:
    before = _number(visit, "before")
    found = await visit.hub.threads.read(visit.caller, visit.path["conversation_id"], before, **limit)
    return {
        "conversation": found.conversation,
        "members": found.members,
        "rows": [shown(line.letter, line.deliveries) for line in found.lines],
        "older": found.older,
        "before": before,
        "kinds": KINDS,
        "most": RECIPIENTS,
        "writes": visit.may("message.speak"),
    }


async def _found(visit: Visit, asked: dict[str, str]) -> dict[str, object]:
    mine, before = visit.path["conversation_id"], _number(visit, "before")
    found = await visit.hub.threads.search(visit.caller, mine, asked["q"], asked["from"], asked["type"], before)
    # what was typed may hold a secret; what was searched for does not
    asked["q"] = found.query
    return {"found": found, "rows": [shown(letter) for letter in found.letters], "older": found.older}


def shown(letter: Letter, deliveries: Sequence[Delivery] = ()) -> Row:
    """A message as the page shows it, folded where it is long."""
    head, tail = folded(letter.text)
    sender = letter.message.sender
    return Row(letter, head, tail, sender if sender in (OPERATOR, BRIDGE) else "session", deliveries)


def folded(words: str, most: int = FOLD) -> tuple[str, str]:
    """What stands in the open, up to a gap between two words where there is one, and the rest."""
    if len(words) <= most:
        return words, ""
    gap = max(words.rfind(" ", most // 2, most), words.rfind("\n", most // 2, most))
    end = gap + 1 if gap >= 0 else most
    return words[:end], words[end:]


def _number(visit: Visit, name: str) -> int | None:
    return _whole(name, visit.query.get(name, ""))


def _whole(name: str, text: str) -> int | None:
    """The number of a message, None for no text. Raises Invalid."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > len(str(BIGGEST_ID)):
        raise Invalid(f"{name} is no number of a message", "take it from the page")
    return int(text)
