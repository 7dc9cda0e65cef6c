#!/bin/sh
# Installs what is in target/dist on root file systems that have nothing of it, and uses it.
# Needs root, and Debian's package sources.
set -eu
cd "$(dirname "$0")/.."
out=$PWD/target/dist
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
work=$(mktemp -d)
clean() {
    for proc in "$work"/*/proc; do
        ! mountpoint --quiet "$proc" || umount "$proc"
    done
    rm -rf "$work"
}
trap clean EXIT
say() { echo "dist-test: $*"; }

(cd "$out" && sha256sum --quiet --check SHA256SUMS)
say "checksums hold"
python3 - "$out/deskd-$version.cdx.json" "$version" <<'P'
import json, sys
bom = json.load(open(sys.argv[1]))
assert bom["bomFormat"] == "CycloneDX", bom["bomFormat"]
own = bom["metadata"]["component"]
assert (own["name"], own["version"]) == ("deskd", sys.argv[2]), own
parts = {part["name"] for part in bom["components"]}
assert {"tokio", "tonic", "x11rb"} <= parts, sorted(parts)[:20]
assert all(part.get("licenses") for part in bom["components"]), "a part without a licence"
P
say "the bill of materials names $(python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["components"]))' "$out/deskd-$version.cdx.json") parts"

mmdebstrap --quiet --variant=minbase --include=libxcb1 bookworm "$work/base" >/dev/null 2>"$work/log" \
    || { cat "$work/log" >&2; exit 1; }
for kind in tarball package; do
    root=$work/$kind
    cp --archive "$work/base" "$root"
    if [ -e "$root/usr/bin/deskd" ] || [ -e "$root/usr/local/bin/deskd" ]; then
        say "the root file system is not clean" >&2
        exit 1
    fi
    if [ "$kind" = tarball ]; then
        tar --extract --gzip --file "$out"/deskd-*.tar.gz --directory "$root/usr/local" --strip-components=1
        prefix=usr/local
    else
        cp "$out"/deskd_*.deb "$root/deskd.deb"
        chroot "$root" dpkg --install /deskd.deb >/dev/null
        prefix=usr
    fi
    said=$(chroot "$root" /$prefix/bin/deskd --version)
    [ "$said" = "deskd $version" ] || { say "$kind: $said" >&2; exit 1; }
    man=$(find "$root/$prefix/share/man/man1" -name 'deskd*.1*' | wc -l)
    [ "$man" -ge 15 ] || { say "$kind: only $man man pages" >&2; exit 1; }
    [ -s "$root/$prefix/share/bash-completion/completions/deskd" ]
    [ -s "$root/$prefix/share/deskd/proto/deskd/v1/desktop.proto" ]
    mount -t proc proc "$root/proc"
    # It starts, answers, and says that there is no X server.
    chroot "$root" /$prefix/bin/deskd serve --display :59 --listen unix:/tmp/deskd.sock 2>"$work/$kind.log" &
    daemon=$!
    answer=$(chroot "$root" /$prefix/bin/deskd info --server unix:/tmp/deskd.sock --json) \
        || { cat "$work/$kind.log" >&2; exit 1; }
    code=0
    chroot "$root" /$prefix/bin/deskd screenshot --server unix:/tmp/deskd.sock --deadline 2s -o /tmp/card.png 2>/dev/null || code=$?
    kill "$daemon"
    wait "$daemon" || true
    echo "$answer" | grep -q "\"version\": *\"$version\"" || { say "$kind: $answer" >&2; exit 1; }
    [ "$code" = 3 ] && [ -s "$root/tmp/card.png" ] || { say "$kind: screenshot exits $code" >&2; exit 1; }
    say "$kind: installed, runs, answers with a failure card"
    umount "$root/proc"
    rm -rf "$root"
done

# The client packages: installed where nothing of them is, they reach a daemon.
target/release/deskd serve --display :59 --listen "unix:$work/deskd.sock" 2>"$work/serve.log" &
daemon=$!
python3 -m venv "$work/python"
"$work/python/bin/python" -m pip install --quiet --disable-pip-version-check "$out"/deskd-"$version"-py3-none-any.whl
said=$("$work/python/bin/python" -c '
import sys, deskd
with deskd.Desktop(sys.argv[1]) as desktop:
    frame = desktop.screenshot(timeout=2)
    print(deskd.__version__, desktop.info().version, frame.is_card)
' "unix:$work/deskd.sock")
[ "$said" = "$version $version True" ] || { say "wheel: $said" >&2; exit 1; }
say "wheel: installed, answers with a failure card"
mkdir "$work/node"
(cd "$work/node" && npm init --yes >/dev/null && npm install --silent --no-audit --no-fund "$out"/deskd-client-"$version".tgz)
said=$(cd "$work/node" && node --input-type=module -e '
import { Desktop } from "@deskd/client";
const desktop = new Desktop(process.argv[1]);
const frame = await desktop.screenshot({ timeout: 2 });
console.log((await desktop.info()).version, frame.isCard);
await desktop.close();
' "unix:$work/deskd.sock")
kill "$daemon"
wait "$daemon" || true
[ "$said" = "$version true" ] || { say "npm package: $said" >&2; exit 1; }
say "npm package: installed, answers with a failure card"
