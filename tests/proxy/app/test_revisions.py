"""What a client is told about changes since the revision it knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.app.revisions import REMEMBERED, Revisions
from proxy.catalog import Catalog
from tests.proxy.support import config_text, generation_of, inline, shop

TWIN = f"{inline(shop())}\n  twin: {{kind: openapi, spec: {inline(shop(info={'title': 'Twin', 'version': '1'}))}}}"
UNKNOWN = "The connected integrations may have changed; look with tools.catalog.namespaces({})."


async def catalog_of(folder: Path, text: str, env: Mapping[str, str]) -> Catalog:
    return (await generation_of(folder, text, env)).workspaces["default"].catalog


async def test_nothing_is_said_about_the_current_revision(tmp_path: Path, env: Mapping[str, str]) -> None:
    catalog = await catalog_of(tmp_path, config_text(), env)
    assert Revisions().changes(catalog.revision, catalog) is None


async def test_integrations_that_came_went_or_changed_are_named(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    revisions = Revisions()
    one = await catalog_of(tmp_path, config_text(), env)
    two = await catalog_of(tmp_path, config_text(TWIN, more="  twin.org.main: {}\n"), env)
    other = await catalog_of(tmp_path, config_text(inline(shop(info={"title": "S", "version": "9"}))), env)
    for catalog in (one, two, other):
        revisions.remember(catalog)
    said = "Changed since you last listed tools: {}. Search again before you rely on them."
    assert revisions.changes(one.revision, two) == said.format("twin")
    assert revisions.changes(two.revision, one) == said.format("twin")
    assert revisions.changes(one.revision, other) == said.format("shop")
    assert revisions.changes(two.revision, other) == said.format("shop, twin")


async def test_rules_may_have_changed_alone(tmp_path: Path, env: Mapping[str, str]) -> None:
    revisions = Revisions()
    old = await catalog_of(tmp_path, config_text(), env)
    revisions.remember(old)
    new = await catalog_of(tmp_path, config_text(more='policies: [{pattern: "*", action: block}]\n'), env)
    said = revisions.changes(old.revision, new)
    assert said is not None
    assert said.startswith("The configuration changed since you last listed tools")


async def test_a_revision_that_is_not_known(tmp_path: Path, env: Mapping[str, str]) -> None:
    catalog = await catalog_of(tmp_path, config_text(), env)
    assert Revisions().changes("r_of_another_replica", catalog) == UNKNOWN


def test_the_oldest_are_forgotten() -> None:
    revisions = Revisions()
    catalogs = [Catalog([], sha256=str(number)) for number in range(REMEMBERED + 2)]
    for catalog in catalogs[:REMEMBERED]:
        revisions.remember(catalog)
    revisions.remember(catalogs[0])
    for catalog in catalogs[REMEMBERED:]:
        revisions.remember(catalog)
    now = Catalog([], sha256="now")
    assert revisions.changes(catalogs[1].revision, now) == UNKNOWN
    assert revisions.changes(catalogs[2].revision, now) == UNKNOWN
    assert revisions.changes(catalogs[0].revision, now) != UNKNOWN
    assert revisions.changes(catalogs[3].revision, now) != UNKNOWN


async def test_a_long_list_is_cut(tmp_path: Path, env: Mapping[str, str]) -> None:
    revisions = Revisions()
    names = [f"api{number}" for number in range(9)]
    spec = inline(shop()) + "".join(
        f"\n  {name}: {{kind: openapi, spec: {inline(shop())}}}" for name in names
    )
    old = await catalog_of(tmp_path, config_text(), env)
    revisions.remember(old)
    more = "".join(f"  {name}.org.main: {{}}\n" for name in names)
    said = revisions.changes(old.revision, await catalog_of(tmp_path, config_text(spec, more=more), env))
    assert said is not None
    assert "api7, ..." in said
    assert "api8" not in said
