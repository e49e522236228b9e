import pytest

from proxy.catalog import Ambiguous, Catalog, CatalogTool, Missing
from tests.proxy.catalog.samples import Tools, catalog, connection, github, tool

HOSTILE = ("__proto__", "constructor", "then", "toJSON", "hasOwnProperty", "prototype.x")


def two() -> Catalog:
    shared = Tools((tool("repos.get"), tool("repos.list")))
    only = Tools((tool("repos.get"), tool("a.b.c.d")))
    return catalog(
        connection("github.org.main", shared),
        connection("github.user.bob", shared),
        connection("gitlab.org.main", only),
    )


def address(found: object) -> str:
    assert isinstance(found, CatalogTool)
    return found.address


@pytest.mark.parametrize(
    "path",
    [
        "github.org.main.repos.get",
        "tools.github.org.main.repos.get",
        "  tools.github.org.main.repos.get ",
    ],
)
def test_a_full_address_is_found_with_or_without_tools(path: str) -> None:
    assert address(two().find(path)) == "github.org.main.repos.get"


def test_tool_names_may_hold_dots() -> None:
    assert address(two().find("gitlab.org.main.a.b.c.d")) == "gitlab.org.main.a.b.c.d"
    assert address(two().find("gitlab.a.b.c.d")) == "gitlab.org.main.a.b.c.d"


def test_a_short_form_needs_exactly_one_connection() -> None:
    assert address(two().find("tools.gitlab.repos.get")) == "gitlab.org.main.repos.get"
    assert two().find("github.repos.get") == Ambiguous(
        ("github.org.main.repos.get", "github.user.bob.repos.get")
    )


def test_connections_that_are_not_visible_do_not_make_a_short_form_ambiguous() -> None:
    found = two().find("github.repos.get", lambda each: each.owner == "org")
    assert address(found) == "github.org.main.repos.get"
    assert two().find("github.repos.get", lambda each: False) == Missing(())


def test_a_full_address_is_found_even_if_not_visible() -> None:
    assert address(two().find("github.org.main.repos.get", lambda each: False)) == "github.org.main.repos.get"


@pytest.mark.parametrize(
    "path", ["", ".", "...", "tools", "tools.", "github", "github.org.main", "x" * 100_000, "\ud800.a"]
)
def test_nonsense_is_missing(path: str) -> None:
    assert isinstance(two().find(path), Missing)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_prototypes_are_missing_unless_they_are_tools(name: str) -> None:
    assert isinstance(github().find(f"github.org.main.{name}"), Missing)
    assert isinstance(github().find(name), Missing)
    having = catalog(connection("x.org.main", Tools((tool(name),))))
    assert address(having.find(f"x.org.main.{name}")) == f"x.org.main.{name}"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("github.org.main.isues.updte", "github.org.main.issues.update"),
        ("github.org.main.issue.update", "github.org.main.issues.update"),
        ("github.issues.closeIssue", "github.org.main.issues.update"),
        ("github.org.main.repos.getz", "github.org.main.repos.get"),
        ("tools.github.org.other.repos.get", "github.org.main.repos.get"),
        ("gihub.org.main.repos.createFork", "github.org.main.repos.createFork"),
    ],
)
def test_close_paths_are_suggested(path: str, expected: str) -> None:
    found = github().find(path)
    assert isinstance(found, Missing)
    assert len(found.suggestions) <= 5
    assert expected in found.suggestions


@pytest.mark.parametrize(
    ("path", "suggested"),
    [
        ("slack.org.main.chat.get", False),
        ("nope.org.main.x", False),
        ("acme.org.main.pipelines.update", False),
        ("execute", False),
        ("repos.get", True),
        ("repos_get", True),
        ("getRepo", True),
        ("githb.org.main.repos.get", True),
        ("octocat.org.main.repos.get", True),
    ],
)
def test_of_an_unknown_integration_only_what_is_alike_is_suggested(path: str, suggested: bool) -> None:
    found = github().find(path)
    assert isinstance(found, Missing)
    assert bool(found.suggestions) == suggested, found.suggestions


def test_what_is_hidden_is_not_suggested() -> None:
    found = github().find("github.org.main.issue.update", lambda each: not each.name.startswith("issues."))
    assert isinstance(found, Missing)
    assert not [each for each in found.suggestions if ".issues." in each]
