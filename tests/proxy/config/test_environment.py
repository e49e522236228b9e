from proxy.config.environment import read_env_file, uses
from proxy.config.fallbacks import FALLBACKS
from proxy.config.secrets import UNKNOWN
from tests.proxy.config.texts import API, load, valid

TEXT = (
    API.replace("{}\n", "{auth: {kind: bearer, token: {env: TOKEN}}}\n")
    + "  api.org.file: {auth: {kind: bearer, token: {file: secret}}}\n"
    + "telemetry: {log: {level: {env: LOG_LEVEL, default: info}}}\nauth: {}\n"
)


def test_every_use_with_its_place() -> None:
    found = uses(valid(TEXT), {"TOKEN": "x"})
    assert [(one.name, one.kind, one.state, one.used_by, one.line) for one in found] == [
        ("TOKEN", "secret", "set", "connections.api.org.main.auth.token", 7),
        ("secret", "secret", "file", "connections.api.org.file.auth.token", 8),
        ("LOG_LEVEL", "value", "unset", "telemetry.log.level", 9),
    ]
    assert found[0].as_json()["file"] == "<stdin>"


def test_a_variable_given_by_a_file() -> None:
    assert uses(valid(TEXT), {"TOKEN_FILE": "/x"})[0].state == "file"


def test_without_auth_the_fallbacks_are_listed() -> None:
    found = uses(valid(API), {"MCP_API_KEY_SECRET": "x"})
    assert [one.name for one in found] == list(FALLBACKS)
    assert {one.name: one.state for one in found}["MCP_API_KEY_SECRET"] == "set"


def test_without_a_config_there_is_nothing_to_list() -> None:
    assert uses(load("["), {}) == []


def test_documents_are_not_searched() -> None:
    text = "version: 1\nauth: {}\nintegrations: {a: {kind: openapi, spec: {inline: {x: {env: NO}}}}}\n"
    assert uses(valid(text), {}) == []


def test_files_of_names() -> None:
    text = "# comment\nA\nB=1\nexport C='x y'\n D = \nnot a line\n"
    assert read_env_file(text) == {"A": UNKNOWN, "B": "1", "C": "x y", "D": UNKNOWN}


def test_a_name_is_enough_to_be_set() -> None:
    env = {"TOKEN": UNKNOWN, "LOG_LEVEL": UNKNOWN}
    text = TEXT.replace("  api.org.file: {auth: {kind: bearer, token: {file: secret}}}\n", "")
    assert load(text, env).config is not None
