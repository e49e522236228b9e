"""Presets: what an entry says itself wins, errors stay where they are made, and every preset is a good one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations import GraphQl, OpenApi
from integrations.base import JsonObject
from integrations.http import HttpClient
from integrations.naming import camel_case, pascal_case
from integrations.openapi import OpenApiOptions, OpenApiToolset, SpecSource, load_toolset
from proxy.config.bundled import PRESETS
from proxy.config.presets import with_preset
from tests.proxy.config import preset_sources
from tests.proxy.config.texts import load, only, valid

SPECS = Path(__file__).parents[3] / ".specs"


def config(entry: str) -> str:
    return f"version: 1\nintegrations:\n  x: {entry}\nconnections:\n  x.org.main: {{}}\n"


def integration(entry: str) -> OpenApi:
    loaded = valid(config(entry))
    assert loaded.config is not None
    found = loaded.config.integrations["x"]
    assert isinstance(found, OpenApi)
    return found


def test_a_preset_is_a_whole_integration() -> None:
    github = integration("{preset: github}")
    assert github.base_url == "https://api.github.com"
    assert github.health is not None
    assert github.health.tool == "users.getAuthenticated"


def test_own_keys_replace_those_of_the_preset() -> None:
    github = integration(
        "{preset: github, include: [repos.get], spec: {inline: {openapi: 3.1.0}}, timeout: 5s}"
    )
    assert (github.include, github.timeout, github.spec.url) == (("repos.get",), 5.0, None)


def test_headers_are_united_by_name_whatever_their_case() -> None:
    preset = {"headers": {"X-Version": "1", "X-Other": "2"}}
    own = {"preset": "p", "headers": {"x-version": "3", "X-Own": "4"}}
    assert with_preset(own, preset)["headers"] == {"X-Other": "2", "x-version": "3", "X-Own": "4"}


def test_headers_of_the_wrong_type_are_left_to_the_schema() -> None:
    assert with_preset({"headers": 5}, {"headers": {"a": "b"}})["headers"] == 5
    assert only(config("{preset: github, headers: 5}")).code == "E203"


def test_the_hash_covers_what_the_preset_says() -> None:
    named, other = valid(config("{preset: github}")), valid(config("{preset: github, timeout: 31s}"))
    effective = named.effective()
    assert effective is not None
    assert effective["integrations"]["x"]["base_url"] == "https://api.github.com"
    assert named.sha256 != other.sha256


@pytest.mark.parametrize(
    ("entry", "code", "column", "words"),
    [
        ("{preset: githb}", "E204", 15, "`githb` is not a valid preset"),
        ("{preset: nothing_like_it}", "E204", 15, "is not a valid preset"),
        ("{preset: 5}", "E203", 15, "`preset` must be a string, not a number"),
        ("{preset: }", "E210", 7, "`preset` has no value"),
        ("{presett: github}", "E201", 7, "unknown key `presett`"),
        ("{preset: github, inclde: [a]}", "E201", 23, "unknown key `inclde`"),
        ("{preset: github, kind: graphql}", "E206", 29, "preset `github` is of kind openapi"),
        ("{preset: github, base_url: 5}", "E206", 33, "expected a URL"),
    ],
)
def test_mistakes_are_shown_where_they_are_made(entry: str, code: str, column: int, words: str) -> None:
    found = only(config(entry))
    assert (found.code, found.line, found.column) == (code, 3, column)
    assert words in found.message


def test_an_unknown_preset_says_which_there_are_and_which_is_meant() -> None:
    help = only(config("{preset: git_hub}")).help or ""
    assert help.startswith("did you mean `github`?")
    assert all(name in help for name in PRESETS.names())


def test_other_mistakes_of_the_entry_are_found_in_the_same_run() -> None:
    codes = [one.code for one in load(config("{preset: githb, base_url: 5, inclde: []}")).diagnostics]
    assert sorted(codes) == ["E201", "E204", "E206"]


def test_a_warning_about_a_key_of_the_preset_stands_at_the_entry() -> None:
    found = load(config("{preset: linear}")).diagnostics
    assert {(one.line, one.column) for one in found} <= {(3, 3)}


@pytest.mark.parametrize("name", PRESETS.names())
def test_every_preset_is_valid_and_complete(name: str) -> None:
    loaded = valid(config(f"{{preset: {name}}}"))
    assert loaded.config is not None
    made = loaded.config.integrations["x"]
    assert isinstance(made, OpenApi | GraphQl)
    assert made.title
    assert made.description
    assert made.approve_by_default == "reads"
    url = made.spec.url if isinstance(made, OpenApi) else made.endpoint
    assert url is not None
    assert url.startswith("https://")


def specified() -> Iterator[tuple[str, Path]]:
    """Presets whose document `make specs` has fetched."""
    for name in PRESETS.names():
        file = SPECS / ("api.github.com.json" if name == "github" else f"presets/{name}.json")
        if file.exists():
            yield name, file


async def toolset(made: OpenApi, file: Path) -> OpenApiToolset:
    patches = tuple(one.as_json() for one in made.overrides)
    options = OpenApiOptions(made.include, made.exclude, patches, hide_parameters=made.hide_parameters)
    async with HttpClient() as http:
        return await load_toolset(SpecSource(file=file), options, http, SPECS / "compiled")


@pytest.mark.specs
async def test_presets_fit_their_real_documents() -> None:
    for name, file in specified():
        made = integration(f"{{preset: {name}, base_url: https://example.com}}")
        tools = await toolset(made, file)
        assert [one for one in tools.warnings if "matches no tool" in one] == [], name
        assert len(tools.tools) < 700, name
        if made.health is not None:
            definition = tools.definition(made.health.tool)
            required = set(tools.schemas(made.health.tool).input.get("required", ()))
            assert definition.risk == "read", name
            assert required <= set(made.health.arguments), name
        if made.pagination is not None and made.pagination.cursor:
            assert any(
                made.pagination.cursor in tools.schemas(one.name).input["properties"] for one in tools.tools
            )


@pytest.mark.specs
async def test_no_preset_offers_what_runs_commands_or_shows_secrets() -> None:
    unwanted = re.compile(r"connect.*Exec|Secret|Kubeconfig|authRevoke|ServiceAccountToken")
    for name, file in specified():
        made = integration(f"{{preset: {name}}}")
        offered = [one.name for one in (await toolset(made, file)).tools]
        assert [one for one in offered if unwanted.search(one)] == [], name


async def inline_toolset(made: OpenApi, document: JsonObject) -> OpenApiToolset:
    async with HttpClient() as http:
        options = OpenApiOptions(made.include, made.exclude)
        return await load_toolset(SpecSource(inline=document), options, http, None)


def assert_is_a_probe(made: OpenApi, tools: OpenApiToolset) -> None:
    assert made.health is not None
    assert tools.definition(made.health.tool).risk == "read"
    assert not tools.schemas(made.health.tool).input.get("required")
    assert made.health.arguments == {}


@pytest.mark.specs
async def test_sentry_fits_its_own_client() -> None:
    made = integration("{preset: sentry}")
    tools = await inline_toolset(made, preset_sources.sentry((SPECS / "presets/sentry.js").read_text()))
    assert [one for one in tools.warnings if "matches no tool" in one] == []
    assert len(made.include) <= len(tools.tools) < 60
    assert_is_a_probe(made, tools)
    unwanted = re.compile(r"Key|Token|Upload|Hook|delete|remove|bulk|Invite|addA", re.IGNORECASE)
    assert [one.name for one in tools.tools if unwanted.search(one.name)] == []
    assert [one.name for one in tools.tools if one.method not in ("GET", "PUT", "POST")] == []


async def test_gitlab_fits_what_its_document_says() -> None:
    made = integration("{preset: gitlab}")
    document, tags = preset_sources.gitlab()
    groups = {camel_case(tag) for tag in tags}
    assert {pattern.partition(".")[0] for pattern in (*made.include, *made.exclude)} <= groups
    tools = await inline_toolset(made, document)
    assert [one.name for one in tools.tools] == [
        "personalAccessTokens.getApiV4PersonalAccessTokensSelf",
        "search.getApiV4Search",
        "namespaces.getApiV4Namespaces",
    ]
    assert_is_a_probe(made, tools)


@pytest.mark.specs
def test_linear_fits_the_types_of_its_sdk() -> None:
    loaded = valid(config("{preset: linear}"))
    assert loaded.config is not None
    made = loaded.config.integrations["x"]
    assert isinstance(made, GraphQl)
    assert made.pagination is not None
    assert made.health is not None
    types = (SPECS / "presets/linear.d.ts").read_text()
    roots = {
        "query": preset_sources.members(types, "Query"),
        "mutation": preset_sources.members(types, "Mutation"),
    }
    for kind, _, field in (one.partition(".") for one in made.include):
        result = roots[kind][field]
        if result.endswith("Connection"):
            arguments = preset_sources.members(types, f"Query{pascal_case(field)}Args")
            assert made.pagination.cursor in arguments, field
            assert {"nodes", "pageInfo"} <= preset_sources.members(types, result).keys(), field
    assert (made.pagination.items, made.pagination.next) == ("nodes", "pageInfo.endCursor")
    assert "endCursor" in preset_sources.members(types, "PageInfo")
    assert made.health.tool in made.include
    probed = roots["query"][made.health.tool.removeprefix("query.")]
    assert made.health.identity in preset_sources.members(types, probed)
    assert re.search(r"^type QueryViewerArgs ", types, re.M) is None
