import pytest

from proxy.config.callers import AuthConfig
from proxy.config.semantics.safety import authenticates
from tests.proxy.config.texts import API, codes, load, only

KEY = "auth: {api_keys: {keys: {k: {value: {env: K}}}}}\n"


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "'[::]:1'", "10.0.0.1:1", "example.com:1"])
def test_open_listeners_need_auth(listen: str) -> None:
    text = f"version: 1\nserver: {{listen: {listen}}}\n"
    assert codes(text) == ["E501"]
    assert codes(text + KEY) == []
    assert codes(text + "auth: {anonymous: true}\n") == ["E501"]


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "localhost:1", "'[::1]:1'", "127.9.9.9:1"])
def test_loopback_needs_none(listen: str) -> None:
    assert codes(f"version: 1\nserver: {{listen: {listen}}}\n") == []


def test_what_counts_as_authentication() -> None:
    assert not authenticates(None)
    assert not authenticates(AuthConfig())
    keys = {"api_keys": {"keys": {"k": {"value": {"env": "K"}}}}}
    assert authenticates(AuthConfig.model_validate(keys))


def test_an_auth_section_with_errors_is_not_called_missing() -> None:
    assert codes("version: 1\nserver: {listen: 0.0.0.0:1}\nauth: {api_keyss: {}}\n") == ["E201"]


def connect(url: str, auth: str = "{kind: bearer, token: {env: T}}", base_url: str = "") -> str:
    text = API.replace("https://api.example.com/openapi.json", url)
    return text.replace("main: {}", f"main: {{auth: {auth}{base_url}}}")


def test_credentials_do_not_travel_over_plain_http() -> None:
    found = only(connect("http://api.example.com"))
    assert (found.code, found.help) == ("E502", "did you mean `https://api.example.com`?")
    assert codes(connect("http://localhost:1")) == []
    assert codes(connect("http://127.0.0.1:1")) == []
    assert codes(connect("http://api.example.com", "{kind: none}")) == []
    assert codes(connect("http://api.example.com", base_url=", base_url: https://x.example.com")) == []
    assert codes(connect("https://api.example.com", base_url=", base_url: http://x.example.com")) == ["E502"]


def test_headers_with_secrets_count_as_credentials() -> None:
    text = "version: 1\nintegrations:\n  a: {kind: mcp, type: remote, url: http://x.example.com, headers: {A: %s}}\n"
    text += "connections: {a.org.main: {}}\n"
    assert codes(text % "{env: T}") == ["E502"]
    assert codes(text % "plain") == []


def test_token_endpoints() -> None:
    auth = "{kind: oauth2, grant: client_credentials, token_url: %s, client_id: a, client_secret: {env: S}}"
    assert codes(connect("https://x.example.com", auth % "http://l.example.com")) == ["E502"]
    assert codes(connect("https://x.example.com", auth % "https://l.example.com")) == []


def test_a_user_connection_is_signed_in_to_by_the_user() -> None:
    auth = "{kind: oauth2, grant: client_credentials, issuer: https://l.example.com, client_id: a, %s}"
    auth %= "client_secret: {env: S}"
    text = connect("https://x.example.com", auth).replace("api.org.main", "api.user.main")
    found = only(text)
    assert (found.code, found.help) == ("E501", "call it `api.org.main`, or use grant: authorization_code")


LOGIN = "username: ann, password: {env: T}"


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        ("{kind: bearer, token: {env: T}}", "bearer"),
        ("{kind: bearer, token: {file: /run/t}}", "bearer"),
        (f"{{kind: basic, {LOGIN}}}", "basic"),
        ("{kind: header, name: X-Key, value: {env: T}}", "header"),
        ("{kind: query, name: key, value: {env: T}}", "query"),
        ("{kind: cookie, name: sid, value: {env: T}}", "cookie"),
        ("{kind: parts, parts: [{kind: bearer, token: {env: T}}]}", "parts"),
        ("{kind: schemes, schemes: {key: {value: {env: T}}}}", "schemes"),
        (f"{{kind: schemes, schemes: {{login: {{{LOGIN}}}}}}}", "schemes"),
    ],
)
def test_a_static_credential_is_never_a_users(auth: str, kind: str) -> None:
    text = connect("https://x.example.com", auth)
    assert codes(text) == []
    found = only(text.replace("api.org.main", "api.user.me"))
    assert (found.code, found.line, found.path) == ("E501", 7, "connections.api.user.me.auth.kind")
    assert found.message == f"`{kind}` for a user connection: every user would share one credential"
    assert found.help == "call it `api.org.me`, or use auth: {kind: oauth2, grant: authorization_code}"


def test_users_sign_in_for_themselves() -> None:
    auth = "{kind: oauth2, grant: authorization_code, issuer: https://l.example.com}"
    text = connect("https://x.example.com", auth).replace("api.org.main", "api.user.me")
    assert codes(text) == []
    assert codes(API.replace("api.org.main", "api.user.me")) == []


@pytest.mark.parametrize(
    ("integration", "message"),
    [
        ("kind: openapi, spec: {url: https://x.example.com}, headers: {X-Key: {env: T}}", "`headers`"),
        ("kind: graphql, endpoint: https://x.example.com, headers: {X-Key: {env: T}}", "`headers`"),
        (
            "kind: mcp, type: remote, url: https://x.example.com, oauth: false, headers: {A: {env: T}}",
            "`headers`",
        ),
        ("kind: mcp, type: local, command: [x], environment: {TOKEN: {env: T}}", "`environment`"),
        ("kind: mcp, type: remote, url: https://x.example.com, headers: {A: {env: T}}", None),
        ("kind: mcp, type: local, command: [x], environment: {HOME: /tmp}", None),
    ],
)
def test_a_secret_of_the_integration_is_everybodys(integration: str, message: str | None) -> None:
    text = f"version: 1\nintegrations:\n  a: {{{integration}}}\nconnections:\n  a.user.me: {{}}\n"
    found = [one for one in load(text).diagnostics if one.code == "E501"]
    assert [(one.line, one.message.partition(" of")[0]) for one in found] == (
        [(5, message)] if message else []
    )


def test_trusting_every_proxy_is_trusting_everyone() -> None:
    assert codes("version: 1\nserver: {trusted_proxies: ['::/0', 10.0.0.0/8]}\n") == ["E501"]
