#!/bin/sh
# make_deploy_locks.sh UV: writes what an image is made of, with the digest of every file, in the versions of
# requirements.lock: deploy/runtime.lock (the program and its `otlp` extra) and deploy/build.lock (what builds the wheel).
set -eu
uv=$1
here=deploy
compile() {
    "$uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate "$@"
}
compile --extra otlp --constraint requirements.lock pyproject.toml >"$here/runtime.lock.new"
printf 'hatchling>=1.27,<2\npip>=24.2\n' | compile - >"$here/build.lock.new"
for lock in runtime build; do
    { echo "# Written by \`make lock\` (tools/make_deploy_locks.sh); pip --require-hashes takes nothing else."; cat "$here/$lock.lock.new"; } >"$here/$lock.lock"
    rm "$here/$lock.lock.new"
done
