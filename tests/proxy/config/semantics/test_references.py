from pathlib import Path

import pytest

from proxy.config import load_config
from proxy.config.semantics.references import unknown
from tests.integrations.tls import Authority
from tests.proxy.config.texts import API, codes, only


def test_what_exists_is_suggested() -> None:
    assert unknown(("a",), "names unknown x", "apii", ["api", "b"]).help == "did you mean `api`?"
    assert unknown(("a",), "names unknown x", "zzz", ["api", "b"]).help == "known: api, b"
    assert unknown(("a",), "names unknown x", "zzz", []).help == "none are declared"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("connections: {x.org.main: {}}", "E301", "connection `x.org.main` names unknown integration `x`"),
        ("workspaces: {w: {integrations: [x]}}", "E301", "workspace `w` names unknown integration `x`"),
        ("state: {backend: redis}", "E302", "needs `state.url`"),
        ("state: {url: {env: U}}", "E302", "needs `backend: redis`"),
        (
            "auth: {oauth: {authorization_servers: [https://l.example.com]}}",
            "E302",
            "needs `server.public_url`",
        ),
        (
            "auth: {api_keys: {keys: {k: {value: {env: K}, workspace: w}}}}",
            "E301",
            "key `k` names unknown workspace `w`",
        ),
    ],
)
def test_names_and_sections(text: str, code: str, message: str) -> None:
    found = only(f"version: 1\n{text}\n")
    assert found.code == code
    assert message in found.message


def test_browser_approvals_need_an_address_that_people_can_open() -> None:
    text = "version: 1\nauth: {api_keys: {keys: {k: {value: {env: K}}}}}\nelicitation: {mode: browser}\n"
    assert codes(text) == []
    assert codes(text + "server: {listen: 0.0.0.0:8080}\n") == ["E302"]


def test_one_workspace_is_the_keys_workspace() -> None:
    keys = "auth: {api_keys: {keys: {k: {value: {env: K}}}}}\n"
    assert codes(API + keys + "workspaces: {a: {}}\n") == []
    assert codes(API + keys + "workspaces: {a: {}, b: {}}\n") == ["E202"]


def test_files_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "api.json").write_text("{}")
    config = tmp_path / "executor.yaml"
    text = "version: 1\nintegrations: {a: {kind: openapi, spec: {file: specs/%s}}}\nconnections: {a.org.main: {}}\n"
    config.write_text(text % "api.json")
    assert load_config([config], env=None).diagnostics == ()
    config.write_text(text % "apy.json")
    (found,) = load_config([config], env=None).diagnostics
    assert (found.code, found.help) == ("E304", "did you mean `api.json`?")


def test_an_example_names_files_of_whoever_copies_it(tmp_path: Path) -> None:
    config = tmp_path / "executor.yaml.example"
    text = "version: 1\nintegrations: {a: {kind: openapi, spec: {file: no.json}}}\nconnections: {a.org.main: {}}\n"
    config.write_text(text)
    assert load_config([config], env=None).diagnostics == ()


def test_a_program_beside_the_config_must_be_executable(tmp_path: Path) -> None:
    config = tmp_path / "executor.yaml"
    config.write_text(
        "version: 1\nintegrations: {a: {kind: mcp, type: local, command: [./server.py]}}\n"
        "connections: {a.org.main: {}}\n"
    )
    (tmp_path / "server.py").write_text("")
    (found,) = load_config([config], env=None).diagnostics
    assert (found.code, found.help) == ("E206", "chmod +x ./server.py")
    (tmp_path / "server.py").chmod(0o755)
    assert load_config([config], env=None).diagnostics == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("nonsense", "holds no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used as a certificate"),
    ],
)
def test_certificates_are_read(tmp_path: Path, content: str, says: str) -> None:
    config = tmp_path / "executor.yaml"
    config.write_text(
        "version: 1\nintegrations: {a: {kind: graphql, endpoint: https://x.example.com, ca_bundle: ca.pem}}\n"
        "connections: {a.org.main: {}}\n"
    )
    (tmp_path / "ca.pem").write_text(content)
    (found,) = load_config([config], env=None).diagnostics
    assert found.code == "E206"
    assert says in found.message
    Authority(tmp_path)
    assert load_config([config], env=None).diagnostics == ()


def test_the_default_workspace_may_be_named_while_there_are_no_others() -> None:
    digest = "0a" * 32
    text = (
        f'version: 1\nauth: {{api_keys: {{keys: {{a: {{hash: "sha256:{digest}", workspace: default}}}}}}}}\n'
    )
    assert codes(text) == []
    assert codes(text + "workspaces: {ws: {}}\n") == ["E301"]
