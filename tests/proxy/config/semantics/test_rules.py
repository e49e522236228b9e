import pytest

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
