from __future__ import annotations

import pytest

from integrations.base import SourceError
from integrations.http import HttpClient
from integrations.openapi.fetch import Fetcher
from tests.integrations.echo import Reply, echo_server

OK = Reply(200, [("ETag", '"1"'), ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")], b"{}")


async def test_validators_are_asked_with() -> None:
    async with echo_server() as echo, HttpClient() as http:
        fetcher = Fetcher(http, (), (("X-Key", "k"),))
        echo.replies["/d"] = [OK, Reply(304, [("ETag", '"1"')])]
        first = await fetcher.document(f"{echo.url}/d", {})
        assert (first.content, first.url) == (b"{}", f"{echo.url}/d")
        second = await fetcher.document(f"{echo.url}/d", first.validators)
        assert second.content is None
        assert [seen.header("if-none-match") for seen in echo.log] == [None, '"1"']
        assert echo.log[1].header("if-modified-since") == "Mon, 01 Jan 2024 00:00:00 GMT"
        assert echo.log[1].header("x-key") == "k"


async def test_304_without_a_question_is_no_document() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/d"] = [Reply(304)]
        with pytest.raises(SourceError, match="304"):
            await Fetcher(http, (), ()).document(f"{echo.url}/d", {})


async def test_headers_stay_on_their_origin() -> None:
    async with echo_server() as echo, echo_server() as other, HttpClient() as http:
        echo.replies["/d"] = [Reply(302, [("Location", f"{other.url}/e")])]
        other.replies["/e"] = [OK]
        fetcher = Fetcher(http, ("127.0.0.1",), (("X-Key", "k"),))
        found = await fetcher.document(f"{echo.url}/d", {})
        assert found.url == f"{other.url}/e"
        assert (echo.log[0].header("x-key"), other.log[0].header("x-key")) == ("k", None)


async def test_parts_are_not_fetched_from_another_origin() -> None:
    async with echo_server() as echo, echo_server() as other, HttpClient() as http:
        fetcher = Fetcher(http, ("127.0.0.1",), ())
        echo.replies["/p"] = [Reply(302, [("Location", f"{other.url}/e")])]
        with pytest.raises(SourceError, match="another origin"):
            await fetcher.part(f"{echo.url}/p?key=secret")
        assert other.log == []


async def test_redirects_end() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/d"] = [Reply(302, [("Location", "/d")])]
        with pytest.raises(SourceError, match="more than 5 times"):
            await Fetcher(http, (), ()).document(f"{echo.url}/d", {})
        assert len(echo.log) == 6
