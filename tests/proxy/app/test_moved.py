"""A name that comes to stand for another operation is a new tool for the rules, until the config changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policies import Caller
from proxy.app.application import Application
from proxy.app.builder import Built
from tests.proxy.app.started import application_of
from tests.proxy.support import config_text, written

RULE = "policies: [{id: ok, pattern: shop.*.*.t.*, action: approve}]\n"


def document(*operations: tuple[str, str]) -> str:
    """Operations that are all called `t.list` when they are alone."""
    paths: dict[str, Any] = {}
    for method, path in operations:
        one = {"operationId": "list", "tags": ["t"], "responses": {"200": {"description": "OK"}}}
        paths.setdefault(path, {})[method] = one
    return json.dumps({"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths})


def decided(built: Built) -> dict[str, str]:
    (workspace,) = built.generation.workspaces.values()
    return {
        tool.name: workspace.policies.decide(workspace.facts(tool), Caller(), {}).action
        for tool in workspace.catalog.all()
    }


async def test_what_a_rule_approved_asks_when_the_name_moves(tmp_path: Path, env: Mapping[str, str]) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(document(("get", "/a")))
    text = config_text("{file: spec.json}") + RULE

    async def rebuilt(application: Application, number: int, *operations: tuple[str, str]) -> Built:
        spec.write_text(document(*operations))
        built = await application.build(application.load(), number)
        application.swap(built)
        return built

    async with application_of(tmp_path, text, env) as application:
        first = await rebuilt(application, 2, ("get", "/a"))
        assert decided(first) == {"t.list": "approve"}
        moved = await rebuilt(application, 3, ("delete", "/b"))
        assert decided(moved) == {"t.list": "require_approval"}
        (workspace,) = moved.generation.workspaces.values()
        (tool,) = workspace.catalog.all()
        reason = workspace.policies.decide(workspace.facts(tool), Caller(), {}).reason or ""
        assert reason.startswith(
            "the name stood for `GET /a` when rule ok was written, and stands for `DELETE /b`"
        )

        both = await rebuilt(application, 4, ("delete", "/b"), ("post", "/b"))
        assert decided(both) == {"t.listDelete": "approve", "t.listPost": "approve"}, (
            "new names match as new tools do"
        )
        back = await rebuilt(application, 5, ("get", "/a"))
        assert decided(back) == {"t.list": "approve"}

        await rebuilt(application, 6, ("delete", "/b"))
        written(tmp_path, text.replace("id: ok", "id: seen"))
        assert decided(await rebuilt(application, 7, ("delete", "/b"))) == {"t.list": "approve"}
