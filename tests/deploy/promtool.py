"""Where promtool is: EXECUTOR_PROMTOOL, else on PATH, else where tools/get_promtool.sh unpacks it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

OURS = Path(__file__).parents[2] / ".venv" / "promtool" / "usr" / "bin" / "promtool"


def promtool() -> str | None:
    """None when this machine has none."""
    named = os.environ.get("EXECUTOR_PROMTOOL") or shutil.which("promtool")
    return named or (str(OURS) if OURS.exists() else None)
