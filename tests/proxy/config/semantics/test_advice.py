import pytest

from tests.proxy.config.texts import API, codes, load, only


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


def test_text_that_looks_like_a_template() -> None:
    text = "version: 1\nintegrations:\n  a: {kind: mcp, type: local, command: [x, '%s'], description: '${HOME}'}\n"
    text += "connections: {a.org.main: {}}\n"
    assert codes(text % "${HOME}/x") == ["W603"]
    assert codes(text % "{{ home }}") == ["W603"]
    assert codes(text % "$5 {} ${") == []


def test_pointless_and_expired_keys() -> None:
    keys = "api_keys: {keys: {k: {value: {env: K}%s}}}"
    assert codes(f"version: 1\nauth: {{anonymous: true, {keys % ''}}}\n") == ["W605"]
    assert codes(f"version: 1\nauth: {{{keys % ', expires: 2020-01-01'}}}\n") == ["W606"]
    assert codes(f"version: 1\nauth: {{{keys % ', expires: 2999-01-01'}}}\n") == []


AUTH = "auth: {api_keys: {keys: {k: {value: {env: K}, groups: [leads]}}%s}%s}\n"
SIGNING = ", signing: {algorithm: HS256, secret: {env: S}}"
HUMAN = "version: 1\npolicies:\n  - {pattern: '*', action: require_approval, approver: human}\n"


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("", ["W607"]),
        ("approver: [leads]", []),
        ('approver: ["group:leads"]', []),
        ('approver: ["key:k"]', []),
        ("approver: [leeds]", ["W607"]),
        ('approver: ["group:leeds", "key:kk", "user:ann"]', ["W607"]),
        ('approver: ["group:leeds", "group:leads"]', ["W608"]),
        ("admin: [leads]", ["W607"]),
        ("admin: [ops], approver: [leads]", ["W608"]),
        ('approver: ["user:local"]', []),
    ],
)
def test_a_persons_approval_needs_a_person(roles: str, expected: list[str]) -> None:
    assert codes(HUMAN + AUTH % ("", f", roles: {{{roles}}}")) == expected
    assert codes(HUMAN) == []
    if "approver" in roles:
        assert codes(HUMAN + AUTH % (SIGNING, f", roles: {{{roles}}}")) == []


def test_who_nobody_is_stands_in_the_warning() -> None:
    found = only(HUMAN + AUTH % ("", ', roles: {approver: ["group:leeds"]}'))
    assert found.message.endswith(
        "nobody has the approver role: `group:leeds` is nobody: no key is in this group"
    )
    assert [(one.message, one.line) for one in found.related] == [("named here", 4)]
    other = only("version: 1\n" + AUTH % ("", ", roles: {approver: [leeds]}"))
    assert (other.code, other.path, other.help) == (
        "W607",
        "auth.roles.approver[0]",
        "did you mean `group:leads`?",
    )
    assert other.message == "nobody has the approver role: `group:leeds` is nobody: no key is in this group"


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("", []),
        ('approver: ["group:leeds"]', ["W607"]),
        ('approver: ["group:leeds", "key:kk"]', ["W607"]),
        ('approver: ["group:leeds", "group:leads"]', ["W608"]),
        ('admin: ["group:leeds"]', ["W608"]),
        ('admin: ["group:leeds"], approver: [leeds]', ["W607", "W608"]),
    ],
)
def test_approvers_who_are_nobody_are_told_without_a_rule_too(roles: str, expected: list[str]) -> None:
    assert sorted(codes("version: 1\n" + AUTH % ("", f", roles: {{{roles}}}"))) == expected


@pytest.mark.parametrize(
    ("principal", "dead"),
    [
        ("key:k", False),
        ("key:kk", True),
        ("group:leads", False),
        ("group:lead", True),
        ("user:ann", True),
        ("user:local", False),
        ("anonymous", True),
    ],
)
def test_rules_for_callers_that_do_not_exist(principal: str, dead: bool) -> None:
    text = rules(f'pattern: api.*, action: block, principals: ["{principal}"]')
    assert codes(text + AUTH % ("", "")) == (["W601"] if dead else [])
    assert codes(text + AUTH % (SIGNING, "")) == []


def test_there_is_no_advice_while_there_are_errors() -> None:
    assert codes(rules("pattern: '*', action: approve", "pattern: x.*, action: block")) == ["E301"]
