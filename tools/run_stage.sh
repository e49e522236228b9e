#!/bin/sh
# run_stage.sh NAME SECONDS COMMAND...: a stage of CI beside `make check`, with a time of its own: what it finds is a
# failure, but that a slow machine does not come to its end is said loudly and fails nothing. `make NAME` is the whole.
set -u
name=$1 seconds=$2
shift 2
echo "== $name: the part that CI has time for ($seconds s); \`make $name\` is the whole"
# Interrupted, pytest ends what its tests have started.
timeout --signal=INT --kill-after=30 "$seconds" "$@"
status=$?
if [ "$status" = 124 ] || [ "$status" = 137 ]; then
    echo "== $name: STOPPED after $seconds s. What had not run until then is NOT JUDGED; run \`make $name\`" >&2
    exit 0
fi
exit "$status"
