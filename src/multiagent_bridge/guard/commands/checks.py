"""Checks that a rule names: what of an accepted argument list only reading its words can tell."""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.kinds import start
from multiagent_bridge.guard.commands.options import Check, Given
from multiagent_bridge.guard.commands.sed import judge_script
from multiagent_bridge.guard.commands.verdict import Denied

_JQ_REACHES_OUT = re.compile(
    r"\$ENV|(?<![.\w\"])(?:env|import|include|input_filename|debug|get_search_list|modulemeta)\b"
)
_AWK_REACHES_OUT = re.compile(
    r"[@`|]|\b(?:system|getline|ENVIRON|ARGV|ARGC|ARGIND|SYMTAB|FUNCTAB|PROCINFO|extension|close|fflush)\b"
)
_FILE_NAME = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,9}$|\.[chrdCHRD]$")
_COMMON_PLACES = re.compile(
    r"(?:Make|Docker|Gem|Rake|Proc|Vagrant|Jenkins)file|LICENSE|README|CHANGELOG|NOTICE|src|lib|tests?|docs?|app|bin|build|dist"
    r"|scripts|tools|examples|public|static|assets|config|include|packages|.*/"
)
_LISTS = ("--list", "-l", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at")
_MAKES_BRANCH = ("-b", "-c", "--create")


def _jq_filter(given: Given) -> None:
    """A jq filter must not import modules or read the environment; `.env` is a key."""
    if given.operands and _JQ_REACHES_OUT.search(given.operands[0].text):
        raise Denied("jq.filter", "the filter reads the environment or other files")


def _awk_reads(given: Given) -> None:
    """An awk program that writes to no file, starts no program and reads nothing but its operands (POSIX awk, gawk's manual).

    A text cannot become code in awk, so the words that reach out are refused wherever they stand, in quotes as well. `>` is
    a comparison only before the first brace; behind it, it writes.
    """
    if not given.operands:
        raise Denied("awk.program", "awk has no program")
    program = given.operands[0].text.replace("||", "  ")
    if _AWK_REACHES_OUT.search(program) or ">" in program.partition("{")[2]:
        raise Denied("awk.program", "the program of awk may write, start programs, or read what is no operand")


def _tar_lists(given: Given) -> None:
    """tar t, f, v and a compression by letter, and one archive; a colon would name another host."""
    words = given.texts()
    if len(words) != 2 or not re.fullmatch(r"-?t[zjJv]{0,3}f|-?[zjJv]{1,2}tf", words[0]) or ":" in words[1]:
        raise Denied("tar.option", "only tar -tf ARCHIVE is accepted")


def _unzip_lists(given: Given) -> None:
    if not given.has("-l", "-v"):
        raise Denied("unzip.option", "only unzip -l ARCHIVE is accepted")


def _version_asked(given: Given) -> None:
    """An interpreter without a script runs what it is fed."""
    if not given.options:
        raise Denied("interpreter.script", "only the version of an interpreter is shown in this mode")


def _ps_no_environment(given: Given) -> None:
    """`ps e` (without a dash) and the format `environ` print environments."""
    if any(not re.fullmatch(r"[auxfjlwh]{1,6}", word) for word in given.texts()):
        raise Denied("ps.environment", "only the letters a, u, x, f, j, l, w are accepted without a dash")
    if any("env" in value for values in given.options.values() for value in values):
        raise Denied("ps.environment", "environments of processes are not shown")


def _no_option_first(given: Given) -> None:
    if given.operands and given.operands[0].text.startswith("-"):
        raise Denied("printf.option", "printf takes no option")


def _sed_script(given: Given) -> None:
    scripts = [value for name in ("-e", "--expression") for value in given.options.get(name, [])]
    if not scripts:
        if not given.operands:
            raise Denied("sed.script", "sed has no script")
        scripts = [given.operands[0].text]
    for script in scripts:
        judge_script(script)


def _pip_no_url(given: Given) -> None:
    """`x @ URL` as three words would be three arguments to pip; none of them may be read as one."""
    if "@" in given.texts():
        raise Denied("pip.source", "a package from a URL")


def _git_lists(given: Given) -> None:
    """A name makes a branch or tag (git-branch(1), git-tag(1)), but for the options that list: there it is a pattern."""
    if given.operands and not given.has(*_LISTS):
        raise Denied("git.write", "a name without --list makes a branch or a tag")


def _git_stash_reads(given: Given) -> None:
    if given.texts()[:1] not in (["list"], ["show"]):
        raise Denied("git.write", "of git stash only list and show read")


def _git_remote_reads(given: Given) -> None:
    words = given.texts()
    if words and (words[0] != "get-url" or len(words) != 2):
        raise Denied("git.subcommand", "of git remote only the list and get-url read without asking the remote")


def _git_reflog_shows(given: Given) -> None:
    if given.texts()[:1] and given.texts()[0] in ("expire", "delete", "drop", "write"):
        raise Denied("git.destroy", "the reflog is the way back; it is only shown")


def _git_worktree_lists(given: Given) -> None:
    if given.texts() != ["list"]:
        raise Denied("git.subcommand", "of git worktree only list reads")


def _git_content(given: Given) -> None:
    if not given.has("-t", "-s", "-p", "-e") and given.texts()[:1] not in (["blob"], ["tree"], ["commit"], ["tag"]):
        raise Denied("git.option", "git cat-file needs -t, -s, -p, -e or a type")


def _git_has_message(given: Given) -> None:
    if "-" in (*given.options.get("-F", ()), *given.options.get("--file", ())):
        raise Denied("git.editor", "a message from the standard input is seen by nobody")
    if given.has("-m", "--message", "-F", "--file", "--no-edit", "--dry-run"):
        return
    raise Denied("git.editor", "without -m (or --no-edit) git commit opens an editor")


def _git_switches(given: Given) -> None:
    """One plain branch to go to; with an option that makes a branch, also where it starts."""
    words = given.texts()
    if given.dashed >= 0 or len(words) > 1 or not (words or given.has(*_MAKES_BRANCH, "--detach", "-d")):
        raise Denied("git.destroy", "only one branch is accepted: checking out files discards what was changed")
    for word in words:
        if word != "-":
            start(word)


def _git_one_branch(given: Given) -> None:
    """The same for checkout, which takes a file or a folder of that name when there is no such branch."""
    _git_switches(given)
    for word in given.texts():
        if not given.has(*_MAKES_BRANCH) and (_FILE_NAME.search(word) or _COMMON_PLACES.fullmatch(word)):
            raise Denied(
                "git.destroy",
                f"{word} may be a file or a folder: checking it out discards what was changed in it; use git switch",
            )


def _git_only_staged(given: Given) -> None:
    if not given.has("--staged", "-S") or not given.operands:
        raise Denied("git.destroy", "git restore without --staged discards what was changed")


def _git_only_unstages(given: Given) -> None:
    words = given.texts()
    if given.dashed != 0 and words and words[0] not in ("HEAD", "@"):
        raise Denied("git.destroy", "git reset only takes files back out of the index here: git reset [HEAD] [-- FILE]")


def _git_only_forward(given: Given) -> None:
    if not given.has("--ff-only", "--abort"):
        raise Denied("git.option", "git merge is accepted with --ff-only or --abort")


def _git_keeps_stashes(given: Given) -> None:
    words = given.texts()
    if words and words[0] not in ("push", "list", "show", "apply", "pop", "save"):
        raise Denied("git.destroy", f"git stash {words[0]} is not among push, list, show, apply and pop")
    if words[:1] not in (["list"], ["show"]) and given.has("-p", "--patch"):
        raise Denied("git.editor", "choosing parts of a change asks somebody at a terminal")


def _git_lists_or_makes(given: Given) -> None:
    """`git branch NAME [START]` and `git tag NAME [START]` make; with an option that lists the words are patterns."""
    if given.has(*_LISTS):
        return
    if len(given.operands) > 2:
        raise Denied("git.operand", "a name and where it starts")
    for word in given.operands:
        start(word.text)
    if given.has("-a", "--annotate") and given.operands and not given.has("-m", "--message"):
        raise Denied("git.editor", "an annotated tag needs -m")


CHECKS: dict[str, Check] = {
    "jq filter": _jq_filter,
    "awk reads": _awk_reads,
    "tar lists": _tar_lists,
    "unzip lists": _unzip_lists,
    "version asked": _version_asked,
    "ps without environment": _ps_no_environment,
    "no option first": _no_option_first,
    "sed script": _sed_script,
    "pip without URL": _pip_no_url,
    "git lists": _git_lists,
    "git stash reads": _git_stash_reads,
    "git remote reads": _git_remote_reads,
    "git reflog shows": _git_reflog_shows,
    "git worktree lists": _git_worktree_lists,
    "git content": _git_content,
    "git has message": _git_has_message,
    "git one branch": _git_one_branch,
    "git switches": _git_switches,
    "git only staged": _git_only_staged,
    "git only unstages": _git_only_unstages,
    "git only forward": _git_only_forward,
    "git keeps stashes": _git_keeps_stashes,
    "git lists or makes": _git_lists_or_makes,
}
"""By the name that a rule's `check` gives."""
