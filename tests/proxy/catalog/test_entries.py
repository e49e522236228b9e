from proxy.catalog import CatalogTool, Found, SearchPage
from tests.proxy.catalog.samples import Tools as Toolset
from tests.proxy.catalog.samples import catalog, connection, github, tool


def a_tool() -> CatalogTool:
    found = catalog(connection("a.org.main", Toolset((tool("x"),)))).find("a.org.main.x")
    assert isinstance(found, CatalogTool)
    return found


def test_tools_are_equal_by_address() -> None:
    assert a_tool() == a_tool()
    assert len({a_tool(), a_tool()}) == 1


def test_the_prefix_of_a_connection() -> None:
    assert github().connections[0].prefix == "github.org.main"


def test_a_page_knows_what_follows() -> None:
    item = Found(a_tool(), 1.0)
    assert SearchPage((item, item), 5, 0).next_offset == 2
    assert SearchPage((item,), 5, 4).next_offset is None
    assert SearchPage((), 5, 9).as_json(lambda found: {}) == {
        "items": [],
        "total": 5,
        "hasMore": False,
        "nextOffset": None,
    }
