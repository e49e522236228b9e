import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from proxy.commands.demo_api import openapi_document
from proxy.commands.demo_server import bind_demo, demo_environment, demo_token, run_demo

TOKEN = "a-token-for-tests"


@asynccontextmanager
async def demo(token: str = TOKEN) -> AsyncIterator[httpx2.AsyncClient]:
    listener = bind_demo("127.0.0.1", 0)
    host, port = listener.getsockname()
    ready, shutdown = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(run_demo(host, port, ready, shutdown, token=token, listener=listener))
        await ready.wait()
        async with httpx2.AsyncClient(
            base_url=f"http://{host}:{port}", headers={"Authorization": f"Bearer {token}"}
        ) as client:
            yield client
        shutdown.set()


async def test_every_operation_of_the_document_answers_as_declared() -> None:
    bodies = {
        "items.create": {"name": "Washer", "category": "fasteners", "quantity": 1, "price": 1},
        "items.update": {"price": 2},
        "items.adjustStock": {"change": 1},
    }
    async with demo() as client:
        document = (await client.get("/openapi.json")).json()
        assert document == openapi_document()
        operations = [
            (path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method != "parameters"
        ]
        # What removes things comes last, so that there is something to find before.
        for path, method, operation in sorted(operations, key=lambda found: found[1] == "delete"):
            if operation["operationId"] == "admin.purge":
                continue
            answer = await client.request(
                method,
                path.replace("{itemId}", "itm_1"),
                json=bodies.get(operation["operationId"]),
                params={"seconds": 0} if "valuation" in path else None,
            )
            assert str(answer.status_code) in operation["responses"], operation["operationId"]
            assert answer.is_success, operation["operationId"]
        assert (await client.post("/items:purge")).json() == {"removed": 8}


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic a-token-for-tests", "Bearer \N{BULLET}"])
async def test_strangers_get_nothing_but_the_document(header: str) -> None:
    async with demo() as client:
        stranger = [(b"authorization", header.encode())]
        for method, path in (("GET", "/items"), ("DELETE", "/items/itm_1"), ("POST", "/items:purge")):
            answer = await client.request(method, path, headers=stranger)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert (await client.get("/openapi.json", headers=stranger)).status_code == 200
        assert (await client.get("/health", headers=stranger)).json() == {"status": "ok"}


async def test_broken_and_huge_bodies_are_refused() -> None:
    async with demo() as client:
        assert (await client.post("/items", content=b"{")).status_code == 400
        assert (await client.post("/items", content=b"x" * 100_000)).status_code == 413
        assert (await client.get("/reports/valuation", params={"seconds": "1e9"})).status_code == 400


async def test_every_start_has_a_new_inventory() -> None:
    async with demo() as client:
        await client.delete("/items/itm_1")
    async with demo() as client:
        assert (await client.get("/items/itm_1")).status_code == 200


def test_a_taken_port_is_an_error_at_once() -> None:
    first = bind_demo("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            bind_demo("127.0.0.1", first.getsockname()[1])
    finally:
        first.close()


def test_the_environment_names_what_the_quickstart_reads() -> None:
    assert demo_environment("http://127.0.0.1:1", "t") == {
        "INVENTORY_URL": "http://127.0.0.1:1",
        "INVENTORY_OPENAPI_URL": "http://127.0.0.1:1/openapi.json",
        "INVENTORY_TOKEN": "t",
    }
    assert demo_token() != demo_token()
