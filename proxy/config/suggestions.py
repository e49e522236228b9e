"""Which models stand where in the language, so that an error can name the keys that are allowed there."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from proxy.config.model import Config

FLOOR: Final = 0.6
"""How alike a word and its suggestion must be (`difflib` ratio): below it a suggestion misleads."""

_NONE: Mapping[str, str] = MappingProxyType({})
# What people bring along from other products, and what it is called here.
SYNONYMS = {
    "mcpServers": "integrations", "mcp_servers": "integrations", "servers": "integrations",
    "sources": "integrations", "args": "command", "env": "environment", "environ": "environment",
    "rules": "policies", "policy": "policies", "allow": "approve", "deny": "block", "ask": "require_approval",
    "forbid": "block", "permit": "approve", "secret": "client_secret", "host": "listen", "bind": "listen",
    "address": "listen", "port": "listen", "uri": "url", "endpoint": "url", "limits": "rate_limits",
    "ratelimits": "rate_limits", "http": "remote", "stdio": "local", "sse": "remote", "apiKeys": "api_keys",
    "user": "username", "eq": "equals", "max": "at_most", "min": "at_least", "regex": "matches",
    "openapi3": "openapi", "swagger": "openapi", "rest": "openapi", "warn": "warning",
    "match": "pattern", "matcher": "pattern", "tool": "pattern", "tools": "pattern", "glob": "pattern",
    "selector": "pattern", "target": "pattern", "resource": "pattern", "effect": "action", "decision": "action",
    "verdict": "action", "who": "principals", "subjects": "principals", "callers": "principals",
    "roles": "principals", "groups": "principals", "if": "when", "conditions": "when", "arguments": "when",
    "name": "id", "message": "reason", "why": "reason", "comment": "reason",
}  # fmt: skip


def allowed_keys(path: Sequence[str | int], data: Any) -> list[str]:
    """Keys that the mapping at `path` may have, in the order of the models."""
    keys: dict[str, None] = {}
    for model in _models(path, data):
        for name, field in model.model_fields.items():
            keys[field.alias or name] = None
    return list(keys)


def nearest(word: str, allowed: Sequence[str]) -> str | None:
    """Which key or value of the language `word` was probably meant to be."""
    return nearest_name(word, allowed, SYNONYMS)


def nearest_name(word: str, known: Sequence[str], synonyms: Mapping[str, str] = _NONE) -> str | None:
    """Which of the names that somebody chose `word` was probably meant to be: those have no synonyms."""
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", word).lower().replace("-", "_").strip()
    folded = {name.lower().replace("-", "_"): name for name in known}
    if snake in folded:
        return folded[snake]
    synonym = synonyms.get(word) or synonyms.get(snake)
    if synonym in known:
        return synonym
    close = difflib.get_close_matches(snake, list(folded), n=1, cutoff=FLOOR)
    return folded[close[0]] if close else None


def elsewhere(key: str) -> str | None:
    """The section that has a key of this name (`listen` belongs to `server`)."""
    for section, field in Config.model_fields.items():
        for model in _models_of(field.annotation, None):
            if key in model.model_fields:
                return f"{section}.{key}"
    return None


def _models(path: Sequence[str | int], data: Any) -> list[type[BaseModel]]:
    annotation: Any = Config
    for step in path:
        annotation = Union[tuple(_below(annotation, step, data)) or (object,)]  # noqa: UP007
        data = _step(data, step)
    return list(_models_of(annotation, data))


def _step(data: Any, step: str | int) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None


def _below(annotation: Any, step: str | int, data: Any) -> Iterator[Any]:
    for kind in _flat(annotation):
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is dict:
            yield arguments[1]
        elif origin is tuple:
            yield arguments[0]
    for model in _models_of(annotation, data):
        for name, field in model.model_fields.items():
            if step == (field.alias or name):
                yield field.annotation


def _flat(annotation: Any) -> Iterator[Any]:
    """The members of a union, without Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _flat(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _flat(member)
    else:
        yield annotation


def _models_of(annotation: Any, data: Any) -> Iterator[type[BaseModel]]:
    models = [kind for kind in _flat(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    fitting = [model for model in models if _fits(model, data)]
    yield from fitting or models


def _fits(model: type[BaseModel], data: Any) -> bool:
    """Whether the data's `kind`, `type` and `grant` are those of the model."""
    if not isinstance(data, dict):
        return True
    if ("pack" in data) != ("pack" in model.model_fields) and {"pack", "action"} & set(model.model_fields):
        return False
    for name in ("kind", "type", "grant"):
        field = model.model_fields.get(name)
        if field is None or name not in data or get_origin(field.annotation) is not Literal:
            continue
        if data[name] not in get_args(field.annotation):
            return False
    return True


def literal_values(path: Sequence[str | int], key: str) -> list[str]:
    """Every value that `key` may have in the models at `path`."""
    values: dict[str, None] = {}
    for model in _models(path, None):
        for name, field in model.model_fields.items():
            if key == (field.alias or name) and get_origin(field.annotation) is Literal:
                values.update(dict.fromkeys(map(str, get_args(field.annotation))))
    return list(values)
