from pathlib import Path

import pytest

from proxy.config import load_config
from tests.integrations.tls import Authority


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
