"""What a change of the config does: decisions about every known tool, the tools themselves, settings, variables.

Known are the tools of documents in local files, and those that stand in the lock; what is not known is said. Rules that
depend on arguments are not evaluated: compared is what a call may meet at best and at worst.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from integrations.base import JsonObject
from policies import Action, Caller, ToolFacts
from policies.explain import split_source
from proxy.app.definitions import changed_definitions
from proxy.app.offline import OfflineView
from proxy.config import Config, LoadedConfig
from proxy.config.environment import uses
from proxy.config.packs import PackUse, rules_of
from proxy.config.policy import RuleConfig
from proxy.lock.records import Records
from proxy.reload.decisions import RESTART_ONLY
from proxy.workspace import Generation, Workspace, prefix_of

Widening = Literal["wider", "narrower", "neutral"]
Kind = Literal["policy", "tool", "definition", "setting", "env"]
_Class = tuple[str, ...]
"""The principals that a caller is at once, sorted; none: anybody."""
_ANYBODY: Final[_Class] = ()
_ORDER: Final[Mapping[Action, int]] = {"approve": 0, "require_approval": 1, "block": 2}
_LONGEST_VALUE: Final = 120
_RULE: Final = re.compile(r"(?:workspaces\.[^.]+\.)?policies\[[^\]]+\](?=\.)")
# What of a rule says whether it applies to a call, and who may approve it.
_CONDITIONS: Final = frozenset({"when", "principals", "risk", "pattern", "approver"})


@dataclass(frozen=True, slots=True)
class Change:
    """One line. `before` and `after` are empty for what was not there; of a definition they are its SHA-256. `callers`:
    a principal of the rules, several that one key is at once (`group:a + group:b`), or `anybody`; `restart`: it takes
    effect at the next start; `parts`, `changes`, `warnings`: of a definition what changed, in words, and what to look
    at twice."""

    kind: Kind
    address: str
    before: str
    after: str
    direction: Widening = "neutral"
    workspace: str = ""
    callers: str = ""
    rule: str = ""
    file: str = ""
    line: int = 0
    restart: bool = False
    parts: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a caller may meet: the actions that are possible, most lenient first, and what decides."""

    possible: tuple[Action, ...]
    person: bool
    rule: str
    source: str

    @property
    def text(self) -> str:
        words = [
            f"{one} by a person" if one == "require_approval" and self.person else one
            for one in self.possible
        ]
        return words[0] if len(words) == 1 else f"{' or '.join(words)}, by its arguments"

    @property
    def bounds(self) -> tuple[tuple[int, bool], tuple[int, bool]]:
        first, last = self.possible[0], self.possible[-1]
        return (_ORDER[first], self.person and first != "approve"), (
            _ORDER[last],
            self.person and last != "approve",
        )


@dataclass(frozen=True)
class Side:
    """One of the two configs, open. `base` is the directory that its files are named from."""

    loaded: LoadedConfig
    view: OfflineView
    base: Path

    @property
    def config(self) -> Config:
        assert self.loaded.config is not None
        return self.loaded.config

    @property
    def generation(self) -> Generation:
        return self.view.generation

    @cached_property
    def unknown(self) -> Mapping[str, str]:
        """Connections whose tools are not known here, and why."""
        absent = self.view.absent
        known = {prefix_of(facts.address) for _, facts in self.tools} if absent else set()
        return {prefix: why for prefix, why in absent.items() if prefix not in known}

    @cached_property
    def tools(self) -> Sequence[tuple[Workspace, ToolFacts]]:
        return [
            (workspace, facts)
            for workspace in self.generation.workspaces.values()
            for facts in (*map(workspace.facts, workspace.catalog.all()), *self._locked(workspace))
        ]

    def _locked(self, workspace: Workspace) -> Iterator[ToolFacts]:
        """The reviewed tools of connections that cannot be asked here."""
        if workspace.lock is None:
            return
        visible = (
            self.config.workspaces[workspace.id].integrations
            if workspace.id in self.config.workspaces
            else None
        )
        for prefix in self.view.absent:
            source = workspace.lock.file.of(prefix)
            if source is None or (visible is not None and prefix.partition(".")[0] not in visible):
                continue
            known = (workspace.reviewed(f"{prefix}.{name}") for name in source.tools)
            yield from (facts for facts in known if facts is not None)

    def place(self, source: str) -> tuple[str, int]:
        """File and line of a rule, named from the config's own directory."""
        file, line = split_source(source)
        return (
            os.path.relpath(os.path.realpath(file), os.path.realpath(self.base)) if file else ""
        ), line or 0


def compare(old: Side, new: Side, records: Records) -> list[Change]:
    """Every difference, what lets more through first. `records` may know the definitions of both."""
    found = [
        *_decisions(old, new, _callers(old.config, new.config)),
        *_definitions(old, new, records),
        *_settings(old.loaded.effective() or {}, new.loaded.effective() or {}),
        *_variables(old.loaded, new.loaded),
    ]
    rank: Mapping[Widening, int] = {"wider": 0, "narrower": 1, "neutral": 2}
    return sorted(found, key=lambda one: rank[one.direction])


# ---- decisions ----------------------------------------------------------------------------------------------------
def _callers(*configs: Config) -> dict[_Class, Caller]:
    """Anybody, each principal that a rule names, and what keys of the config are at once, single ones first."""
    named = {
        name
        for config in configs
        for layer in _layers(config)
        for _, rule in rules_of(layer)
        for name in rule.principals or ()
    }
    together = {tuple(sorted(is_ & named)) for config in configs for is_ in _keys(config)}
    several = sorted(one for one in together if len(one) > 1)
    classes = [_ANYBODY, *((name,) for name in sorted(named)), *several]
    return {one: _caller(one) for one in classes}


def _keys(config: Config) -> Iterator[set[str]]:
    """What each key of the config is, as rules name it."""
    if config.auth is None or config.auth.api_keys is None:
        return
    for name, key in config.auth.api_keys.keys.items():
        yield {f"key:{name}", *(f"group:{group}" for group in key.groups)}


def _layers(config: Config) -> list[Sequence[RuleConfig | PackUse]]:
    return [config.policies, *(one.policies for one in config.workspaces.values())]


def _caller(principals: _Class) -> Caller:
    names: dict[str, list[str]] = {}
    for one in principals:
        kind, _, name = one.partition(":")
        names.setdefault(kind, []).append(name)
    key, user = names.get("key", [None])[0], names.get("user", [None])[0]
    return Caller(key, user, frozenset(names.get("group", ())), "anonymous" in names)


def outlook(workspace: Workspace, facts: ToolFacts, caller: Caller) -> Outlook:
    """What a caller may meet, whatever the arguments are."""
    decision = workspace.decide_on(facts, caller, None)
    possible: set[Action] = {one.action for one in decision.considered if one.note.startswith("depends on")}
    possible.add(decision.action)
    return Outlook(
        tuple(sorted(possible, key=_ORDER.__getitem__)),
        decision.approver == "human",
        decision.rule_id,
        decision.rule_source,
    )


_Table = dict[tuple[str, str, _Class], Outlook]


def _table(side: Side, callers: Mapping[_Class, Caller]) -> _Table:
    return {
        (workspace.id, facts.address, name): outlook(workspace, facts, caller)
        for workspace, facts in side.tools
        for name, caller in callers.items()
    }


def _decisions(old: Side, new: Side, callers: Mapping[_Class, Caller]) -> Iterator[Change]:
    before, after = _table(old, callers), _table(new, callers)
    unknown = old.unknown.keys() | new.unknown.keys()
    for key in sorted(before.keys() | after.keys()):
        workspace, address, who = key
        was, becomes = before.get(key), after.get(key)
        # Where one side does not know the tools, none of them came or went.
        if _same(was, becomes) or prefix_of(address) in unknown:
            continue
        wider = [(workspace, address, one) for one in _parts(who)]
        if any(_alike(was, before.get(one)) and _alike(becomes, after.get(one)) for one in wider):
            continue
        decided, side = (becomes, new) if becomes is not None else (was, old)
        assert decided is not None
        file, line = side.place(decided.source)
        yield Change(
            "policy" if was is not None and becomes is not None else "tool", address,
            was.text if was is not None else "", becomes.text if becomes is not None else "",
            _direction(was, becomes), workspace, " + ".join(who) or "anybody", decided.rule, file, line,
        )  # fmt: skip


def _parts(who: _Class) -> list[_Class]:
    """Whose line says it already when all fare alike."""
    return [_ANYBODY, *((one,) for one in who if len(who) > 1)] if who else []


def _same(was: Outlook | None, becomes: Outlook | None) -> bool:
    if was is None or becomes is None:
        return False
    if (was.possible, was.person) == (becomes.possible, becomes.person):
        return True
    return was.bounds == becomes.bounds and was.text == becomes.text


def _alike(one: Outlook | None, other: Outlook | None) -> bool:
    return (one is None) == (other is None) and (one is None or other is None or one.text == other.text)


def _direction(was: Outlook | None, becomes: Outlook | None) -> Widening:
    """A tool that was not there could not be called: it is wider unless it is blocked."""
    never = ((_ORDER["block"], False),) * 2
    old = was.bounds if was is not None else never
    new = becomes.bounds if becomes is not None else never
    if any(b < a for a, b in zip(old, new, strict=True)):
        return "wider"
    return "narrower" if old != new else "neutral"


# ---- definitions --------------------------------------------------------------------------------------------------
def _definitions(old: Side, new: Side, records: Records) -> Iterator[Change]:
    """Tools that say or take something else than before: by their schemas where both are known, else by the lock."""
    for one in changed_definitions(old.view, new.view, records):
        yield Change(
            "definition", one.address, one.before, one.after,
            parts=one.parts, changes=one.lines, warnings=one.warnings,
        )  # fmt: skip


# ---- everything else ----------------------------------------------------------------------------------------------
def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    rules = {_rule_of(path) for path in before}, {_rule_of(path) for path in after}
    told: set[str] = set()
    for path in sorted(before.keys() | after.keys()):
        was, becomes, rule = before.get(path, ""), after.get(path, ""), _rule_of(path)
        if rule and (rule in rules[0]) != (rule in rules[1]):
            if rule not in told:
                told.add(rule)
                yield Change("setting", rule, _outline(before, rule), _outline(after, rule))
        elif was != becomes:
            # What a condition lets through is not computed: whoever reviews looks at it first.
            narrows = bool(rule) and path[len(rule) :].split(".")[1] in _CONDITIONS
            restart = any(path == one or path.startswith(f"{one}.") for one in RESTART_ONLY)
            direction: Widening = "wider" if narrows else "neutral"
            yield Change("setting", path, _cut(was), _cut(becomes), direction, restart=restart)


def _rule_of(path: str) -> str:
    """The rule that a setting belongs to, as it is named in paths; nothing for other settings."""
    found = _RULE.match(path)
    return found[0] if found else ""


def _outline(leaves: Mapping[str, str], rule: str) -> str:
    words = [leaves.get(f"{rule}.{key}", "") for key in ("action", "pattern", "use")]
    return " ".join(word for word in words if word)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Paths and values. Rules go by their id, so that one more at the top does not change all others."""
    if isinstance(value, Mapping) and value and not set(value) <= {"env", "file", "default"}:
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for index, below in enumerate(value):
            name = below.get("id") if isinstance(below, Mapping) else None
            yield from _leaves(below, f"{path}[{name or index}]")
        names = [str(one.get("id") or at) for at, one in enumerate(value) if isinstance(one, Mapping)]
        yield f"{path} (order)", ", ".join(names)
    elif value not in (None, {}, []):
        yield path, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _cut(text: str) -> str:
    """What is cut is said to be."""
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... ({len(text)} characters)"


def _variables(old: LoadedConfig, new: LoadedConfig) -> Iterator[Change]:
    before, after = (
        {one.name: one.used_by for one in uses(side, {}) if one.kind != "file"} for side in (old, new)
    )
    for name in sorted(before.keys() ^ after.keys()):
        yield Change("env", name, before.get(name, ""), after.get(name, ""))
