"""The config as one canonical JSON object, and its hash. References only: there is no secret in it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from proxy.config.model import Config
from proxy.config.packs import PackUse
from proxy.config.policy import RuleConfig


def effective(config: Config) -> dict[str, Any]:
    """Every setting with defaults filled in, as `GET /-/config` shows it."""
    shown: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    shown["policies"] = [_entry(entry) for entry in config.policies]
    for name, workspace in config.workspaces.items():
        shown["workspaces"][name]["policies"] = [_entry(entry) for entry in workspace.policies]
    return shown


def _entry(entry: RuleConfig | PackUse) -> dict[str, Any]:
    """A pack is shown with its rules: a newer version of it is another config."""
    if isinstance(entry, PackUse):
        shown: dict[str, Any] = entry.model_dump(mode="json")
        return shown | {"rules": [_rule(rule) for rule in entry.rules()]}
    return _rule(entry)


def _rule(rule: RuleConfig) -> dict[str, Any]:
    """In a condition an absent key and `equals: null` are two things."""
    shown: dict[str, Any] = rule.model_dump(mode="json", by_alias=True)
    conditions = rule.when.items()
    shown["when"] = {
        path: test.model_dump(mode="json", by_alias=True, exclude_unset=True) for path, test in conditions
    }
    return shown


def digest(config: Config) -> str:
    """SHA-256 of the canonical form: comments, key order and file layout do not count."""
    text = json.dumps(effective(config), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
