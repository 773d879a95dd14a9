"""git sub-commands that only read, from git's own manual pages.

Left out on purpose: what writes files (--output), executes (--ext-diff, --textconv, --open-files-in-pager, --filters, checks of
signatures), leaves the repository (--no-index, --contents, -C, --git-dir), contacts a remote, or turns listing into changing
(branch -D).
"""

from __future__ import annotations

from multiagent_bridge.guard.commands.options import Given, Program
from multiagent_bridge.guard.commands.verdict import Denied

DIFF = (
    " -pusbwaRzW -U=number -M?=number -C?=number -B?=number -D -l=number -S=text -G=text -I=text --patch "
    "--no-patch --unified=number --raw"
    " --patch-with-stat --stat?=list --numstat --shortstat --dirstat?=list --summary --compact-summary "
    "--name-only --name-status --color?=word"
    " --no-color --color-moved?=word --no-color-moved --color-words?=text --word-diff?=word "
    "--word-diff-regex=text --no-renames --find-renames?=number"
    " --find-copies?=number --find-copies-harder --rename-empty --check --full-index --binary --abbrev?=number "
    "--no-abbrev --diff-filter=word --pickaxe-all"
    " --pickaxe-regex --relative?=path --text --ignore-space-at-eol --ignore-cr-at-eol --ignore-space-change "
    "--ignore-all-space"
    " --ignore-blank-lines --inter-hunk-context=number --function-context --exit-code --quiet --no-ext-diff "
    "--no-textconv --src-prefix=text"
    " --dst-prefix=text --no-prefix --minimal --patience --histogram --diff-algorithm=word --anchored=text "
    "--indent-heuristic --submodule?=short|log"
    " --ignore-submodules?=word --merge-base --cc --combined-all-paths --diff-merges=word --no-indent-heuristic"
)
LOG = (
    DIFF + " -igEFPqcmtr -n=number -L=text --max-count=number --skip=number --oneline --graph --decorate?=word "
    "--no-decorate --all --branches?=text"
    " --tags?=text --remotes?=text --glob=text --exclude=text --author=text --committer=text --grep=text "
    "--all-match --invert-grep --regexp-ignore-case"
    " --extended-regexp --fixed-strings --perl-regexp --since=text --after=text --until=text --before=text "
    "--merges --no-merges --first-parent --follow"
    " --reverse --date-order --author-date-order --topo-order --date=text --relative-date --pretty?=format "
    "--format=format --abbrev-commit"
    " --no-abbrev-commit --parents --children --left-right --cherry --cherry-pick --cherry-mark --left-only "
    "--right-only --boundary --simplify-by-decoration"
    " --full-history --simplify-merges --ancestry-path --walk-reflogs --source --log-size --no-notes --no-walk?=word"
    " --full-diff --no-mailmap --mailmap --use-mailmap --clear-decorations --decorate-refs=text "
    "--min-parents=number --max-parents=number"
)
_LISTING = (
    " -v -r -a -i --all --remotes --verbose --list -l --contains=git --no-contains=git --merged=git "
    "--no-merged=git --points-at=git --sort=format --format=format"
    " --color?=word --no-color --column?=word --no-column --abbrev?=number --no-abbrev --show-current --ignore-case"
)


def _lists(given: Given) -> None:
    """A name without --list makes a branch or tag (git-branch(1)); with it, it is a pattern."""
    if given.operands and not given.has("--list", "-l"):
        raise Denied("git.write", "a name without --list makes a branch or a tag")


def _stash_reads(given: Given) -> None:
    first = given.texts()[:1]
    if first not in (["list"], ["show"]):
        raise Denied("git.write", "of git stash only list and show read")


def _remote_reads(given: Given) -> None:
    words = given.texts()
    if words and (words[0] != "get-url" or len(words) != 2):
        raise Denied("git.subcommand", "of git remote only the list and get-url read without asking the remote")


def _reflog_shows(given: Given) -> None:
    if given.texts()[:1] and given.texts()[0] in ("expire", "delete", "drop", "write"):
        raise Denied("git.destroy", "the reflog is the way back; it is only shown")


def _worktrees(given: Given) -> None:
    if given.texts() != ["list"]:
        raise Denied("git.subcommand", "of git worktree only list reads")


def _content(given: Given) -> None:
    if not given.has("-t", "-s", "-p", "-e") and given.texts()[:1] not in (["blob"], ["tree"], ["commit"], ["tag"]):
        raise Denied("git.option", "git cat-file needs -t, -s, -p, -e or a type")


READ: dict[str, Program] = {
    row.name: row
    for row in (
        Program(
            "status",
            "-sbvuz -u?=word --short --branch --show-stash --porcelain?=word --long --verbose "
            "--untracked-files?=word --ignored?=word --ignore-submodules?=word --column?=word --no-column "
            "--ahead-behind --no-ahead-behind --renames --no-renames --find-renames?=number",
            "git*",
            allow=("git status -s",),
            refuse=("git status --x",),
        ),
        Program(
            "log",
            LOG,
            "git*",
            number=True,
            allow=("git log -5 --format='%h %s' -- src", "git log main..dev"),
            refuse=(
                "git log --output=x",
                "git log --ext-diff",
                "git log --show-signature",
                "git log --format=%G?",
                "git log --outp=x",
            ),
        ),
        Program(
            "show",
            LOG,
            "git*",
            number=True,
            allow=("git show HEAD:src/a.py", "git show --stat HEAD^"),
            refuse=("git show --textconv HEAD:x", "git show --output=x"),
        ),
        Program(
            "diff",
            DIFF + " --cached --staged -0 -1 -2 -3 --base --ours --theirs",
            "git*",
            allow=("git diff --stat main...dev", "git diff --cached -- a.py"),
            refuse=(
                "git diff --no-index a b",
                "git diff --output x",
                "git diff -O/etc/x",
            ),
        ),
        Program(
            "whatchanged",
            LOG,
            "git*",
            number=True,
            allow=("git whatchanged -3",),
            refuse=("git whatchanged --output=x",),
        ),
        Program(
            "blame",
            "-cblrtfensCwM -L=text --since=text -C?=number -M?=number --root --date=text --show-stats "
            "--porcelain --line-porcelain --incremental --abbrev=number --color-lines --color-by-age --show-name "
            "--show-number --show-email --ignore-rev=git -S=path --first-parent --reverse",
            "git*",
            allow=("git blame -L 1,9 a.py",),
            refuse=("git blame --contents x a",),
        ),
        Program(
            "branch",
            _LISTING + " -vv",
            "text*",
            check=_lists,
            allow=("git branch -a --sort=-committerdate", "git branch --merged main"),
            refuse=("git branch x", "git branch -d x", "git branch -v x", "git branch --edit-description"),
        ),
        Program(
            "tag",
            _LISTING.replace(" -v ", " ").replace(" --verbose", "") + " -n?=number",
            "text*",
            check=_lists,
            allow=("git tag", "git tag -l 'v*' -n3"),
            refuse=("git tag v1", "git tag -d v1", "git tag -v v1"),
        ),
        Program(
            "remote",
            "-v --verbose",
            "name*",
            check=_remote_reads,
            allow=("git remote get-url origin",),
            refuse=("git remote show origin", "git remote add x y", "git remote update"),
        ),
        Program(
            "stash",
            LOG + " --include-untracked --only-untracked",
            "git*",
            number=True,
            check=_stash_reads,
            allow=("git stash show -p stash@{0}",),
            refuse=(
                "git stash",
                "git stash clear",
            ),
        ),
        Program(
            "describe",
            "--all --tags --contains --abbrev=number --candidates=number --exact-match --debug --long "
            "--match=text --exclude=text --always --first-parent --dirty?=word --broken?=word",
            "git*",
            allow=("git describe --tags --always --dirty",),
            refuse=("git describe --x",),
        ),
        Program(
            "grep",
            "-aIiwvhHEGPFnlLzocpWqr -e=text -m=number -A=number -B=number -C=number -f=path --cached --untracked "
            "--text --ignore-case --word-regexp --invert-match --full-name --extended-regexp --basic-regexp "
            "--perl-regexp --fixed-strings --line-number --column --files-with-matches --name-only "
            "--files-without-match --null --only-matching --count --color?=word --no-color --break --heading "
            "--show-function --after-context=number --before-context=number --context=number --function-context "
            "--max-depth=number --threads=number --and --or --not --all-match --quiet --no-textconv --recursive "
            "--no-recursive",
            "text git*",
            pattern="-e -f",
            number=True,
            allow=("git grep -n 'def f' -- '*.py'",),
            refuse=(
                "git grep -O x",
                "git grep --open-files-in-pager=sh x",
                "git grep --no-index x /",
                "git grep --textconv x",
            ),
        ),
        Program(
            "ls-files",
            "-cdmosukzvft -x=text -X=path --cached --deleted --modified --others --stage --unmerged --killed "
            "--ignored --exclude=text --exclude-standard --error-unmatch --full-name --eol --directory "
            "--no-empty-directory --abbrev?=number --debug -i --deduplicate --recurse-submodules",
            "git*",
            allow=("git ls-files -o --exclude-standard",),
            refuse=("git ls-files -X /etc/x", "git ls-files --with-tree=../x"),
        ),
        Program(
            "ls-tree",
            "-drtlz --long --name-only --name-status --object-only --abbrev?=number --full-name --full-tree "
            "--format=text",
            "git*",
            allow=("git ls-tree -r --name-only HEAD",),
            refuse=("git ls-tree --x HEAD",),
        ),
        Program(
            "cat-file",
            "-tspe --allow-unknown-type --batch-all-objects",
            "git*",
            check=_content,
            allow=("git cat-file -p HEAD:a.py",),
            refuse=("git cat-file --batch",),
        ),
        Program(
            "rev-parse",
            "-q --verify --quiet --short?=number --abbrev-ref?=word --symbolic --symbolic-full-name --all "
            "--branches?=text --tags?=text --remotes?=text --show-toplevel --show-prefix --show-cdup --git-dir "
            "--absolute-git-dir --git-common-dir --is-inside-git-dir --is-inside-work-tree --is-bare-repository "
            "--is-shallow-repository --show-superproject-working-tree --show-object-format?=word --since=text "
            "--until=text --disambiguate=text",
            "git*",
            allow=("git rev-parse --short HEAD",),
            refuse=("git rev-parse --resolve-git-dir /x", "git rev-parse --parseopt"),
        ),
        Program(
            "rev-list",
            LOG + " --count --objects --disk-usage?=word --unpacked --header --timestamp",
            "git*",
            number=True,
            allow=("git rev-list --count HEAD",),
            refuse=("git rev-list --filter=sparse:oid=x HEAD", "git rev-list --use-bitmap-index HEAD"),
        ),
        Program(
            "shortlog",
            "-nsec -w?=list --numbered --summary --email --committer --format=format --group=text --since=text "
            "--until=text --after=text --before=text --no-merges --all --author=text",
            "git*",
            allow=("git shortlog -sn HEAD",),
            refuse=("git shortlog --output=x",),
        ),
        Program(
            "merge-base",
            "-a --all --octopus --independent --is-ancestor --fork-point",
            "git*",
            allow=("git merge-base main HEAD",),
            refuse=("git merge-base -x",),
        ),
        Program(
            "name-rev",
            "--tags --refs=text --exclude=text --all --name-only --no-undefined --always",
            "git*",
            allow=("git name-rev HEAD",),
            refuse=("git name-rev -x",),
        ),
        Program(
            "for-each-ref",
            "--count=number --sort=format --format=format --points-at=git --merged?=git --no-merged?=git "
            "--contains?=git --no-contains?=git --ignore-case --exclude=text --color?=word",
            "text*",
            allow=("git for-each-ref --format='%(refname)' refs/heads",),
            refuse=("git for-each-ref --format='%(signature)'",),
        ),
        Program(
            "show-ref",
            "-hdsqv --head --heads --tags --branches --dereference --hash?=number --verify --abbrev?=number --quiet",
            "git*",
            allow=("git show-ref --heads",),
            refuse=("git show-ref -x",),
        ),
        Program(
            "show-branch",
            "-ar --all --remotes --current --topo-order --sparse --no-name --sha1-name --independent --list "
            "--color?=word --no-color",
            "git*",
            allow=("git show-branch -a",),
            refuse=("git show-branch -x",),
        ),
        Program(
            "diff-tree",
            LOG + " --root --no-commit-id --pretty?=format",
            "git*",
            allow=("git diff-tree --no-commit-id --name-only -r HEAD",),
            refuse=("git diff-tree --output=x HEAD",),
        ),
        Program(
            "diff-index",
            DIFF + " --cached -m",
            "git*",
            allow=("git diff-index --name-only HEAD",),
            refuse=("git diff-index --output x main",),
        ),
        Program(
            "diff-files",
            DIFF + " -q",
            "git*",
            allow=("git diff-files --name-only",),
            refuse=("git diff-files --ext-diff",),
        ),
        Program(
            "range-diff",
            DIFF + " --creation-factor=number --no-dual-color --left-only --right-only",
            "git*",
            allow=("git range-diff main...dev",),
            refuse=("git range-diff --output=x a b c",),
        ),
        Program("cherry", "-v --abbrev?=number", "git*", allow=("git cherry -v main",), refuse=("git cherry -x",)),
        Program(
            "reflog",
            LOG,
            "git*",
            number=True,
            check=_reflog_shows,
            allow=("git reflog -5", "git reflog show main"),
            refuse=("git reflog delete HEAD@{1}",),
        ),
        Program(
            "count-objects",
            "-vH --verbose --human-readable",
            allow=("git count-objects -vH",),
            refuse=("git count-objects x",),
        ),
        Program(
            "check-ignore",
            "-qvzn --quiet --verbose --non-matching --no-index",
            "git*",
            allow=("git check-ignore -v a.log",),
            refuse=("git check-ignore --stdin",),
        ),
        Program(
            "check-attr",
            "-az --all --cached",
            "git*",
            allow=("git check-attr -a a.py",),
            refuse=("git check-attr --stdin",),
        ),
        Program(
            "worktree",
            "-v --porcelain",
            "word*",
            check=_worktrees,
            allow=("git worktree list",),
            refuse=("git worktree add x", "git worktree prune"),
        ),
        Program("version", "--build-options", allow=("git version",), refuse=("git version x",)),
    )
}
