"""What a tool is on this face: its contract as JSON Schema, and one line of service call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard import access
from multiagent_bridge.model.callers import Caller, Credentials, Renewed
from multiagent_bridge.model.mail import Mail
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.services.messages import Progress

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer"}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
SHOWN = 40
"""Longest made-up name that an error repeats."""

CREDENTIALS: Schema = {"conversation_id": TEXT, "session_id": TEXT, "token": TEXT}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says: terse text and the same facts as fields, since clients show the model one or the other."""

    text: str
    fields: Mapping[str, object]
    mail: Mail | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call. `hold` reserves a claim on mail that the transport settles once it knows whether the answer was written."""

    hub: Hub
    caller: Caller
    arguments: Mapping[str, Any]
    progress: Progress
    hold: Callable[[], str]
    renewed: Renewed = field(default_factory=Renewed)

    @property
    def credentials(self) -> Credentials:
        """Raises Invalid for credentials that are not text, or a token without its session."""
        given = access.credentials(*(self.arguments.get(name) for name in CREDENTIALS))
        return replace(given, renewed=self.renewed)

    def told(self, answer: Answer) -> Answer:
        """The answer, and with it the token that follows the one which this call brought, if that was renewed."""
        if not (more := self.renewed.fields()):
            return answer
        line = f"renewed_token: {self.renewed.token} (pass it as token from now on; the one you passed ends)"
        return replace(answer, text=f"{answer.text}\n{line}", fields={**answer.fields, **more})

    def words(self, *names: str) -> dict[str, Any]:
        """Those of the named arguments that were given; null counts as left out."""
        return {name: self.arguments[name] for name in names if self.arguments.get(name) is not None}


def shown(name: str) -> str:
    """A name that a client made up, whole or not at all: a secret cut short is no longer recognised as one."""
    return repr(name) if len(name) <= SHOWN else f"of {len(name)} characters"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool and its hints. `gated`: it exists only behind the environment gate (SPEC section 5). `waits_for` names, in
    progress notifications, what a waiting call waits for.
    """

    name: str
    description: str
    properties: Schema
    run: Callable[[Call], Awaitable[Answer]]
    required: tuple[str, ...] = ()
    reads: bool = False
    repeatable: bool = False
    bound: bool = field(default=True)
    gated: bool = False
    destroys: bool = False
    open_world: bool = False
    waits_for: str = "mail"

    @property
    def schema(self) -> Schema:
        properties = self.properties | (CREDENTIALS if self.bound else {})
        return {
            "type": "object",
            "properties": properties,
            **({"required": list(self.required)} if self.required else {}),
        }

    def checked(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments, if every name is known and every required one is there. Raises Invalid."""
        for name in arguments:
            if name not in self.properties and not (self.bound and name in CREDENTIALS):
                known = ", ".join(self.schema["properties"])
                raise Invalid(f"{self.name} has no argument {shown(name)}", f"arguments: {known}")
        for name in self.required:
            if arguments.get(name) is None:
                raise Invalid(f"{self.name} needs {name}", f"required: {', '.join(self.required)}")
        return arguments
