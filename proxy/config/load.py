"""Files in, a `LoadedConfig` out: read, parse, unite, check the shape, check the meaning, place every error.

The verdict depends on the files and the environment only, never on the network. One error rejects everything;
what is left after taking out the entries with errors is still checked, so that one run names them all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from integrations.files import CONFIG, READER, UnreadableFile
from proxy.config.diagnostic import Diagnostic
from proxy.config.fallbacks import fallback_auth
from proxy.config.footprint import config_files
from proxy.config.locations import Finding, SourceLocation, diagnose, flaw_diagnostic, location_of
from proxy.config.merge import Merged, merge
from proxy.config.model import LOCK_NAME, Config
from proxy.config.nodes import Path, SourceNode
from proxy.config.packs import PackUse
from proxy.config.parse import Parsed, parse
from proxy.config.policy import RuleConfig
from proxy.config.presets import expand_presets
from proxy.config.schema_errors import read_errors
from proxy.config.semantics import CHECKS, ConfigView, advise
from proxy.config.semantics.view import connected_names, declared_names
from proxy.config.source import STDIN, Flaw, SourceFile, read_text
from proxy.config.unread import unread_directories
from proxy.config.words import kind_of

__all__ = ["LoadedConfig", "SourceFile", "SourceLocation", "load_config"]


_FILE_KEYS = frozenset({"file", "ca_bundle", "cert", "cwd", "last_good"})
_NAMED_KEYS = frozenset({"headers", "environment"})
# Their values are not config keys: documents, arguments, conditions, patches (whose `path` is a pointer).
FOREIGN_KEYS = frozenset({"inline", "arguments", "when", "overrides"})


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """What the files say. `config` is None if and only if `diagnostics` hold an error.

    `sha256` is of the canonical effective config (empty without one), `raw_digest` of names and bytes.
    Relative paths inside `config` are absolute already.
    """

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[SourceFile, ...]
    sha256: str
    raw_digest: str
    view: ConfigView | None = field(default=None, repr=False, compare=False)
    given: tuple[FilePath | str, ...] = field(default=(), repr=False, compare=False)

    def advised(self) -> LoadedConfig:
        """The same with its lint (W6xx), for what was loaded without."""
        if self.config is None or self.view is None:
            return self
        found = [*diagnose(self.view.root, list(advise(self.view))), *unread_directories(self.given)]
        return replace(self, diagnostics=tuple(_sorted([*self.diagnostics, *found], self.files)))

    def effective(self) -> dict[str, Any] | None:
        """The canonical effective config that `sha256` is of: references only, paths as they are written."""
        return effective(self.view.config) if self.config is not None and self.view is not None else None

    @property
    def lock_path(self) -> FilePath:
        """Where the lock is or would be: beside the file with the `lock` section, else beside the first file."""
        if self.config is not None and self.config.lock is not None:
            return FilePath(self.config.lock.file)
        return (*self.directories, FilePath.cwd())[0] / LOCK_NAME

    @property
    def directories(self) -> tuple[FilePath, ...]:
        """Where its files are, absolute: documents below may refer to each other."""
        return tuple(dict.fromkeys(FilePath(os.path.abspath(file.directory)) for file in self.files))

    def location(self, path: str | Sequence[str]) -> SourceLocation:
        """Where a path (`policies[3]`, `integrations.api.spec`; its steps where a key has dots) stands; for a default,
        what holds it."""
        if self.view is None:
            return SourceLocation(self.files[0].path if self.files else "", 1, 1)
        return location_of(self.view.root, path)


def load_config(
    paths: Sequence[FilePath | str],
    *,
    env: Mapping[str, str] | None,
    stdin: bytes | None = None,
    secrets: bool = True,
    advice: bool = True,
) -> LoadedConfig:
    """Read files and directories, in this order. Never raises for what they hold.

    `env` is the environment that is judged (E402 to E405); None judges none. `stdin` is what `-` stands for.
    Without `secrets` only other settings that refer to the environment are judged: no secret has to be there.
    Without `advice` there is no lint; `advised` adds it.
    """
    read = list(_read(paths, stdin))
    files = tuple(source for source, _ in read)
    raw_digest = _raw_digest(read)
    flawed = [flaw_diagnostic(source, flaw) for source, flaw in read if flaw is not None]
    parsed = [parse(source) for source, flaw in read if flaw is None]
    flawed += [one for file in parsed for one in _flaws(file)]
    usable = [file for file in parsed if isinstance(file.data, dict) and file.complete]
    if not read:
        flawed.append(_no_files(paths))
    if not usable:
        return LoadedConfig(None, tuple(_sorted(flawed, files)), files, "", raw_digest)
    whole = len(usable) == len(read)
    judged = _judge(merge(usable), flawed, files, raw_digest, env, env if secrets else None, whole)
    loaded = replace(judged, given=tuple(paths))
    return loaded.advised() if advice else loaded


def _read(paths: Sequence[FilePath | str], stdin: bytes | None) -> Iterable[tuple[SourceFile, Flaw | None]]:
    for path in paths:
        if str(path) == "-":
            yield read_text(STDIN, stdin or b"")
            continue
        for file in config_files(FilePath(path)):
            yield _read_file(file)


def _read_file(file: FilePath) -> tuple[SourceFile, Flaw | None]:
    try:
        return read_text(str(file), READER.read(file, CONFIG))
    except OSError as error:
        words = error.strerror or "cannot be read"
        words = words if isinstance(error, UnreadableFile) else words.lower()
        help = (
            "name a regular file, or a directory with *.yaml files"
            if isinstance(error, UnreadableFile)
            else "let the user that runs executor read it; a file that is not read is never taken for the defaults"
        )
        flaw = Flaw("E304", f"config file cannot be read: {words}", help)
        return SourceFile(str(file), f"unreadable {error.errno or 0}"), flaw


def _raw_digest(read: Sequence[tuple[SourceFile, Flaw | None]]) -> str:
    total = hashlib.sha256()
    for source, _ in read:
        total.update(os.fsencode(source.path) + b"\0" + source.digest.encode())
    return total.hexdigest()


def _no_files(paths: Sequence[FilePath | str]) -> Diagnostic:
    place = str(paths[0]) if paths else ""
    return Diagnostic(
        "E105", "error", "no config file here", "a directory needs *.yaml or *.yml files", file=place
    )


def _flaws(file: Parsed) -> Iterable[Diagnostic]:
    yield from (flaw_diagnostic(file.source, flaw) for flaw in file.flaws)
    if file.flaws or isinstance(file.data, dict):
        return
    if file.data is None:
        yield flaw_diagnostic(
            file.source, Flaw("E105", "file is empty, or only comments", "start with version: 1")
        )
        return
    line, column = file.root.start if file.root else (0, 0)
    message = f"the top level must be a mapping, not {kind_of(file.data)}"
    yield flaw_diagnostic(file.source, Flaw("E111", message, "start with version: 1", line, column))


def _judge(
    merged: Merged,
    flawed: list[Diagnostic],
    files: tuple[SourceFile, ...],
    raw_digest: str,
    env: Mapping[str, str] | None,
    secrets: Mapping[str, str] | None,
    whole: bool,
) -> LoadedConfig:
    expand_presets(merged)
    findings = [*merged.findings, *_fall_back(merged, env), *_shape(merged, env, whole)]
    view = _view(merged, findings, env, secrets)
    if view is not None:
        findings += _meaning(view, whole)
    findings = _worth_saying(findings, merged.broken)
    has_errors = bool(flawed) or any(not finding.is_warning for finding in findings)
    diagnostics = tuple(_sorted([*flawed, *diagnose(merged.root, findings)], files))
    if has_errors or view is None:
        return LoadedConfig(None, diagnostics, files, "", raw_digest, view=view)
    config = _validate(with_absolute_paths(merged.data, merged.root), env)
    return LoadedConfig(config, diagnostics, files, digest(view.config), raw_digest, view)


def _fall_back(merged: Merged, env: Mapping[str, str] | None) -> list[Finding]:
    """Callers by variables, while no file says who may call."""
    if env is None or "auth" in merged.data:
        return []
    auth, findings = fallback_auth(env)
    if auth is not None:
        merged.data["auth"] = auth
    return findings


def _validate(data: dict[str, Any], env: Mapping[str, str] | None) -> Config:
    return Config.model_validate(data, context={"environment": env})


def _shape(merged: Merged, env: Mapping[str, str] | None, whole: bool) -> list[Finding]:
    """Errors of the schema. A key may be missing because its file could not be read: then nothing is said."""
    try:
        _validate(merged.data, env)
    except ValidationError as error:
        found = read_errors(error.errors(include_url=False, include_input=False), merged.data, merged.root)
        return found if whole else [one for one in found if one.code != "E202" or len(one.path) > 1]
    return []


def _view(
    merged: Merged,
    findings: Sequence[Finding],
    env: Mapping[str, str] | None,
    secrets: Mapping[str, str] | None,
) -> ConfigView | None:
    """The config without the entries that have errors, or None when even that is not valid."""
    paths = [finding.path for finding in findings if not finding.is_warning]
    lost = frozenset(_lost_entry(path) for path in (*paths, *merged.broken) if path)
    data, indexes = _without(merged.data, lost)
    try:
        config = _validate(data, env)
    except ValidationError:
        return None
    declared = declared_names(merged.data)
    connected = connected_names(declared.get("connections", []))
    now = datetime.now(UTC)
    return ConfigView(config, merged.data, merged.root, lost, indexes, secrets, now, declared, connected)


_ENTRIES = frozenset({"integrations", "connections", "workspaces", "policies", "rate_limits"})


def _lost_entry(path: Path) -> Path:
    """What is taken out for an error at `path`: one entry, or a whole section."""
    return path[:2] if path[0] in _ENTRIES else path[:1]


def _without(data: dict[str, Any], lost: frozenset[Path]) -> tuple[dict[str, Any], tuple[int, ...]]:
    """The data without what is lost, and the original places of the policies that stay."""
    kept = {key: value for key, value in data.items() if (key,) not in lost}
    kept["version"] = 1
    for section in _ENTRIES & set(kept):
        value = kept[section]
        if isinstance(value, dict):
            kept[section] = {key: below for key, below in value.items() if (section, key) not in lost}
    policies = kept.get("policies")
    if not isinstance(policies, list):
        return kept, ()
    indexes = tuple(index for index in range(len(policies)) if ("policies", index) not in lost)
    kept["policies"] = [policies[index] for index in indexes]
    return kept, indexes


def _meaning(view: ConfigView, whole: bool) -> list[Finding]:
    """Errors of meaning. With a file missing from the picture, nothing is said about names it may declare."""
    found = [finding for check in CHECKS for finding in check(view)]
    return found if whole else [one for one in found if one.code not in ("E301", "E302", "E501")]


def _worth_saying(findings: Iterable[Finding], broken: set[Path]) -> list[Finding]:
    """One error for one place, the first one; none about values that could not be read."""
    said: set[tuple[Path, str]] = set()
    kept = []
    for finding in findings:
        if any(_concerns(finding, path) for path in broken):
            continue
        place = (finding.path, "raw" if finding.raw else finding.at)
        if place not in said or finding.code == "E103":
            kept.append(finding)
        said.add(place)
    return kept


def _concerns(finding: Finding, broken: Path) -> bool:
    """At or below what could not be read, or about a mapping that has lost a key."""
    if finding.path[: len(broken)] == broken and broken:
        below = finding.path[len(broken) :]
        return not below or finding.code in ("E202", "E209")
    return False


def _sorted(diagnostics: Iterable[Diagnostic], files: Sequence[SourceFile]) -> list[Diagnostic]:
    order = {source.path: index for index, source in enumerate(files)}
    return sorted(diagnostics, key=lambda one: (order.get(one.file, 0), one.line, one.column, one.code))


# --- relative paths become absolute: they are relative to the file they stand in


def with_absolute_paths(data: dict[str, Any], root: SourceNode) -> dict[str, Any]:
    """A copy of the data with absolute paths."""
    out: dict[str, Any] = _absolute_value(data, root)
    state = out.get("state")
    if isinstance(state, dict) and isinstance(state.get("path"), str):
        node = root.child("state")
        assert node is not None
        out["state"] = {**state, "path": _absolute_path(node, state["path"])}
    lock = out.get("lock")
    if isinstance(lock, dict) and "file" not in lock:
        node = root.child("lock")
        assert node is not None
        out["lock"] = {**lock, "file": _absolute_path(node, LOCK_NAME)}
    return out


def _absolute_value(value: Any, node: SourceNode) -> Any:
    if isinstance(value, dict):
        out = {key: _absolute_entry(key, below, node.child(key) or node) for key, below in value.items()}
        return _with_place(out, node) if _is_local_server(value) else out
    if isinstance(value, list):
        return [_absolute_value(below, node.child(index) or node) for index, below in enumerate(value)]
    return value


def _absolute_entry(key: str, value: Any, node: SourceNode) -> Any:
    if key in FOREIGN_KEYS:
        return value
    if key in _NAMED_KEYS and isinstance(value, dict):
        # Their keys are names of headers and variables, which may read like ours.
        return {
            name: below if isinstance(below, str) else _absolute_value(below, node)
            for name, below in value.items()
        }
    if isinstance(value, str):
        return _absolute_path(node, value) if key in _FILE_KEYS else value
    if key == "documents" and isinstance(value, list):
        return [_absolute_path(node, item) for item in value]
    return _absolute_value(value, node)


def _is_local_server(value: dict[str, Any]) -> bool:
    return (
        value.get("kind") == "mcp" and value.get("type") == "local" and isinstance(value.get("command"), list)
    )


def _with_place(server: dict[str, Any], node: SourceNode) -> dict[str, Any]:
    """A program that is named with a path lies beside the config file, and so does what it is told to open, since it
    runs there unless `cwd` says otherwise.
    """
    program, *rest = server["command"] or [None]
    if isinstance(program, str) and "/" in program:
        server["command"] = [_absolute_path(node.child("command") or node, program), *rest]
    return server if server.get("cwd") is not None else {**server, "cwd": _absolute_path(node, "")}


def _absolute_path(node: SourceNode, name: str) -> str:
    return str(FilePath.cwd() / node.source.directory / name)


# --- the effective config as one canonical JSON object, and its hash; there is no secret in it, only references


def effective(config: Config) -> dict[str, Any]:
    """Every setting with defaults filled in, as `GET /-/config` shows it."""
    shown: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    shown["policies"] = [_shown_entry(entry) for entry in config.policies]
    for name, workspace in config.workspaces.items():
        shown["workspaces"][name]["policies"] = [_shown_entry(entry) for entry in workspace.policies]
    return shown


def _shown_entry(entry: RuleConfig | PackUse) -> dict[str, Any]:
    """A pack is shown with its rules: a newer version of it is another config."""
    if isinstance(entry, PackUse):
        shown: dict[str, Any] = entry.model_dump(mode="json")
        return shown | {"rules": [_shown_rule(rule) for rule in entry.rules()]}
    return _shown_rule(entry)


def _shown_rule(rule: RuleConfig) -> dict[str, Any]:
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
