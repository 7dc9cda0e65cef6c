#!/bin/sh
# Tests the client packages as they are published: the built wheel in a fresh environment, and the
# packed tarball. Requires target/debug/deskd.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
DESKD_TEST_PROGRAM=${DESKD_TEST_PROGRAM:-$root/target/debug/deskd}
export DESKD_TEST_PROGRAM
[ -x "$DESKD_TEST_PROGRAM" ] || { echo "clients: $DESKD_TEST_PROGRAM is not built" >&2; exit 1; }
say() { echo "clients: $*"; }

clients/build.sh target/clients/dist >/dev/null
say "what is generated is up to date"
python3 tests/vendors/write.py --check
python3 clients/python/tools/sync.py --check
rm -rf target/clients/generated
clients/python/tools/generate.sh "$root/target/clients/generated"
diff -r --exclude=__pycache__ target/clients/generated/deskd/v1 clients/python/src/deskd/v1

say "Python: the built wheel"
python=$root/target/clients/python
wanted=clients/python/tests/requirements.txt
if ! cmp -s "$wanted" "$python/installed"; then
    rm -rf "$python"
    python3 -m venv "$python"
    "$python/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$python/installed"
fi
"$python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
    target/clients/dist/deskd-*.whl
(cd clients/python && "$python/bin/mypy" && "$python/bin/python" -m pytest)

say "TypeScript"
cd clients/typescript
npm run --silent check
npm run --silent test:live
npm run --silent test:pack
npm run --silent test:loops
npm run --silent test:mcp
