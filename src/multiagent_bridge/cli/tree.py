"""The command tree: which module has which command, and one line about each. Listing imports none of them."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_group


class Listed(NamedTuple):
    """A command as the root's help lists it: the module that registers it, and the first sentence of its own help."""

    module: str
    about: str


SECTIONS: dict[str, dict[str, Listed]] = {
    "Start": {
        "demo": Listed("demo", "Tell the whole story in seconds: two real MCP clients and a hub of their own."),
        "init": Listed(
            "init",
            "Configure the MCP clients found here to use the bridge: shows the difference, asks, keeps a backup.",
        ),
        "doctor": Listed(
            "doctor", "Check everything the bridge stands on; each failure ends with the command that mends it."
        ),
        "mcp": Listed("serve", "Serve MCP over standard input and output: the command that an MCP client starts."),
        "serve": Listed("serve", "Run the hub of this state directory."),
        "status": Listed("status", "Show warnings, the hub, and every conversation with its sessions."),
        "top": Listed("top", "Show agents, conversations, approvals and the journal live; decide approvals by keys."),
    },
    "Conversations": {
        "create": Listed("conversations", "Open a conversation and print an invite for each session."),
        "invite": Listed("conversations", "Make a new one-time invite code for a session."),
        "list": Listed("conversations", "List every conversation."),
        "show": Listed("conversations", "Show a conversation: sessions, messages, and where each message stands."),
        "tokens": Listed("conversations", "Show every session's token, to the owner of the state directory."),
        "rotate": Listed(
            "conversations", "End the tokens, invites and bindings of a session (or all) and print the new tokens."
        ),
        "revoke": Listed("conversations", "End the tokens, invites and bindings of a session, or of all."),
        "extend": Listed("conversations", "Set how long a conversation lives from now, also one that has expired."),
        "cleanup": Listed("conversations", "Erase expired conversations with their messages and keys."),
        "export": Listed(
            "archives", "Write a conversation, in clear, as one signed JSON document: messages, entries, checkpoint."
        ),
        "import": Listed(
            "archives", "Open a new conversation from an archive that is what was signed, with new tokens and invites."
        ),
    },
    "Messages": {
        "send": Listed("messages", "Send a message as one session of a conversation."),
        "check": Listed("messages", "Read the mail of one session."),
        "heartbeat": Listed("messages", "Say that a session is alive."),
        "tail": Listed(
            "messages", "Follow what happens: every entry of the journal as it is written, with the text of messages."
        ),
    },
    "Audit": {
        "audit": Listed("audit", "Show the last entries of the journal, verify or export it."),
        "report": Listed(
            "archives",
            "Evidence from the journal, with a citation block; `report verify FILE` checks a report of mab validate.",
        ),
        "redact": Listed("redact", "Replace the secrets in a text, as it would be done to a message."),
    },
    "Guard": {
        "yolo": Listed("yolo", "Commands that a person approves: enable, approve, deny, roll back, explain."),
    },
    "Liveness": {
        "hook": Listed(
            "hook", "Answer a hook of an agent's client: how much mail waits, and whether an idle agent goes on for it."
        ),
        "keepalive": Listed(
            "keepalive", "Keep a session alive while its client sleeps, and print a line for each new mail."
        ),
        "task": Listed("tasks", "Tasks: handed out, accepted under a lease, finished once."),
        "watch": Listed("watch", "Print a line as soon as mail comes, a task moves or a command goes on."),
        "watchdog": Listed(
            "watchdog",
            "Find silent sessions, say so, and give their tasks to a healthy session of the same conversation.",
        ),
    },
    "Machines": {
        "backup": Listed(
            "backup", "Write an encrypted copy of the whole store, journal included, while hubs go on working."
        ),
        "restore": Listed("backup", "Put the store of a backup in place, once all of it was verified."),
        "migrate": Listed("migrate", "Move a whole store, journal included, into an empty one, and verify it there."),
        "key": Listed("key", "Keys with which agents and people come from other machines."),
        "passkey": Listed("passkeys", "Passkeys that approve commands on the dashboard."),
        "dashboard": Listed(
            "dashboard",
            "Print a one-time link that signs a browser in to the dashboard; serve it here when no hub serves HTTP.",
        ),
        "master-key": Listed("master_keys", "The master key: rotate it while hubs go on, then end the old one."),
        "credentials": Listed(
            "credentials",
            "Credentials for workers elsewhere: encrypted to each worker's key, carried by a git repository.",
        ),
        "validate": Listed(
            "validate",
            "Run the tests of the S² protocol against a hub and agents of its own, and write a signed report of every figure.",
        ),
    },
    "Settings and help": {
        "config": Listed("settings", "Show and check the settings."),
        "help": Listed("help", "Show help for a command, or a topic such as exit-codes."),
    },
}

COMMANDS: dict[str, Listed] = {name: row for rows in SECTIONS.values() for name, row in rows.items()}


class _Loaded(MutableMapping[str, Any]):
    """Commands by name, their module imported when one is asked for."""

    def __init__(self) -> None:
        self._commands: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._commands:
            module = import_module(f"multiagent_bridge.cli.{COMMANDS[name].module}")
            shelf = typer.Typer(rich_markup_mode=None, add_completion=False)
            module.register(shelf)
            for found, command in get_group(shelf).commands.items():
                self._commands.setdefault(found, command)
        return self._commands[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Tree(TyperGroup):
    """The root: every command of `COMMANDS`, imported when it is run, listed without being imported."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Loaded()

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table: first what is needed first."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A section a group of commands (SPEC section 6), from the table alone."""
        column = max(map(len, COMMANDS))
        for title, rows in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(column), row.about) for name, row in rows.items()])
