#!/bin/sh
# get_chromium.sh VENV: see to it that the tests of the pages find a browser, by the rule of tests/browser/chromium.py:
# EXECUTOR_TEST_BROWSER, else chromium, chromium-browser or google-chrome on PATH, else the one that Playwright fetches.
# Quiet when there is nothing to do. As root it asks apt-get first, whose packages bring the libraries along.
set -u

venv=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT

limited() { # SECONDS COMMAND...: macOS has no timeout(1)
    seconds=$1
    shift
    if command -v timeout >/dev/null 2>&1; then
        timeout "$seconds" "$@"
    else
        "$@"
    fi >>"$log" 2>&1 </dev/null
}

works() { # NAME: on some systems the package is only a pointer to another package manager, so it has to start
    command -v "$1" >/dev/null 2>&1 && limited 60 "$1" --version
}

found() {
    for name in chromium chromium-browser google-chrome; do
        works "$name" && return 0
    done
    return 1
}

apt() {
    DEBIAN_FRONTEND=noninteractive limited 900 apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 \
        -o Acquire::http::Timeout=30 "$@"
}

apt_install() {
    command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] || return 1
    echo "Installing chromium for the browser tests (apt-get)"
    apt install -y --no-install-recommends chromium || {
        apt update && apt install -y --no-install-recommends chromium
    }
    found
}

playwright_install() {
    echo "Fetching chromium for the browser tests (playwright)"
    limited 900 "$venv/bin/python" -m playwright install --only-shell chromium
}

if [ -n "${EXECUTOR_TEST_BROWSER:-}" ]; then
    works "$EXECUTOR_TEST_BROWSER" && exit 0
    echo "EXECUTOR_TEST_BROWSER names no browser that starts: $EXECUTOR_TEST_BROWSER" >&2
    exit 1
fi
found || apt_install || playwright_install || {
    tail -n 5 "$log" >&2
    echo "No browser for tests/browser, and none could be installed. Install Chromium so that \`chromium\` is on PATH," >&2
    echo "or name one: EXECUTOR_TEST_BROWSER=/path/to/chrome" >&2
    exit 1
}
