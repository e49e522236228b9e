from __future__ import annotations

import re

from proxy.serving.detached import DetachedTasks
from proxy.serving.rest.routes import OPEN_PATHS, routes
from tests.proxy.serving.support import serving

TABLE = routes(DetachedTasks())


def test_names_and_places_are_unique() -> None:
    assert len({one.name for one in TABLE}) == len(TABLE)
    assert len({(one.method, one.path) for one in TABLE}) == len(TABLE)
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", one.name) for one in TABLE)


def test_only_what_begins_work_is_refused_while_draining() -> None:
    assert {one.name for one in TABLE if one.begins_work} == {"execute", "resumeExecution"}


async def test_nothing_but_the_open_paths_answers_without_a_credential() -> None:
    async with serving() as server, server.client(None) as client:
        for one in TABLE:
            path = re.sub(r"\{\w+\}", "x", one.path)
            assert (await client.request(one.method, path)).status_code == 401, one.path
        for path in OPEN_PATHS:
            assert (await client.get(path)).status_code == 200
