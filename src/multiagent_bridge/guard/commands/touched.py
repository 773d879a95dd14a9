"""Yolo: which operands of a program are removed, and which are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from multiagent_bridge.guard.commands.verdict import Denied


def _operands(texts: Sequence[str], values: str = "") -> list[str]:
    taking = frozenset(values.split())
    found: list[str] = []
    skip = plain = False
    for text in texts[1:]:
        if skip:
            skip = False
        elif plain or not text.startswith("-") or text == "-":
            found.append(text)
        elif text == "--":
            plain = True
        else:
            skip = text in taking
    return found


def removes(name: str, texts: Sequence[str]) -> bool:
    """True for rm with a recursive option and its like."""
    if name == "rm":
        return any(
            re.fullmatch(r"-[a-zA-Z]*[rR][a-zA-Z]*", text) or (len(text) > 3 and "--recursive".startswith(text))
            for text in texts[1:]
        )
    return name in ("shred", "srm", "wipe", "trash")


def removed(name: str, texts: Sequence[str]) -> Iterator[str]:
    """The operands whose loss would be a disaster if they are the wrong ones."""
    if name == "rm" and any(len(text) > 4 and "--no-preserve-root".startswith(text) for text in texts):
        raise Denied("yolo.removal", "rm is told not to spare the root")
    if (
        removes(name, texts)
        or (name == "chmod" and _recursive(texts))
        or (name in ("chown", "chgrp", "chattr", "setfacl") and _recursive(texts))
    ):
        rest = _operands(texts, "--reference --from -n -s")
        for text in rest if name in ("rm", "shred", "srm", "wipe", "trash") else rest[1:]:
            if name.startswith("ch") and text in (".", "./"):
                continue
            yield text
    elif name == "mv":
        rest = _operands(texts, "-t --target-directory -S --suffix")
        yield from (text for text in rest[:-1] if text not in ("*", "./*"))
        if rest and rest[-1] == "/dev/null":
            raise Denied("yolo.removal", "what is moved to /dev/null is gone")
    elif name == "rsync" and any(text.startswith("--del") or text == "--remove-source-files" for text in texts):
        yield from _operands(texts, "-e --rsh --exclude --include --filter")[-1:]
    elif name == "git" and "clean" in texts[:3]:
        return


def _recursive(texts: Sequence[str]) -> bool:
    return any(re.fullmatch(r"-[a-zA-Z]*R[a-zA-Z]*|--recursive", text) for text in texts[1:])


def written(name: str, texts: Sequence[str]) -> Iterator[str]:
    """The operands that a program writes."""
    rest = _operands(texts, "-t --target-directory -S --suffix -m -o -g -s --size -r --reference")
    if name in ("cp", "mv", "install", "ln", "rsync", "scp") and len(rest) > 1:
        yield rest[-1]
    if name in ("cp", "mv", "install", "ln"):
        yield from (text.partition("=")[2] for text in texts if text.startswith("--target-directory="))
        yield from (texts[place + 1] for place, text in enumerate(texts[:-1]) if text in ("-t", "--target-directory"))
    if name in (
        "tee",
        "touch",
        "truncate",
        "mkdir",
        "rmdir",
        "rm",
        "unlink",
        "shred",
        "sponge",
        "fallocate",
        "mkfifo",
        "mknod",
        "ed",
        "ex",
        "vi",
        "vim",
        "nano",
    ):
        yield from rest
    if name in ("chmod", "chown", "chgrp", "chattr", "setfacl"):
        yield from rest[1:]
    if name == "dd":
        yield from (text[3:] for text in texts if text.startswith("of="))
    if name in ("sed", "perl") and any(re.match(r"-[a-zA-Z]*i|--in-place", text) for text in texts[1:]):
        yield from rest[1:]
    if name in ("curl", "wget", "sort", "gcc", "cc"):
        yield from (
            texts[place + 1]
            for place, text in enumerate(texts[:-1])
            if text in ("-o", "--output", "-O", "--output-document")
        )
    if name in ("tar", "unzip", "bsdtar"):
        yield from (texts[place + 1] for place, text in enumerate(texts[:-1]) if text in ("-C", "--directory", "-d"))
