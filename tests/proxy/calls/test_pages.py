"""The next page, in the words of the APIs that agents meet; and its values as arguments of the tool."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from proxy.calls.pages import (
    Names,
    PageAnswer,
    connection_of,
    given,
    read_page,
    schema_of,
    typed,
    with_values,
)

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def page(
    data: Any, takes: dict[str, Any], names: Names | None = None, link: str = "", **arguments: Any
) -> Any:
    headers = {"link": link} if link else {}
    envelope: JsonObject = {"ok": True, "data": data, "http": {"status": 200, "headers": headers}}
    return read_page(envelope, arguments, {"properties": takes}, names or Names())


def following(*asked: Any, **more: Any) -> Any:
    return page(*asked, **more).next


def test_a_page_whose_arguments_the_tool_does_not_take_is_told() -> None:
    found = page({"values": [1], "next": "https://x/r?page=2"}, {"owner": TEXT})
    assert (found.next, found.untaken) == (None, ("page",))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"items": [1], "has_more": True}, "has_more"),
        ({"items": [1], "next_cursor": "c"}, "next_cursor"),
        ({"items": [1], "next": "c"}, "next"),
        ({"items": [1], "next": "https://x/pages/2"}, "next"),
        ({"r": {"nodes": [1], "pageInfo": {"endCursor": "e", "hasNextPage": True}}}, "pageInfo.hasNextPage"),
        ({"items": [1], "next": None}, None),
        ({"items": [1], "next": "https://x/r?q=a"}, None),
        ({"items": [], "has_more": True}, None),
        ({"items": [1], "has_more": False, "next": "c"}, None),
        ([1], None),
    ],
)
def test_more_that_cannot_be_asked_for_is_told(data: Any, field: str | None) -> None:
    found = page(data, {"q": TEXT}, q="a")
    assert (found.next, found.says_more) == (None, field)


def test_a_page_that_leads_to_itself_is_the_last() -> None:
    assert following({"items": [1], "next_cursor": "c"}, {"cursor": TEXT}, cursor="c") is None
    assert following([1], {"page": NUMBER}, link='<https://x/?page=2>; rel="next"', page=2) is None


@pytest.mark.parametrize(
    ("data", "items"),
    [
        ([1], [1]),
        ({"items": [1], "other": [2]}, [1]),
        ({"anything": [1], "total": 1}, [1]),
        ({"a": [1], "b": [2]}, None),
        ({"a": 1}, None),
        (None, None),
        ("text", None),
        ({"viewer": {"repositories": {"edges": [{"node": 1}], "pageInfo": {}}}}, [{"node": 1}]),
    ],
)
def test_items(data: Any, items: Any) -> None:
    assert page(data, {}).items == items


def test_a_connection_is_found_below() -> None:
    found = {"nodes": [], "pageInfo": {"hasNextPage": False}}
    assert connection_of({"data": {"repository": {"issues": found}}}) is found
    assert connection_of({"a": {"b": {"c": {"d": found}}}}) is None
    assert connection_of([found]) is None


def test_paths_lead_into_the_data() -> None:
    answer = PageAnswer({"meta": {"next": 2}}, {}, {}, {}, Names(), None)
    assert answer.at("meta.next") == 2
    assert answer.at("meta.absent") is None


GITHUB = '<https://api.github.com/repositories/1/i?page=2&per_page=50>; rel="next", <https://x/?page=9>; rel="last"'


@pytest.mark.parametrize(
    ("data", "takes", "arguments", "next_"),
    [
        # Slack, Notion, Kubernetes, Google, AWS, HubSpot, Asana
        ({"channels": [1], "response_metadata": {"next_cursor": "c"}}, {"cursor": TEXT}, {}, {"cursor": "c"}),
        ({"channels": [1], "response_metadata": {"next_cursor": ""}}, {"cursor": TEXT}, {}, None),
        (
            {"results": [1], "has_more": True, "next_cursor": "c"},
            {"start_cursor": TEXT},
            {},
            {"start_cursor": "c"},
        ),
        ({"results": [1], "has_more": False, "next_cursor": None}, {"start_cursor": TEXT}, {}, None),
        (
            {"items": [1], "metadata": {"continue": "t"}},
            {"continue": TEXT},
            {"limit": 5},
            {"limit": 5, "continue": "t"},
        ),
        ({"files": [1], "nextPageToken": "t"}, {"pageToken": TEXT}, {}, {"pageToken": "t"}),
        ({"Items": [1], "NextToken": "t"}, {"NextToken": TEXT}, {}, {"NextToken": "t"}),
        (
            {"results": [1], "paging": {"next": {"after": "7", "link": "https://x/?after=7"}}},
            {"after": TEXT},
            {},
            {"after": "7"},
        ),
        ({"data": [1], "next_page": {"offset": "o", "path": "/x"}}, {"offset": TEXT}, {}, {"offset": "o"}),
        # Stripe: the last item's id while there is more
        (
            {"data": [{"id": "a"}, {"id": "b"}], "has_more": True},
            {"starting_after": TEXT},
            {},
            {"starting_after": "b"},
        ),
        ({"data": [{"id": "a"}], "has_more": False}, {"starting_after": TEXT}, {}, None),
        # Jira
        ({"issues": [1, 2], "startAt": 4, "total": 9}, {"startAt": NUMBER}, {"startAt": 4}, {"startAt": 6}),
        ({"issues": [1, 2], "startAt": 7, "total": 9}, {"startAt": NUMBER}, {"startAt": 7}, None),
        ({"values": [1], "isLast": True, "startAt": 0, "total": 9}, {"startAt": NUMBER}, {}, None),
        ({"data": [1], "pagination": {"offset": 0, "total": 3}}, {"offset": NUMBER}, {}, {"offset": 1}),
        # DigitalOcean, Bitbucket, OData, HAL: a URL in the body
        (
            {"droplets": [1], "links": {"pages": {"next": "https://x/v2/droplets?page=2"}}},
            {"page": NUMBER},
            {},
            {"page": 2},
        ),
        ({"values": [1], "next": "https://x/2.0/r?page=2"}, {"page": TEXT}, {}, {"page": "2"}),
        (
            {"value": [1], "@odata.nextLink": "https://x/v1/u?$skiptoken=s"},
            {"$skiptoken": TEXT},
            {},
            {"$skiptoken": "s"},
        ),
        (
            {"items": [1], "_links": {"next": {"href": "/api/v2/flags?limit=1&offset=1"}}},
            {"offset": NUMBER, "limit": NUMBER},
            {"limit": 1},
            {"limit": 1, "offset": 1},
        ),
        # The quickstart and APIs like it: a `next` that is no URL
        ({"items": [1], "next": "itm_2"}, {"cursor": TEXT}, {"limit": 1}, {"limit": 1, "cursor": "itm_2"}),
        ({"items": [1], "next": None}, {"cursor": TEXT}, {}, None),
        ({"items": [1], "next": "itm_2"}, {"offset": NUMBER, "page": TEXT}, {}, {"page": "itm_2"}),
        ({"items": [1], "meta": {"next": 2}}, {"page": NUMBER}, {}, {"page": 2}),
        # GraphQL
        (
            {"issues": {"nodes": [1], "pageInfo": {"endCursor": "e", "hasNextPage": True}}},
            {"after": TEXT},
            {},
            {"after": "e"},
        ),
        (
            {"issues": {"nodes": [1], "pageInfo": {"endCursor": "e", "hasNextPage": False}}},
            {"after": TEXT},
            {},
            None,
        ),
        # Nothing of the kind
        ({"items": [1]}, {"cursor": TEXT}, {}, None),
        ([1, 2], {}, {}, None),
    ],
)
def test_the_usual_ways(data: Any, takes: Any, arguments: Any, next_: Any) -> None:
    assert following(data, takes, **arguments) == next_


def test_a_link_header_gives_arguments_of_the_same_tool() -> None:
    takes = {"page": NUMBER, "per_page": NUMBER, "owner": TEXT}
    assert following([1], takes, link=GITHUB, owner="o", per_page=50) == {
        "owner": "o",
        "page": 2,
        "per_page": 50,
    }


@pytest.mark.parametrize(
    "link",
    [
        '<https://x/?page=1>; rel="prev"',
        '<https://x/?page=9>; rel="last"',
        '<https://x/?cursor=a>; rel="next"; results="false"; cursor="a"',
        "<broken",
        "",
    ],
)
def test_links_that_lead_to_no_next_page(link: str) -> None:
    assert following([1], {"page": NUMBER, "cursor": TEXT}, link=link, page=1) is None


@pytest.mark.parametrize(
    "link",
    [
        "<https://x/?page=2>;rel=next",
        '<https://x/?page=2>; title="a, b"; rel="next"',
        "<https://x/?page=2>; REL='next prefetch'",
        '<https://x/?page=1>; rel="prev", <https://x/?page=2>; rel="next"',
        '<?page=2>; rel="next"; results="true"',
    ],
)
def test_links_in_every_spelling(link: str) -> None:
    assert following([1], {"page": NUMBER}, link=link) == {"page": 2}


def test_a_link_never_changes_what_is_not_an_argument() -> None:
    hostile = '<https://evil.example/admin?page=2&access_token=x&owner=other>; rel="next"'
    assert following([1], {"page": NUMBER}, link=hostile) == {"page": 2}


def test_x_next_page() -> None:
    envelope = {"data": [1], "http": {"headers": {"x-next-page": "3"}}}
    assert read_page(envelope, {}, {"properties": {"page": NUMBER}}, Names()).next == {"page": 3}
    envelope["http"] = {"headers": {"x-next-page": ""}}
    assert read_page(envelope, {}, {"properties": {"page": NUMBER}}, Names()).next is None


def test_names_of_the_config_come_first() -> None:
    names = Names("from_id", "meta.-1.id", "payload.rows")
    data = {"payload": {"rows": [1, 2]}, "meta": [{"id": 4}, {"id": 5}], "next_cursor": "no"}
    found = page(data, {"from_id": NUMBER, "cursor": TEXT}, names)
    assert (found.items, found.next) == ([1, 2], {"from_id": 5})


def test_a_tool_that_lacks_the_configured_argument_is_paged_as_usual() -> None:
    assert following({"items": [1], "next_cursor": "c"}, {"cursor": TEXT}, Names("from_id", "meta.id")) == {
        "cursor": "c"
    }


def test_a_configured_cursor_may_stand_in_a_url() -> None:
    data = {"items": [1], "next": "https://x/?after=c&x=1"}
    assert following(data, {"after": TEXT}, Names("after", "next")) == {"after": "c"}


PAGE = {"page": {"type": "integer"}}
CONTAINED = {
    "id": {},
    "query": {"type": "object", "properties": {"id": {"type": "string"}, "page": {"type": "integer"}}},
}


@pytest.mark.parametrize(
    ("value", "schema", "made"),
    [
        ("2", {"type": "integer"}, 2),
        ("-2", {"type": ["null", "integer"]}, -2),
        ("two", {"type": "integer"}, "two"),
        ("9" * 30, {"type": "integer"}, "9" * 30),
        ("true", {"type": "boolean"}, True),
        ("yes", {"type": "boolean"}, "yes"),
        ("2", {"type": "string"}, "2"),
        (2, {"type": "string"}, "2"),
        (2, {"type": "integer"}, 2),
        ("a", {"type": "array"}, ["a"]),
        (["1", "2"], {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ("x", {}, "x"),
        ("x", None, "x"),
        ("x", True, "x"),
    ],
)
def test_texts_become_what_the_argument_is(value: Any, schema: Any, made: Any) -> None:
    assert typed(value, schema) == made


def test_arguments_stay_where_the_caller_had_them() -> None:
    assert with_values({"a": 1, "page": 1}, {"page": "2"}, PAGE) == {"a": 1, "page": 2}
    assert with_values({"query": {"page": 1, "id": "x"}}, {"page": "2"}, CONTAINED) == {
        "query": {"page": 2, "id": "x"}
    }
    assert with_values({}, {"page": "2"}, CONTAINED) == {"query": {"page": 2}}


def test_the_caller_s_arguments_are_not_changed() -> None:
    arguments = {"query": {"page": 1}}
    with_values(arguments, {"page": "2"}, CONTAINED)
    assert arguments == {"query": {"page": 1}}


def test_schemas_and_values_are_found_in_the_container() -> None:
    assert schema_of(CONTAINED, "page") == {"type": "integer"}
    assert schema_of(PAGE, "nothing") is None
    assert (given({"query": {"page": 3}}, "page"), given({"page": 4}, "page"), given({}, "page")) == (
        3,
        4,
        None,
    )
