"""What an approval is bound to, judged from the order itself: codes, scopes, and what changed since a person said yes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed
from multiagent_bridge.guard import text
from multiagent_bridge.guard.output import visible
from multiagent_bridge.model.commands import Order
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.workspaces import Workspace

CODE_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""No character of it is read as another."""

CODE_CHARACTERS = 6
"""30 to the sixth: 729 million, and a wrong one does nothing."""

TOKEN_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """The validated words of one `execute_command`."""

    command: str | None
    command_id: str | None
    token: str | None
    dry_run: bool
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Scope:
    """What a grant covers: single programs whose argv begins with `words`, all else exactly as it was when a person said yes."""

    words: tuple[str, ...]
    program: str
    sha256: str
    mode: str
    workspace: Workspace
    network: bool
    sandbox: str
    profile: str
    policy: str

    def canonical(self) -> str:
        return canonical(asdict(self))

    @classmethod
    def read(cls, written: str) -> Scope:
        """What `canonical` wrote."""
        fields = json.loads(written)
        return cls(words=tuple(fields.pop("words")), workspace=Workspace(**fields.pop("workspace")), **fields)

    def covers(self, order: Order) -> bool:
        """Whether the order is one single program within the scope. Its scripts may have changed: the grant is for
        working on them.
        """
        return (
            _plain(order) and len(order.steps[0].argv) >= len(self.words) and self == scope_of(order, len(self.words))
        )

    def sentence(self, minutes: int, runs: int) -> str:
        """What a person agrees to."""
        words = visible(" ".join(self.words))
        network = "with the network" if self.network else "without network"
        return (
            f"`{words}` with any arguments in {visible(self.workspace.path)}, {network}, for {minutes} minutes, "
            f"at most {runs} runs"
        )


def asked(
    limits: Limits, command: object, command_id: object, approval_token: object, dry_run: object, wait_seconds: object
) -> Asked:
    """The words of `execute_command`. Raises Invalid."""
    if (command is None) == (command_id is None):
        raise Invalid("give either command or command_id", "command asks for something new, command_id follows it up")
    line = None if command is None else text.body("command", command, limits.command_characters)
    number = None if command_id is None else text.line("command_id", command_id, 1, 40)
    token = None if approval_token is None else text.line("approval_token", approval_token, 1, 200)
    if token is not None and number is None:
        raise Invalid("an approval_token belongs to a command_id", "pass the command_id that was approved")
    if isinstance(wait_seconds, bool) or not isinstance(wait_seconds, (int, float)):
        raise Invalid("wait_seconds must be a number", f"0 to {limits.wait_seconds_max}")
    if not 0 <= wait_seconds <= limits.wait_seconds_max:
        raise Invalid("wait_seconds is out of range", f"0 to {limits.wait_seconds_max}")
    return Asked(line, number, token, text.flag("dry_run", dry_run), float(wait_seconds))


def closed() -> BridgeError:
    """The gate of this agent's environment is closed."""
    return NotAllowed("commands are not open to this agent", "its person sets YOLO_MODE=1 where mab mcp is started")


def canonical(fields: object) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def code(digest: str) -> str:
    """The code to retype, from a keyed digest in hex: without the key nobody can tell it."""
    number, letters = int(digest, 16), ""
    for _ in range(CODE_CHARACTERS):
        number, place = divmod(number, len(CODE_ALPHABET))
        letters += CODE_ALPHABET[place]
    return letters


def typed(given: str) -> str:
    """A code as a person types it: case, spaces and dashes do not count."""
    return given.strip().lower().replace("-", "").replace(" ", "")


def changed(approved: Order, now: Order) -> Sequence[str]:
    """What differs from what a person saw, as words for a sentence."""
    names = {
        "steps": "the plan",
        "mode": "the mode",
        "workspace": "the workspace",
        "programs": "a program",
        "scripts": "a file that it runs or is steered by",
        "network": "the network",
        "bounds": "the limits",
        "sandbox": "the sandbox",
        "profile": "the protection of the sandbox",
        "lacks": "what the sandbox lacks",
        "policy": "the policy",
        "rule": "the rule that decides",
    }
    return [said for name, said in names.items() if getattr(approved, name) != getattr(now, name)]


def scope_of(order: Order, words: int) -> Scope:
    """The scope of the first `words` words of a plain order. Raises Invalid for a plan that one prefix cannot describe."""
    if not _plain(order):
        raise Invalid(
            "only a single program without variables can be approved in advance", "approve this one by itself"
        )
    argv = order.steps[0].argv
    if not 1 <= words <= len(argv):
        raise Invalid(f"the command has {len(argv)} words", f"name 1 to {len(argv)} of them")
    program = order.programs[0]
    return Scope(
        argv[:words],
        program.path,
        program.sha256,
        order.mode,
        order.workspace,
        order.network,
        order.sandbox,
        order.profile,
        order.policy,
    )


def _plain(order: Order) -> bool:
    """One program of its own; never a shell, whose one word is a whole line."""
    if len(order.steps) != 1 or order.mode == "yolo":
        return False
    step = order.steps[0]
    return not (step.environment or step.streams or step.join) and step.argv[0] != "cd"
