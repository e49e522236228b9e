"""What a deployment must provide: every variable and secret file a config refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from proxy.config.fallbacks import FALLBACKS, SECRET_FALLBACKS
from proxy.config.load import FOREIGN_KEYS, LoadedConfig
from proxy.config.locations import location_of
from proxy.config.nodes import Path, show_path
from proxy.config.secrets import UNKNOWN
from proxy.config.semantics import ConfigView


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a variable or secret file. `state`: set, unset, or file (NAME_FILE, `{file}`)."""

    name: str
    kind: str
    state: str
    used_by: str
    file: str
    line: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def uses(loaded: LoadedConfig, environment: Mapping[str, str]) -> list[Use]:
    """In the order of the files. Empty when the config has errors that hide its references."""
    view = loaded.view
    if view is None:
        return []
    found = [*_secrets(view, environment), *_values(view, environment)]
    found.sort(key=lambda use: (use.file, use.line, use.name))
    if view.root.child("auth") is not None:
        return found
    return [one for one in found if one.name not in FALLBACKS] + _fallbacks(environment)


def _use(view: ConfigView, path: Path, name: str, kind: str, state: str) -> Use:
    place = location_of(view.root, path)
    return Use(name, kind, state, show_path(path), place.file, place.line)


def _secrets(view: ConfigView, environment: Mapping[str, str]) -> Iterator[Use]:
    for path, ref in view.secrets():
        if ref.env is not None:
            yield _use(view, path, ref.env, "secret", _state(ref.env, environment))
        elif ref.file is not None:
            yield _use(view, path, ref.file, "secret", "file")


def _state(name: str, environment: Mapping[str, str]) -> str:
    if environment.get(name):
        return "set"
    return "file" if environment.get(f"{name}_FILE") else "unset"


def _values(view: ConfigView, environment: Mapping[str, str]) -> Iterator[Use]:
    secret = {path for path, _ in view.secrets()}
    for path, name in _references(view.data, ()):
        if path not in secret:
            yield _use(view, path, name, "value", "set" if environment.get(name) else "unset")


def _references(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every `{env: NAME, ...}` of the files, except in values that are not config keys."""
    if isinstance(value, list):
        for index, below in enumerate(value):
            yield from _references(below, (*path, index))
    elif isinstance(value, dict):
        if isinstance(value.get("env"), str) and set(value) <= {"env", "default"}:
            yield path, value["env"]
        for key, below in value.items():
            if key not in FOREIGN_KEYS:
                yield from _references(below, (*path, key))


def _fallbacks(environment: Mapping[str, str]) -> list[Use]:
    return [
        Use(
            name,
            "secret" if name in SECRET_FALLBACKS else "value",
            _state(name, environment),
            "auth (absent)",
            "",
            0,
        )
        for name in FALLBACKS
    ]


_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*(?:=(.*))?")


def read_env_file(text: str) -> dict[str, str]:
    """`NAME` or `NAME=value` on each line, `#` comments. A bare name is set, to something unknown."""
    environment: dict[str, str] = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found and not line.lstrip().startswith("#"):
            value = found[2].strip().strip("\"'") if found[2] is not None else ""
            environment[found[1]] = value or UNKNOWN
    return environment
