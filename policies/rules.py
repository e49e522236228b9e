"""What rules, callers and tools are: plain frozen values, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from policies.conditions import Condition

Action = Literal["block", "require_approval", "approve"]
Risk = Literal["read", "write", "destructive"]
ApproveByDefault = Literal["reads", "all", "none"]
Approver = Literal["model", "human"]

_NO_CONDITIONS: Mapping[str, Condition] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, in the words rules use: `key:ID`, `user:NAME`, `group:NAME`, `anonymous`."""

    key: str | None = None
    user: str | None = None
    groups: frozenset[str] = frozenset()
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `id` is unique over all layers (`no-deletes`, `policies[3]`), `source` is `file:line`.

    Empty `principals`, `risk` and `when` mean no restriction. `approver` says who may give the approval that
    `require_approval` asks for. `disclose: false` hides from blocked callers that the tool exists.
    """

    id: str
    pattern: str
    action: Action
    principals: tuple[str, ...] = ()
    when: Mapping[str, Condition] = field(default_factory=lambda: _NO_CONDITIONS)
    risk: frozenset[Risk] | tuple[Risk, ...] = ()
    approver: Approver = "model"
    reason: str | None = None
    disclose: bool = True
    source: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """Rules in order; the first that applies wins. `name` is where they stand in the config."""

    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What policies know of a tool.

    `address` has no leading `tools.`. `default_source` is the `file:line` of `approve_by_default`; `origin`
    is how the upstream calls the operation (`PATCH /repos/{owner}/{repo}`), for explanations only. `moved_from` is
    what the name stood for when the rules were written, if that was another tool. `runs_code`: it takes a program, so
    that rules for single operations cannot hold behind it.
    """

    address: str
    integration: str
    risk: Risk
    approve_by_default: ApproveByDefault
    default_source: str = ""
    origin: str = ""
    moved_from: str = ""
    runs_code: bool = False
