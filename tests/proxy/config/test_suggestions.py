import pytest

from proxy.config.model import Config
from proxy.config.suggestions import SYNONYMS, allowed_keys, elsewhere, literal_values, nearest, nearest_name


def test_allowed_keys_follow_the_discriminators() -> None:
    data = {"integrations": {"a": {"kind": "mcp", "type": "remote"}, "b": {"kind": "openapi"}}}
    assert "url" in allowed_keys(("integrations", "a"), data)
    assert "command" not in allowed_keys(("integrations", "a"), data)
    assert "spec" in allowed_keys(("integrations", "b"), data)
    assert {"spec", "command", "endpoint"} <= set(allowed_keys(("integrations", "c"), data))


def test_aliases_are_the_names_in_the_file() -> None:
    keys = allowed_keys(("policies", 0, "when", "x"), {"policies": [{"when": {"x": {}}}]})
    assert "in" in keys
    assert "in_" not in keys


def test_the_top_level() -> None:
    assert allowed_keys((), {}) == list(Config.model_fields)


@pytest.mark.parametrize(
    ("word", "allowed", "expected"),
    [
        ("clientId", ["client_id", "client_secret"], "client_id"),
        ("lisen", ["listen", "public_url"], "listen"),
        ("mcpServers", ["integrations", "policies"], "integrations"),
        ("ask", ["block", "require_approval", "approve"], "require_approval"),
        ("Browser", ["model", "browser"], "browser"),
        ("authorization-code", ["client_credentials", "authorization_code"], "authorization_code"),
        ("zzz", ["listen"], None),
    ],
)
def test_did_you_mean(word: str, allowed: list[str], expected: str | None) -> None:
    assert nearest(word, allowed) == expected


RULE = allowed_keys(("policies", 0), {"policies": [{"action": "block"}]})


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("match", "pattern"),
        ("tool", "pattern"),
        ("patern", "pattern"),
        ("effect", "action"),
        ("groups", "principals"),
        ("principal", "principals"),
        ("if", "when"),
        ("name", "id"),
        ("message", "reason"),
        ("risks", "risk"),
    ],
)
def test_keys_of_rules_in_other_products(word: str, expected: str) -> None:
    assert nearest(word, RULE) == expected


def test_names_that_somebody_chose_have_no_synonyms() -> None:
    assert nearest("http", ["remote", "local"]) == "remote"
    assert nearest_name("http", ["remote", "local"]) is None
    assert nearest_name("remot", ["remote", "local"]) == "remote"


def test_where_a_misplaced_key_belongs() -> None:
    assert elsewhere("listen") == "server.listen"
    assert elsewhere("nothing") is None


def test_values_of_a_discriminator() -> None:
    assert literal_values(("integrations", "a"), "kind") == ["openapi", "graphql", "mcp"]


def test_synonyms_lead_to_words_that_exist() -> None:
    keys: set[str] = set()
    for path in [(), ("server",), ("integrations", "a"), ("policies", 0), ("policies", 0, "when", "x")]:
        keys |= set(allowed_keys(path, {}))
    values = {
        "require_approval",
        "approve",
        "block",
        "remote",
        "local",
        "openapi",
        "warning",
        "client_secret",
    }
    assert set(SYNONYMS.values()) <= keys | values | {"api_keys", "username", "rate_limits"}
