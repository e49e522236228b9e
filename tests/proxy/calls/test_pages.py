"""The next page, in the words of the APIs that agents meet."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from proxy.calls.pages import Names, read_page

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
