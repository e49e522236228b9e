import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.auth import hash_key
from proxy.cli import main

KEY = "exk_key-of-ci-0123456789"
CONFIG = f"""\
version: 1
workspaces: {{ws_platform: {{name: Platform}}, ws_support: {{name: Support}}}}
auth:
  api_keys:
    keys:
      ci_bot:
        hash: sha256:{hash_key(KEY)}
        workspace: ws_platform
        groups: [ci]
        expires: 2999-06-30
      old_bot: {{hash: "sha256:{hash_key("old")}", workspace: ws_platform, expires: 2020-01-01}}
      clock_bot:
        hash: sha256:{hash_key("clock")}
        workspace: ws_platform
        expires: "2999-06-30T12:00:00Z"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "executor.yaml"
    path.write_text(CONFIG)
    return str(path)


def verify(config: str, text: str, *more: str) -> tuple[int, str, str]:
    """In a process of its own: the key goes in by stdin."""
    code = "from proxy.cli import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "keys", "verify", "--config", config, *more],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_create_prints_the_key_on_stdout_and_the_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["keys", "create", "ci_bot", "--workspace", "ws", "--group", "ci", "--expires", "2999-06-30"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out.startswith("exk_")
    assert out.count("\n") == 1
    assert f"hash: sha256:{hash_key(out.strip())}" in err
    assert out.strip() not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ci-bot", "--workspace", "ws"], "`ci-bot` is not a name"),
        (["ci", "--workspace", "ws", "--expires", "soon"], "expected YYYY-MM-DD"),
        (["ci", "--workspace", "ws", "--expires", "2020-01-01"], "is in the past"),
    ],
)
def test_create_refuses_what_the_config_would(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_verify_says_whose_key_it_is(config: str) -> None:
    code, out, _ = verify(config, f"{KEY}\n")
    assert code == 0
    assert out.startswith("valid: ci_bot, workspace ws_platform, groups ci, expires 2999-06-30 (")
    assert out.endswith("executor.yaml:6)\n")


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("nonsense", (), "unknown"),
        ("old", (), "expired"),
        (KEY, ("--workspace", "ws_support"), "wrong workspace"),
    ],
)
def test_verify_says_no_more_than_needed(
    config: str, text: str, more: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert main(["keys", "verify", "--config", config, *more]) == 1
    assert capsys.readouterr().out == f"{said}\n"


def test_a_time_is_printed_as_a_time(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("clock"))
    assert main(["keys", "verify", "--config", config, "--workspace", "ws_platform"]) == 0
    assert "expires 2999-06-30T12:00:00+00:00 (" in capsys.readouterr().out


def test_verify_without_a_key_or_config_cannot_run(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert main(["keys", "verify", "--config", config]) == 2
    assert "no key on stdin" in capsys.readouterr().err
    Path(config).write_text("version: 2\n")
    assert main(["keys", "verify", "--config", config]) == 78
    assert "executor validate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words", "workspace"),
    [
        ("version: 1\n", [], "default"),
        ("version: 1\n", ["--workspace", "default"], "default"),
        (CONFIG, [], "ws_platform"),
        (CONFIG, ["--workspace", "ws_support"], "ws_support"),
        ("version: [\n", [], "default"),
        ("version: [\n", ["--workspace", "later"], "later"),
    ],
)
def test_a_key_is_made_for_the_workspace_that_keys_have_by_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str], workspace: str
) -> None:
    path = tmp_path / "executor.yaml"
    path.write_text(text)
    assert main(["keys", "create", "bot", "--config", str(path), *words, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["account"], made["workspace"]) == ("key:bot", workspace)
    assert f"hash: sha256:{hash_key(made['key'])}" in made["config"]
    assert f"workspace: {workspace}" in made["config"]


def test_a_workspace_that_is_not_there_is_refused(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "bot", "--config", config, "--workspace", "nope"]) == 2
    assert "there is no workspace `nope`; there are: ws_platform, ws_support" in capsys.readouterr().err


def test_without_a_config_it_is_said_which_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["keys", "create", "bot"]) == 0
    assert "# no valid config was found, so the workspace is `default`" in capsys.readouterr().err


def test_verifying_as_json(config: str) -> None:
    code, out, _ = verify(config, KEY, "--json")
    assert (code, json.loads(out)["valid"]) == (0, True)
    code, out, _ = verify(config, "nobody", "--json")
    assert (code, json.loads(out)) == (1, {"valid": False, "verdict": "unknown"})
