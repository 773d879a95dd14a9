"""The documents and the repository hold what they promise, without running anything."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.pages import ROOT, SHELLS, anchors, blocks, links, pages

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]
LOCK_HOSTS = {"uv.lock": {"pypi.org", "files.pythonhosted.org"}, "package-lock.json": {"registry.npmjs.org"}}
# Folders of the machines this was built on, in pieces so that this very file does not name them.
MACHINE = [str(ROOT), *("/" + place for place in ("work/main", "work/shared", "opt/pypi", "opt/wheels"))]


def repository_files() -> list[Path]:
    """What is, or would be, committed."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        found = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:
        found = [
            path
            for path in ROOT.rglob("*")
            if not any(part.startswith((".venv", "node_modules", ".git")) for part in path.relative_to(ROOT).parts)
        ]
    return [path for path in found if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts]


def test_the_readme_fits_in_120_lines() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


@pytest.mark.parametrize("name", ["README", "SECURITY", "CONTRIBUTING", "CHANGELOG", "AGENTS"])
def test_a_page_that_strangers_look_for_is_there(name: str) -> None:
    assert (ROOT / f"{name}.md").read_text("utf-8").startswith("# ")


@pytest.mark.parametrize("page", PAGES)
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in links(page):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        place = (page.parent / parts.path).resolve() if parts.path else page
        named = not parts.fragment or place.suffix != ".md"
        if not (place.exists() and place.is_relative_to(ROOT) and (named or parts.fragment in anchors(place))):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("page", PAGES)
def test_every_shell_block_says_whether_it_runs_and_why_not(page: Path) -> None:
    silent = [
        block.line
        for block in blocks(page)
        if block.language in SHELLS and (block.mark is None or (block.mark == "not run" and not block.note))
    ]
    assert silent == []


def test_every_page_under_docs_is_reachable_from_the_index() -> None:
    reached, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in links(page):
            path = urlsplit(target)
            place = (page.parent / path.path).resolve()
            if not path.scheme and path.path.endswith(".md") and place.is_file():
                waiting.append(place)
    assert sorted(str(page.relative_to(ROOT)) for page in set(pages()) - reached if "docs" in page.parts) == []


def test_no_file_names_a_folder_of_the_machine_it_was_made_on() -> None:
    pattern = re.compile("|".join(rf"{re.escape(place)}(?![\w-])" for place in MACHINE).encode())
    guilty = [str(path.relative_to(ROOT)) for path in repository_files() if pattern.search(path.read_bytes())]
    assert guilty == []


def test_lock_files_name_the_public_registries_alone() -> None:
    for path in repository_files():
        if path.name in LOCK_HOSTS:
            text = path.read_text("utf-8")
            # npm repeats the funding pages of packages, which nobody fetches.
            text = re.sub(r'"funding":\s*(\{[^}]*\}|\[[^\]]*\]|"[^"]*")', "", text)
            hosts = set(re.findall(r"\b(?:https?|file|git\+\w+)://([^/\"\s]*)", text))
            assert hosts <= LOCK_HOSTS[path.name], path


def test_the_lock_is_in_step_with_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    (locked,) = (package for package in lock["package"] if package["source"] == {"editable": "."})
    asked = {stated(line) for line in project["project"]["dependencies"]}
    for extra, lines in project["project"].get("optional-dependencies", {}).items():
        asked |= {(*stated(line)[:2], f"extra == '{extra}'") for line in lines}
    assert asked == {entry(known) for known in locked["metadata"]["requires-dist"]}
    assert lock["requires-python"] == project["project"]["requires-python"]
    assert locked["version"] == project["project"]["version"]
    groups = project["dependency-groups"]
    assert {name: flat(groups, name) for name in groups} == {
        name: {entry(known) for known in lines} for name, lines in locked["metadata"]["requires-dev"].items()
    }


def stated(line: str) -> tuple[str, str, str]:
    """(name, specifier, marker) of a requirement line."""
    requirement = Requirement(line)
    marker = str(requirement.marker or "").replace('"', "'")
    return canonicalize_name(requirement.name), str(requirement.specifier), marker


def entry(known: dict[str, str]) -> tuple[str, str, str]:
    """The same of an entry of the lock, whose specifiers stand in the order of pyproject.toml."""
    specifier = str(Requirement(f"{known['name']}{known.get('specifier', '')}").specifier)
    return known["name"], specifier, known.get("marker", "")


def flat(groups: dict[str, list[str | dict[str, str]]], name: str) -> set[tuple[str, str, str]]:
    """The requirements of a dependency group, included groups resolved."""
    found: set[tuple[str, str, str]] = set()
    for line in groups[name]:
        found |= {stated(line)} if isinstance(line, str) else flat(groups, line["include-group"])
    return found
