"""Settings: flag > MAB_* > bridge.toml of the project > bridge.toml of the user > default (SPEC section 1).

Read once by the command line and handed on as plain values; nothing below wiring knows where they came from.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from platformdirs import user_config_path, user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from multiagent_bridge.config.sections import (
    LIMITS_OF_COMMANDS,
    BackupSettings,
    HttpSettings,
    HubSettings,
    LimitSettings,
    OidcSettings,
    PostgresSettings,
    RedactionSettings,
    RedisSettings,
    RetentionSettings,
    TokenSettings,
    WatchdogSettings,
    YoloSettings,
)
from multiagent_bridge.errors import Invalid
from multiagent_bridge.model.limits import Limits

FILE = "bridge.toml"
OWNERS = (
    "home", "store", "master_key", "postgres", "redis", "yolo", "watchdog", "backup", "retention", "tokens", "http", "oidc",
)  # fmt: skip
"""What a workspace's file may not say: else a cloned repository chooses where conversations and keys live, and what may run."""


def home() -> Path:
    """The state directory: $MAB_HOME, else the platform's user data directory. Raises Invalid when neither can be told."""
    try:
        if given := os.environ.get("MAB_HOME"):
            return Path(given).expanduser().absolute()
        return user_data_path("multiagent-bridge", appauthor=False).absolute()
    except (RuntimeError, KeyError) as error:
        raise Invalid("the home directory is unknown", "set MAB_HOME to a directory of your own") from error


class Settings(BaseSettings):
    """Every setting, frozen. Unknown keys in a file are refused."""

    model_config = SettingsConfigDict(
        env_prefix="MAB_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    home: Path = Field(default_factory=home, description="state directory")
    store: str = Field("", description="store URL; empty: sqlite:///bridge.db in the state directory")
    master_key: SecretStr | None = Field(
        None,
        description="64 hex characters, file:PATH, keyring or command:LINE (no shell); empty: master.key in the state directory",
    )
    limits: LimitSettings = LimitSettings()
    hub: HubSettings = HubSettings()
    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    redaction: RedactionSettings = RedactionSettings()
    yolo: YoloSettings = YoloSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    backup: BackupSettings = BackupSettings()
    retention: RetentionSettings = RetentionSettings()
    tokens: TokenSettings = TokenSettings()
    http: HttpSettings = HttpSettings()
    oidc: OidcSettings = OidcSettings()

    @field_validator("home")
    @classmethod
    def _absolute(cls, given: Path) -> Path:
        return given.expanduser().absolute()

    @property
    def all_limits(self) -> Limits:
        """Every limit that the hub works under."""
        commands = {name: getattr(self.yolo, name) for name in LIMITS_OF_COMMANDS}
        return replace(self.limits.limits(), **commands, **dict(self.tokens))

    @property
    def store_url(self) -> str:
        return self.store or f"sqlite:///{quote(str(self.home / 'bridge.db'))}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = [_file(settings_cls, path) for path in sources()]
        return (init_settings, env_settings, *files)


def sources() -> tuple[Path, ...]:
    """The configuration files that are there, the strongest first.

    A hub that was started by an agent's client runs in the state directory, so a workspace's file never steers it.
    """
    places = [Path.cwd() / FILE]
    with suppress(RuntimeError, KeyError):
        # without a home directory nobody has a file there
        places.append(user_file())
    return tuple(path for path in places if path.is_file())


def _file(settings_cls: type[BaseSettings], path: Path) -> TomlConfigSettingsSource:
    """The settings of one file. Raises Invalid when unreadable, or when a workspace's says what only its owner may."""
    try:
        source = TomlConfigSettingsSource(settings_cls, path)
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be read: {error}", "mend it, then: mab config validate") from error
    named = [name for name in OWNERS if name in source.toml_data]
    if named and path != user_file():
        raise Invalid(
            f"{FILE} of this directory sets {named[0]}, which is its user's to say",
            f"set it in {user_file()}, or MAB_{named[0].upper()}",
        )
    return source


def user_file() -> Path:
    return user_config_path("multiagent-bridge", appauthor=False) / FILE


def load(**flags: Any) -> Settings:
    """Settings from every source; flags that are None do not count. Raises Invalid naming the first wrong key."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        places = ", ".join(map(str, sources())) or "the environment"
        if first["type"] == "extra_forbidden":
            raise Invalid(
                f"there is no setting {key}", f"look in {places}; docs/reference/config.md has them all"
            ) from error
        raise Invalid(
            f"setting {key}: {first['msg'].lower()}", f"look in {places}; docs/reference/config.md"
        ) from error
    except (OSError, ValueError) as error:
        raise Invalid(f"the configuration cannot be read: {error}", "mab config validate") from error
