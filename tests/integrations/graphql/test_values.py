from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.graphql.values import coerce_arguments
from tests.integrations.graphql.server import schema


def coerced(kind: str, field: str, given: JsonObject) -> tuple[JsonObject, dict[str, str]]:
    declared = schema().types[schema().root(kind)].fields[field].arguments
    out, problems = coerce_arguments(schema(), declared, given)
    return out, {problem.pointer: problem.reason for problem in problems}


@pytest.mark.parametrize(
    ("field", "given", "sent"),
    [
        ("user", {"id": 5}, {"id": "5"}),
        ("user", {"id": "5", "at": "any scalar text"}, {"id": "5", "at": "any scalar text"}),
        ("users", {"first": 5.0}, {"first": 5}),
        ("users", {"first": None}, {"first": None}),
        ("users", {"roles": "ADMIN"}, {"roles": ["ADMIN"]}),
        ("users", {"roles": []}, {"roles": []}),
        ("users", {}, {}),
        ("echo", {"ratio": 3, "on": False}, {"ratio": 3, "on": False}),
        ("echo", {"big": {"n": 2**70}}, {"big": {"n": 2**70}}),
        ("posts", {"filter": {"and": {"text": "x"}}}, {"filter": {"and": [{"text": "x"}]}}),
        ("posts", {"filter": {"not": {"not": {"tags": None}}}}, {"filter": {"not": {"not": {"tags": None}}}}),
        ("userBy", {"key": {"id": "1"}}, {"key": {"id": "1"}}),
        # field/17: what models spell otherwise
        ("users", {"first": "5"}, {"first": 5}),
        ("users", {"roles": '["ADMIN"]'}, {"roles": ["ADMIN"]}),
        ("echo", {"ratio": "1.5", "on": "true"}, {"ratio": 1.5, "on": True}),
        ("echo", {"ratio": 5.0}, {"ratio": 5}),
        ("echo", {"select": 5}, {"select": "5"}),
        ("posts", {"filter": '{"tags": ["x"]}'}, {"filter": {"tags": ["x"]}}),
        ("user", {"id": 2**63}, {"id": str(2**63)}),
    ],
)
def test_values_are_sent_in_canonical_form(field: str, given: JsonObject, sent: JsonObject) -> None:
    assert coerced("query", field, given) == (sent, {})


@pytest.mark.parametrize(
    ("field", "given", "pointer", "words"),
    [
        ("user", {}, "/id", "is required (ID!)"),
        ("user", {"id": None}, "/id", "must not be null"),
        ("user", {"id": True}, "/id", "has to be text"),
        ("user", {"id": "1", "idd": 1}, "/idd", "did you mean `id`?"),
        ("user", {"id": "1", "a/b~": 1}, "/a~1b~0", "is not known"),
        ("version", {"x": 1}, "/x", "there are none"),
        ("users", {"first": 2**31}, "/first", "32-bit"),
        (
            "users",
            {"first": "many"},
            "/first",
            'a 32-bit integer, not "many"; leave it out if you do not need it',
        ),
        ("users", {"first": ""}, "/first", 'not ""; leave it out'),
        ("users", {"first": 1.5}, "/first", "32-bit"),
        ("users", {"first": True}, "/first", "32-bit"),
        ("users", {"role": "admin"}, "/role", "one of ADMIN, MEMBER"),
        ("users", {"roles": ["ADMIN", None]}, "/roles/1", "must not be null"),
        ("users", {"roles": ["ADMIN", 3]}, "/roles/1", "one of"),
        ("echo", {"ratio": "1x"}, "/ratio", "a number"),
        ("echo", {"on": 1}, "/on", "true or false"),
        ("echo", {"select": {"a": None}}, "/select", "text, not {a: null}"),
        ("posts", {"filter": "x"}, "/filter", "an object (PostFilter)"),
        ("posts", {"filter": {"and": [{"tag": []}]}}, "/filter/and/0/tag", "did you mean `tags`?"),
        ("userBy", {"key": {}}, "/key", "exactly one of id, login"),
        ("userBy", {"key": {"id": "1", "login": "x"}}, "/key", "exactly one"),
        ("userBy", {"key": {"id": None}}, "/key", "exactly one"),
    ],
)
def test_what_does_not_fit_is_told_by_pointer(
    field: str, given: JsonObject, pointer: str, words: str
) -> None:
    _, problems = coerced("query", field, given)
    assert list(problems) == [pointer]
    assert words in problems[pointer]


def test_required_members_of_input_objects() -> None:
    _, problems = coerced("mutation", "createUser", {"input": {"role": "ADMIN"}})
    assert problems == {"/input/login": "is required (String!)"}


def test_deep_and_many_problems_are_bounded() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"not": deep}
    _, problems = coerced("query", "posts", {"filter": deep})
    assert list(problems.values()) == ["is nested more than 180 levels deep"]
    _, problems = coerced("query", "users", {"roles": ["NOPE"] * 500})
    assert len(problems) == 20
