"""The pictures of README and docs, drawn from the program itself with a clock that stands still and fixed ids.

`./dev pictures` draws them anew, `./dev pictures --check` fails when one no longer shows what the program does. An SVG is
compared as it is; a PNG carries the fingerprint of the page, style and script it was taken of: pixels differ between browsers.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import os
import pty
import re
import shutil
import struct
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
COLUMNS = 100
PNG_START = b"\x89PNG\r\n\x1a\n"
SOURCE = b"source\0"

TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(COLUMNS), "LANG": "C.UTF-8"}
"""The terminal that is drawn, whichever this runs at."""

NOT_OURS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM")

SHOTS = {
    "dashboard": ("/", "light", 1180, 900),
    "dashboard-dark": ("/", "dark", 1180, 900),
    "dashboard-phone": ("/", "light", 360, 900),
    "approvals": ("/approvals", "light", 1180, 760),
}
"""Pages by picture: path, colour scheme, width and height in CSS pixels."""

# what differs from one run of the demo to the next, and what the picture shows in its place
CHANCE = (
    (r"process \d+", "process 4711"),
    (r"mab-demo-\w+", "mab-demo-7f3a"),
    (r"code \w{5}-\w{5}", "code k7m2p-q9x4t"),
    (r"AKIA[A-Z0-9]{16}", "AKIAQ3EGTUW5ZRLK7N2M"),
    (r"had it \d+ ms", "had it 12 ms"),
    (r"try again in \d+ s", "try again in 6 s"),
    (r"ends in \w instead of \w", "ends in 0 instead of 2"),
    # on a slow machine a message more is let through before the limit is met
    (r"\d+ messages at once", "8 messages at once"),
    (r"verified: \d+ entries, \d+ messages", "verified: 19 entries, 11 messages"),
    (r"all \d+ messages and all", "all 11 messages and all"),
    (r"Next: (\x1b\[0m)?.*mab init", r"Next: \1mab init"),
)


def drawn_demo() -> str:
    """`mab demo` at a terminal, as SVG."""
    from rich.console import Console
    from rich.text import Text

    told = _at_a_terminal([str(Path(sys.executable).with_name("mab")), "demo", "--fast"])
    for found, shown in CHANCE:
        told = re.sub(found, shown, told)
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO())
    console.print(Text.from_ansi(told.replace("\r\n", "\n").strip("\n")))
    drawn = console.export_svg(title="mab demo", unique_id="demo")
    # it would fetch a font from elsewhere
    return re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL)


def _at_a_terminal(command: list[str]) -> str:
    """What a program says to a terminal of its own. Raises SystemExit when it fails."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(command[0], command, dict(os.environ))  # noqa: S606
    said = b""
    while True:
        try:
            more = os.read(terminal, 65_536)
        except OSError:
            # Linux says so when the last of its programs has left a terminal
            break
        if not more:
            break
        said += more
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"pictures: {' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return said.decode()


async def photographed(look: bool) -> Mapping[str, tuple[str, bytes]]:
    """Of each page its fingerprint, and with `look` the PNG of it."""
    from multiagent_bridge.testing.hubs import OWNER, TestHub
    from tests.faces import top_stage
    from tests.faces.browsing import site

    found = {}
    for name, (path, scheme, width, height) in SHOTS.items():
        hub, clock = await top_stage.scene()
        world = TestHub(hub, clock, None, None)  # type: ignore[arg-type] # pages see the hub alone
        async with site(world) as here, here.browser() as browser:
            page = await browser.get(path)
            assert page.status_code == 200, page.text
            parts = sorted(set(re.findall(r'/static/[^"]+', page.text)))
            content = [page.text, *[(await browser.get(part)).text for part in parts], f"{scheme} {width}x{height}"]
            print_of = hashlib.sha256("\0".join(content).encode()).hexdigest()
            link = f"{here.url}/sign-in#{(await hub.browsers.link(OWNER)).code}"
            found[name] = print_of, await _photograph(link, here.url + path, scheme, width, height) if look else b""
    return found


async def _photograph(link: str, url: str, scheme: str, width: int, height: int) -> bytes:
    from playwright.async_api import async_playwright

    if CHROMIUM is None:
        raise SystemExit("pictures: there is no Chromium here: apt-get install chromium fonts-dejavu-core")
    async with async_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = await chromium.new_context(
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            device_scale_factor=1,
        )
        page = await context.new_page()
        await page.goto(link)
        await page.get_by_role("button", name="Sign in").click()
        await page.clock.install()
        await page.goto(url)
        await page.locator('#connection[data-state="live"]').wait_for(timeout=60_000)
        taken = await page.screenshot()
        await chromium.close()
    return taken


def marked(png: bytes, fingerprint: str) -> bytes:
    """The picture with the fingerprint of what it shows, in a text chunk behind its header."""
    end = len(PNG_START) + 8 + 13 + 4
    content = b"tEXt" + SOURCE + fingerprint.encode()
    return (
        png[:end] + struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content)) + png[end:]
    )


def mark(png: bytes) -> str:
    """The fingerprint that `marked` wrote; empty when there is none."""
    start = png.find(b"tEXt" + SOURCE)
    return png[start + 4 + len(SOURCE) :][:64].decode("latin-1") if start >= 0 else ""


async def drawn_svgs() -> Mapping[str, str]:
    from tests.faces import top_stage

    return {"demo": await asyncio.to_thread(drawn_demo), **await top_stage.drawn()}


async def main(check: bool) -> int:
    """Draw the pictures, or say which no longer match. Returns the exit status."""
    svgs, shots = await drawn_svgs(), await photographed(look=not check)
    if not check:
        FOLDER.mkdir(exist_ok=True)
        for name, svg in svgs.items():
            (FOLDER / f"{name}.svg").write_text(svg, "utf-8")
        for name, (fingerprint, png) in shots.items():
            (FOLDER / f"{name}.png").write_bytes(marked(png, fingerprint))
        return 0
    wrong = differing(FOLDER, svgs, {name: fingerprint for name, (fingerprint, _) in shots.items()})
    for name in wrong:
        sys.stderr.write(f"pictures: {name} no longer shows what the program does\n")
    if wrong:
        sys.stderr.write("pictures: draw them anew with ./dev pictures, and look at them\n")
    return 1 if wrong else 0


def differing(folder: Path, svgs: Mapping[str, str], prints: Mapping[str, str]) -> list[str]:
    """Names of the files in `folder` that are not what was drawn now: changed, missing, or of nothing that is drawn."""
    wanted = {f"{name}.svg": svg for name, svg in svgs.items()} | {
        f"{name}.png": found for name, found in prints.items()
    }
    kept = {one.name: one.read_bytes() for one in folder.iterdir()} if folder.is_dir() else {}
    shown = {name: mark(held) if name.endswith(".png") else held.decode() for name, held in kept.items()}
    return sorted(name for name in shown.keys() | wanted.keys() if shown.get(name) != wanted.get(name))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.update(TERMINAL)
    for name in NOT_OURS:
        os.environ.pop(name, None)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="draw nothing, fail when a picture no longer matches")
    sys.exit(asyncio.run(main(parser.parse_args().check)))
