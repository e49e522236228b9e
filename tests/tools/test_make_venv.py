"""`make install` must say what is missing instead of failing somewhere in pip."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools" / "make_venv.sh"


def make_venv(directory: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), str(directory)],
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_unfit_python_is_refused_with_a_remedy(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = make_venv(tmp_path / "venv", str(old))
    assert result.returncode == 1
    assert "No Python 3.11, 3.12 or 3.13 found" in result.stderr
    assert "make install PYTHON=" in result.stderr


def test_a_python_without_venv_is_explained(tmp_path: Path) -> None:
    """Debian's python3 fits, but has no `ensurepip` until python3-venv is installed."""
    bare = tmp_path / "python3"
    bare.write_text(
        '#!/bin/sh\n[ "$1" = -m ] && exit 1\n[ "$1" = --version ] && echo Python 3.11.2\nexit 0\n'
    )
    bare.chmod(0o755)
    result = make_venv(tmp_path / "venv", str(bare))
    assert result.returncode == 1
    assert "apt-get install python3-venv" in result.stderr
    assert not (tmp_path / "venv").exists()
