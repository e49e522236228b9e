import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.commands import validate
from tests.proxy.config.texts import API

ROOT = Path(__file__).parents[3]
SECRET = API.replace("{}\n", "{auth: {kind: bearer, token: {env: VALIDATE_T}}}\n")


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    validate.add_parser(parser.add_subparsers())
    return validate.run(parser.parse_args(["validate", *words]))


def written(folder: Path, text: str) -> str:
    file = folder / "executor.yaml"
    file.write_text(text)
    return str(file)


def test_a_valid_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(written(tmp_path, API)) == 0
    assert capsys.readouterr().out.startswith("ok: 1 file, 1 integration, 1 connection, 0 policies")


def test_paths_are_also_named_as_for_other_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # recipe 23
    file = written(tmp_path, API)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "policies.yaml").write_text("policies: [{pattern: api.*, action: block}]\n")
    assert run("--config", file, "--config", str(tmp_path / "more")) == 0
    assert run(file, "--config", str(tmp_path / "more")) == 0
    assert capsys.readouterr().out.count("ok: 2 files, 1 integration, 1 connection, 1 policy") == 2


def test_findings_are_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(written(tmp_path, "version: 1\nserver: {listen: 8080}\n"), "--format", "concise") == 1
    assert "executor.yaml:2:18" in capsys.readouterr().out


def test_warnings_fail_only_when_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, API + 'policies: [{pattern: "*", action: approve}]\n')
    assert run(file) == 0
    assert run(file, "--strict") == 1
    assert "W604" in capsys.readouterr().out


def test_a_lock_that_is_missing_or_broken_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, API + "lock: {mode: enforce}\n")
    assert run(file, "--format", "concise") == 1
    assert "executor.yaml:8:1 E702" in capsys.readouterr().out
    (tmp_path / "executor.lock").write_text('{\n"version": 2}\n')
    assert run(file, "--format", "concise") == 1
    assert capsys.readouterr().out.count("executor.lock:1:1 E206") == 1
    assert run(file, "--online", "--format", "concise") == 1
    assert capsys.readouterr().out.count("executor.lock:1:1 ") == 1
    assert run(written(tmp_path, API + "lock: {mode: 'off'}\n")) == 0


def test_what_cannot_run_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path / "none.yaml")) == 2
    assert run(written(tmp_path, API), "--env-file", str(tmp_path / "none")) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("executor: ") == 2


@pytest.mark.parametrize("fmt", validate.FORMATS)
def test_every_format_knows_errors(tmp_path: Path, fmt: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(written(tmp_path, "version: 2\n"), "--format", fmt) == 1
    assert "E204" in capsys.readouterr().out


def test_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, SECRET)
    names = tmp_path / "names"
    names.write_text("VALIDATE_T\n")
    assert run(file) == 1
    assert run(file, "--no-env") == 0
    assert run(file, "--env-file", str(names)) == 0
    names.write_text("OTHER=1\n")
    assert run(file, "--env-file", str(names)) == 1
    assert "VALIDATE_T is not set" in capsys.readouterr().out


def test_list_env(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, SECRET)
    assert run(file, "--list-env") == 0
    _, first, *rest = capsys.readouterr().out.splitlines()
    assert first.split() == [
        "VALIDATE_T",
        "secret",
        "unset",
        "connections.api.org.main.auth.token",
        f"{file}:7",
    ]
    assert any(line.startswith("MCP_API_KEY_SECRET") for line in rest)
    assert run(file, "--list-env", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["used_by"] == "connections.api.org.main.auth.token"
    assert run(written(tmp_path, "version: 3\n"), "--list-env") == 1


def command(*words: str, stdin: bytes | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    code = "import sys; from proxy.commands import validate; import argparse; p = argparse.ArgumentParser(); "
    code += "validate.add_parser(p.add_subparsers()); r = validate.run(p.parse_args(['validate', *sys.argv[1:]])); "
    code += "heavy = {'mcp', 'quart', 'dukpy', 'httpx2', 'jsonschema'} & set(sys.modules); "
    code += "assert not heavy, heavy; sys.exit(r)"
    return subprocess.run(
        [sys.executable, "-c", code, *words], input=stdin, capture_output=True, cwd=cwd, check=False
    )


def test_stdin(tmp_path: Path) -> None:
    assert command("-", stdin=API.encode()).returncode == 0
    failed = command("-", "--format", "concise", stdin=b"version: 2\n")
    assert failed.returncode == 1
    assert b"<stdin>:1:10" in failed.stdout


def test_the_default_is_the_file_of_the_working_directory(tmp_path: Path) -> None:
    missing = command(cwd=tmp_path)
    assert missing.returncode == 2
    assert b"no executor.yaml here" in missing.stderr
    written(tmp_path, API)
    assert command(cwd=tmp_path).returncode == 0


def test_the_example_validates_without_heavy_imports() -> None:
    found = command("--no-env", "executor.yaml.example")
    assert found.returncode == 0, found.stderr
    assert b"ok: 1 file, 5 integrations" in found.stdout


def test_rules_that_match_no_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # recipe 13
    operation = {"operationId": "hello", "tags": ["t"], "responses": {"200": {"description": "ok"}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {"get": operation}},
    }
    (tmp_path / "api.json").write_text(json.dumps(document))
    text = API.replace("{url: https://api.example.com/openapi.json}", "{file: api.json}")
    rules = ("api.org.main.hello", "api.*.*.t.get*", "api.*.*.t.nope")
    text += "policies:\n" + "".join(f"  - {{pattern: {one}, action: block}}\n" for one in rules)
    file = written(tmp_path, text)
    assert run(file, "--format", "concise") == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.endswith(
        ":9:15 W609 rule `policies[0]` matches no tool (did you mean `api.org.main.t.hello`?)"
    )
    assert [line.partition(" W609 ")[2] for line in others[:2]] == [
        f"rule `policies[{index}]` matches no tool (there are: t.hello)" for index in (1, 2)
    ]
    assert others[2].startswith("0 errors, 3 warnings in 1 file")
    assert run(file, "--strict") == 1
    (tmp_path / "api.json").write_text('{"openapi": "9.0"}')
    assert run(file) == 1
    assert "error[E206]: `spec`: api.json: " in capsys.readouterr().out


def test_what_is_not_checked_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, API + "policies: [{pattern: api.*.*.get, action: block}]\n")
    assert run(file) == 0
    shown = capsys.readouterr().out.splitlines()[0]
    assert shown == "not checked: patterns that may match api.org.main (its document is fetched at the start)"
    assert run(file, "--format", "json") == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert summary["not_checked"] == {"api.org.main": "its document is fetched at the start"}
