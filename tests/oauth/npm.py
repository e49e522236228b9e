"""The authorization server and the clients that are not ours: in `.specs/oauth`, where npm installs them once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.fetch_specs import OAUTH, install

HERE = Path(__file__).resolve().parent
MODULES = HERE.parents[1] / ".specs" / "oauth" / "node_modules"
LIMIT_SECONDS = 120
PYTHON_SDK = "mcp==1.30.0"


def node() -> str:
    found = shutil.which("node")
    assert found is not None, "node is missing: the tests marked `specs` need it"
    install(OAUTH, MODULES.parent)
    return found


@contextmanager
def provider(**environment: str) -> Iterator[str]:
    """oidc-provider on a free port; gives its issuer. TOKEN_FORMAT, TOKEN_SECONDS."""
    with subprocess.Popen(
        [node(), str(HERE / "as.mjs"), str(MODULES)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "oidc-provider did not start"
            yield str(json.loads(line)["issuer"])
        finally:
            process.kill()


def python_client(url: str) -> dict[str, Any]:
    """The same for the Python SDK 1.30, in an environment of its own below `.specs`, which pip fills once."""
    python = MODULES.parents[1] / "python-1.30" / "bin" / "python"
    if not (python.parent / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", PYTHON_SDK], check=True)
        (python.parent / "done").touch()
    done = subprocess.run(
        [str(python), "-I", str(HERE / "client_sdk_1"), url],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def typescript_client(version: int, url: str) -> dict[str, Any]:
    """What a client of the TypeScript SDK got (1.x or 2.x), after signing in."""
    done = subprocess.run(
        [node(), str(HERE / "client.mjs"), str(MODULES), str(version), url],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
