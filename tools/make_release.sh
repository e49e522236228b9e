#!/bin/sh
# make_release.sh VENV: what is published, in dist/: wheel, source archive, and the CycloneDX bill of materials of what an
# image is made of. Everything is checked; nothing is uploaded.
set -eu
bin=$1-deploy/bin
rm -rf dist
"$bin/pyproject-build" --no-isolation --outdir dist .
"$bin/twine" check --strict dist/*
"$bin/cyclonedx-py" requirements deploy/runtime.lock --pyproject pyproject.toml --output-reproducible --of JSON -o dist/executor-proxy.cdx.json
"$bin/python" - dist/executor-proxy.cdx.json deploy/runtime.lock <<'PYTHON'
import json, re, sys

listed = {one["name"].lower().replace("_", "-") for one in json.load(open(sys.argv[1]))["components"]}
locked = {line.partition("==")[0].lower().replace("_", "-") for line in open(sys.argv[2]) if re.match(r"[A-Za-z]", line)}
if missing := sorted(locked - listed):
    sys.exit(f"the bill of materials lacks {', '.join(missing)}")
print(f"bill of materials: {len(listed)} components")
PYTHON
ls -l dist
