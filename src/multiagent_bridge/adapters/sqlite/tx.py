"""One SQLite transaction as `ports.Tx`."""

from __future__ import annotations

from multiagent_bridge.adapters.sqlite.api_keys import ApiKeys
from multiagent_bridge.adapters.sqlite.bindings import Bindings
from multiagent_bridge.adapters.sqlite.browsers import Browsers
from multiagent_bridge.adapters.sqlite.buckets import Buckets
from multiagent_bridge.adapters.sqlite.commands import Commands
from multiagent_bridge.adapters.sqlite.conversations import Conversations
from multiagent_bridge.adapters.sqlite.invites import Invites
from multiagent_bridge.adapters.sqlite.journal import Journal
from multiagent_bridge.adapters.sqlite.master_keys import MasterKeys
from multiagent_bridge.adapters.sqlite.messages import Messages
from multiagent_bridge.adapters.sqlite.passkeys import Passkeys
from multiagent_bridge.adapters.sqlite.renewals import Renewals
from multiagent_bridge.adapters.sqlite.reseals import Reseals
from multiagent_bridge.adapters.sqlite.sessions import Sessions
from multiagent_bridge.adapters.sqlite.silences import Silences
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.adapters.sqlite.tasks import Tasks
from multiagent_bridge.adapters.sqlite.yolo import Yolo


class SqliteTx:
    """The nouns over one run of statements. Their methods are coroutines that never suspend."""

    __slots__ = (
        "api_keys",
        "bindings",
        "browsers",
        "buckets",
        "commands",
        "conversations",
        "invites",
        "journal",
        "master_keys",
        "messages",
        "passkeys",
        "renewals",
        "reseals",
        "sessions",
        "silences",
        "tasks",
        "yolo",
    )

    def __init__(self, run: Statements) -> None:
        self.conversations = Conversations(run)
        self.sessions = Sessions(run)
        self.messages = Messages(run)
        self.invites = Invites(run)
        self.bindings = Bindings(run)
        self.journal = Journal(run)
        self.buckets = Buckets(run)
        self.yolo = Yolo(run)
        self.commands = Commands(run)
        self.tasks = Tasks(run)
        self.silences = Silences(run)
        self.api_keys = ApiKeys(run)
        self.master_keys = MasterKeys(run)
        self.reseals = Reseals(run)
        self.browsers = Browsers(run)
        self.passkeys = Passkeys(run)
        self.renewals = Renewals(run)
