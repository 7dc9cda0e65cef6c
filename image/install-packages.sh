#!/bin/sh
# Installs the Debian packages of the lists given, when some are missing.
#   usage: install-packages.sh LIST…
# Needs root only when something is missing.
set -eu

wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@")
missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "packages: all installed"
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        echo "packages: missing$missing" >&2
        echo "packages: run as root: apt-get update && apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
fi

echo "packages: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# The lists may never have been fetched, or name versions that are gone.
$as_root apt-get update
# shellcheck disable=SC2086 # one word a package
$as_root apt-get install -y --no-install-recommends $missing
