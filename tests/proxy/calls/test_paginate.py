"""Pages as calls: where it stops, and what is left to go on with."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from integrations.base import Failure, JsonObject
from proxy.calls.outcome import PlainValue, Settlement, failed, thrown
from proxy.calls.pages import Names
from proxy.calls.paginate import Pageable, PageLimits, paginate

SCHEMA = {"properties": {"page": {"type": "integer"}}}


class Book:
    """Pages of three items; `torn` is the page that cannot be read."""

    def __init__(self, pages: int, torn: Settlement | None = None, at: int = 0) -> None:
        self.pages, self.torn, self.at = pages, torn, at
        self.asked: list[JsonObject] = []

    async def call(self, arguments: JsonObject) -> Settlement:
        self.asked.append(arguments)
        number = arguments.get("page", 1)
        if self.torn is not None and number == self.at:
            return self.torn
        data: JsonObject = {"items": [number * 10 + i for i in range(3)]}
        if number < self.pages:
            data["next"] = f"https://x/?page={number + 1}"
        return Settlement(orjson.dumps({"ok": True, "data": data}), True)

    async def read(self, limits: PageLimits) -> Any:
        found = await paginate(self.call, lambda: Pageable(SCHEMA, Names()), {"size": 3}, limits)
        return found.value if isinstance(found, PlainValue) else found


async def test_every_page_is_one_call() -> None:
    book = Book(3)
    found = await book.read(PageLimits(1000))
    assert found == {"items": [10, 11, 12, 20, 21, 22, 30, 31, 32], "pages": 3}
    assert book.asked == [{"size": 3}, {"size": 3, "page": 2}, {"size": 3, "page": 3}]


async def test_enough_items_end_it_and_say_how_to_go_on() -> None:
    found = await Book(9).read(PageLimits(4))
    assert (len(found["items"]), found["pages"], found["next"]) == (6, 2, {"size": 3, "page": 3})


async def test_pages_are_limited() -> None:
    found = await Book(9).read(PageLimits(1000, pages=2))
    assert (found["pages"], found["next"]) == (2, {"size": 3, "page": 3})


async def test_bytes_are_limited_and_the_page_too_many_is_left_for_later() -> None:
    found = await Book(9).read(PageLimits(1000, total_bytes=150))
    assert (found["pages"], found["next"]) == (2, {"size": 3, "page": 3})


async def test_an_error_of_the_first_page_is_the_answer() -> None:
    torn = failed(Failure("tool_not_found", "There is no such tool."))
    assert await Book(2, torn, 1).read(PageLimits(10)) is torn


async def test_an_error_later_keeps_what_there_is() -> None:
    torn = failed(Failure("rate_limited", "Later.", True))
    found = await Book(3, torn, 2).read(PageLimits(100))
    assert (found["items"], found["next"], found["error"]["code"]) == (
        [10, 11, 12],
        {"size": 3, "page": 2},
        "rate_limited",
    )


async def test_a_defect_later_still_throws() -> None:
    torn = thrown("Error", "Internal tool error [00000000]", "internal_error")
    assert await Book(3, torn, 2).read(PageLimits(100)) is torn


async def test_a_result_without_a_list_has_no_pages() -> None:
    async def call(arguments: JsonObject) -> Settlement:
        return Settlement(b'{"ok":true,"data":{"id":1}}', True)

    found = await paginate(call, lambda: Pageable({}, Names()), {}, PageLimits(10))
    assert isinstance(found, Failure)
    assert found.code == "not_pageable"


@pytest.mark.parametrize(
    ("next_", "told"), [("https://x/?token=2", "`token`"), ("abc", "(`next` of the result says so)")]
)
async def test_a_next_page_that_cannot_be_asked_for_is_told(next_: str, told: str) -> None:
    async def call(arguments: JsonObject) -> Settlement:
        return Settlement(f'{{"ok":true,"data":{{"items":[1],"next":"{next_}"}}}}'.encode(), True)

    found = await paginate(call, lambda: Pageable(SCHEMA, Names()), {}, PageLimits(10))
    assert isinstance(found, PlainValue)
    assert found.value["items"] == [1]
    assert told in found.value["error"]["message"]
