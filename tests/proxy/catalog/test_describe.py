import pytest

from integrations.base import UnknownTool
from proxy.catalog import Catalog, CatalogTool
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
    many = Tools(tuple(tool(f"t{n}") for n in range(200)))
    where = catalog(connection("a.org.main", many))
    for each in where.all():
        where.describe(each, {}, 1_000)
    index = where.connections[0].index
    assert index is not None
    assert 0 < len(index.types) <= 64


def test_a_tool_that_its_toolset_denies_is_an_error() -> None:
    where = a_catalog()
    ping = found(where, "a.org.main.ping")
    stranger = CatalogTool(
        "a.org.main.x", "x", "a.org.main", "a", "org", "main", ping.definition, ping.toolset
    )
    with pytest.raises(UnknownTool):
        where.describe(stranger, {}, 1_000)
