"""`executor tools --server`, against the test gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.commands.boarded import boarded
from tests.proxy.commands.running import Run

WRITE = "demo.org.main.write"


@pytest.fixture
def there(run: Run) -> Iterator[tuple[str, str]]:
    with boarded() as server:
        run.set(EXECUTOR_TOKEN="alice")
        yield "--server", server.url


def test_what_a_server_gives(run: Run, there: tuple[str, str]) -> None:
    assert run("tools", "list", *there).out.splitlines()[1].split() == [WRITE, "write", "Writes", "something"]
    assert run("tools", "list", "other.*", *there).code == 1
    assert run("tools", "search", "write", *there, "--json").json["items"][0]["path"] == WRITE
    described = run("tools", "describe", WRITE, *there)
    assert described.out.startswith(f"{WRITE}: require_approval (ask)\n")
    assert "input   {}" in described.out
    assert run("tools", "describe", WRITE, *there, "--json").json["path"] == WRITE
    assert run("tools", "sources", *there).out == (
        "CONNECTION     KIND     TOOLS  STATUS\ndemo.org.main  openapi  1      connected\n"
    )
    assert run("tools", "sources", *there, "--json").json[0]["status"] == "connected"


def test_what_it_does_not_give(run: Run, there: tuple[str, str]) -> None:
    assert run("tools", "describe", "demo.org.main.nothing", *there).code == 1
    assert run("tools", "list", "a..b", *there).code == 2
    for words in (["list", "--as", "key=a"], ["sources", "--health"], ["list", "--schemas"]):
        assert "leave them out" in run("tools", *words, *there).err
    assert run("tools", "list", "--server", "http://127.0.0.1:9").code == 2
