"""The stream says what changed, ends with the sign-in, and is bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

from quart import Response

from integrations.json_text import read_json
from proxy.principal import Principal
from proxy.serving.console import live
from proxy.serving.console.frame import Visit
from proxy.serving.console.live import LiveStreams, topics
from proxy.serving.drain import Drain
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.pages.guard import PageSignIn
from proxy.serving.pages.options import PageOptions
from proxy.serving.pages.sign_in import PageAuth, Reader
from tests.proxy.serving.board import TOKENS, Board
from tests.proxy.serving.pages.support import asked, site

REQUEST = HttpRequest("GET", "/console/live", {}, frozenset(), {}, "127.0.0.1", "r")


def visit(board: Board, who: str = "bob") -> Visit:
    principal: Principal = TOKENS[who]
    sign_in = PageSignIn(who, None, "csrf", 2e9)
    return Visit(board, PageOptions(), Reader(REQUEST, sign_in, principal, board.is_admin(principal)))


def streams(board: Board, drain: Drain) -> LiveStreams:
    return LiveStreams(PageAuth(board, PageOptions()), drain, look_seconds=0.01)


async def told(response: Response) -> AsyncIterator[dict[str, Any]]:
    """The events; comments keep the connection alive and say nothing."""
    async for chunk in cast(Any, response.response):
        if chunk.startswith(b"data: "):
            yield read_json(chunk.removeprefix(b"data: "))


async def test_a_topic_changes_when_the_person_would_see_something_else() -> None:
    made = site()
    drain = Drain()
    events = told(await streams(made.board, drain).open(visit(made.board)))
    first = await anext(events)
    made.pause(*asked("more"))
    second = await anext(events)
    assert {name for name in first if first[name] != second[name]} == {"approvals", "executions"}
    drain.begin()
    assert [one async for one in events] == []


async def test_only_operators_hear_of_the_whole_server() -> None:
    board = Board()
    other, operator = await topics(visit(board, "bob")), await topics(visit(board, "alice"))
    assert other is not None
    assert operator is not None
    assert set(operator) - set(other) == {"activity"}
    assert "ab12" not in json.dumps(other)


async def test_an_account_has_few_of_them() -> None:
    board, drain = Board(), Drain()
    here = streams(board, drain)
    opened = [await here.open(visit(board)) for _ in range(live.MOST_STREAMS)]
    running = [told(one) for one in opened]
    await asyncio.gather(*(anext(one) for one in running))
    assert (await here.open(visit(board))).status_code == 429
    assert (await here.open(visit(board, "boss"))).status_code == 200
    drain.begin()
    for one in running:
        assert [event async for event in one] == []
    assert (await here.open(visit(board))).status_code == 200


async def test_a_sign_in_that_is_no_longer_good_ends_it() -> None:
    """The request that opened it has no cookie any more, as if its sign-in had ended."""
    board = Board()
    here = LiveStreams(PageAuth(board, PageOptions()), Drain(), look_seconds=0.01, check_seconds=0.0)
    assert [one async for one in told(await here.open(visit(board)))] == []
