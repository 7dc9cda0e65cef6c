#!/bin/sh
# Writes the protobuf modules of the package, src/deskd/v1, from the repository's proto folder.
# The old version of the generator is intended: generated modules run on its own and on every
# later protobuf runtime, never on an earlier one.
#   usage: generate.sh [FOLDER]   (default: src)
set -eu
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-src}")
tools=../../target/clients/generator
if [ ! -x "$tools/bin/python" ]; then
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check grpcio-tools==1.66.2 setuptools
fi
mkdir -p "$out"
"$tools/bin/python" -m grpc_tools.protoc -I ../../proto --python_out="$out" --pyi_out="$out" \
    ../../proto/deskd/v1/*.proto
