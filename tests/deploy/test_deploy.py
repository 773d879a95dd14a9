"""What lies in deploy/ fits the program: settings, flags, ports and paths are its own, and nothing runs with needless powers."""

from __future__ import annotations

import http.server
import ipaddress
import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from multiagent_bridge import config
from multiagent_bridge.adapters.state import master_key
from multiagent_bridge.cli.app import app
from multiagent_bridge.errors import Unavailable
from tests.deploy.manifests import (
    COMPOSE,
    DEPLOY,
    DOCKERFILE,
    HUBS,
    OBJECTS,
    ROOT,
    SERVICES,
    UNITS,
    commands,
    files,
    interpolated,
    named,
    unit,
    workloads,
)

HOST = "bridge.example.org"
PORT = "8765"
PINNED = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*(@sha256:[0-9a-f]{64})?")
PODS = [pytest.param(one["spec"]["template"]["spec"], id=one["metadata"]["name"]) for one in workloads()]
PROXY = SERVICES["proxy"]["networks"]["front"]["ipv4_address"]
NGINX = (DEPLOY / "nginx" / "nginx.conf").read_text("utf-8")


def fields(model: type[BaseModel] = config.Settings, prefix: str = "MAB_") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper()


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    for name in HUBS:
        given = SERVICES[name]["environment"]
        yield name, {key: interpolated(value, BRIDGE_HOST=HOST) for key, value in given.items()}
    for one in workloads():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        own = {entry["name"]: entry.get("value", "5a" * 32) for entry in container["env"]}
        own["MAB_HTTP__LISTEN"] = own["MAB_HTTP__LISTEN"].replace("$(POD_IP)", "10.1.2.3")
        yield one["metadata"]["name"], named("ConfigMap", "bridge")["data"] | own


ENVIRONMENTS = [pytest.param(given, id=name) for name, given in environments()]


def test_every_variable_is_a_setting_of_the_program() -> None:
    known = set(fields())
    for path in files():
        for name in re.findall(r"\bMAB_[A-Z_]+[A-Z]\b", path.read_text("utf-8")):
            assert name in known, f"{path.name}: {name}"


@pytest.mark.parametrize("given", ENVIRONMENTS)
def test_every_environment_is_one_that_the_program_reads(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        if name.startswith("MAB_"):
            monkeypatch.setenv(name, value)
    settings = config.load()
    assert settings.store.startswith("postgresql://bridge@")
    assert HOST in settings.http.hosts
    assert not settings.yolo.gate


@pytest.mark.parametrize(
    ("where", "words"), [pytest.param(*one, id=f"{one[0]}-{n}") for n, one in enumerate(commands())]
)
def test_every_command_and_flag_is_one_of_the_program(where: str, words: list[str]) -> None:
    command: Any = get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    context = command.make_context("mab", rest)
    assert context.info_name == "mab", where


def test_a_hub_behind_the_proxy_trusts_its_address_alone() -> None:
    subnet = ipaddress.ip_network(COMPOSE["networks"]["front"]["ipam"]["config"][0]["subnet"])
    for name in HUBS:
        words = SERVICES[name]["command"]
        assert words[words.index("--behind-proxy") + 1] == PROXY
        address = SERVICES[name]["networks"]["front"]["ipv4_address"]
        assert ipaddress.ip_address(address) in subnet
        assert f"server {address}:{PORT}" in NGINX
    assert ipaddress.ip_address(PROXY) in subnet
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in NGINX
    assert "proxy_set_header X-Forwarded-Proto https;" in NGINX
    assert "proxy_set_header Host $http_host;" in NGINX


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["back"]["internal"]
    assert [name for name, service in SERVICES.items() if "back" not in service["networks"]] == ["proxy"]
    for name in ("postgres", "valkey"):
        assert SERVICES[name]["networks"] == ["back"]


def test_one_port_and_the_paths_of_the_program_are_used_everywhere() -> None:
    assert f"EXPOSE {PORT}\n" in DOCKERFILE
    assert all(words[2].endswith(f":{PORT}") for name, words in commands() if "0.0.0.0" in str(words))
    door = (ROOT / "src" / "multiagent_bridge" / "web" / "app.py").read_text("utf-8")
    asked = {"/healthz"} & set(re.findall(r"/healthz", (DEPLOY / "healthz.py").read_text("utf-8")))
    for one in workloads():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert [str(port["containerPort"]) for port in container["ports"]] == [PORT]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked.add(container[probe]["httpGet"]["path"])
            assert container[probe]["httpGet"]["scheme"] == "HTTPS"
    assert all(f'"{path}"' in door for path in asked)
    ports = [
        port
        for one in OBJECTS
        if one["kind"] == "NetworkPolicy"
        for rule in one["spec"].get("ingress", [])
        for port in rule["ports"]
    ]
    assert [str(port["port"]) for port in ports] == [PORT]


def test_images_are_pinned_by_version() -> None:
    found = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    found += [service["image"] for service in SERVICES.values()]
    found += [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in workloads()]
    assert len(found) > 6
    assert [image for image in found if not PINNED.fullmatch(image)] == []
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert {image.rpartition(":")[2] for image in found if "multiagent-bridge" in image} == {ours}


@pytest.mark.parametrize("given", ENVIRONMENTS)
def test_no_secret_stands_in_an_environment(given: dict[str, str]) -> None:
    for name, value in given.items():
        if name.endswith("PASSWORD"):
            assert value.startswith("file:/run/")
        # of a URL
        assert not re.search(r"//[^/@]*:[^/@]*@", value)


def test_the_secrets_of_compose_are_files_that_its_services_are_given() -> None:
    for name, service in SERVICES.items():
        given = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
        given |= set(re.findall(r"/run/secrets/(\w+)", NGINX)) if name == "proxy" else set()
        assert given == set(service["secrets"]), name
    assert all(list(one) == ["file"] and one["file"].startswith("./secrets/") for one in COMPOSE["secrets"].values())
    assert "secrets/" in (DEPLOY / ".gitignore").read_text("utf-8").splitlines()


def test_no_hub_starts_with_the_placeholders_of_the_secrets(tmp_path: Path) -> None:
    values = [text for one in OBJECTS if one["kind"] == "Secret" for text in one["stringData"].values()]
    assert values
    assert all(text.startswith("REPLACE") for text in values)
    with pytest.raises(Unavailable):
        master_key(tmp_path, named("Secret", "bridge")["stringData"]["master-key"])


@pytest.mark.parametrize("name", SERVICES)
def test_the_services_of_compose_drop_what_they_need_not(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].partition(":")[0]) > 0
    assert "healthcheck" in service or name in HUBS
    assert not set(service) & {"cap_add", "privileged", "network_mode", "pid", "ipc", "devices", "userns_mode"}


@pytest.mark.parametrize("pod", PODS)
def test_the_pods_drop_what_they_need_not(pod: dict[str, Any]) -> None:
    given = pod["securityContext"]
    assert given["runAsNonRoot"] is True
    assert given["runAsUser"] > 0
    assert given["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not set(pod) & {"hostNetwork", "hostPID", "hostIPC"}
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        kinds = {name for volume in pod["volumes"] for name in volume} - {"name"}
        assert kinds <= {"emptyDir", "secret", "persistentVolumeClaim"}
        assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}


def test_the_cluster_keeps_one_hub_and_lets_nothing_else_in_or_out() -> None:
    hub, budget, service = (
        named("Deployment", "bridge"),
        named("PodDisruptionBudget", "bridge"),
        named("Service", "bridge"),
    )
    labels = hub["spec"]["template"]["metadata"]["labels"]
    assert hub["spec"]["replicas"] == 2
    assert hub["spec"]["selector"]["matchLabels"] == labels
    assert budget["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    nothing = named("NetworkPolicy", "nothing")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    keeper = named("Deployment", "bridge-keeper")
    assert keeper["spec"]["replicas"] == 1
    assert keeper["spec"]["template"]["metadata"]["labels"] != labels


def test_the_image_runs_as_nobody_in_particular_and_builds_nothing_in_its_last_stage() -> None:
    last = "FROM" + DOCKERFILE.rpartition("\nFROM")[2]
    user = re.findall(r"^USER (\d+):(\d+)$", last, re.MULTILINE)
    assert user == [("10001", "10001")]
    assert SERVICES["hub-1"]["user"] == "10001:10001"
    assert not re.search(r"apt-get|pip install|uv |gcc|curl|ADD ", last)
    assert "HEALTHCHECK" in last
    assert "/opt/bridge/healthz.py" in last
    assert "VOLUME /var/lib/mab\n" in last
    assert not re.search(r"^ARG|SECRET|PASSWORD|_KEY", DOCKERFILE, re.MULTILINE)
    first = DOCKERFILE.partition("\nFROM")[2]
    assert DOCKERFILE.count("--require-hashes") == 2
    extras = set(re.findall(r"--extra (\w+)", first))
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert {"postgres", "redis"} <= extras <= set(known)


def test_nothing_gets_into_the_image_but_what_is_named() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for word in [part for part in line.split() if not part.startswith("--")][:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_what_builds_the_wheel_is_taken_by_hash() -> None:
    text = (DEPLOY / "build-constraints.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert any(line.startswith("hatchling==") for line in lines)
    assert all("==" in line and "--hash=sha256:" in line for line in lines)


def test_the_service_of_the_machine_has_no_powers() -> None:
    given = unit(DEPLOY / "systemd" / "system" / "mab-hub.service")
    lines = dict(given)
    for name in (
        "NoNewPrivileges",
        "PrivateTmp",
        "ProtectHome",
        "PrivateDevices",
        "RestrictNamespaces",
        "PrivateUsers",
    ):
        assert lines[name] == "yes"
    assert lines["ProtectSystem"] == "strict"
    assert lines["CapabilityBoundingSet"] == ""
    assert lines["User"] not in ("", "root")
    assert lines["StateDirectoryMode"] == "0700"


def test_the_settings_of_that_service_are_some_of_the_program_and_hold_no_secret() -> None:
    told = tomllib.loads((DEPLOY / "systemd" / "system" / "bridge.toml").read_text("utf-8"))
    settings = config.Settings(**told)
    assert not settings.yolo.gate
    assert settings.watchdog.inside
    assert settings.backup.folder.startswith("/var/lib/multiagent-bridge/")
    assert told["master_key"].startswith("file:/etc/")
    assert told["postgres"]["password"].startswith("file:/etc/")


def test_a_database_across_a_network_is_asked_who_it_is_by_authorities_that_are_named() -> None:
    # without sslrootcert the driver looks into a home directory where nothing is, and connects to nobody
    stores = re.findall(r"postgresql://[^\s\"]+", "".join(path.read_text("utf-8") for path in files()))
    assert len(stores) == 3
    for store in stores:
        if "@postgres/" not in store:
            assert "sslmode=verify-full&sslrootcert=/" in store


def test_the_units_belong_together() -> None:
    names = {path.name for path in UNITS}
    assert names == {"mab-hub.service", "mab-hub.socket", "mab.service", "mab.socket"}
    for path in UNITS:
        lines = dict(unit(path))
        if path.suffix == ".service":
            assert lines["Requires"] == path.with_suffix(".socket").name
            assert lines["ExecStart"].endswith("--http systemd")
        else:
            assert re.fullmatch(r"[\d.]+:\d+", lines["ListenStream"])
    user = dict(unit(DEPLOY / "systemd" / "user" / "mab.socket"))["ListenStream"]
    assert ipaddress.ip_address(user.partition(":")[0]).is_loopback


@contextmanager
def answering(status: int) -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def asked(port: int, **env: str) -> int:
    words = [sys.executable, str(DEPLOY / "healthz.py")]
    return subprocess.run([*words, *([] if env else [str(port)])], env=env, timeout=30).returncode


def test_the_health_check_of_the_image_says_whether_the_hub_serves() -> None:
    with answering(200) as port:
        assert asked(port) == 0
        assert asked(port, MAB_HTTP__LISTEN=f"0.0.0.0:{port}") == 0
        # TLS where none is
        assert asked(port, MAB_HTTP__LISTEN=f"0.0.0.0:{port}", MAB_HTTP__TLS_CERT="/tls.pem") == 1
    assert asked(port) == 1
    with answering(503) as port:
        assert asked(port) == 1
