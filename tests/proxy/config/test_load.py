"""The table of bad and good files (T38), and what `load_config` promises about several files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.config import Diagnostic, load_config
from proxy.config.diagnostic import CODES
from proxy.config.load import LoadedConfig, digest, effective, with_absolute_paths
from proxy.config.model import Config
from proxy.config.parse import parse
from proxy.config.source import read_text
from tests.proxy.config.texts import API, load, only, valid

TABLES = Path(__file__).parent.parent.parent / "config"
BAD = sorted((TABLES / "bad").glob("*.yaml"))
GOOD = sorted((TABLES / "good").glob("*.yaml"))
EXPECTED = re.compile(r"(error|warning) ([EW]\d{3}) (\d+):(\d+) (.+)")
CANARY = re.compile(r"hunter[23]")


def expectations(file: Path) -> tuple[list[tuple[str, ...]], Mapping[str, str] | None]:
    """What the first line of a bad file says: `# EXPECT severity code line:column fragment [;; ...] [## env ...]`."""
    first = file.read_bytes().split(b"\n")[0].decode("utf-8", "replace").strip("\r")
    expected, marked, variables = first.removeprefix("# EXPECT").partition("## env")
    found = [EXPECTED.fullmatch(part.strip()) for part in expected.split(";;")]
    env = dict(word.split("=", 1) for word in variables.split() if "=" in word) if marked else None
    return [one.groups() for one in found if one is not None], env


def matches(expected: tuple[str, ...], found: Diagnostic) -> bool:
    place = (found.severity, found.code, str(found.line), str(found.column))
    return expected[:4] == place and expected[4] in found.message


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_files_have_exactly_the_expected_diagnostics(file: Path) -> None:
    expected, env = expectations(file)
    assert expected
    found = load_config([file], env=env).diagnostics
    shown = [(one.severity, one.code, one.line, one.column, one.message) for one in found]
    assert len(found) == len(expected), shown
    for one in expected:
        assert any(matches(one, diagnostic) for diagnostic in found), shown


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_no_plaintext_secret_is_repeated(file: Path) -> None:
    _, env = expectations(file)
    for one in load_config([file], env=env).diagnostics:
        text = f"{one.message} {one.help} {one.excerpt} {one.related}"
        assert not CANARY.search(text), text


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_places_are_inside_the_file(file: Path) -> None:
    _, env = expectations(file)
    loaded = load_config([file], env=env)
    for one in loaded.diagnostics:
        assert 1 <= one.line <= len(loaded.files[0].lines)
        assert one.line == one.end_line
        assert 1 <= one.column < one.end_column


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_good_files_have_no_errors(file: Path) -> None:
    loaded = load_config([file], env=None)
    assert loaded.diagnostics == ()
    assert loaded.config is not None
    assert re.fullmatch("[0-9a-f]{64}", loaded.sha256)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_a_directory_is_united(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        b10=API,
        a20="policies: [{id: first, pattern: api.*, action: block}]\nserver: {listen: 127.0.0.1:1}\n",
        c30="policies: [{id: second, pattern: api.*.*.get, action: approve, risk: [read]}]\n",
    )
    (folder / ".hidden.yaml").write_text("nonsense: [")
    (folder / "more.test.yaml").write_text("nonsense: [")
    (folder / "notes.txt").write_text("nonsense: [")
    (folder / "kustomization.yaml").write_text("apiVersion: kustomize.config.k8s.io/v1beta1\n")
    loaded = load_config([folder], env=None)
    assert loaded.config is not None
    assert [rule.id for rule in loaded.config.policies] == ["first", "second"]
    assert [Path(file.path).name for file in loaded.files] == ["a20.yaml", "b10.yaml", "c30.yaml"]
    assert Path(loaded.location("policies[1]").file).name == "c30.yaml"


def test_the_same_key_in_two_files_is_an_error_with_both_places(tmp_path: Path) -> None:
    folder = write(tmp_path, a=API, b="connections:\n  api.org.main: {}\n")
    (found,) = load_config([folder], env=None).diagnostics
    assert (found.code, found.line, found.column) == ("E103", 2, 3)
    assert Path(found.file).name == "b.yaml"
    assert [(Path(one.file).name, one.line) for one in found.related] == [("a.yaml", 7)]


def test_a_section_stands_in_one_file_only(tmp_path: Path) -> None:
    folder = write(tmp_path, a="version: 1\nserver: {}\n", b="version: 1\nserver: {}\n")
    found = load_config([folder], env=None).diagnostics
    assert [(one.code, one.line) for one in found] == [("E103", 2)]


def test_one_invalid_file_rejects_all_and_hides_no_names(tmp_path: Path) -> None:
    folder = write(tmp_path, a="version: 1\nintegrations: {api: [\n", b="connections: {api.org.main: {}}\n")
    loaded = load_config([folder], env=None)
    assert loaded.config is None
    assert [one.code for one in loaded.diagnostics] == ["E101"]


def test_two_errors_in_two_files_are_both_reported_in_order(tmp_path: Path) -> None:
    folder = write(
        tmp_path, a="version: 1\nserver: {listn: a}\n", b="policies: [{pattern: x.*, action: deny}]\n"
    )
    found = load_config([folder / "b.yaml", folder / "a.yaml"], env=None).diagnostics
    assert [(Path(one.file).name, one.code) for one in found] == [("b.yaml", "E204"), ("a.yaml", "E201")]


def test_a_missing_file_is_not_the_defaults(tmp_path: Path) -> None:
    loaded = load_config([tmp_path / "gone.yaml"], env=None)
    assert loaded.config is None
    assert [one.code for one in loaded.diagnostics] == ["E304"]


def test_an_empty_directory_is_not_the_defaults(tmp_path: Path) -> None:
    loaded = load_config([tmp_path], env=None)
    assert loaded.config is None
    assert [one.code for one in loaded.diagnostics] == ["E105"]


def test_relative_paths_become_absolute_and_do_not_change_the_hash(tmp_path: Path) -> None:
    hashes = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "spec.json").write_text("{}")
        (folder / "executor.yaml").write_text(
            "version: 1\nintegrations: {api: {kind: openapi, spec: {file: spec.json}}}\n"
            "connections: {api.org.main: {auth: {kind: bearer, token: {file: token}}}}\n"
        )
        loaded = load_config([folder / "executor.yaml"], env=None)
        assert loaded.config is not None
        spec = loaded.config.integrations["api"].spec  # type: ignore[union-attr]
        assert spec.file == str(folder / "spec.json")
        auth = loaded.config.connections["api.org.main"].auth
        assert auth.token.file == str(folder / "token")  # type: ignore[union-attr]
        hashes.add(loaded.sha256)
    assert len(hashes) == 1


def test_the_hash_ignores_comments_and_order() -> None:
    one = valid("version: 1\nserver: {listen: 127.0.0.1:1}\nsandbox: {workers: 3}\n")
    other = valid("# a comment\nsandbox:\n  workers: 3\nversion: 1\nserver:\n  listen: '127.0.0.1:1'\n")
    changed = valid("version: 1\nserver: {listen: 127.0.0.1:2}\nsandbox: {workers: 3}\n")
    assert one.sha256 == other.sha256 != changed.sha256
    assert one.raw_digest != other.raw_digest


def test_semantic_errors_show_beside_schema_errors() -> None:
    loaded = load(
        API + "policies:\n  - {pattern: apo.*, action: block}\n  - {pattern: api.*, action: deny}\n"
    )
    assert [(one.code, one.line) for one in loaded.diagnostics] == [("E301", 9), ("E204", 10)]


def test_policy_places_survive_a_broken_one_before_them() -> None:
    text = API + "policies:\n  - {pattern: api.*}\n  - {pattern: api.*.delete, action: block}\n"
    assert [(one.code, one.line) for one in load(text).diagnostics] == [("E202", 9), ("E303", 10)]


def test_an_error_below_an_alias_is_shown_at_the_alias() -> None:
    found = only("version: 1\nx-spec: &spec {urll: a}\nintegrations:\n  api: {kind: openapi, spec: *spec}\n")
    assert (found.line, found.column) == (4, 30)
    assert [(one.line, one.column) for one in found.related] == [(2, 16)]


def test_places_of_paths_and_defaults() -> None:
    loaded = valid(API + "policies:\n  - {id: a, pattern: api.*, action: block}\n")
    assert str(loaded.location("policies[0]")) == "<stdin>:9"
    assert loaded.location("connections.api.org.main").line == 7
    assert loaded.location("integrations.api.timeout").line == 3
    assert loaded.location("nothing.of.this").line == 1


def test_x_keys_are_ignored_and_hold_anchors() -> None:
    loaded: LoadedConfig = valid(
        "version: 1\nx-auth: &auth {kind: bearer, token: {env: T}}\nx-any: [1, {a: b}]\n"
        + API.split("\n", 1)[1]
    )
    assert loaded.config is not None


def test_nothing_a_file_holds_raises() -> None:
    for data in (
        b"",
        b"\x00",
        b"\xff\xfe",
        b"a: " + b"[" * 3000,
        b'a: "\\uD800"',
        b"? ? ?",
        b"&a *a",
        b"%YAML 9\n---\n",
    ):
        assert load(data).config is None


def test_every_code_has_a_bad_file_and_every_file_a_known_code() -> None:
    shown = {code for file in BAD for _, code, *_ in expectations(file)[0]}
    # These need the tools of documents or a certificate that has ended (tests of `semantics`), a network
    # (`app.online_check`), a directory (`config.unread`) or a place for a lock (`commands.validate`).
    assert shown == set(CODES) - {
        "W610",
        "W613",
        "W614",
        "W616",
        "W617",
        "E701",
        "E702",
        "E703",
        "E704",
        "W620",
    }


def absolute(text: str, name: str = "conf/a.yaml") -> Any:
    found = parse(read_text(name, text.encode())[0])
    assert found.root is not None
    return with_absolute_paths(found.data, found.root)


HERE = Path.cwd() / "conf"


def test_paths_are_relative_to_their_file() -> None:
    found = absolute("a: {file: x.json, ca_bundle: b.pem, cwd: sub, documents: [ops/*.graphql]}\n")
    assert found["a"]["file"] == str(HERE / "x.json")
    assert found["a"]["documents"] == [str(HERE / "ops/*.graphql")]


def test_absolute_paths_stay() -> None:
    assert absolute("a: {file: /run/secrets/x}\n")["a"]["file"] == "/run/secrets/x"


def test_only_the_state_has_a_path() -> None:
    found = absolute("state: {path: state.db}\na: {path: /info}\n")
    assert found["state"]["path"] == str(HERE / "state.db")
    assert found["a"]["path"] == "/info"


def test_documents_arguments_and_patches_are_not_touched() -> None:
    text = "a: {inline: {file: x}, arguments: {file: x}, overrides: [{value: {file: x}}], when: {file: {equals: x}}}\n"
    found = absolute(text)["a"]
    assert found["inline"] == {"file": "x"}
    assert found["arguments"] == {"file": "x"}
    assert found["overrides"] == [{"value": {"file": "x"}}]
    assert found["when"] == {"file": {"equals": "x"}}


def test_names_of_headers_and_variables_are_not_keys_of_ours() -> None:
    found = absolute(
        "a: {headers: {file: x, B: {file: b}}, environment: {cwd: y}, client_cert: {cert: c.pem}}\n"
    )["a"]
    assert found["headers"] == {"file": "x", "B": {"file": str(HERE / "b")}}
    assert found["environment"] == {"cwd": "y"}
    assert found["client_cert"] == {"cert": str(HERE / "c.pem")}


def config(text: str) -> Config:
    found = valid(text).config
    assert found is not None
    return found


def test_settings_are_shown_as_they_are_written() -> None:
    shown = effective(config("version: 1\nsandbox: {timeout: 90s, memory: 65536KiB}\n"))
    assert (shown["sandbox"]["timeout"], shown["sandbox"]["memory"]) == ("90s", "64MiB")
    assert shown["server"]["listen"] == "127.0.0.1:8080"
    assert shown["rate_limits"]["per-workspace"]["limit"] == "100/minute"
    json.dumps(shown)


def test_null_and_absent_are_told_apart_in_conditions() -> None:
    rule = "policies:\n  - {{pattern: api.*, action: block, when: {{a: {}}}}}\n"
    null = config(API + rule.format("{equals: null}"))
    absent = config(API + rule.format("{exists: true}"))
    assert effective(null)["policies"][0]["when"] == {"a": {"equals": None}}
    assert effective(absent)["policies"][0]["when"] == {"a": {"exists": True}}
    assert digest(null) != digest(absent)


def test_secrets_are_references() -> None:
    text = API.replace("{}", "{auth: {kind: bearer, token: {env: TOKEN}}}")
    shown = effective(config(text))
    assert shown["connections"]["api.org.main"]["auth"]["token"] == {"env": "TOKEN", "file": None}


def test_what_it_shows_is_what_loaded_shows() -> None:
    loaded = valid(API)
    assert loaded.effective() == effective(config(API))
