from __future__ import annotations

import pytest

from proxy.calls.nearby import nearby_tools
from proxy.calls.system import PARAMETERS

THERE = ("shop.org.main.things.list",)


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("describe", "describe.tool"),
        ("describeTool", "describe.tool"),
        ("describe.tools", "describe.tool"),
        ("catalog", "catalog.namespaces"),
        ("catalog.list", "catalog.tools"),
        ("paginate", "executor.paginate"),
        ("listTools", "catalog.tools"),
        ("list_tools", "catalog.tools"),
        ("serach", "search"),
        ("discovery", "discover"),
        ("things.list", "shop.org.main.things.list"),
        ("nonsense", "shop.org.main.things.list"),
        ("describe.tool.of.something", "shop.org.main.things.list"),
        ("x" * 1000, "shop.org.main.things.list"),
        ("", "shop.org.main.things.list"),
    ],
)
def test_what_may_have_been_meant(path: str, first: str) -> None:
    found = nearby_tools(path, THERE, PARAMETERS)
    assert found[0] == first
    assert len(found) <= 5


def test_nothing_alike_is_nothing() -> None:
    assert nearby_tools("nope", (), PARAMETERS) == ()
