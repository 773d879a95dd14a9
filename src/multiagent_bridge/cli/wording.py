"""Sentences for agents, said to people: where the hub names a tool or its argument, the command line has a word of its own."""

from __future__ import annotations

import re

WORDS = {
    "create_conversation": "mab create",
    "list_conversations": "mab list",
    "send_to_partner": "mab send",
    "check_messages": "mab check",
    "assign_task": "mab task assign",
    "update_task": "mab task update",
    "list_tasks": "mab task list",
    "my_role": "the first ROLE",
    "partner_role": "the second ROLE",
    "more_roles": "a further ROLE",
    "ttl_seconds": "--ttl",
    "action_type": "--type",
    "reply_to": "--reply-to",
    "idempotency_key": "--key",
    "wait_seconds": "--wait",
    "lease_seconds": "--lease",
    "depends_on": "--after",
}
"""What the hub says (SPEC section 2), and how a person says it at a terminal (SPEC section 6)."""

MEANT = {
    "approve": "yolo approve",
    "deny": "yolo deny",
    "inbox": "check",
    "install": "init",
    "join": "invite",
    "journal": "audit",
    "log": "audit",
    "login": "dashboard",
    "logs": "audit",
    "ls": "list",
    "mail": "check",
    "new": "create",
    "open": "create",
    "read": "check",
    "run": "serve",
    "setup": "init",
    "start": "serve",
    "stop": "serve --stop",
    "tasks": "task list",
    "verify": "audit --verify",
    "wait": "check --wait",
}
"""Commands that are not there, by the names other programs give them, and the one that does it here."""

_SAID = re.compile(rf"(?<![\w'\"])(?:{'|'.join(WORDS)})(?![\w'\"])")


def spoken(text: str) -> str:
    """`text` in the words of the command line. What stands in quotation marks is somebody's own and stays."""
    return _SAID.sub(lambda found: WORDS[found[0]], text)
