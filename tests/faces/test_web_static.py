"""What the dashboard's pages are made of: files of ours, and others' files exactly as they came."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from tests.faces.browsing import site

pytestmark = pytest.mark.anyio

STATIC = Path(__file__).parents[2] / "src/multiagent_bridge/web/static"
VENDORED = tomllib.loads((STATIC / "vendor.toml").read_text(encoding="utf-8"))["file"]


@pytest.mark.parametrize("file", VENDORED, ids=lambda file: file["path"])
def test_a_vendored_file_is_as_it_came_and_says_its_version_and_licence(file: dict[str, str]) -> None:
    assert hashlib.sha256((STATIC / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert file["version"] in file["path"]
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", file["integrity"])
    assert file["licence"]
    assert (STATIC / file["licence_text"]).read_text(encoding="utf-8").strip()


def test_every_file_that_nobody_here_wrote_is_listed() -> None:
    listed = {file["path"] for file in VENDORED}
    for one in STATIC.iterdir():
        if one.suffix in (".js", ".css") and one.name not in listed:
            lines = one.read_text(encoding="utf-8").splitlines()
            assert max(map(len, lines)) < 500, f"{one.name} was made by a tool, and is not in vendor.toml"
            assert not re.search(r"\d", one.name), f"{one.name} has a version, and is not in vendor.toml"


async def test_files_are_kept_for_good_under_an_address_that_changes_with_them() -> None:
    async with site() as here, here.stranger() as browser:
        page = (await browser.get("/sign-in")).text
        addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
        assert len(addresses) == 5
        for address in addresses:
            answer = await browser.get(address)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert hashlib.sha256(answer.content).hexdigest()[:16] == address.split("/")[2]
            assert answer.headers["content-type"].split(";")[0] in ("text/css", "text/javascript")


@pytest.mark.parametrize(
    "path", ["/static/0000000000000000/dashboard.css", "/static/x/vendor.toml", "/static/x/..%2fdashboard.js"]
)
async def test_nothing_else_is_served_as_a_file(path: str) -> None:
    async with site() as here, here.stranger() as browser:
        assert (await browser.get(path)).status_code in (401, 404)


async def test_a_page_names_nothing_of_another_host() -> None:
    async with site() as here, here.browser() as browser:
        for path in ("/", "/sign-in"):
            assert not re.search(r'(?:src|href|action)="(?!/[^/]|/"|#|data:,)', (await browser.get(path)).text)
