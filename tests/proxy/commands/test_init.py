"""`executor init`: a file that validates and serves, and entries in a file that somebody wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.authoring.sources import NEED_BASE_URL, PRESET_AUTH
from proxy.config import load_config
from proxy.config.bundled import PRESETS
from tests.proxy.commands.running import Ran, Run
from tests.proxy.support import shop

WRITTEN_BY_HAND = """\
# Ours. Do not reformat.
version: 1   # the language
integrations:
    shop: {kind: mcp, type: local, command: [shop]}   # the shop

    # nothing below
connections:
    shop.org.main: {}
"""


@pytest.fixture
def init(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return run


def valid(folder: Path) -> None:
    loaded = load_config([folder / "executor.yaml"], env=None)
    assert loaded.config is not None, loaded.diagnostics
    assert loaded.diagnostics == ()


def text_of(folder: Path) -> str:
    return (folder / "executor.yaml").read_text()


def test_an_empty_directory(init: Run, tmp_path: Path) -> None:
    ran = init("init")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == "wrote executor.yaml"
    text = text_of(tmp_path)
    assert text.startswith("# yaml-language-server: $schema=./executor.schema.json\n")
    assert json.loads((tmp_path / "executor.schema.json").read_text())["properties"]["version"]
    for said in ("npx add-mcp", "github.org.main:", "executor init", "policies:", "executor keys create"):
        assert said in text
    valid(tmp_path)
    assert init("validate", "--strict").code == 0


def test_a_second_time_it_refuses_and_says_what_would_add(init: Run, tmp_path: Path) -> None:
    init("init")
    before = text_of(tmp_path)
    ran = init("init")
    assert ran.code == 2
    assert "executor.yaml is there already; add to it with --preset" in ran.err
    assert text_of(tmp_path) == before


@pytest.mark.parametrize("preset", PRESETS.names())
def test_every_preset_with_its_connection(init: Run, tmp_path: Path, preset: str) -> None:
    more = ("--base-url", "https://own.example.com") if preset in NEED_BASE_URL else ()
    ran = init("init", "--preset", preset, *more)
    assert ran.code == 0, ran
    valid(tmp_path)
    assert f"\n  {preset}: {{preset: {preset}" in text_of(tmp_path)
    assert f"\n  {preset}.org.main: {{auth: " in text_of(tmp_path)
    assert "needs  " in ran.out


def test_presets_with_another_auth_are_presets() -> None:
    assert set(PRESET_AUTH) | NEED_BASE_URL <= set(PRESETS.names())


def test_every_byte_of_the_file_stays(init: Run, tmp_path: Path) -> None:
    (tmp_path / "executor.yaml").write_text(WRITTEN_BY_HAND)
    (tmp_path / "executor.yaml").chmod(0o640)
    assert init("init", "--preset", "github").code == 0
    assert init("init", "--mcp", "npx -y @modelcontextprotocol/server-filesystem@1.2 /data").code == 0
    assert init("init", "--graphql", "https://api.linear.app/graphql", "--no-auth").code == 0
    left = iter(text_of(tmp_path).splitlines())
    assert all(line in left for line in WRITTEN_BY_HAND.splitlines())
    assert "    github: {preset: github}\n    filesystem:\n      kind: mcp\n" in text_of(tmp_path)
    assert (tmp_path / "executor.yaml").stat().st_mode & 0o777 == 0o640
    valid(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["executor.yaml"]


def test_a_link_stays_a_link(init: Run, tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("version: 1\n")
    (tmp_path / "executor.yaml").symlink_to("real.txt")
    assert init("init", "--preset", "github").code == 0
    assert (tmp_path / "executor.yaml").is_symlink()
    assert "preset: github" in (tmp_path / "real.txt").read_text()


@pytest.mark.parametrize(
    ("words", "entry", "connection"),
    [
        (["--openapi", "shop.json"], "shop: {kind: openapi, spec: {file: shop.json}}", "shop.org.main: {}"),
        (
            ["--openapi", "keyed.json", "--name", "k"],
            "k: {kind: openapi, spec: {file: keyed.json}}",
            "k.org.main: {auth: {kind: header, name: X-Key, value: {env: K_TOKEN}}}",
        ),
        (
            ["--openapi", "https://api.example.com/openapi.json"],
            'example: {kind: openapi, spec: {url: "https://api.example.com/openapi.json"}}',
            "example.org.main: {auth: {kind: bearer, token: {env: EXAMPLE_TOKEN}}}",
        ),
        (
            ["--graphql", "https://api.linear.app/graphql"],
            'linear: {kind: graphql, endpoint: "https://api.linear.app/graphql"}',
            "linear.org.main: {auth: {kind: bearer, token: {env: LINEAR_TOKEN}}}",
        ),
        (["--mcp", "uvx mcp-server-git -r ."], "command: [uvx, mcp-server-git, -r, .]", "git.org.main: {}"),
        (["--mcp", "docker run -i --rm ghcr.io/acme/notes-mcp:1.0"], "command: [docker, run", "notes.org.main: {}"),
        (["--mcp", "python notes.py"], "command: [python, notes.py]", "notes.org.main: {}"),
        (["--mcp", "https://mcp.example.com/mcp"], 'url: "https://mcp.example.com/mcp"', "example.org.main: {}"),
    ],
)  # fmt: skip
def test_what_can_be_named(init: Run, tmp_path: Path, words: list[str], entry: str, connection: str) -> None:
    (tmp_path / "shop.json").write_text(json.dumps(shop()))
    schemes = {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
    (tmp_path / "keyed.json").write_text(json.dumps(shop(components={"securitySchemes": schemes})))
    ran = init("init", *words)
    assert ran.code == 0, ran
    assert entry in text_of(tmp_path)
    assert connection in text_of(tmp_path)
    valid(tmp_path)


def refused(ran: Ran, said: str) -> None:
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--preset", "githup"], "there is no preset `githup`; there are: asana"),
        (["--preset", "jira"], "needs the address of your own: --base-url"),
        (["--openapi", "none.json"], "none.json: no such file or directory"),
        (["--openapi", "no.json"], "no.json is no OpenAPI document"),
        (["--openapi", "nowhere.json"], "nowhere.json names no server"),
        (["--graphql", "api.example.com"], "is no URL of a GraphQL endpoint"),
        (["--graphql", "https://a.example/graphql?token=s3cr3t"], "the URL holds a secret"),
        (["--mcp", "npx 'x"], "--mcp: No closing quotation"),
        (["--mcp", ""], "--mcp: names no command"),
        (["--mcp", "x", "--preset", "github"], "one at a time: --preset, --mcp"),
        (["--from", "none.json"], "none.json: no such file or directory"),
        (["--from", "no.json"], "no.json is none of the files that are understood"),
        (["--preset", "github", "--config", "none/executor.yaml"], "none: no such directory"),
        (
            ["--mcp", "x", "--name", "shop"],
            "has an integration `shop` already; choose another name with --name",
        ),
    ],
)
def test_what_is_refused(init: Run, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "executor.yaml").write_text(WRITTEN_BY_HAND)
    (tmp_path / "no.json").write_text("{}")
    nowhere = {key: value for key, value in shop().items() if key != "servers"}
    (tmp_path / "nowhere.json").write_text(json.dumps(nowhere))
    refused(init("init", *words), said)
    assert text_of(tmp_path) == WRITTEN_BY_HAND


def test_a_file_that_cannot_be_extended_shows_the_lines(init: Run, tmp_path: Path) -> None:
    (tmp_path / "executor.yaml").write_text("version: 1\nintegrations: [\n")
    ran = init("init", "--preset", "github")
    refused(ran, "add these lines yourself:\nintegrations:\n  github: {preset: github}\nconnections:\n")


def test_a_folder_is_one_config(init: Run, tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "10.yaml").write_text(
        "version: 1\nintegrations: {notes: {kind: mcp, type: local, command: [x]}}\n"
    )
    refused(
        init("init", "--mcp", "x", "--name", "notes", "--config", str(folder)),
        "conf has an integration `notes` already; choose another name with --name",
    )
    assert [one.name for one in folder.iterdir()] == ["10.yaml"]
    assert init("init", "--mcp", "x", "--name", "other", "--config", str(folder)).code == 0
    assert init("validate", "--no-env", str(folder)).code == 0


@pytest.mark.parametrize(
    "words", [("--openapi", "https://a.example.com/o.json"), ("--graphql", "https://a.example.com/g")]
)
def test_what_was_not_asked_is_said(init: Run, words: tuple[str, str]) -> None:
    ran = init("init", *words)
    assert f"note   {words[1]}: " in ran.out
    assert "`executor validate --online` asks it" in ran.out


def test_what_would_be_invalid_is_not_written(init: Run, tmp_path: Path) -> None:
    (tmp_path / "executor.yaml").write_text(WRITTEN_BY_HAND)
    ran = init("init", "--preset", "github", "--base-url", "http://api.example.com")
    assert ran.code == 1, ran
    assert "left   github: left out, E502" in ran.out
    assert text_of(tmp_path) == WRITTEN_BY_HAND


def test_from_another_program(init: Run, tmp_path: Path) -> None:
    (tmp_path / "executor.yaml").write_text(WRITTEN_BY_HAND)
    servers = {
        "shop": {"command": "other"},
        "notes": {"command": "notes", "env": {"NOTES_TOKEN": "canary-77"}},
    }
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    ran = init("init", "--from", "mcp.json", "--json")
    assert ran.json["integrations"] == ["notes"]
    assert [one["name"] for one in ran.json["variables"]] == ["NOTES_TOKEN"]
    assert any(
        "shop: executor.yaml has an integration of this name already" in one for one in ran.json["left"]
    )
    assert "canary-77" not in text_of(tmp_path) + ran.out
    valid(tmp_path)
