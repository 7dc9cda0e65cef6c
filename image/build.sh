#!/bin/sh
# Builds the image from image/Dockerfile with buildah, also where no registry is
# reached: the base then comes from Debian's packages, by mmdebstrap.
#   usage: build.sh [TAG]          (default: localhost/deskd:dev)
# Requires target/image/deskd; VIEWER=1 adds x11vnc and noVNC, LINKS=1 the drop-in commands.
set -eu
cd "$(dirname "$0")/.."
tag=${1:-localhost/deskd:dev}
base=${BASE:-docker.io/library/debian:13-slim}
out=target/image
mkdir -p "$out"

# This machine's own package sources, for Debian 13; they do not stay in the image.
sources=$out/debian.sources
if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    sed -e '/^#/d' -e 's/bookworm/trixie/g' /etc/apt/sources.list.d/debian.sources >"$sources"
fi

if ! buildah inspect --type image "$base" >/dev/null 2>&1 \
    && ! timeout 60 buildah pull --quiet --retry 0 "$base" >/dev/null 2>&1; then
    echo "image: no registry has $base: it is made of Debian's packages"
    mmdebstrap --quiet --variant=minbase --format=tar \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
        --customize-hook='rm -f "$1"/etc/apt/sources.list.d/*' \
        trixie "$out/base.tar" "$sources"
    podman import --quiet "$out/base.tar" "$base" >/dev/null
    rm "$out/base.tar"
fi

mount=
if ! podman run --rm --network=none "$base" test -s /etc/apt/sources.list.d/debian.sources 2>/dev/null; then
    mount="-v $PWD/$sources:/etc/apt/sources.list.d/debian.sources:ro"
fi
# shellcheck disable=SC2086 # no argument, or two words
buildah build --format docker --isolation chroot --pull=never --layers $mount \
    --build-arg "BASE=$base" --build-arg BINARY=prebuilt --build-arg "VIEWER=${VIEWER:-}" --build-arg "LINKS=${LINKS:-}" \
    -f image/Dockerfile -t "$tag" .

echo "image: $tag"
podman image history --format '{{.Size}}	{{.CreatedBy}}' --no-trunc "$tag" \
    | cut -c1-100 | sed 's/^/image:   /'
