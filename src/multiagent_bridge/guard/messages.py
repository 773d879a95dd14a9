"""What may be sent, to whom, and what a look at the mail may ask for and bring."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.errors import Invalid, Refused
from multiagent_bridge.guard import text
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.mail import Asked, Letter, Words
from multiagent_bridge.model.messages import ACTION_TYPES, BIGGEST_ID, DEFAULT_ACTION_TYPE, Message
from multiagent_bridge.model.sessions import Session


def words(
    limits: Limits,
    message: object,
    action_type: object,
    files_involved: object,
    to: object,
    reply_to: object,
    key: object,
) -> Words:
    """The words of one `send_to_partner`, checked against SPEC sections 2 and 3. Raises Invalid."""
    # counted before anything looks at what is in them: a list may have a million entries
    names, recipients = listed(files_involved), listed(to)
    if len(names) > limits.files:
        raise Invalid(f"{len(names)} files are too many", f"at most {limits.files}")
    if len(recipients) > limits.sessions:
        raise Invalid(f"{len(recipients)} recipients are too many", f"at most {limits.sessions}")
    files = [text.line("a file name", name, 1, limits.file_characters) for name in names]
    return Words(
        message=text.body("the message", message, limits.message_characters),
        files=files,
        action_type=text.choice("action_type", action_type or DEFAULT_ACTION_TYPE, ACTION_TYPES),
        to=[text.line("to", name, 1, limits.role_max) for name in recipients],
        reply_to=None if reply_to is None else text.whole("reply_to", reply_to, 1, BIGGEST_ID),
        key=None if key is None else text.line("idempotency_key", key, 1, limits.key_characters),
    )


def asked(
    limits: Limits,
    wait_seconds: object,
    limit: object,
    ack_through: object,
    auto_ack: object,
    history: object,
    before: object,
    query: object,
) -> Asked:
    """The words of one `check_messages`, checked; the query is not redacted yet. Raises Invalid."""
    if isinstance(wait_seconds, bool) or not isinstance(wait_seconds, (int, float)):
        raise Invalid("wait_seconds must be a number", f"0 to {limits.wait_seconds_max}")
    if not 0 <= wait_seconds <= limits.wait_seconds_max:
        raise Invalid(f"wait_seconds must be 0 to {limits.wait_seconds_max}", "call again to wait longer")
    return Asked(
        limit=limits.page if limit is None else text.whole("limit", limit, 1, limits.page_max),
        ack_through=None if ack_through is None else text.whole("ack_through", ack_through, 0, BIGGEST_ID),
        auto_ack=text.flag("auto_ack", auto_ack),
        history=text.flag("history", history),
        before=None if before is None else text.whole("before", before, 1, BIGGEST_ID),
        query=None if query is None else text.line("query", query, 1, limits.query_characters),
        wait_seconds=float(wait_seconds),
    )


def within_quota(limits: Limits, conversation: Conversation, size: int) -> None:
    """Raises Refused when the conversation has no room for one more message of `size` bytes (SPEC section 3)."""
    most, room = limits.conversation_messages, limits.conversation_bytes
    if conversation.messages >= most:
        raise Refused(f"the conversation is full: {most:,} messages", "open a new one with create_conversation")
    if conversation.bytes + size > room:
        raise Refused(f"the conversation is full: {room:,} bytes", "open a new one with create_conversation")


def listed(value: object) -> Sequence[object]:
    """A list argument, where one bare string counts as a list of one. Raises Invalid."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise Invalid("a list was expected", 'pass a list of strings, such as ["a.py"]')
    return value


def chosen(names: Sequence[str], sender: Session, sessions: Sequence[Session]) -> list[str]:
    """The sessions that `names` (session ids or roles) mean; everyone else when there are none.

    Raises Invalid for a name nobody has or that means only the sender, Refused when nobody is left to hear it.
    """
    others = [s for s in sessions if s.id != sender.id]
    if not names:
        heard = [s.id for s in others if not s.revoked]
        if not heard:
            raise Refused("every partner's session is revoked", "ask the owner: mab rotate CONV SESSION")
        return heard
    wanted: set[str] = set()
    for name in names:
        found = [s for s in others if s.id == name or s.role.casefold() == name.casefold()]
        if not found:
            there = ", ".join(f"{s.id} ({s.role})" for s in others)
            raise Invalid(f"there is no partner {name!r}", f"partners: {there}")
        wanted |= {s.id for s in found if not s.revoked}
    if not wanted:
        raise Refused("that partner's session is revoked", "ask the owner: mab rotate CONV SESSION")
    return [s.id for s in others if s.id in wanted]


def fitting(found: Sequence[Message], budget: int, newest: bool) -> list[Message]:
    """The longest run of `found` that fits a page, at least one; from the newest end when looking back."""
    kept: list[Message] = []
    for message in reversed(found) if newest else found:
        budget -= message.size
        if kept and budget < 0:
            break
        kept.append(message)
    return kept[::-1] if newest else kept


def mentions(letter: Letter, words: Sequence[str]) -> bool:
    """Whether every word stands in the text or a file name, whatever its case."""
    hay = "\n".join((letter.text, *letter.files)).casefold()
    return all(word in hay for word in words)
