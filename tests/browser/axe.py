"""axe-core, the accessibility checker: fetched once from npm, compared with its hash, run in a page. For tests only."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from playwright.sync_api import Page

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
"""Of `axe.min.js` in the package of that version."""

FOLDER = Path(os.environ.get("MAB_AXE") or Path(__file__).parent / "node_modules" / "axe-core").absolute()
"""Where it is kept between runs; git looks into no `node_modules`."""

SECONDS = 120

RUN = """async () => (await axe.run()).violations.map(
  (found) => `${found.id} (${found.help}): ` + found.nodes.map((node) => node.html.slice(0, 200)).join(" | ")
)"""


def violations(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is now, a line for each of its rules."""
    if not page.evaluate("'axe' in window"):
        # the debugger's door: no policy of the page holds here, and none is taken from it
        page.evaluate(source() + ";0")
    found: list[str] = page.evaluate(RUN)
    return found


@cache
def source() -> str:
    """The checker. Raises AssertionError when it cannot be had, or is not what was looked at."""
    kept = FOLDER / f"axe-{VERSION}.min.js"
    content = kept.read_bytes() if kept.is_file() else b""
    if hashlib.sha256(content).hexdigest() != SHA256:
        content = fetched()
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as new:
            new.write(content)
        # whole or not at all: other workers may read it now
        Path(new.name).replace(kept)
    return content.decode("utf-8")


def fetched() -> bytes:
    """`axe.min.js` from the package registry that npm is set up with."""
    npm = shutil.which("npm")
    assert npm, "axe-core comes from npm: apt-get install npm"
    with tempfile.TemporaryDirectory() as folder:
        words = [npm, "pack", f"axe-core@{VERSION}", "--silent", "--fetch-retries=2", "--fetch-timeout=60000"]
        wrong = ""
        for _ in range(3):
            try:
                done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
            except subprocess.TimeoutExpired as error:
                wrong = str(error)
                continue
            wrong = (done.stderr or done.stdout or f"status {done.returncode}") if done.returncode else ""
            if not wrong:
                break
        assert not wrong, f"npm cannot fetch axe-core {VERSION}: {wrong}"
        with tarfile.open(fileobj=io.BytesIO((Path(folder) / f"axe-core-{VERSION}.tgz").read_bytes())) as package:
            member = package.extractfile("package/axe.min.js")
            assert member is not None
            content = member.read()
    found = hashlib.sha256(content).hexdigest()
    assert found == SHA256, f"axe-core {VERSION} is not the one that was looked at: {found}"
    return content
