#!/bin/sh
# get_promtool.sh VENV: see to it that tests/deploy finds promtool, by the rule of tests/deploy/promtool.py:
# EXECUTOR_PROMTOOL, else `promtool` on PATH, else VENV/promtool/usr/bin/promtool, which this unpacks from Debian's
# package without installing it. Quiet when there is nothing to do.
set -u

venv=$1
here=$venv/promtool

works() {
    "$1" --version >/dev/null 2>&1
}

if [ -n "${EXECUTOR_PROMTOOL:-}" ]; then
    works "$EXECUTOR_PROMTOOL" && exit 0
    echo "EXECUTOR_PROMTOOL names no program that starts: $EXECUTOR_PROMTOOL" >&2
    exit 1
fi
works promtool && exit 0
works "$here/usr/bin/promtool" && exit 0

fetch() {
    command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || return 1
    mkdir -p "$here"
    (cd "$here" && apt-get -q download prometheus) >"$here/log" 2>&1 </dev/null || return 1
    dpkg-deb -x "$here"/prometheus_*.deb "$here" >>"$here/log" 2>&1 || return 1
    # Of 19 MB packed and 200 MB unpacked, one program is needed.
    rm -rf "$here"/*.deb "$here/etc" "$here/lib" "$here/var" "$here/usr/share" "$here/usr/bin/prometheus"
    works "$here/usr/bin/promtool"
}

echo "Fetching promtool for tests/deploy (apt-get download prometheus)"
fetch || {
    [ -f "$here/log" ] && tail -n 3 "$here/log" >&2
    echo "promtool: MISSING, and it could not be fetched. The rules of deploy/monitoring are checked without it only." >&2
    echo "Put \`promtool\` (any release of Prometheus has it) on PATH, or name it: EXECUTOR_PROMTOOL=/path/to/promtool" >&2
    exit 1
}
