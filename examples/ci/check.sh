#!/bin/sh
# What CI runs for every change of the config: no secrets, no network, no server.
set -eu
config=${1:-examples/ci}

# Every mistake with file, line and remedy. FORMAT=github (or gitlab, sarif) marks the lines of a pull request.
executor validate --strict --no-env --format "${FORMAT:-text}" "$config"

# What a deployment of this config has to provide.
executor validate --list-env "$config"
