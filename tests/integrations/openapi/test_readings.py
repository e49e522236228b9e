"""field/17: what models spell otherwise, in a JSON body and wherever a list or an object is sent as text."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.readings import fitting_reading
from integrations.validator import schema_errors
from tests.integrations.openapi.documents import operation, problems_of, request_of

ORDER = {
    "type": "object",
    "properties": {
        "qty": {"type": "integer"},
        "price": {"type": ["null", "number"]},
        "gift": {"type": "boolean"},
        "name": {"type": "string"},
        "ids": {"type": "array", "items": {"type": "integer"}},
        "to": {"type": "object", "properties": {"zip": {"type": "string"}}},
        "either": {"anyOf": [{"type": "integer"}, {"type": "object"}]},
        "both": {"type": ["integer", "string"]},
    },
}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"qty": "5"}, {"qty": 5}),
        ({"qty": 5.0}, {"qty": 5.0}),
        ({"price": "1.50"}, {"price": 1.5}),
        ({"gift": "true", "qty": "7"}, {"gift": True, "qty": 7}),
        ({"name": 5}, {"name": "5"}),
        ({"ids": "[1,2]"}, {"ids": [1, 2]}),
        ({"ids": ["1", 2]}, {"ids": [1, 2]}),
        ({"ids": '["1"]'}, {"ids": [1]}),
        ({"to": '{"zip": 8001}'}, {"to": {"zip": "8001"}}),
        ('{"qty": "5"}', {"qty": 5}),
        ({"either": "5"}, {"either": 5}),
        ({"both": "5"}, {"both": "5"}),
        # What means nothing else stays, and the rest is read all the same.
        ({"qty": "5 pieces", "gift": "true"}, {"qty": "5 pieces", "gift": True}),
        ({"qty": ""}, {"qty": ""}),
        ({"gift": 1}, {"gift": 1}),
        ({"price": "0.10000000000000000001"}, {"price": "0.10000000000000000001"}),
    ],
)
def test_a_wrong_type_is_read_as_what_it_means(given: Any, read: Any) -> None:
    found = fitting_reading(lambda value: list(schema_errors(ORDER, value)), given)
    assert found == read
    assert repr(found) == repr(read)


def test_the_given_value_is_not_changed() -> None:
    given = {"to": {"zip": 1}, "qty": "5"}
    fitting_reading(lambda value: list(schema_errors(ORDER, value)), given)
    assert given == {"to": {"zip": 1}, "qty": "5"}


INTEGERS = {"type": "array", "items": {"type": "integer"}}
SIZE = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}}
LIST_OF_SIZES = {"type": "array", "items": SIZE}


def parameter(place: str, schema: Any, **more: Any) -> Any:
    shape = {"name": "p", "in": place, "schema": schema, **more}
    found = {**shape, "required": True} if place == "path" else shape
    return operation("/x/{p}" if place == "path" else "/x", parameters=[found])


def form(media: str, schema: Any, **encoding: Any) -> Any:
    properties = {"type": "object", "properties": {"p": schema}}
    content = {media: {"schema": properties, "encoding": {"p": encoding} if encoding else {}}}
    return operation("/x", "post", requestBody={"content": content})


JSON_CONTENT = operation(
    "/x",
    parameters=[{"name": "p", "in": "query", "content": {"application/json": {"schema": LIST_OF_SIZES}}}],
)
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


@pytest.mark.parametrize(
    ("document", "spelled", "plain"),
    [
        (parameter("query", INTEGERS), "[1,2]", [1, 2]),
        (parameter("query", INTEGERS), '[ "1", 2 ]', [1, 2]),
        (parameter("query", INTEGERS, explode=False), "[1,2]", [1, 2]),
        (parameter("query", {"type": ["array", "null"], "items": {"type": "string"}}), '["a"]', ["a"]),
        (parameter("query", SIZE, style="deepObject"), '{"a":"1","b":"true"}', {"a": 1, "b": True}),
        (parameter("query", SIZE), '{"a":1}', {"a": 1}),
        (parameter("query", LIST_OF_SIZES), '[{"a":"1"}]', [{"a": 1}]),
        (parameter("query", LIST_OF_SIZES), ['{"a": "1"}'], [{"a": 1}]),
        (JSON_CONTENT, '[{"a":"1"}]', [{"a": 1}]),
        (JSON_CONTENT, [{"a": "1", "b": "true"}], [{"a": 1, "b": True}]),
        (parameter("path", INTEGERS), "[1,2]", [1, 2]),
        (parameter("header", INTEGERS), "[1,2]", [1, 2]),
        (parameter("cookie", INTEGERS, explode=False), "[1,2]", [1, 2]),
        (form(URLENCODED, INTEGERS), {"p": "[1,2]"}, {"p": [1, 2]}),
        (form(URLENCODED, SIZE), {"p": '{"a": "1"}'}, {"p": {"a": 1}}),
        (form(URLENCODED, SIZE, style="deepObject"), {"p": '{"a":1}'}, {"p": {"a": 1}}),
        (form(URLENCODED, INTEGERS, contentType="application/json"), {"p": "[1,2]"}, {"p": [1, 2]}),
        (form(MULTIPART, INTEGERS), {"p": "[1,2]"}, {"p": [1, 2]}),
        (form(MULTIPART, SIZE), {"p": '{"a":1}'}, {"p": {"a": 1}}),
    ],
)  # fmt: skip
def test_the_text_of_a_list_is_the_list_wherever_it_is_sent(document: Any, spelled: Any, plain: Any) -> None:
    name = "body" if "requestBody" in next(iter(next(iter(document["paths"].values())).values())) else "p"
    assert problems_of(document, {name: spelled}) == {}
    one, other = request_of(document, {name: spelled}), request_of(document, {name: plain})
    assert sent(one) == sent(other)


def sent(request: Any) -> Any:
    return request.url, request.query, request.headers, request.cookies, unbounded(request.body)


def unbounded(body: Any) -> Any:
    """A body without the boundary, which is made of its content."""
    return repr(body)


@pytest.mark.parametrize(
    ("schema", "given"),
    [(INTEGERS, "[1,2"), (INTEGERS, "1,2"), (INTEGERS, '["x"]'), (INTEGERS, ""), (SIZE, "[1]")],
)
def test_what_is_no_list_is_refused_and_may_be_left_out(schema: Any, given: Any) -> None:
    reason = "".join(problems_of(parameter("query", schema), {"p": given}).values())
    assert "has to be" in reason


def test_text_stays_text_where_text_may_stand() -> None:
    either = {"type": ["array", "string"], "items": {"type": "integer"}}
    assert (
        request_of(parameter("query", either), {"p": "[1, 2]"}).query
        == request_of(parameter("query", {"type": "string"}), {"p": "[1, 2]"}).query
    )
