"""What the services ask of the world. Each docstring states a law that `testing` holds every adapter to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from multiagent_bridge.model.backups import Backup
from multiagent_bridge.model.commands import Command, Step
from multiagent_bridge.model.conversations import Binding, Conversation, Invite
from multiagent_bridge.model.identities import ApiKey
from multiagent_bridge.model.journal import Draft, Entry, Head
from multiagent_bridge.model.limits import Window
from multiagent_bridge.model.messages import Delivery, Message
from multiagent_bridge.model.parcels import Letter, Parcel, Seen
from multiagent_bridge.model.sandboxes import Confinement, Outcome, Profile, Program
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Orphan, Quiet, Silence, Watch
from multiagent_bridge.model.tasks import Task
from multiagent_bridge.model.workspaces import Change, Snapshot, Workspace
from multiagent_bridge.model.yolo import Enabling, Grant

T = TypeVar("T")


class Conversations(Protocol):
    async def add(self, conversation: Conversation) -> None:
        """Raises Conflict when the id is taken."""

    async def get(self, conversation_id: str) -> Conversation | None: ...

    async def count_message(self, conversation_id: str, size: int) -> int:
        """Take the next message id and count one message of `size` bytes towards the quota. Returns the id."""
        ...

    async def extend(self, conversation_id: str, expires_at: int) -> None: ...

    async def list(self) -> Sequence[Conversation]:
        """All, oldest first."""
        ...

    async def remove(self, conversation_id: str) -> None:
        """Remove it with its sessions, messages, deliveries, invites, bindings, enablings, grants, commands and rate buckets;
        the journal stays.
        """


class Sessions(Protocol):
    async def add(self, session: Session) -> None: ...

    async def get(self, conversation_id: str, session_id: str) -> Session | None: ...

    async def of(self, conversation_id: str) -> Sequence[Session]:
        """In the order they were added (a, b, ... z, aa)."""
        ...

    async def heartbeat(self, conversation_id: str, session_id: str, at: int) -> None:
        """Move the heartbeat to `at`, also backwards (a clock that was set back must not look alive for an hour).

        The first heartbeat moves the status from `unknown` to `working`.
        """

    async def report(self, conversation_id: str, session_id: str, status: str, sealed_note: bytes) -> None: ...

    async def rotate(self, conversation_id: str, session_id: str) -> int:
        """Move to the next generation, lift a revocation, drop its bindings and invites. Returns the new generation."""
        ...

    async def revoke(self, conversation_id: str, session_id: str) -> None:
        """End every token, binding and invite of the session."""

    async def stale(self, before: int, now: int) -> Sequence[Quiet]:
        """Every session last heard from at or before `before`, or after `now` (the clock was set back), with what waits for
        it; oldest heartbeat first. Only of conversations that live at `now`; never one that is revoked or was never seen.
        """
        ...

    async def tell(self, conversation_id: str, session_id: str, through: int) -> None:
        """Its client was told of its mail up to and including message id `through`, which never falls."""

    async def told(self, conversation_id: str) -> Mapping[str, int]:
        """Of each session the message id up to which its client was told, 0 at first."""
        ...


class Messages(Protocol):
    """Deliveries go unread -> claimed -> read. `Session.unread` always equals the deliveries that are unread."""

    async def add(self, message: Message, recipients: Sequence[str]) -> None:
        """Store it with one unread delivery a recipient. Raises Conflict when (conversation, sender, key) is taken."""

    async def by_key(self, conversation_id: str, sender: str, idempotency_key: str) -> Message | None: ...

    async def get(self, conversation_id: str, message_id: int) -> Message | None: ...

    async def unread(self, conversation_id: str, recipient: str, limit: int, stale_before: int) -> Sequence[Message]:
        """The oldest `limit` that are unread or whose claim is older than `stale_before` (its writer died), by id."""
        ...

    async def claim(self, conversation_id: str, recipient: str, ids: Sequence[int], claim: str, now: int) -> None:
        """Hand these over under `claim`: no longer unread, not yet read. A stale claim on them is taken over."""

    async def shown(self, conversation_id: str, recipient: str, ids: Sequence[int], now: int) -> None:
        """These were handed over and are still to be acknowledged: unread as before, delivered for their sender."""

    async def confirm(self, claim: str, now: int) -> int:
        """The answer was written: everything under `claim` is read. Returns how many."""
        ...

    async def release(self, claim: str) -> int:
        """The answer was not written: everything under `claim` is unread again. Returns how many."""
        ...

    async def unconfirm(self, conversation_id: str, recipient: str, ids: Sequence[int]) -> int:
        """Make read messages unread again: their answer crossed with its cancellation. Returns how many."""
        ...

    async def release_owner(self, owner: str) -> int:
        """Release every claim that begins with `owner` + ":". Returns how many messages came back."""
        ...

    async def ack(self, conversation_id: str, recipient: str, through: int, now: int) -> int:
        """Mark every message up to and including id `through` read. Returns how many were unread or claimed."""
        ...

    async def history(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        """The newest `limit` read ones with an id below `before`, oldest first."""
        ...

    async def received(self, conversation_id: str, recipient: str, before: int | None, limit: int) -> Sequence[Message]:
        """The newest `limit` delivered to the recipient, read or not, with an id below `before`, newest first."""
        ...

    async def list(self, conversation_id: str, after: int, limit: int) -> Sequence[Message]:
        """All messages of the conversation with an id above `after`, by id."""
        ...

    async def deliveries(self, conversation_id: str, message_id: int) -> Sequence[Delivery]: ...


class Invites(Protocol):
    async def add(self, invite: Invite) -> None: ...

    async def take(self, digest: bytes) -> Invite | None:
        """Remove and return it: of many takers one gets it."""
        ...

    async def sweep(self, now: int) -> int:
        """Remove those expired at `now`. Returns how many."""
        ...


class Bindings(Protocol):
    async def bind(self, binding: Binding) -> None:
        """Add, or replace the one of the same agent, conversation and session."""

    async def of(self, agent: str) -> Sequence[Binding]:
        """The agent's bindings whose session exists, is not revoked and is still of that generation; oldest first."""
        ...

    async def holders(self, conversation_id: str, session_id: str) -> Sequence[str]:
        """Every agent that has a binding as `of` would list it to this session."""
        ...

    async def sweep(self, before: int, prefix: str) -> int:
        """Remove bindings made before `before` of agents whose key begins with `prefix`. Returns how many."""
        ...


class ApiKeys(Protocol):
    async def add(self, key: ApiKey) -> None:
        """Raises Conflict when the id or the digest is taken."""

    async def get(self, key_id: str) -> ApiKey | None: ...

    async def by_digest(self, digest: bytes) -> ApiKey | None:
        """The key of that digest, ended or not."""
        ...

    async def list(self) -> Sequence[ApiKey]:
        """All, ended ones too, in the order they were added."""
        ...

    async def revoke(self, key_id: str, now: int) -> bool:
        """End it for good: of many who race one gets True; False when it is not there or was revoked before."""
        ...

    async def touch(self, key_id: str, now: int) -> None:
        """It was used at `now`; that never falls. Changes nothing when it is not there."""


class Journal(Protocol):
    async def append(self, draft: Draft) -> tuple[Entry, Head]:
        """Chain the entry to the head, store both. The entry becomes durable with the transaction or not at all."""
        ...

    async def head(self) -> Head: ...

    async def entries(self, after: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """Entries with a sequence number above `after`, in order; of one conversation if given."""
        ...

    async def newest(self, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """The last `limit` entries (of one conversation if given), oldest first."""
        ...

    async def lines(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """(sequence number, stored line) as they lie in the store, unparsed: what a verifier must look at."""
        ...

    async def add_checkpoint(self, size: int, note: str) -> None: ...

    async def checkpoints(self) -> Sequence[tuple[int, str]]:
        """(size, signed note), by size."""
        ...


class Buckets(Protocol):
    async def charge(self, key: str, windows: Sequence[Window], now: int) -> int:
        """Charge one act to every window of `key`, or to none. Returns 0 when admitted, else microseconds to wait.

        One statement, exact among racing processes; forgets a state that lies in the future because the clock was set back.
        """
        ...

    async def sweep(self, now: int) -> int:
        """Remove buckets that are full again at `now`: they say nothing that a missing one does not. Returns how many."""
        ...


class Yolo(Protocol):
    """Enablings, and the grants made under them. Newest and oldest are by when they were added, whatever the clock said."""

    async def add(self, enabling: Enabling) -> None:
        """Raises Conflict when the id is taken, NotFound without its conversation, RuntimeError unless asked or offered."""

    async def get(self, enabling_id: str) -> Enabling | None: ...

    async def current(self, conversation_id: str) -> Enabling | None:
        """The one that is `enabled`; at most one a conversation, which the store enforces (a second raises Conflict)."""
        ...

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Enabling]:
        """The newest `limit` (of one conversation if given), newest first."""
        ...

    async def change(self, enabling: Enabling, was: str) -> bool:
        """Replace the row by `enabling` if its state is `was`: of many who race one gets True, False changes nothing.

        Raises Conflict when it would be the second that is enabled, RuntimeError for a step that is none of
        model.yolo.STEPS or into another conversation, whatever the row holds.
        """
        ...

    async def add_grant(self, grant: Grant) -> None:
        """Raises Conflict when the id is taken, NotFound without its conversation."""

    async def grants(self, conversation_id: str) -> Sequence[Grant]:
        """Those not ended and with runs left, newest first."""
        ...

    async def spend(self, grant_id: str, boot: str, boottime: int, now: int) -> bool:
        """Take one run in one statement: only while it is not ended, of this boot, within both clocks and with runs
        left, never when `now` lies before `granted_at` (the clock was set back), and never for an empty boot.
        """
        ...

    async def end_grants(self, conversation_id: str, now: int) -> int:
        """End every live grant of the conversation. Returns how many."""
        ...


class Commands(Protocol):
    """Newest and oldest are by when they were added, whatever the clock said."""

    async def add(self, command: Command) -> None:
        """Raises Conflict when the id is taken, NotFound without its conversation, RuntimeError unless it is pending, or
        approved by a grant (`approval.grant_id`).
        """

    async def get(self, command_id: str) -> Command | None: ...

    async def open(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        """The oldest `limit` that are pending, approved or running (of one conversation if given), oldest first."""
        ...

    async def list(self, conversation_id: str | None, limit: int) -> Sequence[Command]:
        """The newest `limit` (of one conversation if given), newest first."""
        ...

    async def change(self, command: Command, was: str) -> bool:
        """Replace the row by `command` if its state is `was`: of many who race one gets True, False changes nothing.

        Raises RuntimeError, whatever the row holds, for a step that is none of model.commands.STEPS, for running (only
        `start` makes a command that), for approved without an approval, and when what was asked for would change:
        conversation, session, digest, order, `requested_at`.
        """
        ...

    async def start(
        self,
        command_id: str,
        digest: str,
        verifier: bytes,
        boot: str,
        boottime: int,
        now: int,
        runner: str,
        deadline: int,
    ) -> bool:
        """approved -> running, the single use of an approval, in one statement: state, digest, verifier and boot are equal
        (an empty boot never is), `boottime` lies before its end, and `granted_at` <= `now` < `until`. False changes nothing.
        """
        ...

    async def overdue(self, now: int, boot: str, boottime: int, limit: int) -> Sequence[Command]:
        """Pending ones past `expires_at`, running ones past `deadline`, and approved ones that are past `until`, of `boot` and
        past `boottime_end`, without a boot, or granted further ahead of `now` than they last (the clock was set back).

        One of another boot may be another machine's, which shares the store: that alone does not end it.
        """
        ...

    async def running(self, runner: str) -> Sequence[Command]:
        """The running ones of that runner: after its death they are lost."""
        ...


class Tasks(Protocol):
    async def add(self, task: Task) -> None:
        """Raises Conflict when the id is taken in its conversation."""

    async def get(self, conversation_id: str, task_id: str) -> Task | None: ...

    async def count(self, conversation_id: str, states: Sequence[str]) -> int: ...

    async def list(self, conversation_id: str, limit: int) -> Sequence[Task]:
        """At most `limit`: the unfinished ones first, then the newest of the finished, each oldest first."""
        ...

    async def held(self, conversation_id: str, assignee: str) -> Sequence[Task]:
        """The unfinished tasks of one session, oldest first."""
        ...

    async def change(self, task: Task, was: str, fence: int) -> bool:
        """Replace the row by `task` if it still stands in state `was` under `fence`: of many who race one gets True.

        Its fence never falls; creator, lease_seconds, depends_on and created_at never change. Raises RuntimeError for
        a step that is not
        in model.tasks.STEPS (the same state again is one).
        """
        ...


class Silences(Protocol):
    """Sessions that fell silent, the tasks that nobody could take from them, and where the last check stood."""

    async def add(self, silence: Silence) -> bool:
        """At most one a session: of many who add it one gets True, False changes nothing. Raises NotFound without its
        session, RuntimeError unless it is `warned`.
        """
        ...

    async def list(self) -> Sequence[Silence]:
        """All, in the order they were added."""
        ...

    async def change(self, silence: Silence, was: Silence) -> bool:
        """Replace the row by `silence` if it still equals `was`: of many who race one gets True.

        Raises RuntimeError for a step that is not in model.silences.STEPS (the same state again is one).
        """
        ...

    async def remove(self, silence: Silence) -> bool:
        """It is over: remove the row if it still equals `silence`. Of many one gets True."""
        ...

    async def orphan(self, orphan: Orphan) -> None:
        """Add, or replace the one of the same task. Raises NotFound without its task."""

    async def orphans(self) -> Sequence[Orphan]:
        """All, in the order they were added."""
        ...

    async def adopt(self, orphan: Orphan) -> bool:
        """Remove it if it still equals the row: of many one gets True."""
        ...

    async def watch(self) -> Watch | None:
        """Where the last check stood; None before the first."""
        ...

    async def watched(self, watch: Watch, was: Watch | None) -> bool:
        """Replace it if it still equals `was`: of two checks that saw the same one gets True."""
        ...


class Tx(Protocol):
    """One transaction. Awaiting anything else inside it, but a meter's charge, is a programming error that adapters refuse."""

    @property
    def conversations(self) -> Conversations: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def messages(self) -> Messages: ...

    @property
    def invites(self) -> Invites: ...

    @property
    def bindings(self) -> Bindings: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def buckets(self) -> Buckets: ...

    @property
    def yolo(self) -> Yolo: ...

    @property
    def commands(self) -> Commands: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def silences(self) -> Silences: ...

    @property
    def api_keys(self) -> ApiKeys: ...


class Store(Protocol):
    """The truth. `write` is serialisable and durable before it returns; what raised left nothing behind.

    `work` may be run again after a lost race, so it has no effect but through its Tx. Errors of the bridge pass unchanged;
    those of a driver become Unavailable (or Tampered for a damaged file) with the driver's error as cause.
    """

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T: ...

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """A consistent snapshot; writing in it raises."""
        ...

    async def close(self) -> None: ...


class Ear(Protocol):
    async def wait(self, seconds: float) -> bool:
        """Until the topic rings or `seconds` pass; True when it rang since the last wait, or may have."""
        ...


class Bell(Protocol):
    """Says that something changed, never what. Rings between processes of one store; a lost ring costs at most a second."""

    def ring(self, topic: str) -> None:
        """Wake everyone who listens to `topic`, here and in other processes. Never blocks, never raises."""

    def listen(self, topic: str) -> AbstractAsyncContextManager[Ear]:
        """From entry on no ring is missed: listen first, then look."""
        ...


class Meter(Protocol):
    async def charge(self, tx: Tx, key: str, windows: Sequence[Window], now: int) -> int:
        """As Buckets.charge: inside the transaction where the meter lives in the store, beside it where it does not."""
        ...


class Backups(Protocol):
    """Copies of the whole store, encrypted, in files. A path may begin with ~."""

    def name(self, folder: str, now: int) -> str:
        """The path in `folder` of a backup made at `now`."""
        ...

    async def prepare(self, path: str, recipients: Sequence[str], now: int) -> Backup:
        """Write one beside `path`, consistent and looked at, for the master key and the age `recipients`; not there yet.

        Raises Conflict when something is at `path`, Invalid for a recipient, Unavailable, Tampered for a damaged store.
        """
        ...

    async def publish(self, backup: Backup) -> None:
        """Give it its name, for good. Raises Conflict when something came there meanwhile; Unavailable."""
        ...

    async def discard(self, backup: Backup) -> None:
        """Remove what was prepared."""
        ...

    async def list(self, folder: str) -> Sequence[str]:
        """The paths of those in `folder` that `name` named, oldest first."""
        ...

    async def remove(self, path: str) -> None: ...


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since the epoch, UTC; may jump."""
        ...

    def monotonic(self) -> int:
        """Microseconds from an arbitrary start; never jumps."""
        ...

    def boot(self) -> str:
        """The identity of this boot of the machine; empty where the system does not tell: then nothing is ever approved."""
        ...

    def boottime(self) -> int:
        """Microseconds since the boot, sleep included; never jumps."""
        ...


class Ids(Protocol):
    def conversation(self) -> str:
        """A new conversation id: `conv_` and 12 characters; not a secret, never repeated."""
        ...

    def invite(self) -> str:
        """A new invite code of 50 random bits, in an alphabet that survives being read aloud."""
        ...

    def claim(self) -> str:
        """A new claim id that begins with this process's owner name and a colon."""
        ...

    def named(self, prefix: str) -> str:
        """A new id: `prefix`, an underscore and 12 characters; not a secret, never repeated."""
        ...

    def owner(self) -> str:
        """The name under which this process claims and runs."""
        ...

    def api_key(self) -> str:
        """A new key of this hub: 256 random bits in the form of `guard.identities`, with its checksum."""
        ...


class Keys(Protocol):
    """The master key and what is derived from it. No method ever returns a key in clear."""

    verifier_key: str
    """Public part of the audit signing key, in C2SP form."""

    signer: str
    """Name of the signer in checkpoints, and their origin: unique to this master key."""

    public_key: bytes
    """The 32 bytes of it."""

    def token(self, conversation_id: str, session_id: str, generation: int) -> str:
        """64 hex characters: HMAC-SHA256, bound to all three."""
        ...

    def code_digest(self, code: str) -> bytes:
        """Keyed digest under which an invite code is stored."""
        ...

    def api_key_digest(self, key: str) -> bytes:
        """Keyed digest under which a key of this hub is stored; a key of another hub has another."""
        ...

    def new_key(self, conversation_id: str) -> bytes:
        """A new data key for the conversation, wrapped under the master key and bound to the conversation id."""
        ...

    def seal(self, conversation: Conversation, place: str, text: str) -> bytes:
        """AES-GCM under the conversation's key; `place` (table, column, row) is bound to it."""
        ...

    def open(self, conversation: Conversation, place: str, sealed: bytes) -> str:
        """The text. Raises Tampered when key, place or bytes do not fit."""
        ...

    def digest(self, text: str) -> str:
        """Hex HMAC-SHA256 under the audit key: lets an entry vouch for a text without holding it."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Ed25519 under the audit signing key."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool: ...

    publisher_key: bytes
    """The 32 bytes of the public key that credentials for workers are signed under, a key of its own."""

    def publish(self, message: bytes) -> bytes:
        """Ed25519 under the key that signs credentials for workers."""
        ...


class Post(Protocol):
    """Takes credentials to their workers. What it leaves anywhere is ciphertext and names of workers."""

    async def send(self, letters: Sequence[Letter]) -> str:
        """Encrypt each to its recipient, and put all where the workers look, together. Returns the name of that version.

        What others put there stays. Raises Invalid for a recipient that is none, Unavailable, Conflict.
        """
        ...


class Source(Protocol):
    """Where a worker looks for its credentials. Nothing that lies there is ever executed, obeyed or followed."""

    async def fetch(self, worker: str) -> bytes | None:
        """The encrypted file as it is there now; None when there is none. Raises Unavailable, and Refused for what is no
        plain file of at most model.parcels.SEALED_BYTES.
        """
        ...


class Letterbox(Protocol):
    """What a worker keeps: its age identity, whom it trusts, and the newest credentials it took."""

    recipient: str
    """The public part of its age identity."""

    def open(self, sealed: bytes) -> bytes:
        """Raises Refused when it is for somebody else, Tampered when it was cut short or changed."""
        ...

    def verify(self, publisher: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature (Ed25519) is the publisher's."""
        ...

    def seen(self, worker: str) -> Seen | None:
        """What it remembers; None when the worker trusts nobody yet."""
        ...

    def trust(self, worker: str, publisher: bytes) -> None:
        """Remember the publisher of a worker that trusts nobody yet."""

    def keep(self, parcel: Parcel, seen: Seen) -> None:
        """Replace credentials and memory in one step, for the eyes of this user alone."""


class Issuer(Protocol):
    """Who signs the bearer tokens that this hub believes besides its own keys (OAuth 2.1, OpenID Connect)."""

    name: str
    """Its identifier, an https URL."""

    async def claims(self, bearer: str) -> Mapping[str, object]:
        """The claims of a token that this issuer signed for this hub, by an algorithm that is allowed.

        Its times are the caller's to judge. Raises NotAllowed saying what is wrong with it, Unavailable when the issuer's
        keys cannot be had.
        """
        ...


class Sandbox(Protocol):
    """Runs a plan where it can touch the workspace and nothing else. The whole process tree is dead when `run` returns."""

    name: str

    async def profile(self) -> Profile:
        """What it is on this machine, found by running it once and then remembered. Raises Unavailable saying why it
        does not work.
        """
        ...

    async def programs(self, workspace: Workspace, names: Sequence[str]) -> Sequence[Program]:
        """What each name means inside, in order; `cd` is ("cd", "", ""). Raises NotFound naming the one that is not there."""
        ...

    async def run(self, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement) -> Outcome:
        """Run the plan, each step with its program, standard input empty.

        Never more than the bounds of output are held in memory. Cancelled, it kills the tree before it lets go. Raises
        Unavailable when the sandbox could not be built (nothing of the plan ran), Conflict when the workspace is not
        the one named.
        """
        ...


class Workspaces(Protocol):
    """Folders as the file system knows them. Nothing here executes anything."""

    async def identify(self, path: str) -> Workspace:
        """The folder behind `path`, links resolved. Raises Invalid for what may never be one: no folder, the root, a
        home directory itself,
        a system folder, the state directory, what lies in it or contains it, somebody else's folder.
        """
        ...

    async def verify(self, workspace: Workspace) -> None:
        """Raises Conflict when it is gone or another folder lies there now."""

    async def scripts(self, workspace: Workspace, steps: Sequence[Step]) -> Sequence[tuple[str, str]]:
        """(path below the workspace, SHA-256) of each file that the steps would execute or be steered by, sorted by path."""
        ...

    async def survey(self, workspace: Workspace) -> Mapping[str, str]:
        """Digest of everything below it that runs by itself later (nested repositories, hooks, editor and client
        files): path to digest.
        """
        ...

    def lock(self, workspace: Workspace) -> AbstractAsyncContextManager[None]:
        """One run, snapshot or rollback at a time in one workspace, among all processes of the state directory."""
        ...


class Snapshots(Protocol):
    """Copies of workspaces outside them. Never touches the user's own repository, nor runs what a workspace configures."""

    async def take(self, workspace: Workspace, label: str) -> Snapshot:
        """The present state, uncommitted and untracked files included. Raises Unavailable (disk full): then nothing may run."""
        ...

    async def list(self, workspace: Workspace | None = None) -> Sequence[Snapshot]:
        """Newest first; of every workspace when left out."""
        ...

    async def difference(self, snapshot_id: str) -> Sequence[Change]:
        """What a restore would change, seen from the present: `added` comes back. Raises NotFound."""
        ...

    async def restore(self, snapshot_id: str) -> Snapshot:
        """Snapshot the present, make the workspace byte- and mode-identical to the snapshot, and verify that. Returns
        the snapshot
        of what was there before. Raises NotFound, Conflict (the workspace is gone or another one), Unavailable.
        """
        ...

    async def remove(self, before: int) -> int:
        """Forget snapshots taken before that instant. Returns how many."""
        ...


class Background(Protocol):
    """Work that goes on when whoever asked for it has gone."""

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin `work`; closing the hub cancels it and waits for it. `work` answers for its own errors."""


class Observer(Protocol):
    """Counts the calls of tools. Never blocks, never raises, and keeps nothing that a caller chose."""

    def begun(self, tool: str, waits: bool) -> None:
        """A call began; `tool` is one of ours or `unknown`. `waits`: its caller would wait for what is not there yet."""

    def done(self, tool: str, waits: bool, outcome: str, seconds: float) -> None:
        """It ended: `outcome` is `done`, `cancelled` or the code of an error."""
