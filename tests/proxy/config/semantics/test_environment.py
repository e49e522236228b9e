from pathlib import Path

import pytest

from proxy.config import load_config
from tests.proxy.config.texts import API, codes, only

TEXT = API.replace("{}\n", "{auth: {kind: bearer, token: {env: MY_TOKEN}}}\n")


@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({}, "E402"),
        ({"MY_TOKEN": ""}, "E403"),
        ({"MY_TOKEN_FILE": "/nonexistent/x"}, "E404"),
        ({"MY_TOKEN": "x", "MY_TOKEN_FILE": "/nonexistent/x"}, "E405"),
    ],
)
def test_variables(env: dict[str, str], code: str) -> None:
    found = only(TEXT, env)
    assert (found.code, found.line, found.column) == (code, 7, 52)


def test_what_is_set_is_fine() -> None:
    assert codes(TEXT, {"MY_TOKEN": "x"}) == []
    assert codes(TEXT, None) == []


def test_a_name_that_is_nearly_set_is_suggested() -> None:
    help = only(TEXT, {"MY_TOKN": "x"}).help
    assert help is not None
    assert "did you mean `MY_TOKN`?" in help


def test_every_use_is_reported() -> None:
    text = TEXT + "  api.org.two: {auth: {kind: bearer, token: {env: MY_TOKEN}}}\n"
    assert codes(text, {}) == ["E402", "E402"]


def test_secret_files_are_relative_to_the_config(tmp_path: Path) -> None:
    config = tmp_path / "executor.yaml"
    config.write_text(API.replace("{}\n", "{auth: {kind: bearer, token: {file: token}}}\n"))
    (found,) = load_config([config], env={}).diagnostics
    assert (found.code, found.message) == ("E404", "secret file `token` does not exist")
    assert load_config([config], env=None).diagnostics == ()
    (tmp_path / "token").write_text("x\n")
    assert load_config([config], env={}).diagnostics == ()


def test_settings_are_read_from_the_environment() -> None:
    text = "version: 1\nserver: {listen: {env: L, default: 127.0.0.1:1}}\nauth: {}\n"
    assert codes(text, {}) == []
    assert codes(text, {"L": "0.0.0.0:1"}) == ["E501"]
    found = only(text, {"L": "hunter2"})
    assert found.code == "E206"
    assert "hunter2" not in f"{found.message}{found.help}"


def test_a_redis_url_has_its_form() -> None:
    text = "version: 1\nstate: {backend: redis, url: {env: U}, encryption_key: {env: K}}\n"
    found = only(text, {"U": "http://user:hunter2@h", "K": "k" * 16})
    assert (found.code, "hunter2" in str(found)) == ("E206", False)
    assert codes(text, {"U": "rediss://h:6379/0", "K": "k" * 16}) == []


@pytest.mark.parametrize(
    ("content", "message", "help"),
    [
        (
            None,
            "is a directory, and only regular files are read",
            "name a regular file that holds the secret",
        ),
        (b"", "is empty", "write the secret into it, or use {env: NAME}"),
        (b"\xff\xfe", "is not UTF-8", "save it as UTF-8 text, or use {env: NAME}"),
        (b"\xef\xbb\xbfx", "begins with a byte order mark (U+FEFF): store it without one", None),
    ],
)
def test_the_remedy_fits_what_is_wrong_with_a_file(
    tmp_path: Path, content: bytes | None, message: str, help: str | None
) -> None:
    config = tmp_path / "executor.yaml"
    config.write_text(API.replace("{}\n", "{auth: {kind: bearer, token: {file: token}}}\n"))
    if content is None:
        (tmp_path / "token").mkdir()
    else:
        (tmp_path / "token").write_bytes(content)
    (found,) = load_config([config], env={}).diagnostics
    assert (found.code, found.message) == ("E404" if help else "E407", f"secret file `token` {message}")
    assert (found.help or "").startswith(help or "")
    assert (found.help is None) is (help is None)


@pytest.mark.parametrize(
    ("value", "code"),
    [("password", ["W617"]), (" Admin\n", ["W617"]), ("k", []), ("correcthorsebattery", []), ("h0rse", [])],
)
def test_an_ordinary_word_is_a_warning_and_is_not_shown(tmp_path: Path, value: str, code: list[str]) -> None:
    assert codes(TEXT, {"MY_TOKEN": value}) == code
    (tmp_path / "token").write_text(value)
    assert codes(TEXT, {"MY_TOKEN_FILE": str(tmp_path / "token")}) == code
    if code:
        found = only(TEXT, {"MY_TOKEN": value})
        assert value.strip() not in f"{found.message}{found.help}"
        assert found.severity == "warning"


def test_a_name_may_be_a_word() -> None:
    basic = "{auth: {kind: basic, username: {env: NAME}, password: {env: MY_TOKEN}}}\n"
    assert codes(API.replace("{}\n", basic), {"NAME": "admin", "MY_TOKEN": "x1"}) == []


@pytest.mark.parametrize("value", ["one\ntwo", "one\x00", "one\x7f"])
def test_a_token_is_one_line(value: str) -> None:
    found = only(TEXT, {"MY_TOKEN": value})
    assert found.code == "E407"
    assert "control character" in found.message
    assert "one" not in found.message.replace("alone", "")


def test_a_variable_is_text() -> None:
    found = only(TEXT, {"MY_TOKEN": "\udcff"})
    assert (found.code, found.message) == ("E407", "environment variable MY_TOKEN is not UTF-8")


@pytest.mark.parametrize("url", ["http://x", "redis://[::1", "redis://h:none", "redis://h:99999"])
def test_a_redis_url_that_no_client_takes(url: str) -> None:
    text = "version: 1\nstate: {backend: redis, url: {env: URL}, encryption_key: {env: KEY}}\n"
    assert codes(text, {"URL": url, "KEY": "k" * 20}) == ["E206"]
    assert codes(text, {"URL": "rediss://:secret@h:6379/1", "KEY": "k" * 20}) == []
