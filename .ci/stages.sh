# shellcheck shell=bash
# The stages of .ci/run, each a function that runs alone under `set -eu`. Status 77 means: not here, and the reason printed.

# command:package pairs of what the machine must have; everything else comes from PyPI and npm by lock file
PACKAGES=(
  git:git python3:python3 setpriv:util-linux timeout:coreutils bwrap:bubblewrap prlimit:util-linux unshare:util-linux
  nsenter:util-linux ip:iproute2 tc:iproute2 chromium:chromium chromium:fonts-dejavu-core
)
export PACKAGE_LIST="${PACKAGES[*]}"

STRANGERS_PATH=/usr/local/bin:/usr/bin:/bin
export STRANGERS_PATH

unprivileged() { # COMMAND...: as uid 65534 with a new, empty HOME and a bare environment; as oneself when not root
  local home status=0
  home=$(mktemp -d)
  local bare=(env -i "HOME=$home" "PATH=$STRANGERS_PATH" LANG=C.UTF-8 NO_COLOR=1)
  if [ "$(id -u)" -eq 0 ]; then
    chown 65534:65534 "$home"
    setpriv --reuid 65534 --regid 65534 --clear-groups "${bare[@]}" "$@" || status=$?
  else
    "${bare[@]}" "$@" || status=$?
  fi
  rm -rf "$home"
  return "$status"
}

public_python() { # the first Python of 3.11 or later that a stranger may start
  # shellcheck disable=SC2016
  unprivileged sh -c 'for name in python3 python3.13 python3.12 python3.11 python3.14; do
    "$name" -c "import sys; sys.exit(sys.version_info < (3, 11)); " 2>/dev/null && command -v "$name" && exit 0
  done; echo "no Python of 3.11 or later on $PATH" >&2; exit 1'
}

working_copy() { # FOLDER: what git tracks, as it stands
  mkdir -p "$1"
  git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
    tar --null --ignore-failed-read --create --files-from=- | tar --extract --no-same-owner --directory="$1"
}

again() { # COMMAND...: up to three times, because a registry may fail once
  local turn
  for turn in 1 2 3; do
    if "$@"; then return 0; fi
    [ "$turn" -eq 3 ] || { echo "once more: $*"; sleep $((turn * 5)); }
  done
  return 1
}

tested() { # ARGS...: ./dev test; up to three tests that failed once more, named, since real processes meet a machine's bad moments
  local cache status=0 names=()
  cache=$(mktemp -d)
  ./dev test -q --durations=10 -o cache_dir="$cache" "$@" || status=$?
  if [ "$status" -eq 1 ] && ./dev python tools/failed_tests.py "$cache" >"$cache/names"; then
    mapfile -t names <"$cache/names"
    printf 'UNSTEADY, once more: %s\n' "${names[@]}"
    status=0
    ./dev test --all -q "${names[@]}" || status=$?
  fi
  rm -rf "$cache"
  return "$status"
}

stage_tools() { # what the machine needs, by name, and the environment of ./dev
  local missing=() pair
  for pair in $PACKAGE_LIST; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}"); done
  if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" -eq 0 ] || { echo "missing: ${missing[*]}; install them and run again"; return 1; }
    again apt-get update -q
    again env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
  fi
  again ./dev python --version
}

stage_check() { ./dev check; }

stage_test() { tested; }

# what stage_validate does, too
export QUICK_RUN="tests/validation/test_runs.py::test_a_quick_run_passes_every_test_and_its_report_verifies"

# Attacks run in the fast tier unless they are marked slow; this is what the fast tier leaves out but the agent programs.
stage_slow() {
  tested --all -m "(slow or machines) and not servers and not sandbox and not clients and not browser" \
    --ignore=tests/docs/test_readme.py --deselect "$QUICK_RUN"
}

stage_servers() { # a real PostgreSQL and a real Valkey, from wheels, started by the tests
  tested --all -m "servers and not clients and not browser"
}

stage_validate() { # the thirteen tests of the S² protocol and the stress test, and their report checked by another process
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  if ! ./dev mab validate --profile quick --out "$out/report"; then
    # a bar of milliseconds is missed where something else has the processors: those tests once more, each alone
    local number numbers
    numbers=$(./dev python tools/late_tests.py "$out/report/report.json") || return 1
    echo "too slow: $numbers; once more"
    for number in $numbers; do
      ./dev mab validate --profile quick --only "$number" --out "$out/again-$number" ||
        ./dev mab validate --profile quick --only "$number" --out "$out/third-$number" || return 1
    done
  fi
  ./dev mab report verify "$out/report/report.json"
}

stage_clients() { # real agent programs against scripted model servers, and the conformance suite
  again tests/clients/install.sh
  tested --all -m clients
}

stage_browser() { # the dashboard in the system's Chromium: pages, live updates, axe, pictures
  tested --all -m browser
}

stage_documents() { tested --all tests/docs/test_readme.py; }

stage_redaction() { # the open half of the labelled texts, where it lies beside the repository
  local corpora=../shared/corpora log
  if [ ! -f "$corpora/score_secrets.py" ]; then
    echo "redaction: skipped, $corpora is not here"
    return 77
  fi
  log=$(mktemp)
  ./dev python "$corpora/score_secrets.py" --jsonl "'$ROOT/.venv/bin/mab' redact --jsonl" \
    --min-recall-a 0.96 --min-recall-b 0.90 --min-recall-c 0.78 --min-recall-o 0.75 \
    --max-false-hard 0.025 --max-false-chat 0.01 --max-false-bulk 0.01 | tee "$log" | tail -n 1
  # The scorer counts a text without an answer as a miss; here it is a failure.
  grep -q '^SUMMARY .* errors=0 ' "$log" || { head -n 20 "$log"; rm -f "$log"; return 1; }
  rm -f "$log"
}

stage_commands() { # the sandboxes, and the open half of the judged commands where it lies beside the repository
  tested --all -m "sandbox and not clients and not browser"
  local corpora=../shared/corpora
  if [ ! -f "$corpora/score_commands.py" ]; then
    echo "commands: not scored, $corpora is not here"
    return 0
  fi
  ./dev python "$corpora/score_commands.py" --jsonl "'$ROOT/.venv/bin/mab' yolo explain --jsonl" \
    --max-false-allow 0 --max-false-block 0.02 --max-errors 0
}

stage_bench() { ./dev bench --quick; }

stage_wheel() { # what a stranger installs: the wheel alone, in an environment of its own, as nobody
  place=$(mktemp -d)
  chmod 755 "$place"
  trap 'rm -rf "$place"' EXIT
  working_copy "$place/source"
  again ./dev python -m pip wheel -qq --no-deps --wheel-dir "$place/dist" "$place/source"
  ./dev python -m zipfile --list "$place"/dist/*.whl | awk '{ print $1 }' >"$place/listing"
  grep -q '/py.typed$' "$place/listing" && grep -q '/licenses/LICENSE$' "$place/listing"
  if grep -E '^(tests|benchmarks|tools)/' "$place/listing"; then echo "the wheel carries what is not the program"; return 1; fi
  "$(public_python)" -m venv --without-pip "$place/venv"
  ./dev lock >"$place/requirements.txt"
  again ./dev python -m pip --python "$place/venv/bin/python" install -qq --no-deps --require-hashes \
    --requirement "$place/requirements.txt"
  ./dev python -m pip --python "$place/venv/bin/python" install -qq --no-deps "$place"/dist/*.whl
  chmod -R go+rX "$place"
  cd /
  unprivileged "$place/venv/bin/mab" --version
  unprivileged "$place/venv/bin/mcp-multiagent-bridge" --version
  unprivileged "$place/venv/bin/mab" demo
}

stage_fresh() { # the README's first screen: git and Python alone, nobody's account, a folder with a space, two at once
  place=$(mktemp -d)
  trap 'rm -rf "$place"' EXIT
  working_copy "$place/a folder"
  chmod 755 "$place"
  [ "$(id -u)" -ne 0 ] || chown -R 65534:65534 "$place/a folder"
  cd /
  unprivileged "$place/a folder/dev" demo >"$place/first.log" 2>&1 &
  local first=$! status=0
  unprivileged "$place/a folder/dev" demo || status=$?
  wait "$first" || { cat "$place/first.log"; return 1; }
  [ "$status" -eq 0 ] || return "$status"
  local from=$EPOCHREALTIME
  unprivileged "$place/a folder/dev" help >/dev/null
  unprivileged "$place/a folder/dev" mab --version
  echo "a prepared start takes $(((${EPOCHREALTIME/./} - ${from/./}) / 1000)) ms"
}

export -f again unprivileged public_python working_copy tested stage_tools stage_check stage_test stage_slow stage_servers \
  stage_validate stage_clients stage_browser stage_documents stage_redaction stage_commands stage_bench stage_wheel stage_fresh
