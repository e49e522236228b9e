from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.arguments import Given
from integrations.openapi.server_argument import server_url
from tests.integrations.openapi.documents import only_tool, operation, toolset_of

SERVERS = [
    {"url": "https://{region}.example.com/{ver}", "variables": {"region": {"default": "eu", "enum": ["eu", "us"]},
                                                                "ver": {"default": "v1"}}},
    {"url": "https://second.example.com"},
]  # fmt: skip


def chosen(server: Any, servers: list[Any] = SERVERS, base_url: str | None = None) -> tuple[str, list[str]]:
    toolset = toolset_of(operation("/x", servers=servers))
    given = Given(server=server)
    url = server_url(toolset.binding(only_tool(toolset)), given, base_url)
    return url, [problem.pointer for problem in given.problems]


@pytest.mark.parametrize(("server", "url"), [
    ({}, "https://eu.example.com/v1"),
    ({"variables": {"region": "us", "ver": "v2"}}, "https://us.example.com/v2"),
    ({"url": "https://second.example.com"}, "https://second.example.com"),
    ({"url": SERVERS[0]["url"], "variables": {"ver": 3}}, "https://eu.example.com/3"),
])  # fmt: skip
def test_what_can_be_chosen(server: Any, url: str) -> None:
    assert chosen(server) == (url, [])


@pytest.mark.parametrize(("server", "pointer"), [
    ({"url": "https://evil.example"}, "/server/url"), ({"port": 1}, "/server/port"),
    ({"variables": []}, "/server/variables"), ({"variables": {"region": "xx"}}, "/server/variables/region"),
    ({"variables": {"ver": "../x"}}, "/server/variables/ver"), ({"variables": {"ver": "a#b"}}, "/server/variables/ver"),
    ({"variables": {"nope": "x"}}, "/server/variables/nope"),
])  # fmt: skip
def test_t25_what_is_refused(server: Any, pointer: str) -> None:
    assert pointer in chosen(server)[1]


def test_the_base_url_of_the_integration_wins() -> None:
    assert chosen({}, base_url="https://proxy.example/api?x#y") == ("https://proxy.example/api", [])


def test_variables_that_nothing_defines() -> None:
    nowhere = [{"url": "https://{account}.example.com"}]
    assert chosen({}, nowhere)[1] == ["/server/variables/account"]
    assert chosen({}, nowhere, base_url="https://a.example") == ("https://a.example", [])
