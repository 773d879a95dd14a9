"""A report with its journal, made in memory as a run makes it, for tests that change it afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiagent_bridge.errors import Invalid
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.testing.hubs import OWNER, TestHub, memory_hub
from multiagent_bridge.validation import report
from multiagent_bridge.validation.counts import counted, vouched
from multiagent_bridge.validation.frame import NUMBERS, Outcome, Sheet, judged
from multiagent_bridge.validation.machine import Here
from multiagent_bridge.validation.profiles import Profile
from multiagent_bridge.validation.run import Ran
from multiagent_bridge.validation.signature import signed

Fields = dict[str, Any]
BEGAN, ENDED = "2026-01-02T03:04:05.000000Z", "2026-01-02T03:06:05.000000Z"
HERE = Here({"system": "Linux", "cores": 2}, {"multiagent_bridge": "0.1.0", "commit": "released", "python": "3.11"})


@dataclass
class Made:
    """A folder with a report, its page and its journal, and the keys that signed them."""

    folder: Path
    held: TestHub

    @property
    def file(self) -> Path:
        return self.folder / report.REPORT

    @property
    def journal(self) -> Path:
        return self.folder / report.JOURNAL

    @property
    def page(self) -> Path:
        return self.folder / report.PAGE

    def change(self, edit: Callable[[Fields], object], sign: bool = False) -> None:
        """Edit the report as its file has it; with `sign` as somebody could who holds the key."""
        found = json.loads(self.file.read_text())
        edit(found["report"])
        if sign:
            found["signature"] = signed(found["report"], self.held.keys.verifier_key, self.held.keys.sign)
        self.file.write_text(report.written(found))
        self.page.unlink(missing_ok=True)

    def lines(self) -> list[str]:
        return self.journal.read_text().splitlines(keepends=True)


async def outcome(held: TestHub, number: str, conversation: str, sheet: Sheet | None = None) -> Outcome:
    """One test that sent two messages, the second with an action that does not exist."""
    hub, first = held.hub, (await held.hub.journal.head()).size + 1
    given = Credentials(conversation, "a")
    await hub.messages.send(OWNER, given, f"test {number}")
    with suppress(Invalid):
        await hub.messages.send(OWNER, given, "refused", action_type="shout")
    note = await hub.journal.checkpoint()
    mark = vouched(note)
    entries = await hub.journal.entries(first - 1)
    evidence = {"first": first, "last": mark["size"], **counted(entries), "checkpoint": mark}
    if sheet is None:
        sheet = Sheet()
        sheet.did("sent a message")
        sheet.target("messages", "exactly", 1, 1)
        sheet.target("mean of a send", "under", 5, sheet.measure("send", [1.25, 2.5, 4.0], "ms").mean, "ms")
    verdict = judged([target.fields() for target in sheet.targets], "", sheet.lacks)
    missed = [target.what for target in sheet.targets if not target.met]
    reason = sheet.lacks or (f"missed: {', '.join(missed)}" if missed else "")
    return Outcome(number, f"test {number}", verdict, reason, 1.5, sheet, evidence)


async def made(
    folder: Path,
    numbers: tuple[str, ...] = NUMBERS,
    sheets: dict[str, Sheet] | None = None,
    held: TestHub | None = None,
) -> Made:
    """A whole report of these tests in a new folder."""
    held = held or memory_hub()
    opened = await held.hub.conversations.create(OWNER, "backend", "frontend")
    outcomes = [await outcome(held, number, opened.conversation.id, (sheets or {}).get(number)) for number in numbers]
    note = await held.hub.journal.checkpoint()
    lines = [line async for line in held.hub.journal.lines()]
    folder.mkdir()
    (folder / report.JOURNAL).write_text("".join(line + "\n" for line in lines))
    ran = Ran(Profile.of("quick"), outcomes, held.keys.verifier_key, held.keys.sign, note)
    document = report.document(ran, HERE, BEGAN, ENDED, len(lines), "mab validate --profile quick")
    (folder / report.REPORT).write_text(report.written(document))
    (folder / report.PAGE).write_text(report.markdown(document["report"]))
    return Made(folder, held)
