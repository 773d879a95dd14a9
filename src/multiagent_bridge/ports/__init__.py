"""What the services ask of the world. Each docstring states a law that `testing` holds every adapter to."""

from multiagent_bridge.ports.api_keys import ApiKeys
from multiagent_bridge.ports.authenticators import Authenticators
from multiagent_bridge.ports.background import Background
from multiagent_bridge.ports.backups import Backups
from multiagent_bridge.ports.bell import Bell, Ear
from multiagent_bridge.ports.bindings import Bindings
from multiagent_bridge.ports.browsers import Browsers
from multiagent_bridge.ports.buckets import Buckets
from multiagent_bridge.ports.clock import Clock
from multiagent_bridge.ports.commands import Commands
from multiagent_bridge.ports.conversations import Conversations
from multiagent_bridge.ports.ids import Ids
from multiagent_bridge.ports.invites import Invites
from multiagent_bridge.ports.issuer import Issuer
from multiagent_bridge.ports.journal import Journal
from multiagent_bridge.ports.keys import Keys
from multiagent_bridge.ports.master_keys import MasterKeys
from multiagent_bridge.ports.messages import Messages
from multiagent_bridge.ports.meter import Meter
from multiagent_bridge.ports.observer import Observer
from multiagent_bridge.ports.parcels import Letterbox, Post, Source
from multiagent_bridge.ports.passkeys import Passkeys
from multiagent_bridge.ports.renewals import Renewals
from multiagent_bridge.ports.reseals import Reseals
from multiagent_bridge.ports.sandbox import Sandbox
from multiagent_bridge.ports.sessions import Sessions
from multiagent_bridge.ports.silences import Silences
from multiagent_bridge.ports.snapshots import Snapshots
from multiagent_bridge.ports.store import Store, Tx
from multiagent_bridge.ports.tasks import Tasks
from multiagent_bridge.ports.vitals import Vitals
from multiagent_bridge.ports.workspaces import Workspaces
from multiagent_bridge.ports.yolo import Yolo

__all__ = [
    "ApiKeys",
    "Authenticators",
    "Background",
    "Backups",
    "Bell",
    "Bindings",
    "Browsers",
    "Buckets",
    "Clock",
    "Commands",
    "Conversations",
    "Ear",
    "Ids",
    "Invites",
    "Issuer",
    "Journal",
    "Keys",
    "Letterbox",
    "MasterKeys",
    "Messages",
    "Meter",
    "Observer",
    "Passkeys",
    "Post",
    "Renewals",
    "Reseals",
    "Sandbox",
    "Sessions",
    "Silences",
    "Snapshots",
    "Source",
    "Store",
    "Tasks",
    "Tx",
    "Vitals",
    "Workspaces",
    "Yolo",
]
