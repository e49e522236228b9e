"""Executor owns three short top-level names; it is an application with an environment of its own."""

import subprocess
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMES = {"proxy", "policies", "integrations", "executor_proxy"}


def test_no_other_distribution_owns_our_names() -> None:
    owners = {
        distribution.metadata["Name"]
        for distribution in metadata.distributions()
        for file in distribution.files or ()
        if file.parts[0].removesuffix(".py") in NAMES
    }
    assert owners <= {"executor-proxy"}


def test_the_command_is_installed() -> None:
    for name in ("executor", "executor-proxy"):
        scripts = metadata.entry_points(group="console_scripts", name=name)
        assert {script.value for script in scripts} == {"executor_proxy.__main__:main"}


def test_every_lock_line_is_a_pinned_version() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert lines
    assert all(line.count("==") == 1 and "/" not in line for line in lines)


def test_make_describes_every_public_target() -> None:
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    ).stdout
    for target in ("install", "run", "test", "check", "bench", "specs", "lock", "clean"):
        assert f"make {target} " in listed


def test_ci_runs_make_check() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().endswith("exec make check\n")
