#!/bin/sh
# Makes what a release offers, in target/dist: the tarball with binary, man pages and
# completions, the Debian package, the packages of the clients for Python and Node.js, the bill of
# materials (CycloneDX), and checksums.
# Wants target/release/deskd.
set -eu
cd "$(dirname "$0")/.."
cyclonedx=0.5.9
tools=$PWD/target/tools
if ! "$tools/bin/cargo-cyclonedx" cyclonedx --version 2>/dev/null | grep -qw "$cyclonedx"; then
    CARGO_TARGET_DIR=$tools/build cargo install --quiet --locked --root "$tools" "cargo-cyclonedx@$cyclonedx"
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
built=$(target/release/deskd --version)
if [ "$built" != "deskd $version" ]; then
    echo "dist: target/release/deskd is \"$built\", and Cargo.toml has $version: run \`make dist\`" >&2
    exit 1
fi
machine=$(uname -m)
# The same sources make the same files.
stamp=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
out=target/dist
rm -rf "$out"
mkdir -p "$out"

systemd/deb.sh >/dev/null
cp target/debian/deskd_"$version"-*.deb "$out/"

name=deskd-$version-$machine-linux
tree=target/dist-tree/$name
rm -rf target/dist-tree
mkdir -p "$tree/bin" "$tree/share/man/man1" "$tree/share/bash-completion/completions" \
    "$tree/share/zsh/site-functions" "$tree/share/fish/vendor_completions.d" \
    "$tree/share/doc/deskd" "$tree/share/deskd/proto/deskd/v1"
install -m 755 target/release/deskd "$tree/bin/"
install -m 644 target/debian-extra/man/*.1 "$tree/share/man/man1/"
install -m 644 target/debian-extra/deskd.bash "$tree/share/bash-completion/completions/deskd"
install -m 644 target/debian-extra/_deskd "$tree/share/zsh/site-functions/"
install -m 644 target/debian-extra/deskd.fish "$tree/share/fish/vendor_completions.d/"
install -m 644 README.md CHANGELOG.md LICENSE "$tree/share/doc/deskd/"
install -m 644 proto/deskd/v1/*.proto "$tree/share/deskd/proto/deskd/v1/"
tar --create --directory target/dist-tree --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$stamp" "$name" | gzip --no-name --best >"$out/$name.tar.gz"

SOURCE_DATE_EPOCH=$stamp clients/build.sh "$out" >/dev/null

PATH=$tools/bin:$PATH SOURCE_DATE_EPOCH=$stamp cargo cyclonedx --quiet --format json --spec-version 1.5 \
    --override-filename deskd-sbom --manifest-path Cargo.toml
mv deskd-sbom.json "$out/deskd-$version.cdx.json"
rm -f deflate/deskd-sbom.json mcp/deskd-sbom.json pixels/deskd-sbom.json

(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -l "$out"
