"""Which files belong to a config, and how errors are told."""

from __future__ import annotations

import json
from pathlib import Path

from proxy.app.options import StartOptions, references, rendered, watcher_of
from proxy.config import load_config
from proxy.tasks import TaskSupervisor
from tests.proxy.support import config_of, config_text, shop, written


def test_documents_in_files_belong_to_the_config(tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text(json.dumps(shop()))
    config = config_of(tmp_path, config_text("{file: shop.json}"))
    assert [path.name for path in references(config)] == ["shop.json"]
    assert references(config_of(tmp_path, config_text())) == []


def test_schemas_and_operations_in_files_belong_to_the_config(tmp_path: Path) -> None:
    for name in ("crm.graphql", "ops/b.graphql", "ops/a.graphql"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    crm = "kind: graphql, endpoint: https://crm.example.com, introspection: {file: crm.graphql}"
    spec = f"{{inline: {{openapi: 3.1.0}}}}\n  crm: {{{crm}, documents: [ops/*.graphql]}}"
    names = [path.name for path in references(config_of(tmp_path, config_text(spec)))]
    assert names == ["crm.graphql", "a.graphql", "b.graphql"]


def test_errors_are_told_like_validate_tells_them(tmp_path: Path) -> None:
    loaded = load_config([written(tmp_path, "version: 1\nintergrations: {}\n")], env=None)
    said = rendered(loaded.diagnostics)
    assert "error[E201]" in said
    assert "executor.yaml:2:" in said


async def test_unwatched_files_are_still_looked_at_when_asked(tmp_path: Path) -> None:
    path = written(tmp_path, config_text())
    config = config_of(tmp_path, config_text())
    async with watcher_of(StartOptions((path,), {}, watch=False), config, TaskSupervisor()) as watcher:
        before = watcher.digest()
        written(tmp_path, config_text() + "rate_limits: {}\n")
        assert watcher.digest() != before
