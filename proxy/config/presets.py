"""`preset: github` in an integration: the preset's keys are the defaults of the entry's own keys.

Rules
- An own key replaces the preset's key as a whole; only `headers` are united, name by name.
- `kind` is the preset's: an entry that says another one is wrong.
- Whatever an entry says itself keeps its place in its file; what came from the preset stands where `preset` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from proxy.config.bundled import PRESETS
from proxy.config.locations import Finding
from proxy.config.merge import Merged
from proxy.config.nodes import Path
from proxy.config.words import kind_of

KEY = "preset"


def expand_presets(merged: Merged) -> None:
    """Replace every entry that names a preset by the whole integration. Mistakes become findings of `merged`."""
    entries = merged.data.get("integrations")
    if not isinstance(entries, dict):
        return
    expanded = dict(entries)
    for name, entry in entries.items():
        if isinstance(entry, dict) and (KEY in entry or "kind" not in entry):
            expanded[name] = _expanded(merged, ("integrations", name), entry)
    merged.data = {**merged.data, "integrations": expanded}


def with_preset(own: dict[str, Any], preset: dict[str, Any]) -> dict[str, Any]:
    """The integration that an entry with a preset means."""
    whole = {**preset, **{key: value for key, value in own.items() if key != KEY}}
    given, usual = own.get("headers"), preset.get("headers")
    if isinstance(given, dict) and isinstance(usual, dict):
        lower = {header.lower() for header in given}
        whole["headers"] = {k: v for k, v in usual.items() if k.lower() not in lower} | given
    return whole


def _expanded(merged: Merged, path: Path, entry: dict[str, Any]) -> dict[str, Any]:
    if KEY not in entry:
        _misspelt(merged, path, entry)
        return entry
    chosen, findings = _chosen(path, entry[KEY])
    merged.findings += findings
    if chosen is None:
        # Without a preset nothing can be said about what is missing.
        merged.broken.add(path)
        return {key: value for key, value in entry.items() if key != KEY}
    preset = PRESETS.read(chosen)
    merged.findings += _other_kind(path, entry, chosen, preset)
    return with_preset(entry, preset) | {"kind": preset["kind"]}


def _chosen(path: Path, value: Any) -> tuple[str | None, list[Finding]]:
    """The preset that is meant, and what is wrong with the way it is written."""
    place = (*path, KEY)
    if value is None:
        return None, [
            Finding("E210", place, "`preset` has no value", "give it a value or remove the key", "key")
        ]
    known = PRESETS.names()
    listed = f"expected one of: {', '.join(known)}"
    if not isinstance(value, str):
        return None, [Finding("E203", place, f"`preset` must be a string, not {kind_of(value)}", listed)]
    if value in known:
        return value, []
    near = get_close_matches(value.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    help = f"did you mean `{near[0]}`? {listed}" if near else listed
    return (near[0] if near else None), [Finding("E204", place, f"`{value}` is not a valid preset", help)]


def _other_kind(path: Path, entry: dict[str, Any], chosen: str, preset: dict[str, Any]) -> Iterator[Finding]:
    if entry.get("kind", preset["kind"]) != preset["kind"]:
        words = f"`kind`: preset `{chosen}` is of kind {preset['kind']}"
        yield Finding("E206", (*path, "kind"), words, "remove the key; the preset says it")


def _misspelt(merged: Merged, path: Path, entry: dict[str, Any]) -> None:
    """`presett: github` is an unknown key, and the reason why `kind` is missing."""
    known = PRESETS.names()
    for key, value in entry.items():
        if value in known and isinstance(value, str) and get_close_matches(key.lower(), [KEY], cutoff=0.7):
            where = ".".join(map(str, path))
            words = f"unknown key `{key}` in {where}"
            merged.findings.append(Finding("E201", (*path, key), words, f"did you mean `{KEY}`?", "key"))
            merged.broken.add(path)
