#!/bin/sh
# The kit for CI (examples/ci, .pre-commit-hooks.yaml) against the programs that read it: official schemas of the hosts
# (check-jsonschema), zizmor for what is unsafe, and `pre-commit try-repo` in a repository with two branches.
# Usage: check_ci_kit.sh [BIN]: where the three programs are (default: on the PATH). Missing ones are an error.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
[ $# -eq 0 ] || PATH=$1:$PATH
missing=
for program in check-jsonschema zizmor pre-commit; do
  command -v "$program" >/dev/null || missing="$missing $program"
done
if [ -n "$missing" ]; then
  echo "check_ci_kit: not checked, not installed:$missing (pip install$missing)" >&2
  exit 2
fi

kit=$here/examples/ci
check-jsonschema --builtin-schema vendor.github-workflows "$kit/github/workflow.yml"
check-jsonschema --builtin-schema vendor.github-actions "$kit/github/action.yml"
check-jsonschema --builtin-schema vendor.gitlab-ci "$kit/gitlab/review.yml"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/audit/.github/workflows" "$work/audit/.github/actions/executor-review"
cp "$kit/github/workflow.yml" "$work/audit/.github/workflows/executor.yml"
cp "$kit/github/action.yml" "$work/audit/.github/actions/executor-review/"
zizmor --offline --quiet --min-severity medium "$work/audit"
echo "ok -- zizmor"

# On `main` the config is right and its test passes; on `wrong` the test fails, and so must the hook.
site=$work/site
git init -q -b main "$site"
cd "$site"
commit() { git add -A && git -c user.name=ci -c user.email=ci@example.com commit -qm "$1"; }
cat > shop.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "servers": [{"url": "https://shop.example.com"}],
 "paths": {"/items/{id}": {"delete": {"operationId": "items.delete", "responses": {"200": {"description": "ok"}},
 "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}]}}}}
JSON
cat > executor.yaml <<'YAML'
version: 1
integrations:
  shop: {kind: openapi, spec: {file: shop.json}}
connections:
  shop.org.main: {}
policies:
  - {id: no-deletes, pattern: shop.*.*.items.delete, action: block}
YAML
cat > policies.test.yaml <<'YAML'
tests:
  - {name: nobody deletes, tool: shop.org.main.items.delete, arguments: {id: "1"}, expect: {action: block}}
YAML
commit right
git checkout -q -b wrong
sed 's/action: block/action: approve/' executor.yaml > changed && mv changed executor.yaml
commit wrong
git checkout -q main
revision=$(git -C "$here" rev-parse HEAD)
try() { pre-commit try-repo --ref "$revision" --all-files "$here" "$1"; }
try executor-validate
try executor-test
git checkout -q wrong
try executor-validate
if try executor-test; then
  echo "check_ci_kit: executor-test passed where a test fails" >&2
  exit 1
fi
echo "ok -- pre-commit: both hooks pass on main, executor-test fails on the branch that approves deletes"
