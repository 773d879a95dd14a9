"""pytest and cargo as restricted accepts them, from their own manuals.

Left out on purpose: plug-ins by name, other configuration, roots and manifests, wrappers and linkers, folders that are deleted
(--basetemp), output that is published, other tool chains by path, installing and publishing.
"""

from __future__ import annotations

from multiagent_bridge.guard.commands.family import ARGUMENTS, Family
from multiagent_bridge.guard.commands.options import Program

PYTEST = Program(
    "pytest",
    "-qvsxlh -k=text -m=text -r=word -n=list -p=noplugin -W=warning --quiet --verbose --exitfirst --showlocals "
    "--no-showlocals --capture=no|fd|sys|tee-sys --tb=auto|long|short|line|native|no --maxfail=number"
    " --lf --last-failed --ff --failed-first --nf --new-first --sw --stepwise --sw-skip --stepwise-skip "
    "--lfnf=all|none --last-failed-no-failures=all|none --collect-only --co"
    " --durations=number --durations-min=number --no-header --no-summary --color=yes|no|auto "
    "--code-highlight=yes|no --setup-show --setup-plan --setup-only --fixtures --fixtures-per-test --markers"
    " --version --strict-markers --strict-config --strict --import-mode=prepend|append|importlib --ignore=path "
    "--ignore-glob=list --deselect=test --disable-warnings --disable-pytest-warnings --doctest-modules "
    "--doctest-continue-on-failure"
    " --cache-show?=list --cache-clear --runxfail --full-trace --show-capture=no|stdout|stderr|log|all "
    "--log-level=word --log-cli-level=word --junitxml=report --junit-xml=report --keep-duplicates "
    "--verbosity=number --noconftest"
    " --timeout=number --cov?=path --no-cov "
    "--cov-report=term|term-missing|term:skip-covered|term-missing:skip-covered|xml|html|json|lcov --cov-branch "
    "--cov-fail-under=number --cov-append --numprocesses=list --dist=word --maxprocesses=number"
    " --reruns=number --benchmark-only --benchmark-skip --benchmark-disable --hypothesis-show-statistics "
    "--hypothesis-seed=number --asyncio-mode=auto|strict --randomly-seed=number --snapshot-update --help",
    "test*",
    allow=("pytest -xq tests/test_a.py::TestB::test_c[1]", "pytest -n auto --cov=src", "pytest -W error"),
    refuse=(
        "pytest -c x",
        "pytest --rootdir=.",
        "pytest -vp evil",
        "pytest -pevil",
        "pytest --basetemp=x",
        "pytest -o a=b",
        "pytest @x",
        "pytest --pdb",
        "pytest --pastebin=all",
        "pytest -W error::evil.Thing",
        "pytest --junitxml=.git/x.xml",
        "pytest --roo=/x",
    ),
)

_BUILD = (
    "-vqr --verbose --quiet --release --workspace --all --all-targets --all-features --no-default-features "
    "--features=list -F=list -p=name --package=name --exclude=list --bin=word --bins --lib --example=word "
    "--examples --test=word --tests"
    " --bench=word --benches --locked --offline --frozen --profile=word --target=triple -j=number --jobs=number "
    "--keep-going --message-format=word --color=auto|always|never --ignore-rust-version --future-incompat-report "
    "--timings"
)
_LIBTEST = Program(
    "tests",
    "-q --quiet --nocapture --no-capture --show-output --ignored --include-ignored --exact --list --test --bench "
    "--shuffle --test-threads=number --skip=text --color=auto|always|never --format=pretty|terse "
    "--shuffle-seed=number",
    "name*",
)
_LINTS = Program("lints", "-D=lint -W=lint -A=lint -F=lint --deny=lint --warn=lint --allow=lint --forbid=lint", "")
_CHECK_ONLY = Program("rustfmt", "--check --verbose -v -q", "")

CARGO = Family(
    "cargo",
    "-v -vv -q --verbose --quiet --locked --offline --frozen --color=auto|always|never",
    {
        alias: row
        for names, row in (
            (
                "build b",
                Program(
                    "build",
                    _BUILD,
                    "",
                    allow=("cargo build -p core --features a,b",),
                    refuse=(
                        "cargo build --config x",
                        "cargo build --target x.json",
                        "cargo build --manifest-path=../x",
                        "cargo build -Zunstable",
                        "cargo build --artifact-dir=x",
                    ),
                ),
            ),
            ("check c", Program("check", _BUILD, "", allow=("cargo check",), refuse=("cargo check --conf x",))),
            (
                "test t",
                Program(
                    "test",
                    _BUILD + " --no-run --no-fail-fast --doc",
                    "name*",
                    after=_LIBTEST,
                    allow=("cargo test parser -- --nocapture",),
                    refuse=("cargo test -- --logfile=/x", "cargo test --config=x"),
                ),
            ),
            (
                "bench",
                Program(
                    "bench",
                    _BUILD + " --no-run --no-fail-fast",
                    "name*",
                    after=ARGUMENTS,
                    allow=("cargo bench --no-run",),
                    refuse=("cargo bench --config=x", "cargo bench -- --output=/x"),
                ),
            ),
            (
                "run r",
                Program(
                    "run",
                    _BUILD,
                    "inside*",
                    after=ARGUMENTS,
                    allow=("cargo run --bin cli -- a.txt",),
                    refuse=("cargo run --manifest-path ../x", "cargo run -- /etc/passwd"),
                ),
            ),
            (
                "clippy",
                Program(
                    "clippy",
                    _BUILD + " --no-deps",
                    "",
                    after=_LINTS,
                    allow=("cargo clippy -- -D warnings",),
                    refuse=("cargo clippy --fix", "cargo clippy -- -Clinker=x"),
                ),
            ),
            (
                "fmt",
                Program(
                    "fmt",
                    "-vq --all --check --verbose --quiet -p=name --package=name",
                    "",
                    after=_CHECK_ONLY,
                    allow=("cargo fmt --check", "cargo fmt -- --check"),
                    refuse=("cargo fmt -- --config-path /x", "cargo fmt --manifest-path x"),
                ),
            ),
            (
                "doc",
                Program(
                    "doc",
                    _BUILD + " --no-deps --document-private-items",
                    "",
                    allow=("cargo doc --no-deps",),
                    refuse=("cargo doc --open",),
                ),
            ),
            (
                "tree",
                Program(
                    "tree",
                    "-p=name -e=list -i=name --invert=name --depth=number --duplicates -d --edges=list "
                    "--prefix=word --workspace --all-features --no-default-features --features=list --locked "
                    "--offline --frozen --no-dedupe --charset=word --package=name",
                    "",
                    allow=("cargo tree --depth 1",),
                    refuse=("cargo tree --manifest-path=/x",),
                ),
            ),
            (
                "metadata",
                Program(
                    "metadata",
                    "-qv --no-deps --format-version=number --all-features --no-default-features --features=list "
                    "--locked --offline --frozen --filter-platform=triple",
                    "",
                    allow=("cargo metadata --no-deps",),
                    refuse=("cargo metadata --manifest-path=x",),
                ),
            ),
            (
                "pkgid",
                Program("pkgid", "-p=name", "name", allow=("cargo pkgid",), refuse=("cargo pkgid --manifest-path=x",)),
            ),
            ("version", Program("version", "-v", "", allow=("cargo version",), refuse=("cargo version x",))),
        )
        for alias in names.split()
    },
    ("--version", "-V", "--list"),
    (
        "cargo install x",
        "cargo clean -r",
        "cargo fix",
        "cargo new tool",
        "cargo publish",
        "cargo --config x build",
        "cargo -C x build",
        "cargo -Z x build",
        "cargo +./x build",
    ),
)
