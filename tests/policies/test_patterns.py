import pytest
from hypothesis import given

from integrations.naming import unique_names
from policies import PatternError, covers, parse_pattern
from policies.patterns import segment_matches, underscored
from tests.policies import reference

GITHUB = "github.org.main.repos.delete"


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("*", GITHUB),
        ("tools.*", GITHUB),
        (GITHUB, GITHUB),
        (f"tools.{GITHUB}", GITHUB),
        ("github.*", GITHUB),
        ("github.org.*", GITHUB),
        ("github.org.main.*", GITHUB),
        ("github.org.main.repos.*", GITHUB),
        ("github.org.main.repos.delete.*", GITHUB),  # everything below a prefix, and the prefix itself
        ("github.*.*.repos.delete", GITHUB),
        ("github.*.*.*.delete", GITHUB),
        ("github.*.*.*.*", GITHUB),
        ("github.org.main.repos.del*", GITHUB),
        ("github.org.main.r*s.*e*e", GITHUB),
        ("github.org.main.repos.*delete*", GITHUB),
        ("github.user.*", "github.user.me.repos.get"),
        ("a.*.*.x*", "a.org.b.x"),
        ("a.*.*.x*.*", "a.org.b.xy.z.w"),
        ("a.org.b.get_it$", "a.org.b.get_it$"),
        ("a.org.b.查询天气", "a.org.b.查询天气"),
    ],
)
def test_patterns_match(pattern: str, address: str) -> None:
    assert parse_pattern(pattern).matches(address)
    assert reference.matches(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("github.*", "github2.org.main.repos.get"),
        ("github.org.*", "github.user.main.repos.get"),
        ("github.*.*.delete", GITHUB),  # `*` is one segment, here the tool is `repos.delete`
        ("github.*.*.*.*.*.*", GITHUB),
        ("github.org.main.repos.del", GITHUB),
        ("github.org.main.repos.DELETE", GITHUB),
        ("github.org.main.repos*", GITHUB),  # within a segment `*` never crosses a dot
        ("github.org.main.rep*delete", GITHUB),
        ("a.*.*.ab*ba", "a.org.b.aba"),  # head and tail may not overlap
        ("a.*.*.x*y*z", "a.org.b.xzy"),
    ],
)
def test_patterns_do_not_match(pattern: str, address: str) -> None:
    assert not parse_pattern(pattern).matches(address)


@pytest.mark.parametrize(
    ("pattern", "kind", "message"),
    [
        ("api.*.delete", "segments", "pattern has 3 segments and matches no tool"),
        ("api.main.delete", "owner", "the second segment is the owner: org, user or *, not `main`"),
        ("api", "segments", "pattern has 1 segment and matches no tool"),
        ("api.org", "segments", "pattern has 2 segments and matches no tool"),
        ("api.org.main", "segments", "pattern has 3 segments and matches no tool"),
        ("api.repos.*", "owner", "not `repos`"),
        ("", "syntax", "pattern is empty"),
        ("tools.", "syntax", "pattern is empty"),
        ("api..main.x", "syntax", "empty segment"),
        (".api.org.main.x", "syntax", "empty segment"),
        ("api.org.main.x.", "syntax", "empty segment"),
        ("**", "syntax", "`**`"),
        ("api.**", "syntax", "`**`"),
        ("api.org.main.x**", "syntax", "`**`"),
        ("*.org.main.x", "syntax", "cannot start with `*.`"),
        ("*.*", "syntax", "cannot start with `*.`"),
        ("gith*.org.main.x", "syntax", "in the integration `*` stands for the whole segment"),
        ("api.o*.main.x", "owner", "not `o*`"),
        ("api.org.ma*.x", "syntax", "in the connection `*` stands for the whole segment"),
        ("my-api.org.main.x", "syntax", "no integration can be called `my-api`"),
        ("api.org.main.re pos", "syntax", "no tool address contains `re pos`"),
        ("api.org.main.repo?", "syntax", "no tool address contains `repo?`"),
        ("api.org.main.{x}", "syntax", "no tool address contains `{x}`"),
        ("api.org.main.get-it", "hyphen", "no tool address contains `-`, so `get-it` matches nothing"),
        ("api.*.*.repos.*.list-*", "hyphen", "`list-*` matches nothing"),
    ],
)
def test_patterns_that_can_never_match_are_errors(pattern: str, kind: str, message: str) -> None:
    with pytest.raises(PatternError) as caught:
        parse_pattern(pattern)
    assert caught.value.kind == kind
    assert message in caught.value.message
    assert caught.value.help


@pytest.mark.parametrize(
    ("pattern", "help"),
    [
        ("api.*.delete", "did you mean `api.*.*.delete`?"),
        ("api.main.delete", "did you mean `api.*.main.delete`?"),
        ("api", "did you mean `api.*`?"),
        ("api.Org.main.x", "did you mean `api.org.main.x`?"),
        ("api.users.main.*", "did you mean `api.user.main.*`?"),
        ("api.delete", "did you mean `api.*.*.delete`?"),
        ("api.repos.*", "did you mean `api.*.repos.*`?"),
        ("api.*.*.delete-file", "did you mean `api.*.*.delete_file_a0881326`?"),
        ("api.*.*.a-b.delete-*.x", "did you mean `api.*.*.a_b.delete_*.x_*`?"),
    ],
)
def test_guesses_are_patterns_themselves(pattern: str, help: str) -> None:
    with pytest.raises(PatternError) as caught:
        parse_pattern(pattern)
    assert caught.value.help == help
    parse_pattern(help.split("`")[1])


def test_a_hyphen_suggests_both_ways_of_naming() -> None:
    with pytest.raises(PatternError) as caught:
        parse_pattern("api.*.*.files.delete-all-now")
    assert caught.value.guesses == ("api.*.*.files.delete_all_now_0cc71b3b", "api.*.*.files.deleteAllNow")


@pytest.mark.parametrize(
    "pattern", ["a b.x.y", "api.x y.z", "*.x", "a..b", "my-api.main.x", "api.x.{y}", "api.my-x.y"]
)
def test_nothing_is_suggested_that_is_no_pattern(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        parse_pattern(pattern)
    assert caught.value.guesses == ()
    assert "did you mean" not in (caught.value.help or "")


def test_a_pattern_says_what_it_names() -> None:
    pattern = parse_pattern("github.org.*.repos.get")
    assert (pattern.integration, pattern.owner, pattern.connection) == ("github", "org", None)
    assert parse_pattern("*").integration is None
    assert parse_pattern("github.*").connection is None
    assert parse_pattern("github.org.main.*").connection == "main"


def test_a_star_in_the_text_is_covered_by_a_star_only() -> None:
    assert segment_matches("*", "a*")
    assert segment_matches("a*", "ab*")
    assert not segment_matches("ab", "a*")
    assert not segment_matches("ab*", "a*")
    assert not segment_matches("a*", "*")


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("*", "api.*", True),
        ("api.*", "*", False),
        ("api.*", "api.org.main.x", True),
        ("api.*.*.*", "api.*", True),  # no tool has fewer than four segments
        ("api.*.*.x.*", "api.*", False),
        ("api.org.main.x", "api.org.main.x.*", False),
        ("api.org.main.x.*", "api.org.main.x", True),
        ("api.*.*.x*", "api.org.*.xy", True),
        ("api.*.*.x*", "api.org.*.xy.*", False),
    ],
)
def test_covers(wide: str, narrow: str, covered: bool) -> None:
    assert covers(parse_pattern(wide), parse_pattern(narrow)) is covered


@given(reference.PATTERNS, reference.ADDRESSES)
def test_matching_agrees_with_the_reference(pattern: str, address: str) -> None:
    assert parse_pattern(pattern).matches(address) == reference.matches(pattern, address)


@given(reference.PATTERNS, reference.PATTERNS, reference.ADDRESSES)
def test_what_is_covered_is_matched(wide: str, narrow: str, address: str) -> None:
    if covers(parse_pattern(wide), parse_pattern(narrow)) and parse_pattern(narrow).matches(address):
        assert parse_pattern(wide).matches(address)


@given(reference.PATTERNS)
def test_every_pattern_covers_itself(pattern: str) -> None:
    assert covers(parse_pattern(pattern), parse_pattern(pattern))


@pytest.mark.parametrize("original", ["delete-file", "files.delete-all-now", "a-b-"])
def test_the_guess_at_a_hyphen_is_how_an_mcp_tool_is_called(original: str) -> None:
    assert [underscored(original)] == unique_names([original])


@pytest.mark.parametrize("tool", ["查询天气", "मौसम", "файлы.удалить", "größe*"])
def test_tools_are_named_in_every_script(tool: str) -> None:
    pattern = parse_pattern(f"up.org.main.{tool}")
    assert pattern.matches(f"up.org.main.{tool.replace('*', 'n')}")


def test_patterns_are_compared_in_the_form_in_which_tools_are_named() -> None:
    assert parse_pattern("up.*.*.Mu\u0308nchen").matches("up.org.main.München")
