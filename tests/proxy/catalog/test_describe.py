import pytest

from integrations.base import UnknownTool
from proxy.catalog import Catalog, CatalogTool
from proxy.catalog.lru import Lru
from tests.proxy.catalog.samples import Tools, catalog, connection, tool

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
TOOLS = Tools(
    (tool("things.get", "Get a thing", description="By its id."), tool("ping")),
    inputs={"things.get": SCHEMA},
    outputs={"things.get": {"type": "array", "items": {"$ref": "#/$defs/Thing"}, "$defs": {"Thing": SCHEMA}}},
)


def a_catalog() -> Catalog:
    return catalog(connection("a.org.main", TOOLS), connection("b.org.main", TOOLS))


def found(where: Catalog, path: str) -> CatalogTool:
    each = where.find(path)
    assert isinstance(each, CatalogTool)
    return each


def test_everything_needed_for_a_call() -> None:
    where = a_catalog()
    policy = {"action": "approve"}
    assert where.describe(found(where, "a.org.main.things.get"), policy, 16_384) == {
        "path": "a.org.main.things.get",
        "name": "things.get",
        "description": "Get a thing\nBy its id.",
        "inputTypeScript": "{\n  id: string;\n}",
        "outputTypeScript": "Thing[]",
        "typeScriptDefinitions": "type Thing = {\n  id: string;\n};",
        "policy": policy,
    }


def test_a_tool_without_declared_output_gives_unknown() -> None:
    where = a_catalog()
    described = where.describe(found(where, "b.org.main.ping"), {}, 1_000)
    assert described["outputTypeScript"] == "unknown"
    assert described["inputTypeScript"] == "{}"


def test_rendered_types_are_kept_and_bounded() -> None:
    """All of a large document, by weight and not by number: what was rendered once is not rendered again."""
    many = Tools(tuple(tool(f"t{n}") for n in range(200)))
    where = catalog(connection("a.org.main", many))
    for each in where.all():
        where.describe(each, {}, 1_000)
    index = where.connections[0].index
    assert index is not None
    assert len(index.types) == 200
    where.describe(next(iter(where.all())), {}, 1_000)
    assert len(index.types) == 200


def test_a_tool_that_its_toolset_denies_is_an_error() -> None:
    where = a_catalog()
    ping = found(where, "a.org.main.ping")
    stranger = CatalogTool(
        "a.org.main.x", "x", "a.org.main", "a", "org", "main", ping.definition, ping.toolset
    )
    with pytest.raises(UnknownTool):
        where.describe(stranger, {}, 1_000)


def test_a_cache_by_weight_lets_go_of_what_was_not_used_for_longest() -> None:
    kept = Lru(10, len)
    for word in ("aaaa", "bbbb"):
        kept.put(word, word)
    assert kept.get("aaaa") == "aaaa"
    kept.put("cccc", "cccc")
    assert (kept.get("bbbb"), kept.get("aaaa"), len(kept)) == (None, "aaaa", 2)
    kept.put("aaaa", "a")
    kept.put("dddd", "dddd")
    assert len(kept) == 3
    kept.put("large", "x" * 100)
    assert len(kept) == 1
