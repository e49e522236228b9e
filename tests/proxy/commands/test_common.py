"""What commands share."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from proxy.cli import build_parser
from proxy.commands.common import (
    EXIT_CANNOT_RUN,
    CannotRun,
    cannot_run,
    config_paths,
    load_valid,
    print_json,
)
from tests.proxy.support import config_text, written


@pytest.mark.parametrize("command", ["tools", "approvals", "executions"])
def test_what_lists_is_called_list_and_ls(command: str) -> None:
    parser, _ = build_parser(command)
    actions = {parser.parse_args([command, name]).action for name in ("ls", "list")}
    assert len(actions) == 1


def test_given_paths_are_taken(tmp_path: Path) -> None:
    one, two = written(tmp_path, "version: 1\n", "a.yaml"), written(tmp_path, "version: 1\n", "b.yaml")
    assert config_paths([str(one), str(two), str(tmp_path)]) == [one, two, tmp_path]


@pytest.mark.parametrize("name", ["executor.yaml", "executor.yml"])
def test_the_default_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "version: 1\n", name)
    assert config_paths(None, tmp_path) == [tmp_path / name]
    monkeypatch.chdir(tmp_path)
    assert config_paths(None) == [Path(name)]


def test_one_default_file_is_enough(tmp_path: Path) -> None:
    for name in ("executor.yml", "executor.yaml"):
        written(tmp_path, "version: 1\n", name)
    assert config_paths([], tmp_path) == [tmp_path / "executor.yaml"]


def test_without_a_file_the_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="name one with --config PATH") as caught:
        config_paths(None, tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("path", "why"), [("-", "name a file or a directory"), ("none.yaml", "no such file or directory")]
)
def test_paths_that_cannot_be_loaded(path: str, why: str) -> None:
    with pytest.raises(CannotRun, match=why):
        config_paths([path])


def test_a_link_to_nowhere_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "executor.yaml").symlink_to("executor.yaml")
    with pytest.raises(CannotRun, match=r"executor\.yaml: a symbolic link that leads nowhere"):
        config_paths([str(tmp_path / "executor.yaml")])


def test_an_invalid_config_is_explained_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, config_text(more="polices: []\n"))
    assert load_valid([path], {}) is None
    out, err = capsys.readouterr()
    assert out == ""
    assert "E201" in err
    assert "did you mean `policies`?" in err
    assert f"{path}:9:1" in err
    assert "\x1b" not in err


def test_the_environment_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, config_text(connection="{auth: {kind: bearer, token: {env: COMMON_T}}}"))
    assert load_valid([path], {}) is None
    assert "COMMON_T is not set" in capsys.readouterr().err
    monkeypatch.setitem(os.environ, "COMMON_T", "x")
    loaded = load_valid([path])
    assert loaded is not None
    assert loaded.config is not None


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1, Path("x")]})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": [1, "x"]}
    assert out.endswith("}\n")


@pytest.mark.parametrize(
    ("error", "help_", "said"),
    [
        (CannotRun("no config"), None, "no config"),
        (CannotRun("no config"), "write one", "no config; write one"),
        (OSError(98, "the port is taken"), None, "the port is taken"),
        (FileNotFoundError(2, "No such file", "x.yaml"), None, "[Errno 2] No such file: 'x.yaml'"),
    ],
)
def test_cannot_run(
    error: Exception, help_: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cannot_run(error, help_) == EXIT_CANNOT_RUN
    assert capsys.readouterr().err == f"executor: {said}\n"
