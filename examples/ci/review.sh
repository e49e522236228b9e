#!/bin/sh
# What a change of the config is reviewed with: no secrets, no server. Every step runs; the exit code is the worst one.
#   review.sh [CONFIG [BASE]]     CONFIG: file or directory; BASE: the revision to compare with, such as origin/main
# FORMAT=github marks the lines of a pull request. COMMENT=FILE gets the comparison as Markdown.
set -u
config=${1:-executor.yaml}
base=${2:-}
worst=0

step() {
    echo "== $*"
    "$@"
    code=$?
    if [ "$code" -gt "$worst" ]; then worst=$code; fi
}

# Every mistake with file, line and remedy; warnings fail too.
step executor validate --strict --no-env --format "${FORMAT:-text}" "$config"

# What is expected of the policies. A config without tests is no mistake here; one with tests that test nothing is.
folder=$config
[ -d "$config" ] || folder=$(dirname "$config")
if ls "$folder"/*.test.y*ml >/dev/null 2>&1; then
    step executor test --config "$config" --format "${FORMAT:-text}"
fi

# Whether tools are still what was reviewed. Local MCP servers are not started: listing their tools runs their code.
if [ -f "$folder/executor.lock" ]; then
    step executor lock --check --no-launch --config "$config"
fi

# What is allowed now that was not before, and what else changes. It informs; whoever reviews decides.
if [ -n "$base" ]; then
    echo "== executor diff $base:$config $config"
    executor diff "$base:$config" "$config" --format markdown >"${COMMENT:-/dev/stdout}" || worst=$?
fi
exit "$worst"
