"""The root of the command line, and the one place where an error becomes a sentence and an exit status."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from multiagent_bridge import __version__
from multiagent_bridge.cli import output
from multiagent_bridge.cli.exits import INTERRUPTED
from multiagent_bridge.cli.tree import Tree
from multiagent_bridge.cli.wording import MEANT
from multiagent_bridge.errors import BridgeError, Invalid, Unavailable

app = typer.Typer(
    name="mab",
    cls=Tree,
    help="Multiagent Bridge: because even AI agents need traffic lights.",
    epilog="Exit statuses: mab help exit-codes",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_UsageError: Any = typer.BadParameter.__mro__[1]
"""Newer releases of typer carry a click of their own, so click's name for it may be somebody else's class."""


def _version(wanted: bool) -> None:
    if wanted:
        output.line(f"mab {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def run(words: list[str]) -> int:
    """Run one command. Returns its exit status (SPEC section 6)."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            # a terminal that lacks a letter shows its number instead of ending the program
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = int(app(words, standalone_mode=False, prog_name="mab") or 0)
        output.flush()
    except BaseException as ended:
        return _status(ended)
    return status


def _status(ended: BaseException) -> int:
    """Say why the command ended, and return the exit status that means it; what is a defect of ours is raised."""
    try:
        status = _explained(ended)
        output.flush()
    except OSError as failed:
        # what could not be written is not tried again when the interpreter ends
        _silenced()
        return 1 if failed.errno == errno.EPIPE else Unavailable.exit_status
    return status


def _explained(ended: BaseException) -> int:
    match ended:
        case BridgeError():
            output.error(ended)
            return ended.exit_status
        case _UsageError() if type(ended).__name__ == "NoArgsIsHelpError":
            output.say(str(ended.format_message()))
            return Invalid.exit_status
        case _UsageError():
            command = ended.ctx.command_path if ended.ctx else "mab"
            what, _, guess = _sentence(str(ended.format_message())).partition(". Did you mean ")
            unknown = what.removeprefix("no such command ").strip("'")
            if command == "mab" and unknown in MEANT:
                guess = f"'mab {MEANT[unknown]}'?"
            output.error(Invalid(what, f"did you mean {guess} {command} --help" if guess else f"{command} --help"))
            return Invalid.exit_status
        case KeyboardInterrupt() | typer.Abort():
            return INTERRUPTED
        case SystemExit(code=int(code)):
            return code
        case OSError(errno=errno.EPIPE):
            return _silenced()
        case OSError():
            where = f"{ended.filename}: " if ended.filename else ""
            output.error(Unavailable(where + (ended.strerror or str(ended)).lower(), "mab doctor"))
            return Unavailable.exit_status
        case ImportError():
            missing = f"a part of the program is missing: {ended.name or ended}"
            output.error(Unavailable(missing, "pip install --force-reinstall mcp-multiagent-bridge"))
            return Unavailable.exit_status
        case _:
            raise ended


def _silenced() -> int:
    """The reader of our output has gone: nothing is left to say, and nobody to say it to."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        with suppress(OSError):
            os.dup2(nowhere, number)
    os.close(nowhere)
    return 1


def _sentence(text: str) -> str:
    """A sentence of the command parser in the form of ours: lower case, no full stop."""
    return (text[:1].lower() + text[1:]).rstrip(".")
