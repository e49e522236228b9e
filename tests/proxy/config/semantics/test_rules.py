import pytest

from integrations.naming import unique_names
from tests.proxy.config.texts import API, codes, load, only


def rule(pattern: str) -> str:
    return f'{API}policies:\n  - {{pattern: "{pattern}", action: block}}\n'


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "api.*",
        "tools.api.*",
        "api.*.*.get",
        "api.org.main.a.b*",
        "api.org.*",
        "api.org.main.*",
        "api.*.main.x",
    ],
)
def test_patterns_that_can_match(pattern: str) -> None:
    assert codes(rule(pattern)) == []


@pytest.mark.parametrize(
    ("pattern", "code", "help"),
    [
        ("api.*.get", "E303", "did you mean `api.*.*.get`?"),
        ("api.main.get", "E303", None),
        ("api..get.x", "E303", None),
        ("**", "E303", None),
        ("*.org.main.get", "E303", None),
        ("", "E206", None),
        ("apii.*", "E301", "did you mean `api`?"),
        ("api.org.min.*", "E301", "did you mean `api.org.main`?"),
        ("api.user.main.*", "E301", "did you mean `api.org.main`?"),
        ("api.org.zzz.*", "E301", "known: main"),
    ],
)
def test_patterns_that_cannot(pattern: str, code: str, help: str | None) -> None:
    found = only(rule(pattern))
    assert (found.code, found.line, found.column) == (code, 9, 15)
    if help:
        assert found.help == help


def test_ids_are_unique_in_their_layer_only() -> None:
    one = "{id: a, pattern: api.*.*.x, action: block}"
    assert codes(f"{API}policies: [{one}]\nworkspaces: {{w: {{policies: [{one}]}}}}\n") == []
    (found,) = load(f"{API}policies:\n  - {one}\n  - {one}\n").diagnostics
    assert found.code == "E103"
    assert [(other.line, other.column) for other in found.related] == [(9, 6)]


@pytest.mark.parametrize(
    ("integration", "tool", "address"),
    [
        ("kind: openapi, spec: {url: https://x.example.com}", "files.delete-file", "files.deleteFile"),
        ("kind: mcp, type: local, command: [x]", "delete-file", unique_names(["delete-file"])[0]),
        ("kind: mcp, type: local, command: [x]", "fs.delete-file", unique_names(["fs.delete-file"])[0]),
        ("kind: mcp, type: local, command: [x]", "delete-*", "delete_*"),
        ("kind: graphql, endpoint: https://x.example.com", "query.a-b", unique_names(["query.a-b"])[0]),
    ],
)
@pytest.mark.parametrize("place", ["rule", "exclude", "health"])
def test_a_hyphen_is_answered_with_the_real_address(
    place: str, integration: str, tool: str, address: str
) -> None:
    extra = {"exclude": f", exclude: ['{tool}']", "health": f", health: {{tool: '{tool}'}}"}.get(place, "")
    text = f"version: 1\nintegrations:\n  a: {{{integration}{extra}}}\nconnections:\n  a.org.main: {{}}\n"
    text += f"policies:\n  - {{pattern: 'a.*.*.{tool}', action: block}}\n" if place == "rule" else ""
    found = [one for one in load(text).diagnostics if one.code in ("E303", "E206")]
    if place == "health" and "*" in tool:
        assert [one.help for one in found] == ["write its whole name"]
        return
    head = "a.*.*." if place == "rule" else ""
    assert [(one.code, one.help) for one in found] == [("E303", f"did you mean `{head}{address}`?")]


@pytest.mark.parametrize(
    ("pattern", "help"),
    [
        # The guess that is valid here, not the likeliest in general.
        ("api.main.delete", "did you mean `api.*.main.delete`?"),
        ("api.repos.delete", "did you mean `api.*.*.repos.delete`?"),
        ("api.delete", "did you mean `api.*.*.delete`?"),
        ("api.org.main", "did you mean `api.org.main.*`?"),
        ("api.org.delete", "did you mean `api.org.*.delete`?"),
        ("api", "did you mean `api.*`?"),
        ("apis.main.get", "pattern names unknown integration `apis`: did you mean `api`?"),
        ("nothing.main.get", "pattern names unknown integration `nothing`: known: api"),
    ],
)
def test_what_is_suggested_is_valid(pattern: str, help: str) -> None:
    found = only(f"{API}policies:\n  - {{pattern: {pattern}, action: block}}\n")
    assert (found.code, found.help) == ("E303", help)
    if "did you mean `api." in help:
        meant = help.split("`")[1]
        assert codes(f"{API}policies:\n  - {{pattern: {meant}, action: block}}\n") == []
