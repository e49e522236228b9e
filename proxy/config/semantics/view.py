"""The config as the checks see it: what is valid of it, and the names of everything that was declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel

from integrations.fields import SecretRef
from proxy.config.model import Config
from proxy.config.nodes import Path, SourceNode, find
from proxy.config.packs import PackUse, rules_of
from proxy.config.policy import RuleConfig


@dataclass(frozen=True, slots=True)
class ConfigView:
    """`config` lacks the entries that have errors; `data` still names them, so nothing that exists is "unknown".

    `lost` are the paths that were taken out. `policy_indexes` are the places of `config.policies` in the files.
    `environment` is None when it is not to be judged.
    """

    config: Config
    data: Mapping[str, Any]
    root: SourceNode
    lost: frozenset[Path]
    policy_indexes: tuple[int, ...]
    environment: Mapping[str, str] | None
    now: datetime
    declared: Mapping[str, Sequence[str]]
    connected: Mapping[str, Sequence[tuple[str, str]]]

    def names(self, section: str) -> Sequence[str]:
        """Every key declared in a section, valid or not."""
        return self.declared.get(section, ())

    def connection_names(self, integration: str) -> Sequence[tuple[str, str]]:
        """Owner and name of every connection declared for an integration."""
        return self.connected.get(integration, ())

    def has_lost(self, section: str) -> bool:
        return any(path[:1] == (section,) for path in self.lost)

    def layers(self) -> Iterator[tuple[Path, list[tuple[Path, RuleConfig]]]]:
        """The layers of policies: the top level, then each workspace; every rule with its path.

        Rules of a pack (`PackRule`) have the path of the entry that names the pack.
        """
        for path, entries in self.entries():
            yield path, [(place, rule) for place, entry in entries for _, rule in rules_of([entry])]

    def entries(self) -> Iterator[tuple[Path, list[tuple[Path, RuleConfig | PackUse]]]]:
        """The same layers as they are written."""
        top = zip(self.policy_indexes, self.config.policies, strict=True)
        yield ("policies",), [(("policies", i), entry) for i, entry in top]
        for name, workspace in self.config.workspaces.items():
            path: Path = ("workspaces", name, "policies")
            yield path, [((*path, i), entry) for i, entry in enumerate(workspace.policies)]

    def secrets(self) -> list[tuple[Path, SecretRef]]:
        """Every reference to a secret, with its path."""
        return [(self.path_in_files(path), ref) for path, ref in walk_secrets(self.config, ())]

    def path_in_files(self, path: Path) -> Path:
        """A path into `config` as a path into the files (list items may have been taken out)."""
        if len(path) > 1 and path[0] == "policies" and isinstance(path[1], int):
            return ("policies", self.policy_indexes[path[1]], *path[2:])
        return path

    def directory(self, path: Path) -> FilePath:
        """What a relative path written at `path` is relative to: the directory of its file."""
        return find(self.root, path).node.source.directory


def declared_names(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """The keys of every section that is a mapping."""
    return {section: list(value) for section, value in data.items() if isinstance(value, dict)}


def connected_names(connections: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Owner and name of each connection by its integration."""
    found: dict[str, list[tuple[str, str]]] = {}
    for key in connections:
        parts = key.split(".")
        if len(parts) == 3:
            found.setdefault(parts[0], []).append((parts[1], parts[2]))
    return found


def walk_secrets(value: object, path: Path) -> Iterator[tuple[Path, SecretRef]]:
    """Secret references in a model, with the keys that lead to them."""
    if isinstance(value, SecretRef):
        yield path, value
    elif isinstance(value, BaseModel):
        fields = type(value).model_fields
        for name, inner in value.__dict__.items():
            if inner is not None and not isinstance(inner, str | int | float):
                yield from walk_secrets(inner, (*path, fields[name].alias or name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, BaseModel):
                yield from walk_secrets(inner, (*path, name))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            if isinstance(inner, BaseModel):
                yield from walk_secrets(inner, (*path, index))
