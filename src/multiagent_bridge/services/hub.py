"""All that a face may see: one attribute a noun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge import __version__
from multiagent_bridge.guard.identities import Claiming
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.ports import (
    Authenticators,
    Background,
    Bell,
    Clock,
    Ids,
    Issuer,
    Keys,
    Meter,
    Sandbox,
    Store,
    Vitals,
    Workspaces,
)
from multiagent_bridge.ports import Backups as BackupsPort
from multiagent_bridge.ports import Snapshots as SnapshotsPort
from multiagent_bridge.services.approvals import Approvals
from multiagent_bridge.services.archives import Archives
from multiagent_bridge.services.audit import Audit
from multiagent_bridge.services.backups import Backups
from multiagent_bridge.services.boards import Boards
from multiagent_bridge.services.bounces import Bounces
from multiagent_bridge.services.browsers import Browsers
from multiagent_bridge.services.commands import Commands
from multiagent_bridge.services.conversations import Conversations
from multiagent_bridge.services.erasures import Erasures
from multiagent_bridge.services.evidence import Evidence
from multiagent_bridge.services.extracts import Extracts
from multiagent_bridge.services.gauges import Gauges
from multiagent_bridge.services.health import Health
from multiagent_bridge.services.identities import Identities
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.lapses import Lapses
from multiagent_bridge.services.master_keys import MasterKeys
from multiagent_bridge.services.messages import Messages
from multiagent_bridge.services.notices import Notices
from multiagent_bridge.services.orders import Advise, Judge, Orders
from multiagent_bridge.services.overlaps import FollowingStore
from multiagent_bridge.services.overview import Overview
from multiagent_bridge.services.parcels import Parcels
from multiagent_bridge.services.passkeys import Passkeys
from multiagent_bridge.services.presence import Presence
from multiagent_bridge.services.redaction import Redact, Redaction
from multiagent_bridge.services.renewals import RenewalGate
from multiagent_bridge.services.reports import Reports
from multiagent_bridge.services.reseals import Reseals
from multiagent_bridge.services.retention import Retention
from multiagent_bridge.services.ringing import RingingStore
from multiagent_bridge.services.runs import Runs
from multiagent_bridge.services.sandboxes import Sandboxes
from multiagent_bridge.services.snapshots import Snapshots
from multiagent_bridge.services.status import Status
from multiagent_bridge.services.tasks import Tasks
from multiagent_bridge.services.threads import Threads
from multiagent_bridge.services.verifications import Verifications
from multiagent_bridge.services.wakeups import Wakeups
from multiagent_bridge.services.watchdog import Watchdog
from multiagent_bridge.services.watches import Watches
from multiagent_bridge.services.yolo import Yolo


@dataclass(frozen=True, slots=True)
class Ground:
    """What commands are judged by and run on. `sandboxes` in the order of how much they protect."""

    judge: Judge
    advise: Advise
    sandboxes: Sequence[Sandbox]
    workspaces: Workspaces
    snapshots: SnapshotsPort
    background: Background


@dataclass(frozen=True, slots=True)
class Hub:
    conversations: Conversations
    retention: Retention
    messages: Messages
    status: Status
    journal: Journal
    evidence: Evidence
    reports: Reports
    archives: Archives
    tasks: Tasks
    watchdog: Watchdog
    watches: Watches
    yolo: Yolo
    commands: Commands
    approvals: Approvals
    lapses: Lapses
    snapshots: Snapshots
    wakeups: Wakeups
    identities: Identities
    browsers: Browsers
    passkeys: Passkeys
    overview: Overview
    threads: Threads
    boards: Boards
    audit: Audit
    extracts: Extracts
    verifications: Verifications
    health: Health
    parcels: Parcels
    backups: Backups
    master_keys: MasterKeys
    reseals: Reseals
    gauges: Gauges
    presence: Presence
    bell: Bell
    ids: Ids
    limits: Limits
    redaction: Redaction


def assemble(
    store: Store,
    bell: Bell,
    clock: Clock,
    ids: Ids,
    keys: Keys,
    meter: Meter,
    redact: Redact,
    limits: Limits,
    ground: Ground,
    issuer: Issuer | None = None,
    claiming: Claiming | None = None,
    backups: BackupsPort | None = None,
    vitals: Vitals | None = None,
    authenticators: Authenticators | None = None,
    machine: str = "",
) -> Hub:
    """Build every service over one set of ports. `issuer`: whose tokens are believed besides the hub's own keys; without
    `backups` the store cannot be backed up, without `vitals` nothing is told of the machine. `machine` tells the names that
    its users give their agents from those at other hubs of the store.
    """
    presence, redaction = Presence(), Redaction(redact, keys)
    ringing = RingingStore(FollowingStore(store, keys, clock), bell)
    journal = Journal(ringing, clock, keys, redaction, limits)
    gate = RenewalGate(ringing, clock, keys, meter, journal, presence, limits, machine)
    notices = Notices(journal, keys)
    lapses = Lapses(ringing, journal, notices, bell, clock, keys)
    erasures = Erasures(journal, lapses, redaction, bell)
    conversations = Conversations(gate, journal, keys, ids, redaction, limits, Bounces(notices), erasures, bell)
    messages = Messages(gate, journal, ringing, bell, clock, keys, redaction, limits)
    evidence = Evidence(journal, ringing, keys)
    sandboxes = Sandboxes(ground.sandboxes)
    orders = Orders(ground.judge, ground.advise, sandboxes, ground.workspaces, limits)
    runs = Runs(
        ringing,
        journal,
        notices,
        lapses,
        orders,
        sandboxes,
        ground.workspaces,
        ground.snapshots,
        ground.background,
        bell,
        clock,
        ids,
        keys,
        redaction,
    )
    verifications = Verifications(gate, evidence, ground.background, clock)
    tasks = Tasks(gate, journal, notices, bell, ids, keys, redaction, limits)
    approvals = Approvals(gate, journal, notices, lapses, bell, clock, ids, keys, redaction, limits)
    reports = Reports(journal, evidence, clock, __version__)
    return Hub(
        conversations=conversations,
        retention=Retention(gate, erasures, clock),
        messages=messages,
        status=Status(gate, bell, keys, redaction, limits),
        journal=journal,
        evidence=evidence,
        reports=reports,
        archives=Archives(gate, journal, conversations, messages, keys, ids, redaction, limits),
        tasks=tasks,
        watchdog=Watchdog(gate, journal, notices, tasks, bell, clock),
        watches=Watches(gate, ringing, clock),
        yolo=Yolo(
            gate, journal, notices, lapses, sandboxes, ground.workspaces, bell, clock, ids, keys, redaction, limits
        ),
        commands=Commands(gate, journal, ringing, lapses, orders, runs, bell, clock, ids, keys, redaction, limits),
        approvals=approvals,
        lapses=lapses,
        snapshots=Snapshots(gate, journal, ground.snapshots, ground.workspaces, clock),
        wakeups=Wakeups(gate, journal, notices, ringing, bell, clock, limits),
        identities=Identities(gate, journal, ringing, clock, meter, ids, keys, redaction, limits, issuer, claiming),
        overview=Overview(gate, limits),
        threads=Threads(gate, journal, clock, keys, redaction, limits),
        boards=Boards(gate, keys, limits),
        browsers=Browsers(gate, journal, ringing, clock, meter, ids, keys, limits),
        passkeys=Passkeys(gate, journal, clock, ids, keys, approvals, authenticators),
        audit=Audit(gate, journal, evidence, reports),
        extracts=Extracts(gate, limits),
        verifications=verifications,
        health=Health(gate, ringing, clock, limits, verifications, vitals),
        parcels=Parcels(gate, journal, clock, keys),
        backups=Backups(gate, journal, backups, clock),
        master_keys=MasterKeys(gate, journal, keys),
        reseals=Reseals(gate, journal, keys),
        gauges=Gauges(gate, ringing, presence, clock),
        presence=presence,
        bell=bell,
        ids=ids,
        limits=limits,
        redaction=redaction,
    )
