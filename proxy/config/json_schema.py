"""The JSON Schema (2020-12) of the language, for editors, generated from the models.

Three changes make it work in yaml-language-server: nested `oneOf` is flattened (else `kind:` completes only
half of the kinds), `title` and `discriminator` go and definitions get readable names (people see them), and
defaults are spelled as the file spells them. The schema may accept more than the models, never less.
"""

from __future__ import annotations

import json
import re
from typing import Any

from integrations.fields import JsonSchema, format_duration, format_size
from proxy.config.bundled import PRESETS
from proxy.config.meanings import TOP_LEVEL, meaning
from proxy.config.model import Config
from proxy.config.presets import KEY as PRESET

ID = "urn:executor-proxy:schema:executor.yaml:1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMES = {
    "OpenApi": "openapi-integration",
    "OpenApiSource": "openapi-document",
    "GraphQl": "graphql-integration",
    "McpLocal": "local-mcp-server",
    "McpRemote": "remote-mcp-server",
    "McpOauth": "mcp-oauth",
    "SecretRef": "secret-reference",
    "RuleConfig": "policy",
    "ConditionConfig": "condition",
    "PackUse": "policy-pack",
    "NoAuth": "no-auth",
}


def config_schema() -> JsonSchema:
    """The schema of a config file."""
    made = Config.model_json_schema(by_alias=True)
    names = {name: _NAMES.get(name, _kebab(name)) for name in made.get("$defs", {})}
    schema: JsonSchema = _clean(made, names)
    _add_presets(schema)
    _explain(schema, TOP_LEVEL)
    kept: dict[str, JsonSchema] = schema["$defs"]
    definitions = {names.get(name, name): one for name, one in kept.items()}
    for name, definition in definitions.items():
        _explain(definition, name)
    schema["$defs"] = dict(sorted(definitions.items()))
    schema["patternProperties"] = {"^x-": {"description": "ignored; a place for YAML anchors"}}
    return {"$schema": DIALECT, "$id": ID, **schema}


def _explain(value: Any, definition: str) -> None:
    """Give every property its meaning, which editors show on hover; what has one keeps it."""
    if isinstance(value, list):
        for item in value:
            _explain(item, definition)
    elif isinstance(value, dict):
        for key, described in value.get("properties", {}).items():
            line = meaning(definition, key)
            if line is not None and isinstance(described, dict):
                described.setdefault("description", line)
        for name, inner in value.items():
            if name != "$defs":
                _explain(inner, definition)


def _add_presets(schema: JsonSchema) -> None:
    """An entry with `preset` may have every key of the kinds that presets are of, and needs none of them."""
    kinds = {PRESETS.read(name)["kind"] for name in PRESETS.names()}
    (entry,) = schema["properties"]["integrations"]["patternProperties"].values()
    properties: JsonSchema = {
        PRESET: {"type": "string", "enum": list(PRESETS.names()), "description": "A ready-made integration"}
    }
    for definition in list(schema["$defs"].values()):
        kind = definition.get("properties", {}).get("kind", {}).get("const")
        if kind in kinds:
            _unite(properties, definition["properties"])
    schema["$defs"]["preset-integration"] = {
        "type": "object",
        "description": "A ready-made integration; keys given here replace those of the preset.",
        "properties": properties,
        "required": [PRESET],
        "additionalProperties": False,
    }
    entry["oneOf"].append({"$ref": "#/$defs/preset-integration"})


def _unite(properties: JsonSchema, more: JsonSchema) -> None:
    for key, value in more.items():
        known = properties.get(key, value)
        properties[key] = value if known == value else {"anyOf": [known, value]}


def schema_text() -> str:
    """The bytes of `schema/executor.schema.json`."""
    return json.dumps(config_schema(), indent=2, sort_keys=False) + "\n"


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name.removesuffix("Config")).lower()


def _clean(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_clean(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    out: JsonSchema = {}
    for key, inner in value.items():
        if key in ("properties", "$defs", "patternProperties"):
            out[key] = {name: _clean(below, names) for name, below in inner.items()}
        elif key == "$ref":
            out[key] = f"#/$defs/{names[inner.rpartition('/')[2]]}"
        elif key == "default":
            out |= _default(value, inner)
        elif key not in ("title", "discriminator") or not isinstance(inner, str | dict):
            out[key] = _clean(inner, names)
    if "patternProperties" in out:
        out.setdefault("additionalProperties", False)
    if "oneOf" in out:
        out["oneOf"] = _flat(out["oneOf"])
    return out


def _default(schema: JsonSchema, value: Any) -> JsonSchema:
    """Only what a person would write; sections and "not given" have no default worth showing."""
    if value is None or isinstance(value, dict | list):
        return {}
    if isinstance(value, float | int) and not isinstance(value, bool):
        text = json.dumps(schema)
        if "(ms|s|m|h|d)" in text:
            return {"default": format_duration(value)}
        if "KiB|MiB" in text and schema.get("type") == "string":
            return {"default": format_size(int(value))}
    return {"default": value}


def _flat(members: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for member in members:
        flat += _flat(member["oneOf"]) if set(member) == {"oneOf"} else [member]
    return flat
