"""Packs: expanded in place, in order, under names that say where they came from; each does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, SpecSource, load_toolset
from policies import Caller, PolicySet, ToolFacts, parse_pattern
from proxy.app.build import policy_set
from proxy.config.bundled import PACKS
from proxy.config.model import WorkspaceConfig
from proxy.config.packs import PackUse, rules_of
from proxy.config.policy import RuleConfig
from tests.proxy.config.texts import codes, only, valid

SPECS = Path(__file__).parents[3] / ".specs"
HEAD = """version: 1
integrations:
  api: {kind: openapi, spec: {url: https://api.example.com/openapi.json}}
  other: {kind: openapi, spec: {url: https://other.example.com/openapi.json}}
connections: {api.org.main: {}, other.org.main: {}}
policies:
"""
NOBODY = Caller(None, None, frozenset(), False)


def rules(text: str) -> PolicySet:
    loaded = valid(HEAD + text)
    assert loaded.config is not None
    return policy_set(loaded, loaded.config, "default", WorkspaceConfig())


def facts(tool: str, risk: Any, integration: str = "api") -> ToolFacts:
    return ToolFacts(f"{integration}.org.main.{tool}", integration, risk, "reads")


def test_a_pack_stands_in_its_place_and_order() -> None:
    made = rules(
        "  - {id: first, pattern: api.*.*.issues.delete, action: approve}\n"
        "  - {pack: read-only, integration: api}\n"
        "  - {pattern: api.*.*.never, action: approve}\n"
    )
    assert [rule.id for rule in made.rules()] == ["first", "read-only/no-writes", "policies[2]"]
    assert made.decide(facts("issues.delete", "destructive"), NOBODY, {}).rule_id == "first"
    decision = made.decide(facts("issues.create", "write"), NOBODY, {})
    assert (decision.action, decision.rule_id) == ("block", "read-only/no-writes")


def test_the_source_of_a_packs_rule_is_the_line_of_its_entry() -> None:
    made = rules("  - {pattern: '*', action: require_approval}\n  - {pack: no-deletes, integration: api}\n")
    assert [rule.source for rule in made.rules()] == ["<stdin>:7", "<stdin>:8"]


def test_a_pack_may_be_used_for_several_integrations() -> None:
    made = rules("  - {pack: read-only, integration: api}\n  - {pack: read-only, integration: other}\n")
    assert [rule.pattern for rule in made.rules()] == ["api.*", "other.*"]
    decision = made.decide(facts("x.y", "write", "other"), NOBODY, {})
    assert decision.rule_source == "<stdin>:8"


def test_a_pack_without_addresses_may_mean_every_integration() -> None:
    assert [rule.pattern for rule in rules("  - {pack: no-deletes}\n").rules()] == ["*"]


def test_an_entry_may_be_narrowed_and_named() -> None:
    (rule,) = rules('  - {pack: read-only, integration: api, principals: ["group:ci"], id: ci}\n').rules()
    assert (rule.id, rule.principals) == ("ci/no-writes", ("group:ci",))


def test_packs_work_in_workspaces() -> None:
    text = (
        HEAD.replace("policies:\n", "")
        + "workspaces: {w: {policies: [{pack: read-only, integration: api}]}}\n"
    )
    loaded = valid(text)
    assert loaded.config is not None
    made = policy_set(loaded, loaded.config, "w", loaded.config.workspaces["w"])
    assert made.decide(facts("x.y", "write"), NOBODY, {}).rule_id == "read-only/no-writes"


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ("{pack: read-onyl, integration: api}", "E204", "`read-onyl` is not a pack"),
        ("{pack: 5, integration: api}", "E203", "`pack` must be a string"),
        ("{pack: github-no-secrets}", "E202", "missing required key `integration`"),
        ("{pack: read-only, integration: apj}", "E301", "pack names unknown integration `apj`"),
        ("{pack: read-only, integration: api, pattern: x}", "E201", "unknown key `pattern`"),
        ("{pack: read-only, integration: api, principals: [ci]}", "E206", "is not a principal"),
    ],
)
def test_mistakes(entry: str, code: str, words: str) -> None:
    found = only(f"{HEAD}  - {entry}\n")
    assert (found.code, found.line) == (code, 7)
    assert words in found.message


def test_keys_of_packs_are_not_suggested_for_rules() -> None:
    help = only(HEAD + "  - {pattern: '*', action: block, nonsense: 1}\n").help or ""
    assert "pattern" in help
    assert "pack" not in help.replace("pattern", "")


def test_the_hash_covers_the_rules_of_a_pack() -> None:
    effective = valid(HEAD + "  - {pack: read-only, integration: api}\n").effective()
    assert effective is not None
    assert effective["policies"][0]["rules"][0]["action"] == "block"


def test_what_a_pack_hides_is_warned_about_and_the_pack_itself_is_not() -> None:
    hidden = (
        HEAD
        + "  - {pack: read-only, integration: api}\n  - {pattern: api.*, risk: [write], action: approve}\n"
    )
    assert codes(hidden) == ["W601"]
    assert codes(HEAD + "  - {pattern: '*', action: block}\n  - {pack: read-only, integration: api}\n") == []


def test_a_principal_without_a_key_is_warned_about_once() -> None:
    text = HEAD.replace(
        "policies:\n",
        "auth: {api_keys: {keys: {ci: {value: {env: K}, groups: [a]}}}, roles: {approver: [a]}}\npolicies:\n",
    )
    assert codes(text + '  - {pack: payments-guardrails, integration: api, principals: ["key:cj"]}\n') == [
        "W601"
    ]


def test_rules_of_counts_entries() -> None:
    entries: list[RuleConfig | PackUse] = [
        RuleConfig(pattern="*", action="block"),
        PackUse(pack="github-no-secrets", integration="gh"),
    ]
    found = rules_of(entries)
    assert found[0][0] == 0
    assert {index for index, _ in found[1:]} == {1}


def packs() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((name, PACKS.read(name)) for name in PACKS.names())


@pytest.mark.parametrize("name", PACKS.names())
def test_every_pack_does_what_its_examples_say(name: str) -> None:
    pack = PACKS.read(name)
    made = rules(f"  - {{pack: {name}, integration: api}}\n")
    assert (
        {"default", "block"} <= {one["expect"] for one in pack["examples"]}
        or "ask" in name
        or "approves" in name
    )
    for example in pack["examples"]:
        decision = made.decide(facts(example["tool"], example["risk"]), NOBODY, {})
        if example["expect"] == "default":
            assert decision.default == "reads", example
        else:
            assert decision.action == example["expect"], example
            assert decision.rule_id.startswith(f"{name}/")
            assert decision.approver == example.get("approver", "model")


@pytest.mark.parametrize("name", PACKS.names())
def test_ids_are_unique_and_blocks_have_reasons(name: str) -> None:
    pack = PACKS.read(name)
    ids = [rule["id"] for rule in pack["rules"]]
    assert len(ids) == len(set(ids))
    assert all(rule.get("reason") for rule in pack["rules"] if rule["action"] == "block")


REAL = {
    "github-no-secrets": "api.github.com.json",
    "github-guardrails": "api.github.com.json",
    "kubernetes-guardrails": "presets/kubernetes.json",
    "payments-guardrails": "presets/stripe.json",
}


@pytest.mark.specs
async def test_packs_fit_the_real_documents_they_are_for() -> None:
    for name, file in REAL.items():
        if not (SPECS / file).exists():
            continue
        async with HttpClient() as http:
            source = SpecSource(file=SPECS / file)
            toolset = await load_toolset(source, OpenApiOptions(), http, SPECS / "compiled")
        risks = {one.name: one.risk for one in toolset.tools}
        use = PackUse(pack=name, integration="api")
        for rule in use.rules():
            pattern = parse_pattern(rule.pattern)
            matched = [tool for tool in risks if pattern.matches(f"api.org.main.{tool}")]
            assert any(rule.risk is None or risks[tool] in rule.risk for tool in matched), rule.id
        for example in PACKS.read(name)["examples"]:
            assert risks[example["tool"]] == example["risk"], example
