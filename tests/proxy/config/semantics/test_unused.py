"""Connections that nobody uses (W615), and integrations whose writes no rule mentions (W614)."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies import KnownTools
from proxy.config import load_config
from proxy.config.semantics.tools import ToolsAsKnown
from proxy.config.tool_report import tool_report
from tests.proxy.support import config_text, written


def text(more: str) -> str:
    spec = '{inline: {openapi: "3.1.0"}}\n  other: {kind: openapi, spec: {url: "https://other.example.com/o.json"}}'
    return config_text(spec, more=f"  other.org.main: {{}}\n{more}")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", None),
        ("workspaces: {a: {integrations: [shop]}, b: {}}", None),
        ("workspaces: {a: {integrations: [shop]}, b: {integrations: [other]}}", None),
        (
            "workspaces: {a: {integrations: [shop]}}",
            "connection `other.org.main` is used by nobody: no workspace has `other` in its `integrations`",
        ),
        ('policies: [{pattern: "other.*", action: block}]', None),
        ('workspaces: {a: {policies: [{pattern: "other.*", action: block}]}}', None),
    ],
)
def test_unused_connections(tmp_path: Path, more: str, said: str | None) -> None:
    loaded = load_config([written(tmp_path, text(more))], env=None)
    assert loaded.config is not None, loaded.diagnostics
    found = [one.message for one in loaded.diagnostics if one.code == "W615"]
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


@pytest.mark.parametrize(
    ("more", "default", "writes", "said"),
    [
        ("", "reads", ["put"], None),
        (
            "",
            "all",
            ["put"],
            "the 1 tool that writes of `shop`: by `approve_by_default: all` they run unasked",
        ),
        (
            'policies: [{pattern: "shop.*.*.get", action: approve}]',
            "reads",
            ["put", "cut"],
            "no rule mentions the 2 tools that write of `shop`: by `approve_by_default: reads` they ask",
        ),
        ('policies: [{pattern: "shop.*.*.get", action: approve}]', "reads", [], None),
        ('policies: [{pattern: "shop.*.*.put", action: approve}]', "all", ["put", "cut"], None),
        ('policies: [{pattern: "*", action: block}]', "all", ["put"], None),
        (
            'policies: [{pattern: "shop.*", risk: [read], action: approve}]',
            "reads",
            ["put"],
            "no rule mentions",
        ),
        ('policies: [{pattern: "shop.*", risk: [destructive], action: block}]', "reads", ["put"], None),
        ('workspaces: {a: {policies: [{pattern: "shop.*", action: block}]}}', "all", ["put"], None),
    ],
)
def test_unmentioned_writes(
    tmp_path: Path, more: str, default: str, writes: list[str], said: str | None
) -> None:
    config = text(more).replace("kind: openapi\n", f"kind: openapi\n    approve_by_default: {default}\n", 1)
    loaded = load_config([written(tmp_path, config)], env=None)
    tools = KnownTools({"shop.org.main": ["get", "put", "cut"]}, {"other.org.main": "asked at the start"})
    known = ToolsAsKnown(tools, lambda prefix, name: {}, {}, {"shop.org.main": writes})
    found = [one.message for one in tool_report(loaded, known).diagnostics if one.code == "W614"]
    assert len(found) == (said is not None)
    assert said is None or said in found[0]
