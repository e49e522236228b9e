import pytest

from tests.proxy.config.texts import codes, load


def mcp(line: str) -> str:
    return f"version: 1\nintegrations:\n  a: {{kind: mcp, type: local, {line}}}\nconnections: {{a.org.main: {{}}}}\n"


@pytest.mark.parametrize(
    "line",
    [
        "command: [x], environment: {API_TOKEN: hunter2}",
        "command: [x], environment: {DB_PASSWORD: hunter2}",
        "command: [x], environment: {OPENAI_API_KEY: hunter2}",
        "command: [x], environment: {THING: ghp_hunter2hunter2hunter2}",
        "command: [x, --api-key, hunter2]",
        "command: [x, --token=hunter2]",
        "command: [x, ghp_hunter2hunter2hunter2]",
    ],
)
def test_secrets_of_local_servers(line: str) -> None:
    loaded = load(mcp(line))
    assert [one.code for one in loaded.diagnostics] == ["E401"]
    assert "hunter2" not in str(loaded.diagnostics)


@pytest.mark.parametrize(
    "line",
    [
        "command: [x], environment: {NODE_ENV: production}",
        "command: [x], environment: {API_TOKEN: {env: T}}",
        "command: [x, --token-file, /run/secrets/x, --verbose]",
        'command: [npx, -y, "@modelcontextprotocol/server-filesystem@2026.8.31"]',
    ],
)
def test_ordinary_values(line: str) -> None:
    assert codes(mcp(line)) == []


@pytest.mark.parametrize(
    "header", ["Authorization", "cookie", "X-Api-Key", "X-Auth-Token", "X-Client-Secret"]
)
def test_headers_by_name(header: str) -> None:
    url = "spec: {url: https://x.example.com}"
    text = f"version: 1\nintegrations:\n  a: {{kind: openapi, {url}, headers: {{{header}: %s}}}}\n"
    text += "connections: {a.org.main: {}}\n"
    assert codes(text % "hunter2") == ["E401"]
    assert codes(text % "'${TOKEN}'") == ["E406"]
    assert codes(text % "${TOKEN}") == ["E101"]
    assert codes(text % "{env: TOKEN}") == []


@pytest.mark.parametrize(
    "value", ["AKIAIOSFODNN7EXAMPLE", "sk_live_hunter2hunter2", "eyJhbGciOiJIUzI1NiJ9.e30.x", "-----BEGIN X"]
)
def test_headers_by_the_look_of_the_value(value: str) -> None:
    url = "spec: {url: https://x.example.com}"
    text = f"version: 1\nintegrations:\n  a: {{kind: openapi, {url}, headers: {{X-Thing: '{value}'}}}}\n"
    assert codes(text) == ["E401"]


def test_urls_with_keys_in_them() -> None:
    text = "version: 1\nintegrations:\n  a: {kind: openapi, spec: {url: 'https://x.example.com/?api_key=hunter2'}}\n"
    assert codes(text) == ["E401"]


def test_a_secret_is_found_beside_other_errors() -> None:
    assert codes(mcp("comand: [x], environment: {API_TOKEN: hunter2}")) == ["E201", "E401"]
