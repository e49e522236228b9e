from __future__ import annotations

import copy
from typing import Any

import pytest

from integrations.base import SourceError
from integrations.graphql.schema import is_list, item_type, named_type, nullable, read_schema
from tests.integrations.graphql.server import introspection, schema


def test_type_texts_are_taken_apart() -> None:
    assert named_type("[[Post!]]!") == "Post"
    assert (nullable("[Post]!"), nullable("Post")) == ("[Post]", "Post")
    assert (is_list("[Post]!"), is_list("Post!")) == (True, False)
    assert item_type("[[Post!]]!") == "[Post!]"


def test_fields_arguments_and_defaults_are_read() -> None:
    users = schema().types["Query"].fields["users"]
    assert users.type == "UserConnection!"
    assert [(a.name, a.type, a.default, a.required) for a in users.arguments] == [
        ("first", "Int", "10", False),
        ("role", "Role", None, False),
        ("roles", "[Role!]", None, False),
    ]
    assert schema().types["User"].fields["avatar"].needs_arguments
    assert schema().types["User"].fields["secret"].deprecated == "never again"


def test_named_types_keep_what_introspection_says() -> None:
    types = schema().types
    assert types["Key"].exclusive
    assert types["DateTime"].format_url == "https://scalars.example.com/date-time"
    assert set(schema().possible("Found")) == {"User", "Bot", "Team", "Post"}
    assert schema().possible("Team") == ("Team",)
    assert schema().roots == {"Query", "Mutation", "Subscription"}
    assert not any(name.startswith("__") for name in types)


def broken(**changes: Any) -> Any:
    raw = copy.deepcopy(introspection()["__schema"])
    raw.update(changes)
    return raw


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "not a GraphQL introspection result"),
        ({"types": [{}]}, "not a GraphQL introspection result"),
        (broken(queryType={"name": "Nope"}), "the type `Nope` is used but not defined"),
        (broken(types=[{"kind": "SCALAR", "name": "a b"}], queryType=None, mutationType=None,
                subscriptionType=None, directives=[]), "`a b` is not a GraphQL name"),
    ],
)  # fmt: skip
def test_what_is_no_schema_is_refused(raw: Any, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_schema(raw, "x.json")


def test_names_that_would_change_the_request_text_are_refused() -> None:
    raw = broken()
    query = next(one for one in raw["types"] if one["name"] == "Query")
    query["fields"][1]["args"][0]["name"] = "id: 1) deleteAll #"
    with pytest.raises(SourceError, match="is not a GraphQL name"):
        read_schema(raw, "x.json")
