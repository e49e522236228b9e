"""`server.tls` and `state.tls` in a config: files that are missing or wrong, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import Diagnostic, load_config
from tests.integrations.tls import Authority

TEXT = """version: 1
server:
  tls:
    cert: {file: cert.pem}
    key: {file: key.pem}
    client_ca: {file: ca.pem}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    issued = Authority(tmp_path).issue("localhost")
    issued.cert.rename(tmp_path / "cert.pem")
    issued.key.rename(tmp_path / "key.pem")
    (tmp_path / "executor.yaml").write_text(TEXT)
    return tmp_path


def found(folder: Path, judged: bool = True) -> tuple[Diagnostic, ...]:
    return load_config([folder / "executor.yaml"], env={} if judged else None).diagnostics


def test_a_pair_with_an_authority_is_fine(folder: Path) -> None:
    assert found(folder) == ()


@pytest.mark.parametrize(("name", "line"), [("cert.pem", 4), ("key.pem", 5), ("ca.pem", 6)])
def test_each_file_has_to_be_there_and_to_be_pem(folder: Path, name: str, line: int) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_text("nonsense")
    (wrong,) = found(folder)
    assert (wrong.code, wrong.line) == ("E410", line)
    (folder / name).unlink()
    (missing,) = found(folder)
    assert (missing.code, missing.line) == ("E304", line)
    (folder / name).write_bytes(content)
    assert found(folder) == ()


def test_like_secrets_they_are_judged_where_the_environment_is(folder: Path) -> None:
    """In CI the files of the server are not there."""
    (folder / "key.pem").unlink()
    assert [one.code for one in found(folder)] == ["E304"]
    assert found(folder, judged=False) == ()


def test_a_key_of_another_certificate_is_refused(folder: Path) -> None:
    Authority(folder).issue("other").key.rename(folder / "key.pem")
    (wrong,) = found(folder)
    assert (wrong.code, wrong.severity) == ("E410", "error")
    assert "does not belong to the certificate" in wrong.message
    assert wrong.help is not None


@pytest.mark.parametrize("part", ["cert", "key"])
def test_one_without_the_other_is_refused(folder: Path, part: str) -> None:
    other = {"cert": "key", "key": "cert"}[part]
    text = f"version: 1\nserver: {{tls: {{{part}: {{file: {part}.pem}}}}}}\n"
    (folder / "executor.yaml").write_text(text)
    (missing,) = found(folder)
    assert (missing.code, other in missing.message) == ("E202", True)


def test_an_expired_certificate_is_a_warning(folder: Path) -> None:
    expired = Authority(folder, days=-1).issue("localhost")
    expired.cert.rename(folder / "cert.pem")
    expired.key.rename(folder / "key.pem")
    (warned,) = found(folder)
    assert (warned.code, warned.severity) == ("W613", "warning")


STORE = """version: 1
state:
  backend: redis
  url: {env: REDIS_URL}
  encryption_key: {env: STATE_KEY}
  tls:
    ca: {file: ca.pem}
    cert: {file: cert.pem}
    key: {file: key.pem}
"""
ENVIRONMENT = {
    "REDIS_URL": "rediss://127.0.0.1:1/0",
    "STATE_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


def found_of_store(folder: Path, text: str = STORE, judged: bool = True) -> list[tuple[str, int]]:
    (folder / "executor.yaml").write_text(text)
    config = load_config([folder / "executor.yaml"], env=ENVIRONMENT if judged else None)
    return [(one.code, one.line) for one in config.diagnostics]


@pytest.mark.parametrize(("name", "line"), [("ca.pem", 7), ("cert.pem", 8), ("key.pem", 9)])
def test_the_files_of_the_store_are_told_by_validate(folder: Path, name: str, line: int) -> None:
    assert found_of_store(folder) == []
    (folder / name).write_text("nonsense")
    assert found_of_store(folder) == [("E410", line)]
    (folder / name).unlink()
    assert found_of_store(folder) == [("E304", line)]
    assert found_of_store(folder, judged=False) == []


def test_the_authority_of_the_store_may_stand_alone(folder: Path) -> None:
    alone = STORE.partition("    cert:")[0]
    assert found_of_store(folder, alone) == []
    (folder / "ca.pem").write_text("nonsense")
    assert found_of_store(folder, alone) == [("E410", 7)]


def test_the_certificate_of_the_store_is_judged_like_the_servers(folder: Path) -> None:
    Authority(folder).issue("other").key.rename(folder / "key.pem")
    assert found_of_store(folder) == [("E410", 9)]
    expired = Authority(folder, days=-1).issue("localhost")
    expired.cert.rename(folder / "cert.pem")
    expired.key.rename(folder / "key.pem")
    assert found_of_store(folder) == [("W613", 8)]
