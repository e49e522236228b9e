from integrations.fields import SecretRef
from proxy.config.semantics.view import ConfigView, connected_names, declared_names, walk_secrets
from tests.proxy.config.texts import API, load, valid


def view(text: str) -> ConfigView:
    found = load(text).view
    assert found is not None
    return found


def test_names_include_what_is_invalid() -> None:
    found = view(API.replace("  api:\n", "  bad: {kind: openapi}\n  api:\n"))
    assert list(found.names("integrations")) == ["bad", "api"]
    assert list(found.config.integrations) == ["api"]
    assert found.has_lost("integrations")
    assert list(found.names("nothing")) == []


def test_connections_by_integration() -> None:
    assert connected_names(["a.org.x", "a.user.y", "b.org.z", "broken"]) == {
        "a": [("org", "x"), ("user", "y")],
        "b": [("org", "z")],
    }
    assert declared_names({"a": {"b": 1}, "c": []}) == {"a": ["b"]}


def test_rules_keep_the_places_they_have_in_the_file() -> None:
    text = API + "policies:\n  - {pattern: 5}\n  - {pattern: api.*, action: block}\n"
    ((_, rules), *_) = view(text).layers()
    assert [path for path, _ in rules] == [("policies", 1)]


def test_workspaces_are_layers() -> None:
    text = API + "workspaces: {ws: {policies: [{pattern: api.*, action: block}]}}\n"
    layers = list(view(text).layers())
    assert [path for path, _ in layers] == [("policies",), ("workspaces", "ws", "policies")]
    assert layers[1][1][0][0] == ("workspaces", "ws", "policies", 0)


def test_secrets_with_their_paths() -> None:
    text = API.replace("{}\n", "{auth: {kind: parts, parts: [{kind: bearer, token: {env: T}}]}}\n")
    assert [(path, ref.env) for path, ref in view(text).secrets()] == [
        (("connections", "api.org.main", "auth", "parts", 0, "token"), "T")
    ]


def test_walking_plain_values_finds_nothing() -> None:
    assert list(walk_secrets({"a": "b"}, ())) == []
    assert list(walk_secrets(SecretRef(env="A"), ("x",))) == [(("x",), SecretRef(env="A"))]


def test_paths_are_relative_to_the_file() -> None:
    found = valid(API).view
    assert found is not None
    assert str(found.directory(("integrations", "api"))) == "."
