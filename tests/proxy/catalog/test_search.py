import pytest

from proxy.catalog import Catalog, CatalogTool, everything
from tests.proxy.catalog.samples import Tools, catalog, connection, github, tool

ISSUES = Tools(
    (
        tool("issues.list", "List issues"),
        tool("issues.get", "Get an issue"),
        tool("labels.list", "List labels"),
    )
)


def two() -> Catalog:
    return catalog(connection("beta.org.main", ISSUES), connection("acme.org.prod", ISSUES, "Acme tracker"))


def paths(
    text: str, namespace: str = "", limit: int = 12, offset: int = 0, where: Catalog | None = None
) -> list[str]:
    page = (where or two()).search(text, namespace, limit, offset, everything)
    return [found.tool.address for found in page.items]


def test_ties_are_in_address_order() -> None:
    assert paths("get issue")[:2] == ["acme.org.prod.issues.get", "beta.org.main.issues.get"]


def test_naming_the_connection_brings_its_tools_first() -> None:
    assert paths("acme labels")[0] == "acme.org.prod.labels.list"
    assert paths("prod get issue")[0] == "acme.org.prod.issues.get"
    assert paths("acme") == [f"acme.org.prod.{name}" for name in ("issues.get", "issues.list", "labels.list")]


def test_a_namespace_limits_and_an_empty_query_lists_it() -> None:
    assert {path.split(".")[0] for path in paths("list", "beta")} == {"beta"}
    assert paths("", "tools.beta.org.main.issues") == [
        "beta.org.main.issues.list",
        "beta.org.main.issues.get",
    ]
    assert paths("labels", "beta.org.main.issues") == []
    assert paths("", "nowhere") == []


def test_an_empty_query_without_namespace_lists_everything_in_order() -> None:
    assert [path.split(".")[0] for path in paths("")] == ["acme"] * 3 + ["beta"] * 3
    assert paths("", "beta", limit=0) == []


def test_pages_do_not_overlap_and_cover_everything() -> None:
    whole = paths("list repository", limit=100, where=github())
    parts: list[str] = []
    offset: int | None = 0
    while offset is not None and offset < 100:
        page = github().search("list repository", "", 7, offset, everything)
        parts += [found.tool.address for found in page.items]
        offset = page.next_offset
    assert parts[: len(whole)] == whole
    assert len(set(parts)) == len(parts)


def test_hidden_tools_leave_no_trace() -> None:
    def visible(each: CatalogTool) -> bool:
        return not each.name.startswith("issues.")

    page = github().search("update issue", "", 50, 0, visible)
    assert page.items
    assert all(visible(found.tool) for found in page.items)
    without = Tools(tuple(each for each in ISSUES.tools if each.name != "issues.get"))
    hidden = two().search("issue", "acme", 12, 0, lambda each: each.name != "issues.get")
    absent = catalog(connection("acme.org.prod", without)).search("issue", "acme", 12, 0, everything)
    assert hidden.total == absent.total
    assert [found.tool.address for found in hidden.items] == [found.tool.address for found in absent.items]


def test_only_candidates_are_checked_for_visibility() -> None:
    asked: list[str] = []

    def visible(each: CatalogTool) -> bool:
        asked.append(each.address)
        return True

    github().search("close issue", "", 5, 0, visible)
    assert 0 < len(asked) <= 200
    asked.clear()
    github().search("repository", "", 5, 0, visible)
    assert len(asked) == 200


def test_tools_past_many_hidden_ones_are_still_found() -> None:
    tools = Tools(tuple(tool(f"thing{n:04}.get", "Get thing") for n in range(900)))
    page = catalog(connection("a.org.main", tools)).search(
        "thing", "", 5, 0, lambda t: t.name > "thing0890.get"
    )
    assert page.total == 9


@pytest.mark.parametrize("text", ["\x00", "*" * 10_000, "a" * 100_000, "\ud800", "__proto__", "((((("])
def test_hostile_texts_are_harmless(text: str) -> None:
    github().search(text, text, 5, 0, everything)


def test_the_same_search_gives_the_same_answer() -> None:
    assert paths("create release", where=github()) == paths("create release", where=github())
