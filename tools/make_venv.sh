#!/bin/sh
# make_venv.sh DIR [EXTRA]: a virtual environment with the project (editable) and the packages of EXTRA (`test`), in
# the versions of requirements.lock. UNLOCKED=1 takes the newest allowed versions instead. PYTHON names the interpreter.
set -eu

directory=$1
project=.${2:+[$2]}
fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c "$fits" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "No Python 3.11, 3.12 or 3.13 found (tried: ${PYTHON:-python3 python3.13 python3.12 python3.11 python})." >&2
    echo "Install one, or name it: make install PYTHON=/path/to/python3.12" >&2
    exit 1
}

if ! [ -x "$directory/bin/python" ] || ! "$directory/bin/python" -c "$fits" 2>/dev/null; then
    python=$(find_python)
    rm -rf "$directory"
    echo "Creating $directory with $("$python" --version)"
    if ! "$python" -m venv "$directory"; then
        rm -rf "$directory"
        echo "This Python cannot create virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi

echo "Installing into $directory (once, about a minute)"
# On a terminal pip shows what it does; elsewhere only what goes wrong.
if [ -t 1 ]; then set --; else set -- --quiet; fi
set -- "$@" --disable-pip-version-check --no-input --editable "$project"
if [ -z "${UNLOCKED:-}" ]; then
    set -- "$@" --constraint requirements.lock
fi
exec "$directory/bin/python" -m pip install "$@"
