#!/bin/sh
# Builds the client packages as they are published: a wheel, and a tarball of npm.
#   usage: build.sh [FOLDER]     (default: target/clients/dist)
set -eu
cd "$(dirname "$0")/.."
out=${1:-target/clients/dist}
mkdir -p "$out"
out=$(realpath "$out")
packages=
command -v npm >/dev/null || packages="nodejs npm"
python3 -c 'import venv, ensurepip' 2>/dev/null || packages="$packages python3-venv python3-pip"
if [ -n "$packages" ]; then
    mkdir -p target
    echo "$packages" | tr ' ' '\n' >target/client-packages
    image/install-packages.sh target/client-packages
fi
rm -f "$out"/deskd-*.whl "$out"/deskd-client-*.tgz
python=target/clients/build
if [ ! -x "$python/bin/hatchling" ]; then
    python3 -m venv "$python"
    "$python/bin/python" -m pip install --quiet --disable-pip-version-check hatchling==1.27.0
fi
(cd clients/python && ../../"$python"/bin/hatchling build -t wheel -d "$out" >/dev/null)
cd clients/typescript
if ! cmp -s package-lock.json node_modules/installed; then
    npm ci --silent --no-audit --no-fund
    cp package-lock.json node_modules/installed
fi
npm pack --silent --pack-destination "$out" >/dev/null
ls "$out"/deskd-*.whl "$out"/deskd-client-*.tgz
