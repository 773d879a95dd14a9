"""Commands of evidence and archives: export, import, report, report verify."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Conv, Json
from multiagent_bridge.cli.files import unread
from multiagent_bridge.errors import Invalid, Tampered, Unavailable

ARCHIVE_BYTES = 200_000_000


def register(app: typer.Typer) -> None:
    app.command()(export)
    app.command("import")(restore)
    app.command()(report)


def export(
    conversation: Conv,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; - for standard output.")],
) -> None:
    """Write a conversation, in clear, as one signed JSON document: messages, entries, checkpoint."""
    if str(file) != "-" and os.path.lexists(file):
        raise Invalid(f"{file} exists", "name a new file")
    archive = owner.run(lambda hub, me: hub.archives.export(me, conversation))
    # ASCII: what agents wrote must not steer the terminal it may be printed on
    content = json.dumps(archive, indent=2) + "\n"
    if str(file) == "-":
        sys.stdout.write(content)
        return
    write_private(file, content)
    output.say(f"{conversation} is in {file}")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What mab export wrote; - for standard input.")],
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="The verifier key that must have signed it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Open a new conversation from an archive that is what was signed, with new tokens and invites."""
    try:
        content = sys.stdin.read(ARCHIVE_BYTES) if str(file) == "-" else file.read_text(encoding="utf-8")
        archive = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise unread(file, error, "an archive", "name a file that mab export wrote") from error
    made = owner.run(lambda hub, me: hub.archives.restore(me, archive, key))
    fields = made.fields() | {"signed_by": archive["verifier_key"]}
    if as_json:
        output.data(fields)
        return
    output.facts({"conversation": made.conversation.id, "expires_at": fields["expires_at"]})
    rows = [(s.id, s.role, code) for s, code in zip(made.sessions, made.invites, strict=True)]
    output.table(["session", "role", "invite"], rows)
    output.say(
        f"signed by {fields['signed_by']}\nwhoever made the archive made this key: compare it with the one you were told"
    )


VERIFY = "verify"
"""Stands where a conversation's id stands; no id is a bare word."""


def report(
    conversation: Annotated[
        str | None,
        typer.Argument(metavar="CONV", help="One conversation, all when left out; or verify, to check a report."),
    ] = None,
    checked: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="After verify: the report.json that mab validate wrote.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a new file.")] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="After verify: the verifier key that must have signed it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Evidence from the journal, with a citation block; `report verify FILE` checks a report of mab validate."""
    if conversation == VERIFY:
        _verify(checked, file, key, as_json)
        return
    if checked is not None or key is not None:
        raise Invalid("a file and a key go with verify", "mab report verify FILE --key KEY")
    from multiagent_bridge.services.reports import markdown

    found = owner.run(lambda hub, me: hub.reports.report(conversation))
    content = json.dumps(found, indent=2) + "\n" if as_json else output.visible_lines(markdown(found))
    if file is None:
        output.raw(content)
    else:
        write_private(file, content)
        output.say(f"the report is in {file}")


def _verify(report: Path | None, out: Path | None, key: str | None, as_json: bool) -> None:
    """Check a report of `mab validate` against its signature and the journal beside it."""
    from multiagent_bridge.validation.verify import verified

    if report is None:
        raise Invalid("it is not said which report is to be verified", "mab report verify FILE")
    if out is not None:
        raise Invalid("verify writes no file", "leave out --output")
    try:
        found = verified(report, key)
    except Tampered as wrong:
        if as_json:
            output.data({"verified": False, "sentence": wrong.sentence, **wrong.facts})
        raise
    if as_json:
        output.data(found.fields())
        return
    output.line(
        f"verified: {found.tests} tests, {found.passed} passed{'' if found.complete else ', not all were run'}; "
        f"{found.entries} entries, {found.checkpoints} checkpoints"
    )
    output.say(
        f"signed by {found.verifier_key}\nwhoever made the report made this key: compare it with the one you were told"
    )


def write_private(file: Path, content: str) -> None:
    """Write a new file that only its owner reads. Raises Invalid when it is there, Unavailable when it cannot be written."""
    try:
        out = new_private(file)
    except FileExistsError as error:
        raise Invalid(f"{file} exists", "name a new file") from error
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}", "name another place") from error
    try:
        with out:
            out.write(content)
    except OSError as error:
        # half of it is worth nothing, and would be in the way of the next try
        file.unlink(missing_ok=True)
        raise Unavailable(f"{file} cannot be written: {error.strerror}", "name another place") from error


def new_private(file: Path) -> IO[str]:
    """A new file, 0600 whatever the umask, open for writing. Raises OSError."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(handle, 0o600)
    return os.fdopen(handle, "w", encoding="utf-8", newline="\n")
