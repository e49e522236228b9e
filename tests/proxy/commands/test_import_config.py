"""`executor import`: a new config, names for its secrets, and a list of what is not in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.config import load_config
from tests.proxy.commands.running import Run

SERVERS = {
    "files": {
        "command": "npx",
        "args": ["-y", "files"],
        "env": {"FILES_TOKEN": "canary-21"},
        "alwaysAllow": ["a"],
    },
    "plain": {"url": "http://mcp.example.com/mcp", "headers": {"Authorization": "Bearer canary-22"}},
}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": SERVERS}))
    return "mcp.json"


def test_the_result_validates_and_names_what_it_needs(run: Run, source: str, tmp_path: Path) -> None:
    ran = run("import", source)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[:2] == ["wrote executor.yaml: files", "wrote executor.schema.json (for editors)"]
    assert lines[2].startswith("needs  FILES_TOKEN")
    assert "left   mcpServers.files.alwaysAllow: write a policy" in ran.out
    assert "left   plain: left out, E502: `url`" in ran.out
    loaded = load_config([tmp_path / "executor.yaml"], env=None)
    assert loaded.diagnostics == ()
    assert "canary" not in ran.out + (tmp_path / "executor.yaml").read_text()


def test_it_never_overwrites(run: Run, source: str, tmp_path: Path) -> None:
    (tmp_path / "executor.yaml").write_text("version: 1\n")
    ran = run("import", source)
    assert ran.code == 2
    assert "is there already; add to it: executor init --from mcp.json --config executor.yaml" in ran.err
    assert (tmp_path / "executor.yaml").read_text() == "version: 1\n"
    assert run("import", source, "--out", "other.yaml").code == 0


def test_printed(run: Run, source: str, tmp_path: Path) -> None:
    ran = run("import", source, "--out", "-")
    assert ran.code == 0
    assert "\n  files.org.main: {}\n" in ran.out
    assert "needs  FILES_TOKEN" in ran.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mcp.json"]
    assert run("import", source, "--out", "-", "--json").code == 2


def test_nothing_to_carry_over(run: Run, source: str, tmp_path: Path) -> None:
    (tmp_path / source).write_text(json.dumps({"mcpServers": {"plain": SERVERS["plain"]}}))
    ran = run("import", source)
    assert ran.code == 1
    assert ran.out.startswith("nothing was written\nleft   plain: left out")
    assert not (tmp_path / "executor.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.json", "--out", "b.yaml"], "none.json: no such file or directory"),
        (["mcp.json", "--out", "none/x.yaml"], "none/x.yaml: no such file or directory"),
        (["executor.yaml", "--out", "b.yaml"], "is a config of Executor already"),
    ],
)
def test_what_cannot_run(run: Run, source: str, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "executor.yaml").write_text("version: 1\nintegrations: {}\n")
    ran = run("import", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
