"""How a machine without a browser comes by one. The programs it calls are scripts of this test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "get_chromium.sh"
NEEDED = ("sh", "mktemp", "rm", "timeout", "tail", "cat", "chmod")
# Installing succeeds only after the lists were fetched, as in a fresh container.
APT = """#!/bin/sh
echo "$*" >> "$0.said"
case "$*" in
*update*) : > "$0.lists" ;;
*install*) test -e "$0.lists" || exit 100; printf '#!/bin/sh\\n' > "${0%/*}/chromium"; chmod +x "${0%/*}/chromium" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A directory with all programs that there are."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        if found is not None:
            (programs / name).symlink_to(found)
    return programs


def program(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(0o755)


def run(machine: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(machine / "sh"), str(SCRIPT), str(machine.parent / "venv")],
        env={"PATH": str(machine), **env},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_browser_on_the_path_is_enough_and_nothing_is_said(machine: Path) -> None:
    program(machine / "chromium-browser", "#!/bin/sh\n")
    done = run(machine)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_root_asks_apt_and_fetches_the_lists_when_they_are_missing(machine: Path) -> None:
    program(machine / "id", "#!/bin/sh\necho 0\n")
    program(machine / "apt-get", APT)
    assert run(machine).returncode == 0
    said = (machine / "apt-get.said").read_text().splitlines()
    assert [line.split()[-1] for line in said] == ["chromium", "update", "chromium"]
    assert all("--no-install-recommends" in line for line in said if "install" in line)
    assert run(machine).stdout == ""


@pytest.mark.parametrize("who", ["0", "1000"])
def test_else_playwright_fetches_its_own(machine: Path, who: str) -> None:
    program(machine / "id", f"#!/bin/sh\necho {who}\n")
    program(machine / "apt-get", "#!/bin/sh\nexit 1\n")
    program(machine.parent / "venv" / "bin" / "python", '#!/bin/sh\necho "$*" > "$0.said"\n')
    assert run(machine).returncode == 0
    said = (machine.parent / "venv" / "bin" / "python.said").read_text()
    assert said == "-m playwright install --only-shell chromium\n"


def test_when_all_fails_it_says_what_to_do(machine: Path) -> None:
    program(machine / "id", "#!/bin/sh\necho 1000\n")
    done = run(machine)
    assert done.returncode == 1
    assert "EXECUTOR_TEST_BROWSER=" in done.stderr


def test_a_wrong_name_is_told_and_not_replaced(machine: Path) -> None:
    program(machine / "chromium", "#!/bin/sh\n")
    done = run(machine, EXECUTOR_TEST_BROWSER="/nowhere/chrome")
    assert (done.returncode, "/nowhere/chrome" in done.stderr) == (1, True)
