from __future__ import annotations

import orjson
import pytest

from integrations.base import JsonObject, UnknownTool, offered_by, outline_of
from integrations.openapi.toolset import make_toolset
from tests.integrations.openapi.documents import compiled, only_tool, operation, toolset_of

DOC = compiled(
    {
        "openapi": "3.0.0",
        "paths": {
            "/a": {
                method: {"operationId": f"{method}It", "tags": ["repos"]}
                for method in ("get", "head", "options", "trace", "put", "post", "patch", "delete")
            },
            "/b": {"get": {"operationId": "b", "tags": ["issues"]}},
        },
    }
)


def names(include: tuple[str, ...], exclude: tuple[str, ...]) -> list[str]:
    return [tool.name for tool in make_toolset(DOC, "k", None, "doc", include, exclude).tools]


def test_risk_and_idempotence_follow_the_method() -> None:
    tools = {tool.method: tool for tool in make_toolset(DOC, "k", None, "doc", (), ()).tools}
    risks = {method: tool.risk for method, tool in tools.items()}
    assert {m for m, risk in risks.items() if risk == "read"} == {"GET", "HEAD", "OPTIONS", "TRACE"}
    assert {m for m, risk in risks.items() if risk == "destructive"} == {"DELETE"}
    assert {m for m, tool in tools.items() if not tool.idempotent} == {"POST", "PATCH"}


@pytest.mark.parametrize(
    ("include", "exclude", "count"),
    [((), (), 9), (("repos.*",), (), 8), (("issues.*",), (), 1), (("*",), ("repos.*",), 1), (("repos.get*",), (), 1),
     (("*.getIt",), (), 1), (("repos.getIt",), ("repos.getIt",), 0), (("repos",), (), 0)],
)  # fmt: skip
def test_include_and_exclude(include: tuple[str, ...], exclude: tuple[str, ...], count: int) -> None:
    assert len(names(include, exclude)) == count


def test_what_is_left_out_is_offered_all_the_same() -> None:
    toolset = make_toolset(DOC, "k", None, "doc", ("issues.*",), ("nope.*",))
    assert (list(toolset.warnings), len(toolset.tools), len(offered_by(toolset))) == ([], 1, 9)


def test_unknown_tools() -> None:
    toolset = toolset_of(operation())
    for ask in (toolset.definition, toolset.binding, toolset.closure, toolset.schemas):
        with pytest.raises(UnknownTool):
            ask("nope")


def test_bindings_are_remembered_and_bounded() -> None:
    paths = {f"/p{n}": {"get": {"operationId": f"o{n}"}} for n in range(300)}
    toolset = toolset_of({"openapi": "3.1.0", "paths": paths})
    first = toolset.tools[0].name
    assert toolset.binding(first) is toolset.binding(first)
    for tool in toolset.tools:
        toolset.schemas(tool.name)
    assert toolset.binding(first).path == "/p0"
    assert toolset.doc.version == "3.1"


def test_an_outline_makes_definitions_when_they_are_looked_up() -> None:
    schema = {"$ref": "#/components/schemas/A"}
    schemas = {"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}}, "B": {"type": "string"}}
    body = {"content": {"application/json": {"schema": schema}}}
    document = operation("/x", "post", requestBody=body, responses={"200": {**body, "description": ""}})
    toolset = toolset_of({**document, "components": {"schemas": schemas}})
    name = only_tool(toolset)
    outline, plain = outline_of(toolset, name), toolset.schemas(name)
    assert outline.output is not None
    assert plain.output is not None
    for lazy, whole in ((outline.input, plain.input), (outline.output, plain.output)):
        assert not isinstance(lazy["$defs"], dict)
        assert lazy["$defs"]["A"]["properties"]["b"] == {"$ref": "#/$defs/B"}
        assert lazy["$defs"]["B"] == {"type": "string"}
        assert orjson.loads(orjson.dumps(whole)) == {**lazy, "$defs": dict(lazy["$defs"])}


PARAMETERS: list[JsonObject] = [
    {"name": name, "in": "query", "required": True, "schema": {}} for name in ("key", "token", "q")
]


def test_what_a_connection_supplies_is_not_in_the_schema() -> None:
    toolset = toolset_of(operation(parameters=PARAMETERS))
    seen = toolset.without(lambda binding: frozenset({("query", "key"), ("header", "q")}), ("query key",))
    name = only_tool(toolset)
    assert seen.schemas(name).input["required"] == ["token", "q"]
    assert "key" not in seen.schemas(name).input["properties"]
    assert toolset.schemas(name).input["required"] == ["key", "token", "q"]
    assert toolset.without(lambda binding: frozenset(), ()).digest == toolset.digest != seen.digest


def test_hidden_parameters_do_not_exist() -> None:
    path = {"name": "token", "in": "path", "required": True, "schema": {}}
    doc = compiled(operation("/x/{token}", parameters=[*PARAMETERS, path]))
    toolset = make_toolset(doc, "key", None, "test", (), (), ("token", "tokn"))
    assert toolset.schemas(only_tool(toolset)).input["required"] == ["key", "q", "token"]
    assert toolset.warnings == ("test: `hide_parameters`: no tool has `tokn`",)
    assert toolset.digest != make_toolset(doc, "key", None, "test", (), ()).digest
