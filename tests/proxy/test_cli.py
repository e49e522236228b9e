"""The command table: help, exit codes, and what is not imported."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from proxy.cli import COMMANDS, main, whole_parser
from proxy.commands.completion import actions_of
from tests.proxy.support import config_text, written

ROOT = Path(__file__).parents[2]
NAMES = [command.name for command in COMMANDS]
HEAVY = (
    "mcp",
    "quart",
    "hypercorn",
    "dukpy",
    "quickjs_rs",
    "httpx2",
    "httpcore2",
    "jsonschema",
    "watchfiles",
)
RUN = "from proxy.cli import main; raise SystemExit(main())"


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(helped(capsys).split())
    assert [command.name for command in COMMANDS if f" {command.name} {command.help}" not in words] == []


@pytest.mark.parametrize("name", NAMES)
def test_help_starts_nothing_and_lists_exit_codes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXECUTOR_STATE_DIR", str(tmp_path / "state"))
    text = helped(capsys, name)
    assert text.startswith(f"usage: executor {name} ")
    assert "Exit codes: 0 " in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("action", ["list", "search", "describe", "sources"])
def test_actions_list_exit_codes_too(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Exit codes: 0 " in helped(capsys, "tools", action)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for one in actions_of(parser).values():
        yield from parsers(one)


@pytest.mark.parametrize("columns", [40, 60, 72, 80])
def test_every_help_has_exit_codes_and_fits_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    every = list(parsers(whole_parser()))
    assert len(every) > 30
    for parser in every[1:]:
        assert parser.epilog is not None
        assert "Exit codes: 0 " in parser.epilog, parser.prog
    texts = [(one.prog, text) for one in every for text in (one.format_help(), one.format_usage())]
    assert [(name, line) for name, text in texts for line in text.splitlines() if len(line) > columns] == []


# Servers, whose output is not an answer, and the two whose output is a file for one program.
WITHOUT_JSON = {"serve", "mcp", "demo", "schema", "completion"}


def test_what_answers_also_answers_in_json() -> None:
    leaves = [one for one in parsers(whole_parser()) if not actions_of(one)]
    lacking = {one.prog.removeprefix("executor ") for one in leaves if "--json" not in one.format_help()}
    assert lacking == WITHOUT_JSON


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["serv"], ["--colour"], ["validate", "--colour"]])
def test_usage_errors_are_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: executor" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["diff"], ["diff", "a", "b", "--fail-on", "x"], ["diff", "a", "b", "--colour"]]
)
def test_wrong_usage_is_no_answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Where 2 says that there are changes."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 1
    assert "usage: executor diff" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"executor {metadata.version('executor-proxy')}\n"


def imported_by(folder: Path, *words: str) -> set[str]:
    """The modules that a process has imported when the command is done."""
    code = "import sys; from proxy.cli import main; code = main(); print(*sys.modules, sep='\\n'); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, "EXECUTOR_STATE_DIR": str(folder / "state")},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


def test_validate_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    """The time of a start is the time of its imports. Documents in local files are read as `serve` reads them."""
    config = config_text("{url: https://shop.example/openapi.json}")
    modules = imported_by(tmp_path, "validate", "--no-env", str(written(tmp_path, config)))
    assert "proxy.commands.validate" in modules
    assert [name for name in HEAVY if name in modules] == []
    assert not [name for name in modules if name.startswith(("proxy.app.", "proxy.serving", "proxy.sandbox"))]


def test_only_the_chosen_command_is_imported(tmp_path: Path) -> None:
    modules = imported_by(tmp_path, "schema")
    assert {name for name in modules if name.startswith("proxy.commands.")} <= {
        "proxy.commands.schema",
        "proxy.commands.common",
        # What every command stands on.
        "proxy.commands.help_text",
        "proxy.commands.streams",
    }


def test_reading_tools_needs_no_server(tmp_path: Path) -> None:
    modules = imported_by(tmp_path, "tools", "list", "--config", str(written(tmp_path, config_text())))
    server = ("quart", "hypercorn", "dukpy", "quickjs_rs")
    assert [name for name in server if name in modules] == []


class Interrupted(io.StringIO):
    """Standard input at which somebody presses Ctrl-C."""

    def read(self, size: int | None = -1, /) -> str:
        raise KeyboardInterrupt


def test_ctrl_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Interrupted())
    assert main(["call", "shop.org.main.items.list", "-"]) == 130


def test_a_reader_that_leaves_is_exit_code_141() -> None:
    """`executor schema | head -1`: no traceback for a pipe that was closed."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-c", RUN, "schema"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            cwd=ROOT,
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_what_is_logged_in_a_command_is_more_than_the_name_of_an_event(tmp_path: Path) -> None:
    config = {
        "version": 1,
        "integrations": {
            "gone": {"kind": "mcp", "type": "local", "command": [sys.executable, "-c", "exit(3)"]}
        },
        "connections": {"gone.org.main": {}},
    }
    (tmp_path / "executor.yaml").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "tools", "list", "--config", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        env={**os.environ, "EXECUTOR_STATE_DIR": str(tmp_path)},
    )  # fmt: skip
    (line, *_) = [one for one in done.stderr.splitlines() if "mcp_ended" in one]
    assert "connection=gone.org.main" in line
    assert "exited with code 3" in line
