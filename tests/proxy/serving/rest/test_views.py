from __future__ import annotations

from quart import Quart

from proxy.serving.app import AppOptions
from proxy.serving.drain import Drain
from proxy.serving.rest.operations import RestOptions
from proxy.serving.rest.views import add_api
from tests.proxy.serving.board import Board
from tests.proxy.serving.support import serving


async def test_views_answer_nobody_that_was_not_let_in() -> None:
    app = Quart("alone", static_folder=None)
    add_api(app, Board(), Drain())
    client = app.test_client()
    answer = await client.get("/api/approvals", headers={"authorization": "Bearer alice"})
    assert answer.status_code == 401
    assert (await client.get("/api/openapi.json")).status_code == 200


async def test_a_listener_without_the_api_has_none() -> None:
    async with serving(AppOptions(rest=RestOptions(api=False))) as server, server.client() as client:
        assert (await client.get("/api/approvals")).status_code == 404
        assert (await client.get("/api/openapi.json")).status_code == 404
        assert (await client.get("/api/health")).status_code == 200
