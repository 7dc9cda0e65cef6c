#!/bin/sh
# Builds the Debian package from target/release/deskd.
set -eu
cd "$(dirname "$0")/.."
version=3.8.0
if ! target/tools/bin/cargo-deb --version 2>/dev/null | grep -qx "cargo-deb $version"; then
    cargo install --quiet --locked --root target/tools "cargo-deb@$version"
fi
extra=target/debian-extra
mkdir -p "$extra/man"
deskd=target/release/deskd
$deskd man "$extra/man"
$deskd completions bash >"$extra/deskd.bash"
$deskd completions zsh >"$extra/_deskd"
$deskd completions fish >"$extra/deskd.fish"
target/tools/bin/cargo-deb --no-build --no-strip --quiet --output target/debian/
ls -l target/debian/*.deb
