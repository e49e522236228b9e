"""The programs that the tests of the deployment kit run; tools/get_deploy_tools.sh fetches them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
KIT = ROOT / "deploy"
WANTED = os.environ.get("EXECUTOR_DEPLOY_TESTS") == "1"
PROGRAMS: Final = (
    "buildah", "podman", "crun", "mmdebstrap", "unshare", "nsenter", "hadolint", "systemd-analyze",
    "check-jsonschema", "kubectl",
    "kubernetes-validate", "helm", "pyproject-build", "twine", "uv", "uvx", "pipx",
    "nginx", "caddy", "haproxy",
)  # fmt: skip
_OURS: Final = (ROOT / ".venv-deploy" / "bin", ROOT / ".venv-helm" / "bin")


def tool(name: str) -> str | None:
    """Where the program is: in an environment of the kit's tests, else on PATH; None where this machine has none.

    `helm` is an interpreter that has Helm's library."""
    if name == "helm":
        python = _OURS[1] / "python"
        return str(python) if (_OURS[1].parent / ".installed").exists() else None
    own = _OURS[0] / name
    return str(own) if own.exists() else shutil.which(name)


def run(
    name: str,
    *arguments: str | Path,
    check: bool = True,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a tool; with `check`, fail with all that it said."""
    program = tool(name)
    assert program is not None, f"{name} is not installed; `make deploy-test` fetches it"
    done = subprocess.run(
        [program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=cwd,
        env=env,
    )
    assert not check or done.returncode == 0, f"{name} {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
