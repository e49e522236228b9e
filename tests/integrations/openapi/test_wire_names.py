from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.openapi.documents import operation, problems_of, request_of


def query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def parameter(place: str, name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": {"type": "object"}, **more}


FREE = [query("amount", type="integer"), query("ids[]", type="array"), query("filter", type="object"),
        query("more", type="object", properties={"size": {"type": "integer"}})]  # fmt: skip
DEEP = {**query("page", type="object"), "style": "deepObject", "explode": True}


@pytest.mark.parametrize(
    ("parameters", "arguments", "owner"),
    [
        (FREE, {"amount": 1, "filter": {"amount": "5000"}}, "amount"),
        (FREE, {"filter": {"amount": "5000"}}, "amount"),
        (FREE, {"filter": {"Amount": 1}}, "amount"),
        (FREE, {"filter": {" amount": 1}}, "amount"),
        (FREE, {"filter": {"amount[]": 1}}, "amount"),
        (FREE, {"filter": {"amount[gt]": 1}}, "amount"),
        (FREE, {"filter": {"ids": 1}}, "ids[]"),
        (FREE, {"filter": {"size": 1}}, "more"),
        (FREE, {"more": {"colour": 1}}, "filter"),
        ([*FREE, DEEP], {"filter": {"page[a]": 1}}, "page"),
        ([query("page[size]"), DEEP], {"page": {"size": 1}}, "page[size]"),
        ([query("a"), query("free")], {"free": {"a": 1}}, "a"),
        ([parameter("cookie", "prefs"), {"name": "sid", "in": "cookie"}], {"prefs": {"sid": "x"}}, "sid"),
    ],
)
def test_a_name_has_one_owner(parameters: list[Any], arguments: dict[str, Any], owner: str) -> None:
    (reason,) = problems_of(operation("/x", parameters=parameters), arguments).values()
    assert f"parameter `{owner}`: give it there" in reason


@pytest.mark.parametrize("name", ["amount\x00", "\tfree", "a\x7fb", "a\nb"])
def test_a_name_with_control_characters_is_refused_unless_it_is_declared(name: str) -> None:
    (reason,) = problems_of(operation("/x", parameters=FREE), {"filter": {name: 1}}).values()
    assert "leave the control characters out" in reason
    declared = operation("/x", parameters=[query("filter", type="object", properties={name: {}})])
    assert request_of(declared, {"filter": {name: 1}}).url


def test_headers_ignore_case() -> None:
    headers: list[dict[str, Any]] = [{"name": name, "in": "header", "schema": {}} for name in ("X-A", "x-a")]
    document = operation("/x", parameters=headers)
    assert "belongs to the header parameter `X-A`" in problems_of(document, {"x-a": "1"})["/x-a"]


def test_what_the_path_says_is_taken() -> None:
    document = operation("/x?action=list", parameters=[query("action"), query("free", type="object")])
    assert "which the path says already" in problems_of(document, {"action": "wipe"})["/action"]
    assert problems_of(document, {"free": {"action": "wipe"}})


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ({"filter": {"colour": "red", "unit[x]": 1}, "amount": 1}, "?amount=1&colour=red&unit%5Bx%5D=1"),
        ({"more": {"size": "5"}}, "?size=5"),
        ({"ids[]": ["1", "2"]}, "?ids%5B%5D=1&ids%5B%5D=2"),
    ],
)
def test_own_names_are_sent(arguments: dict[str, Any], url: str) -> None:
    document = operation("/x", parameters=FREE)
    assert request_of(document, arguments).url == f"https://api.example.com/x{url}"


def test_fields_of_a_form_have_owners_too() -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}, "more": {"type": "object"}}}
    media = {"application/x-www-form-urlencoded": {"schema": schema, "encoding": {"more": {"style": "form"}}}}
    document = operation("/x", "post", requestBody={"content": media})
    found = problems_of(document, {"body": {"amount": 1, "more": {"amount": 5000}}})
    assert found == {
        "/body": "would be sent as `amount`, which belongs to the form field `amount`: give it there"
    }
    assert request_of(document, {"body": {"more": {"x": 1}}}).body == b"x=1"


def test_elements_of_xml_have_owners_too() -> None:
    amount = {"type": "integer", "xml": {"name": "sum"}}
    media = {"application/xml": {"schema": {"type": "object", "properties": {"amount": amount}}}}
    document = operation("/x", "post", requestBody={"content": media})
    assert "which belongs to `amount`" in problems_of(document, {"body": {"sum": 5000}})["/body"]
    assert b"<sum>1</sum>" in (request_of(document, {"body": {"amount": "1"}}).body or b"")
