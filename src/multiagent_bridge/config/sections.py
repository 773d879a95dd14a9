"""The tables of bridge.toml, each a model whose fields, defaults, bounds and descriptions are the reference."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from multiagent_bridge.guard.identities import Claiming
from multiagent_bridge.model.callers import ROLES
from multiagent_bridge.model.limits import Limits, Window

Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Rate = tuple[Positive, Positive]
"""[limit, seconds]"""


def _rates(windows: tuple[Window, ...]) -> tuple[Rate, ...]:
    return tuple((w.limit, w.seconds) for w in windows)


_DEFAULT = Limits()


class LimitSettings(BaseModel):
    """`[limits]`: every limit of SPEC section 3."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conversation_seconds: int = Field(
        _DEFAULT.conversation_seconds, ge=1, description="lifetime of a conversation, seconds"
    )
    message_characters: int = Field(_DEFAULT.message_characters, ge=1, le=1_000_000, description="longest message")
    files: int = Field(_DEFAULT.files, ge=0, le=1000, description="most files named by one message")
    writes: tuple[Rate, ...] = Field(
        _rates(_DEFAULT.writes),
        min_length=1,
        max_length=3,
        description="writes a session: [count, seconds] up to three times",
    )
    reads: tuple[Rate, ...] = Field(
        _rates(_DEFAULT.reads),
        min_length=1,
        max_length=3,
        description="reads a session: [count, seconds] up to three times",
    )
    failures: tuple[Rate, ...] = Field(
        _rates(_DEFAULT.failures), min_length=1, max_length=3, description="failed authentications of one user"
    )
    invites: tuple[Rate, ...] = Field(
        _rates(_DEFAULT.invites), min_length=1, max_length=3, description="attempts to join by invite of one user"
    )
    creations: tuple[Rate, ...] = Field(
        _rates(_DEFAULT.creations), min_length=1, max_length=3, description="conversations opened by one connection"
    )
    conversation_messages: int = Field(_DEFAULT.conversation_messages, ge=1, description="messages a conversation")
    conversation_bytes: int = Field(_DEFAULT.conversation_bytes, ge=1, description="bytes of messages a conversation")
    invite_seconds: int = Field(_DEFAULT.invite_seconds, ge=10, le=86_400, description="lifetime of an invite, seconds")
    alive_seconds: int = Field(_DEFAULT.alive_seconds, ge=1, description="a heartbeat this young means alive, seconds")

    def limits(self) -> Limits:
        plain: dict[str, Any] = dict(self)
        for name in ("writes", "reads", "failures", "invites", "creations"):
            plain[name] = tuple(Window(count, seconds) for count, seconds in plain[name])
        return Limits(**plain)


class YoloSettings(BaseModel):
    """`[yolo]`: commands and what confines them. Only in the user's own file, or in the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: bool = Field(True, description="false: no agent may ask for commands")
    policy: str = Field("", description="file of rules of your own, beside the built-in ones")
    user: str = Field("", description="user that commands run as when the hub runs as root")
    docker_image: str = Field(
        "", description="image that commands run in, by digest (NAME@sha256:...); empty: no Docker"
    )
    docker_runtime: str = Field("", description="runtime of the engine, such as runsc")
    sandbox_required: bool = Field(True, description="false lets commands run without any sandbox where none works")
    request_seconds: int = Field(_DEFAULT.request_seconds, ge=10, le=86_400, description="life of a request, seconds")
    approval_seconds: int = Field(
        _DEFAULT.approval_seconds, ge=10, le=3_600, description="life of an approval, seconds"
    )
    command_characters: int = Field(_DEFAULT.command_characters, ge=10, le=1_000, description="longest command")
    command_seconds: int = Field(
        _DEFAULT.command_seconds, ge=1, le=_DEFAULT.command_seconds_max, description="time of a command, seconds"
    )
    command_processes: int = Field(_DEFAULT.command_processes, ge=4, le=4_096, description="processes of a command")
    command_bytes: int = Field(
        _DEFAULT.command_bytes, ge=64 << 20, le=1 << 36, description="memory of a command, bytes"
    )
    output_bytes: int = Field(
        _DEFAULT.output_bytes, ge=1_024, le=1 << 20, description="bytes kept of each end of each stream"
    )


LIMITS_OF_COMMANDS = (
    "request_seconds",
    "approval_seconds",
    "command_characters",
    "command_seconds",
    "command_processes",
    "command_bytes",
    "output_bytes",
)


class HubSettings(BaseModel):
    """`[hub]`: the process that serves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    idle_seconds: int = Field(600, ge=1, description="a hub that nobody is connected to leaves after this, seconds")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="least severity that is logged")


class PostgresSettings(BaseModel):
    """`[postgres]`: how a store of the scheme postgresql: is reached. Only in the user's own file, or in the environment:
    it holds a password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    password: SecretStr | None = Field(
        None, description="password, or file:PATH; empty: the URL's own, PGPASSWORD or PGPASSFILE"
    )
    pool_size: int = Field(8, ge=2, le=200, description="connections of one hub, besides the one of its bell")
    acquire_seconds: float = Field(5, ge=0.1, le=60, description="wait for a free connection, seconds")
    connect_seconds: float = Field(5, ge=0.1, le=60, description="wait for a new connection, seconds")
    statement_seconds: float = Field(15, ge=1, le=600, description="longest statement, seconds")
    lock_seconds: float = Field(10, ge=1, le=60, description="wait for the turn of another hub, seconds")


class RedisSettings(BaseModel):
    """`[redis]`: Redis or Valkey beside a PostgreSQL store. Only in the user's own file, or in the environment: it holds
    a password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(
        SecretStr(""), description="redis://HOST:PORT/0, rediss:// with TLS, unix://PATH; empty: none"
    )
    password: SecretStr | None = Field(None, description="password, or file:PATH; empty: the URL's own")
    prefix: str = Field("mab", pattern="^[A-Za-z0-9_.:-]{1,64}$", description="what its keys and channel begin with")
    bell: bool = Field(True, description="it wakes the other hubs, in place of NOTIFY")
    meter: bool = Field(True, description="it counts towards rate limits, in place of the store")
    seconds: float = Field(2, ge=0.1, le=60, description="wait for a connection or an answer, seconds")
    connections: int = Field(8, ge=2, le=200, description="connections of one hub")


class BackupSettings(BaseModel):
    """`[backup]`: backups that the hub makes by itself. Only in the user's own file, or in the environment: it names a folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field("", description="where the hub puts backups by itself; empty: it makes none")
    every_seconds: int = Field(86_400, ge=60, le=31_536_000, description="age of the newest at which another is made")
    keep: int = Field(7, ge=1, le=10_000, description="how many of the newest are kept in that folder")
    recipients: tuple[str, ...] = Field((), description="age recipients that may open them beside this bridge")


class RetentionSettings(BaseModel):
    """`[retention]`: how long what has expired is kept. Only in the user's own file, or in the environment: it erases."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grace_seconds: int = Field(
        604_800,
        ge=0,
        le=3_153_600_000,
        description="the hub erases a conversation so long after it expired, seconds; 0: never",
    )


class TokenSettings(BaseModel):
    """`[tokens]`: tokens of sessions that are followed by new ones. Only in the user's own file, or in the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rotate_seconds: int = Field(
        _DEFAULT.rotate_seconds,
        ge=0,
        le=31_536_000,
        description="a session's next call renews a token that is so old, seconds; 0: never",
    )
    grace_seconds: int = Field(
        _DEFAULT.grace_seconds,
        ge=10,
        le=604_800,
        description="the old token opens so long after its holder was first told the new one, seconds",
    )


class WatchdogSettings(BaseModel):
    """`[watchdog]`: who is silent, and where that is said. Only in the user's own file, or in the environment: it
    names a program.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    inside: bool = Field(False, description="the hub runs the watchdog while it serves")
    interval_seconds: float = Field(60, ge=1, le=86_400, description="between two checks, seconds")
    threshold_seconds: float = Field(300, ge=1, le=86_400, description="a session not heard from for so long is silent")
    capacity: int = Field(3, ge=0, le=1_000, description="unfinished tasks that one session may be given")
    json_file: str = Field("", description="file that each alert is added to as a line of JSON")
    command: tuple[str, ...] = Field((), description="program that is run for each alert, and its words; no shell")
    webhook: str = Field("", description="address that each alert is posted to: HTTPS, or HTTP to this machine")
    webhook_secret: SecretStr | None = Field(None, description="what signs the posts: at least 16 bytes, or file:PATH")


class HttpSettings(BaseModel):
    """`[http]`: the hub on the network. Only in the user's own file, or in the environment: it opens a door."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: str = Field("", description="HOST:PORT, or systemd; empty: not on the network")
    hosts: tuple[str, ...] = Field(
        (), description="names that clients may call the hub by, beside the one it listens at"
    )
    origins: tuple[str, ...] = Field(
        (), description="origins of other web pages that may call it, as https://NAME[:PORT]"
    )
    public_url: str = Field("", description="the hub's URL as its clients know it, without a path")
    tls_cert: str = Field("", description="file of the TLS certificate and its chain, PEM; read again when it changes")
    tls_key: str = Field("", description="file of its key, PEM, without a password")
    tls_client_ca: str = Field("", description="file of the authorities whose client certificates are asked for")
    proxies: tuple[str, ...] = Field((), description="addresses or networks of the TLS proxies in front, nobody else's")
    connections: int = Field(4_096, ge=16, le=100_000, description="most connections; a quarter may be half open")


class OidcSettings(BaseModel):
    """`[oidc]`: whose bearer tokens are believed, and what their claims allow. Only in the user's own file, or in the
    environment.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(
        "", description="issuer of tokens, as in their iss: HTTPS, or HTTP to this machine; empty: none"
    )
    audience: tuple[str, ...] = Field((), description="what stands in the aud of tokens for this hub; one suffices")
    jwks_url: str = Field("", description="where the issuer's keys are; empty: its discovery document says so")
    ca_file: str = Field(
        "", description="file of the authorities that may vouch for the issuer's certificate; empty: the usual ones"
    )
    algorithms: tuple[Literal["RS256", "ES256", "EdDSA"], ...] = Field(
        ("RS256", "ES256", "EdDSA"), min_length=1, description="algorithms by which tokens may be signed"
    )
    roles_claim: str = Field(
        "roles", min_length=1, description="claim that gives roles: a list of texts, or scope; a dot leads inside"
    )
    agent: tuple[str, ...] = Field((), description="values of that claim that make an agent")
    operator: tuple[str, ...] = Field((), description="values of that claim that make an operator")
    auditor: tuple[str, ...] = Field((), description="values of that claim that make an auditor")
    admin: tuple[str, ...] = Field((), description="values of that claim that make an admin")
    name_claim: str = Field("preferred_username", description="claim that names who it is; else its subject does")
    conversations_claim: str = Field(
        "", description="claim that lists the conversations somebody is confined to; empty: nobody is"
    )
    leeway_seconds: int = Field(30, ge=0, le=120, description="by how much clocks may differ, seconds")
    keys_seconds: int = Field(300, ge=10, le=86_400, description="the issuer's keys are fetched anew after it, seconds")
    keys_seconds_longest: int = Field(
        3_600, ge=10, le=604_800, description="they go on for so long while the issuer does not answer, seconds"
    )

    client_id: str = Field(
        "", description="who the hub is at the issuer when people sign in to the dashboard there; empty: they do not"
    )
    client_secret: SecretStr | None = Field(
        None, description="secret of that client, or file:PATH; empty: a public client, which PKCE protects alone"
    )
    scopes: tuple[str, ...] = Field(("openid", "profile"), description="scopes that are asked for when people sign in")
    token_url: str = Field(
        "", description="where codes are exchanged; empty: its discovery document says so, on the issuer's own host"
    )
    sign_in_seconds: int = Field(
        43_200, ge=300, le=43_200, description="a sign-in by the issuer lasts so long at most, seconds"
    )

    @property
    def claiming(self) -> Claiming:
        """How the claims of a token are read."""
        return Claiming(
            roles={role: frozenset(getattr(self, role)) for role in ROLES},
            roles_claim=self.roles_claim,
            name_claim=self.name_claim,
            conversations_claim=self.conversations_claim,
            leeway=self.leeway_seconds,
        )


class PatternSettings(BaseModel):
    """`[[redaction.patterns]]`: one custom pattern, exactly one of words, shape and regex."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="its name in `mab redact --rules`")
    kind: str = Field("SECRET", description="the placeholder it writes, without _REDACTED")
    words: tuple[str, ...] = Field((), description="literal values")
    shape: str = Field("", description="a shape such as acme_{b32}")
    regex: str = Field("", description="a regular expression in RE2 syntax; needs the extra [re2]")
    matches: tuple[str, ...] = Field((), description="examples it must match, checked at start")
    ignores: tuple[str, ...] = Field((), description="examples it must leave alone, checked at start")


class RedactionSettings(BaseModel):
    """`[redaction]`: patterns beside the built-in ones, and what stands beside a placeholder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprints: bool = Field(
        False,
        description="tell the same key from another by a short fingerprint behind its placeholder; not for passwords",
    )
    scanner: bool = Field(False, description="merge the findings of kingfisher; needs the extra [scanner]")
    patterns: tuple[PatternSettings, ...] = Field((), description="custom patterns; see docs/security/redaction.md")
