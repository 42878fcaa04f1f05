#!/bin/sh
# Installs the system libraries that Qt needs on Debian and Ubuntu. Asks first, except as root. Elsewhere it does nothing.
set -eu

command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 || exit 0

# Qt names only the first missing library of its xcb plugin, and often the wrong one: so the list stands here.
wanted="libglib2.0-0 libegl1 libgl1 libdbus-1-3 libfontconfig1 libxkbcommon0 libxcb-cursor0 libxcb-icccm4
libxcb-keysyms1 libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0 libwayland-cursor0 fonts-dejavu-core python3-venv"

installed() {
    # Newer releases carry the same library under a name that ends in t64.
    for name in "$1" "$1t64"; do
        case "$(dpkg-query -W -f='${Status}' "$name" 2>/dev/null)" in *"ok installed") return 0 ;; esac
    done
    return 1
}

missing=""
for package in $wanted; do
    # A Python that did not come from the system brings its own venv.
    if [ "$package" = python3-venv ] && "${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null; then continue; fi
    installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    exit 0
fi

echo "Homing's window needs these system libraries:$missing"
if [ -t 0 ]; then
    printf 'Install them now with sudo apt-get? [Y/n] '
    read -r answer
    case "$answer" in
        n* | N*) ;;
        *)
            sudo apt-get update -qq
            # shellcheck disable=SC2086
            sudo apt-get install -y -qq --no-install-recommends $missing
            exit 0
            ;;
    esac
fi
echo "Install them yourself and run make again: sudo apt-get install$missing" >&2
exit 1
