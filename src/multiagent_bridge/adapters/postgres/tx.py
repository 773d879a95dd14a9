"""One PostgreSQL transaction as `ports.Tx`."""

from __future__ import annotations

from multiagent_bridge.adapters.postgres.api_keys import ApiKeys
from multiagent_bridge.adapters.postgres.bindings import Bindings
from multiagent_bridge.adapters.postgres.browsers import Browsers
from multiagent_bridge.adapters.postgres.buckets import Buckets
from multiagent_bridge.adapters.postgres.commands import Commands
from multiagent_bridge.adapters.postgres.conversations import Conversations
from multiagent_bridge.adapters.postgres.invites import Invites
from multiagent_bridge.adapters.postgres.journal import Journal
from multiagent_bridge.adapters.postgres.master_keys import MasterKeys
from multiagent_bridge.adapters.postgres.messages import Messages
from multiagent_bridge.adapters.postgres.passkeys import Passkeys
from multiagent_bridge.adapters.postgres.renewals import Renewals
from multiagent_bridge.adapters.postgres.reseals import Reseals
from multiagent_bridge.adapters.postgres.sessions import Sessions
from multiagent_bridge.adapters.postgres.silences import Silences
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.adapters.postgres.tasks import Tasks
from multiagent_bridge.adapters.postgres.yolo import Yolo


class PostgresTx:
    """The nouns over one run of statements. Their methods wait for statements and for nothing else."""

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
