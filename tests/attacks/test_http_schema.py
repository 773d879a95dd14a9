"""The description of the HTTP API: it names every route as it is served, and Schemathesis finds nothing that it does not say."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.routing import Route

from multiagent_bridge.mcp import server
from multiagent_bridge.web.door import OPEN
from tests.faces.http_yard import yard
from tests.machines.places import UNLIMITED, made

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "reference" / "openapi.json"
TOOLS = [tool.name for tool in server.TOOLS]
MODERN = "ModernMessage"
MESSAGES = {"handshake": "HandshakeMessage", "sessions": "HandshakeMessage", "modern": MODERN, "nobody": MODERN}
LEFT_OUT = {
    # what a tool takes is the same in both eras, so each is tried in one
    "handshake": {*TOOLS[1::2]},
    "sessions": {*TOOLS, "tools/list", "resources/list", "resources/templates/list", "resources/read", "ping",
                 "resources/subscribe", "resources/unsubscribe", "notification"},
    # a stream without an end
    "modern": {*TOOLS[0::2], "subscriptions/listen"},
    "nobody": {*TOOLS},
}  # fmt: skip
PHASES = {"handshake": "coverage,fuzzing", "sessions": "stateful", "modern": "coverage,fuzzing", "nobody": "coverage"}


def program() -> ModuleType:
    """`tools/make_openapi.py`, which is no package."""
    spec = importlib.util.spec_from_file_location("make_openapi", ROOT / "tools" / "make_openapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_description_is_what_the_program_writes() -> None:
    assert FILE.read_text("utf-8") == program().page(), "run: python tools/make_openapi.py"


@pytest.mark.anyio
async def test_every_route_for_programs_is_described_with_its_methods() -> None:
    described = program().paths()
    async with yard() as here:
        served = {route.path: route for route in here.face.app.routes if isinstance(route, Route)}
        assert set(served) == set(described)
        for path, verbs in described.items():
            for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
                async with here.http() as http:
                    answer = await http.request(verb, path)
                assert (answer.status_code == 405) is (verb not in verbs), (verb, path, answer.status_code)
                assert answer.status_code != 405 or set(verbs) <= set(answer.headers["allow"].split(", "))


def test_every_route_but_the_open_ones_is_described_as_wanting_a_credential() -> None:
    described = json.loads(FILE.read_text("utf-8"))
    assert described["security"] == [{"bearer": []}]
    free = {path for path, verbs in described["paths"].items() for one in verbs.values() if one.get("security") == []}
    assert free == OPEN


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("verb", "lines", "status"),
    [
        ("POST", {"content-type": "text/plain"}, 415),
        ("POST", {"content-type": "application/jsonp"}, 415),
        ("POST", {"content-type": ""}, 415),
        ("POST", {"accept": "text/html"}, 406),
        ("POST", {"mab-connection": ""}, 400),
        ("POST", {"mab-agent": ""}, 400),
        ("GET", {"accept": "text/event-stream"}, 400),
        ("GET", {"accept": "application/json", "mcp-session-id": "0"}, 406),
        ("DELETE", {}, 400),
        ("PUT", {}, 405),
        ("BREW", {}, 405),
    ],
)
async def test_what_is_no_message_of_mcp_is_refused_in_one_form_and_begins_no_session(
    verb: str, lines: dict[str, str], status: int
) -> None:
    async with yard() as here, here.http() as http:
        sent = {"content-type": "application/json", "accept": "application/json"} | lines
        answer = await http.request(verb, "/mcp", headers=sent, content=b"{}" if verb == "POST" else None)
        assert answer.status_code == status
        assert set(answer.json()) == {"error", "message", "hint"}
        assert "mcp-session-id" not in answer.headers


@pytest.mark.anyio
@pytest.mark.parametrize("identifier", ["null", "1.5", "true", "[]", "{}"])
async def test_a_request_that_could_not_be_answered_is_refused_and_not_taken_for_a_notification(
    identifier: str,
) -> None:
    async with yard() as here, here.http() as http:
        lines = {"content-type": "application/json", "accept": "application/json"}
        for name in ("ping", "tools/list"):
            body = f'{{"jsonrpc": "2.0", "id": {identifier}, "method": "{name}"}}'
            assert (await http.post("/mcp", headers=lines, content=body)).status_code == 400
        for name, status in (("initialize", 400), ("notifications/initialized", 202)):
            body = f'{{"jsonrpc": "2.0", "method": "{name}"}}'
            assert (await http.post("/mcp", headers=lines, content=body)).status_code == status


@pytest.fixture(scope="module")
def hub() -> Iterator[tuple[str, str]]:
    """The URL of a hub that serves HTTP, and a key for it."""
    with made(**UNLIMITED) as place:
        serving = place.serve("--http", "127.0.0.1:0")
        assert serving.stderr is not None
        url = serving.stderr.readline().decode().split()[2].removesuffix("/mcp")
        told = place.mab("key", "create", "fuzz", "--role", "agent", "--role", "auditor", "--json").stdout
        yield url, json.loads(told)["key"]
        place.verified()


def narrowed(era: str) -> dict[str, Any]:
    """The description as clients of one era know it: OpenAPI cannot say that a header decides what the body is."""
    described: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    post = described["paths"]["/mcp"]["post"]
    name = MESSAGES[era]
    post["requestBody"]["content"]["application/json"]["schema"] = {"$ref": f"#/components/schemas/{name}"}
    # sessions have their own operations, and what repeats the body is added by the hooks
    post["parameters"] = [
        one for one in post["parameters"] if one["name"] not in ("Mcp-Session-Id", "Mcp-Method", "Mcp-Name")
    ]
    version = post["parameters"][0]["schema"]
    version["enum"] = [one for one in version["enum"] if (one >= "2026") is (name == MODERN)]
    messages = described["components"]["schemas"][name]
    messages["anyOf"] = [one for one in messages["anyOf"] if one["title"] not in LEFT_OUT[era]]
    for schema in described["components"]["schemas"].values():
        # it would be waited for
        schema.get("properties", {}).pop("wait_seconds", None)
    return described


@pytest.mark.slow
@pytest.mark.machines
@pytest.mark.timeout(300)
@pytest.mark.parametrize("era", list(MESSAGES))
def test_schemathesis_finds_nothing(hub: tuple[str, str], era: str, tmp_path: Path) -> None:
    url, key = hub
    (tmp_path / "openapi.json").write_text(json.dumps(narrowed(era)), "utf-8")
    words = [
        str(Path(sys.executable).with_name("st")), "run", "openapi.json", "--url", url,
        # two are the hooks' own, which know what JSON-RPC means
        "--checks", "all", "--exclude-checks", "negative_data_rejection,positive_data_acceptance",
        "--phases", PHASES[era], "--max-examples", "5", "--seed", "1", "--request-timeout", "60",
        "--no-color", "--no-shrink", "--suppress-health-check", "all", "--warnings", "off",
    ]  # fmt: skip
    given = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAB_", "SCHEMATHESIS", "PYTHON"))
    }
    hooks = {"SCHEMATHESIS_HOOKS": "tests.attacks.fuzzing", "PYTHONPATH": str(ROOT)}
    asked = {
        "MAB_FUZZED_KEY": "" if era == "nobody" else key,
        "MAB_FUZZED_ERA": "modern" if MESSAGES[era] == MODERN else "handshake",
    }
    done = subprocess.run(
        words, env=given | hooks | asked, cwd=tmp_path,
        capture_output=True, text=True, timeout=560,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    # it was not content because it did nothing
    assert re.search(r"[1-9]\d* generated, \d+ passed", done.stdout), done.stdout
