from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import proxy.sandbox.bootstrap

DIRECTORY = str(Path(proxy.sandbox.bootstrap.__file__).parent)


def test_the_zygotes_imports_are_few() -> None:
    script = (
        f"import sys; sys.path.insert(0, {DIRECTORY!r}); import bootstrap; sys.path.pop(0);"
        f"bootstrap.enter_packages({DIRECTORY!r}); import proxy.sandbox.zygote;"
        "print([name for name in ('asyncio', 'socket', 'subprocess', 'dataclasses', 'inspect', 'logging', 'site', 'orjson')"  # noqa: E501
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True, env={}
    )
    assert done.stdout.strip() == "[]"
