from __future__ import annotations

import pytest

from integrations.base import InvalidArguments, UnknownTool, offered_by
from integrations.graphql.nodes import print_nodes
from integrations.graphql.operations import NamedOperation
from integrations.graphql.schema import InputValue
from tests.integrations.graphql.server import toolset

REPORT = NamedOperation(
    "Report",
    "query",
    "query Report($id: ID!, $n: Int = 3) { user(id: $id) { shown: name picture(size: $n) ...F } } "
    "fragment F on User { id }",
    "Says who it is.",
    (InputValue("id", "ID!", "", None, None), InputValue("n", "Int", "", "3", None)),
    ("user",),
)


def test_include_and_exclude_pick_tools() -> None:
    found = toolset(REPORT, include=("query.*",), exclude=("query.user*",)).tools
    names = [tool.name for tool in found]
    assert "query.me" in names
    assert "query.Report" in names
    assert not [name for name in names if name.startswith(("query.user", "mutation"))]


def test_what_is_left_out_is_offered_all_the_same() -> None:
    narrowed = toolset(exclude=("query.*",))
    assert narrowed.warnings == ()
    assert set(offered_by(narrowed)) > {tool.name for tool in narrowed.tools}


def test_the_digest_names_everything_that_matters() -> None:
    digests = {
        toolset().digest,
        toolset(depth=3).digest,
        toolset(fields=3).digest,
        toolset(exclude=("x",)).digest,
    }
    assert len(digests) == 4
    assert toolset().digest == toolset().digest


def test_schemas_of_a_field() -> None:
    schemas = toolset().schemas("query.user")
    assert list(schemas.input["properties"]) == ["id", "at", "select"]
    assert (
        "without outer braces, in place of: id name login"
        in schemas.input["properties"]["select"]["description"]
    )
    assert schemas.output is not None
    assert schemas.output["properties"]["user"]["properties"]["role"]["enum"] == ["ADMIN", "MEMBER", "OLD"]


def test_select_is_offered_where_there_is_something_to_select() -> None:
    tools = toolset()
    assert "select" not in tools.schemas("query.version").input["properties"]
    assert tools.schemas("query.echo").input["properties"]["select"] == {"type": ["string", "null"]}
    assert tools.schemas("query.choose").input["properties"]["select"] == {"type": "integer"}


def test_schemas_of_a_named_operation() -> None:
    schemas = toolset(REPORT).schemas("query.Report")
    assert schemas.input["required"] == ["id"]
    assert schemas.input["properties"]["n"] == {"type": ["integer", "null"], "default": 3}
    assert schemas.output is not None
    assert list(schemas.output["properties"]["user"]["properties"]) == ["shown", "picture", "id"]


def test_options_bound_the_selection() -> None:
    assert print_nodes(toolset(depth=1, fields=2).selection("query.me")) == "id name"


def test_selections_that_were_read_are_kept_and_wrong_ones_are_not() -> None:
    tools = toolset()
    assert tools.read_select("User", " id ") == tools.read_select("User", " id ") == "id"
    assert tools.read_select("Team", " id ") == "id"
    for _ in range(2):
        with pytest.raises(InvalidArguments):
            tools.read_select("Team", "login")
    many = [tools.read_select("User", f"a{number}: id") for number in range(300)]
    assert many == [f"a{number}:id" for number in range(300)]
    assert tools.read_select("User", "# " + "x" * 3_000 + "\nid") == "id"


def test_unknown_tools() -> None:
    for method in (toolset().entry, toolset().selection, toolset().schemas):
        with pytest.raises(UnknownTool):
            method("query.nope")
