"""docs/reference.md says what the code has: commands, routes, keys, codes, metrics."""

from __future__ import annotations

import re

from proxy.serving.rest.operations import __file__ as rest_file
from tools import make_reference


def test_the_page_is_fresh() -> None:
    assert make_reference.main(["--check"]) == 0, "run `make docs`"


def test_every_route_of_the_operations_app_is_on_the_page() -> None:
    with open(rest_file, encoding="utf-8") as source:
        routes = set(re.findall(r"\"(/(?:-/)?[a-z/]+)\"", source.read()))
    documented = {path.strip() for _, paths, _ in make_reference.ROUTES for path in paths.split(",")}
    assert len(routes) >= 8
    assert routes <= documented
