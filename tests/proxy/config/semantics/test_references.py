import pytest

from proxy.config.semantics.references import unknown
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


def test_the_default_workspace_may_be_named_while_there_are_no_others() -> None:
    digest = "0a" * 32
    text = (
        f'version: 1\nauth: {{api_keys: {{keys: {{a: {{hash: "sha256:{digest}", workspace: default}}}}}}}}\n'
    )
    assert codes(text) == []
    assert codes(text + "workspaces: {ws: {}}\n") == ["E301"]
