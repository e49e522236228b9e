"""The command that runs this program, as another terminal on this machine can type it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def own_command() -> str:
    """One or more shell words. `executor` where the shell would find this very program under that name, else its full
    path; `python -m` and the package where no such script started it."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py" or not os.access(script, os.X_OK):
        package = "proxy" if script.parent.name == "proxy" else "executor_proxy"
        return f"{shlex.quote(sys.executable)} -m {package}"
    found = shutil.which(script.name)
    if found is not None and os.path.samefile(found, script):
        return script.name
    return shlex.quote(str(script.absolute()))
