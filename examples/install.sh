#!/bin/sh
# Installs the libraries of the examples, when they are not there yet: grpcio into
# target/examples/python, grpc-js and tsx into examples/typescript/node_modules; builds the example
# in Go.
#   usage: install.sh
set -eu
cd "$(dirname "$0")/.."
# By the programs, which may come from elsewhere than Debian.
packages=
command -v npm >/dev/null || packages="nodejs npm"
python3 -m pip --version >/dev/null 2>&1 || packages="$packages python3-pip"
if [ -n "$packages" ]; then
    echo "$packages" | tr ' ' '\n' >target/examples-packages
    image/install-packages.sh target/examples-packages
fi
python=target/examples/python
wanted=examples/python/requirements.txt
if ! cmp -s "$wanted" "$python/installed"; then
    echo "examples: installing Python's gRPC"
    rm -rf "$python"
    python3 -m pip install --quiet --disable-pip-version-check --target "$python" -r "$wanted"
    cp "$wanted" "$python/installed"
fi
cd examples/typescript
if ! cmp -s package-lock.json node_modules/installed; then
    echo "examples: installing Node's gRPC"
    npm ci --silent --no-audit --no-fund
    cp package-lock.json node_modules/installed
fi
cd ../..
go=target/examples/go/first_frame
if [ ! -x "$go" ] || [ -n "$(find proto examples/go -newer "$go" -type f)" ]; then
    echo "examples: building the example in Go"
    examples/go/build.sh
fi
