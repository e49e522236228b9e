from __future__ import annotations

from tests.proxy.serving.support import serving


async def test_tools_and_connections_are_what_agents_see() -> None:
    async with serving() as server, server.client() as client:
        page = (await client.get("/api/tools", params={"query": "write", "limit": 5})).json()
        one = await client.get("/api/tools/demo.org.main.write")
        none = await client.get("/api/tools/demo.org.main.read")
        (connection,) = (await client.get("/api/connections")).json()["items"]
        wrong = [
            (await client.get("/api/tools", params=each)).status_code
            for each in ({"limit": 201}, {"includeSchemas": "yes"}, {"q": "write"}, {"query": "x" * 1001})
        ]
    assert (page["total"], page["items"][0]["path"]) == (1, "demo.org.main.write")
    assert one.json()["path"] == "demo.org.main.write"
    assert (none.status_code, none.json()["error"]["code"]) == (404, "not_found")
    assert connection["status"] == "connected"
    assert wrong == [422] * 4


async def test_explaining() -> None:
    async with serving() as server, server.client() as client:

        async def explained(**query: str) -> tuple[int, dict[str, object]]:
            answer = await client.get("/api/policies/explain", params=query)
            return answer.status_code, answer.json()

        status, body = await explained(tool="demo.org.main.write", arguments='{"a": 1}')
        assert (status, body["action"], body["conditional"]) == (200, "require_approval", False)
        assert (await explained(tool="nope"))[0] == 404
        assert (await explained(tool="ambiguous"))[0] == 409
        assert (await explained())[0] == 422
        for text in ("[1]", "{"):
            assert (await explained(tool="demo.org.main.write", arguments=text))[0] == 422
