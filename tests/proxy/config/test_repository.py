"""Where code hosts look for a file, for each of the ways to know the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.config.diagnostic import Diagnostic, Related
from proxy.config.repository import relative_to_repository


def found(file: str) -> Diagnostic:
    other = Related("first", file, 1, 1, 1, 2)
    return Diagnostic(code="E103", severity="error", message="m", file=file, related=(other,))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "repo" / "deploy").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repo" / "deploy")
    return tmp_path / "repo"


def shown(file: str | Path, **env: str) -> str:
    one = relative_to_repository(found(str(file)), env)
    assert one.related[0].file == one.file
    return one.file


@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"])
def test_the_variables_of_code_hosts_name_the_root(repository: Path, variable: str) -> None:
    for file in ("a.yaml", "./a.yaml", "../deploy/a.yaml", repository / "deploy" / "a.yaml"):
        assert shown(file, **{variable: str(repository)}) == "deploy/a.yaml"


@pytest.mark.parametrize("kind", ["clone", "worktree"])
def test_else_it_is_the_root_of_git(repository: Path, kind: str) -> None:
    (repository / ".git").mkdir() if kind == "clone" else (repository / ".git").touch()
    assert shown("a.yaml") == "deploy/a.yaml"
    assert shown("a.yaml", GITHUB_WORKSPACE="/elsewhere") == "deploy/a.yaml"


def test_a_root_behind_a_link_is_the_same_root(repository: Path) -> None:
    link = repository.parent / "link"
    link.symlink_to(repository)
    assert shown("a.yaml", GITHUB_WORKSPACE=str(link)) == "deploy/a.yaml"
    assert shown(link / "deploy" / "a.yaml", CI_PROJECT_DIR=str(repository)) == "deploy/a.yaml"


def test_a_file_that_is_a_link_keeps_its_own_name(repository: Path) -> None:
    (repository / "a.yaml").symlink_to("/etc/hostname")
    assert shown("../a.yaml", GITHUB_WORKSPACE=str(repository)) == "a.yaml"


def test_outside_of_a_repository_no_path_is_absolute(repository: Path) -> None:
    assert shown("a.yaml") == "a.yaml"
    assert not os.path.isabs(shown("/etc/executor.yaml", GITHUB_WORKSPACE=str(repository)))
    assert shown("<stdin>", GITHUB_WORKSPACE=str(repository)) == "<stdin>"
