"""The kit for CI: the script that every host runs, in a repository with two branches, and the files of the hosts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.proxy.support import shop

ROOT = Path(__file__).parents[2]
KIT = ROOT / "examples" / "ci"
CONFIG = """\
version: 1
integrations:
  shop: {kind: openapi, spec: {file: shop.json}}
connections:
  shop.org.main: {}
policies:
  - {id: no-deletes, pattern: shop.*.*.items.delete, action: ACTION}
"""
TESTS = """\
tests:
  - {name: nobody deletes, tool: shop.org.main.items.delete, arguments: {id: "1"}, expect: {action: block}}
"""


def run(words: Sequence[str | Path], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A command with `executor` of this repository on its path, as after `pip install`."""
    path = f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "CI_"))}
    environment = {**clean, "PATH": path, "GIT_CONFIG_GLOBAL": "/dev/null", **env}
    return subprocess.run(
        list(map(str, words)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def git(folder: Path, *words: str) -> str:
    ran = run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words], folder)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """On `main` deletes are blocked, which a test expects; on the branch `wider` they are approved."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "executor").write_text(f'#!/bin/sh\nexec {sys.executable} -m proxy "$@"\n')
    (commands / "executor").chmod(0o755)
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "shop.json").write_text(json.dumps(shop()))
    (folder / "executor.yaml").write_text(CONFIG.replace("ACTION", "block"))
    (folder / "policies.test.yaml").write_text(TESTS)
    shutil.copy(KIT / "review.sh", folder / "review.sh")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    git(folder, "checkout", "-qb", "wider")
    (folder / "executor.yaml").write_text(CONFIG.replace("ACTION", "approve"))
    git(folder, "commit", "-qam", "wider")
    return folder


def review(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run(["./review.sh", "executor.yaml", *words], folder, PYTHONPATH=str(ROOT), **env)


def test_a_review_passes_on_main_and_fails_where_a_test_does(repository: Path) -> None:
    ran = review(repository)
    assert ran.returncode == 1, ran.stderr
    assert "FAIL nobody deletes" in ran.stdout
    git(repository, "checkout", "-q", "main")
    ran = review(repository)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert "1 passed, 0 failed" in ran.stdout
    (repository / "executor.yaml").write_text(CONFIG)
    ran = review(repository, FORMAT="github")
    # The worst of all steps: a config that cannot be read is no test run.
    assert ran.returncode == 2
    assert "::error file=executor.yaml,line=7," in ran.stdout


def test_the_lock_is_checked_where_there_is_one(repository: Path) -> None:
    git(repository, "checkout", "-q", "main")
    locked = run(["executor", "lock", "--yes"], repository, PYTHONPATH=str(ROOT))
    assert locked.returncode == 0, locked.stderr
    ran = review(repository)
    assert (ran.returncode, "no drift" in ran.stdout) == (0, True), ran.stdout
    text = (repository / "shop.json").read_text().replace("List items", "List items and tell nobody")
    (repository / "shop.json").write_text(text)
    ran = review(repository)
    assert ran.returncode == 1
    assert "drift: 1 changed" in ran.stdout


def read(name: str) -> Any:
    return yaml.safe_load((KIT / name).read_text())


def test_the_hooks_are_hooks_and_their_commands_run(repository: Path) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["executor-validate", "executor-test"]
    for hook in hooks:
        assert hook.keys() == {"id", "name", "description", "entry", "language", "pass_filenames", "types_or"}
    git(repository, "checkout", "-q", "main")
    for hook in hooks:
        ran = run(hook["entry"].split(), repository, PYTHONPATH=str(ROOT))
        assert ran.returncode == 0, (hook["id"], ran.stdout, ran.stderr)
    git(repository, "checkout", "-q", "wider")
    codes = [run(hook["entry"].split(), repository, PYTHONPATH=str(ROOT)).returncode for hook in hooks]
    assert codes == [0, 1]


def test_the_files_of_the_hosts_are_of_their_kind() -> None:
    action = read("github/action.yml")
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "uses" in step or step["shell"] == "bash"
        # What a pull request brings along never becomes a part of a script: it is in variables.
        assert "${{" not in step.get("run", "")
    workflow = read("github/workflow.yml")
    # YAML 1.1 reads `on` as true.
    assert "pull_request" in workflow[True]
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    used = workflow["jobs"]["review"]["steps"][-1]
    assert set(used["with"]) <= set(action["inputs"])
    job = read("gitlab/review.yml")["executor-review"]
    assert set(job) <= {"image", "rules", "variables", "before_script", "script", "artifacts"}
    assert set(job["artifacts"]["reports"]) == {"codequality", "junit"}
    for script in (KIT / "github" / "comment.sh", KIT / "review.sh", KIT / "check.sh", KIT / "release.sh"):
        assert run(["sh", "-n", script], ROOT).returncode == 0
        assert os.access(script, os.X_OK)
    text = (KIT / "review.sh").read_text()
    for command in re.findall(r"executor (\w+)", text):
        assert command in ("validate", "test", "lock", "diff")
