import pytest

from tests.proxy.config.texts import API, codes, load


def rules(*lines: str) -> str:
    return API + "policies:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ("pattern: api.*, action: block", "pattern: api.org.main.get, action: approve", True),
        ("pattern: '*', action: block", "pattern: api.*, action: approve", True),
        ("pattern: api.*.*.get*, action: block", "pattern: api.org.main.getAll, action: approve", True),
        ("pattern: api.*.*.get, action: block", "pattern: api.*, action: approve", False),
        (
            "pattern: api.*, action: block, when: {a: {exists: true}}",
            "pattern: api.*, action: approve",
            False,
        ),
        ("pattern: api.*, action: block, risk: [write]", "pattern: api.*, action: approve", False),
        (
            "pattern: api.*, action: block, risk: [write, read]",
            "pattern: api.*, action: approve, risk: [read]",
            True,
        ),
        ("pattern: api.*, action: block, principals: [anonymous]", "pattern: api.*, action: approve", False),
        (
            "pattern: api.*, action: block, principals: [anonymous]",
            "pattern: api.*, action: approve, principals: [anonymous]",
            True,
        ),
    ],
)
def test_shadowed_rules(first: str, second: str, hidden: bool) -> None:
    found = load(rules(first, second)).diagnostics
    assert [one.code for one in found] == (["W601"] if hidden else [])
    if hidden:
        assert [other.line for other in found[0].related] == [9]


def test_layers_do_not_shadow_each_other() -> None:
    one = "{pattern: api.*, action: block}"
    assert codes(f"{API}policies: [{one}]\nworkspaces: {{w: {{policies: [{one}]}}}}\n") == []


def test_a_rule_that_approves_everything() -> None:
    assert codes(rules("pattern: '*', action: approve")) == ["W604"]
    assert codes(rules("pattern: '*', action: approve, risk: [read]")) == []
    assert codes(rules("pattern: '*', action: block")) == []


def test_rules_for_keys_that_do_not_exist() -> None:
    rule = 'pattern: api.*, action: approve, principals: ["key:kk"]'
    auth = "auth: {api_keys: {keys: {k: {value: {env: K}}}%s}}\n"
    assert codes(rules(rule)) == []
    assert codes(rules(rule) + auth % "") == ["W601"]
    signing = ", signing: {algorithm: HS256, secret: {env: S}}"
    assert codes(rules(rule) + auth % signing) == ["W690"]


def test_text_that_looks_like_a_template() -> None:
    text = "version: 1\nintegrations:\n  a: {kind: mcp, type: local, command: [x, '%s'], description: '${HOME}'}\n"
    assert codes(text % "${HOME}/x") == ["W603"]
    assert codes(text % "{{ home }}") == ["W603"]
    assert codes(text % "$5 {} ${") == []


def test_pointless_and_expired_keys() -> None:
    keys = "api_keys: {keys: {k: {value: {env: K}%s}}}"
    assert codes(f"version: 1\nauth: {{anonymous: true, {keys % ''}}}\n") == ["W605"]
    assert codes(f"version: 1\nauth: {{{keys % ', expires: 2020-01-01'}}}\n") == ["W606"]
    assert codes(f"version: 1\nauth: {{{keys % ', expires: 2999-01-01'}}}\n") == []


def test_a_persons_approval_needs_a_person() -> None:
    rule = "policies:\n  - {pattern: '*', action: require_approval, approver: human}\n"
    auth = "auth: {api_keys: {keys: {k: {value: {env: K}}}}%s}\n"
    assert codes("version: 1\n" + rule) == []
    assert codes("version: 1\n" + rule + auth % "") == ["W607"]
    assert codes("version: 1\n" + rule + auth % ", roles: {approver: [leads]}") == []


def test_there_is_no_advice_while_there_are_errors() -> None:
    assert codes(rules("pattern: '*', action: approve", "pattern: x.*, action: block")) == ["E301"]
