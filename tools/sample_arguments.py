"""Arguments that fit an input schema, as far as they can be made without understanding it."""

from __future__ import annotations

from typing import Any

_MAX_DEPTH = 12
_TEXTS = {
    "date-time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_FILE = {"_tag": "ToolFile", "mimeType": "image/png", "encoding": "base64", "data": "AA==", "byteLength": 1}


def sample_arguments(schema: dict[str, Any]) -> dict[str, Any]:
    """Every required argument, and every optional one that is a plain value."""
    value = _Sampler(schema.get("$defs", {})).object(schema, 0, plain=True)
    value.pop("server", None)
    value.pop("contentType", None)
    if value.pop("bodyBase64", None) is not None and "body" not in value:
        value["bodyBase64"] = "AA=="
    return value


class _Sampler:
    def __init__(self, defs: dict[str, Any]) -> None:
        self._defs = defs

    def value(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict):
            return "x"
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        if "default" in schema:
            return schema["default"]
        if "$ref" in schema:
            return self._reference(schema["$ref"], depth)
        for key in ("oneOf", "anyOf"):
            if schema.get(key) and "properties" not in schema:
                return self.value(schema[key][0], depth)
        if isinstance(schema.get("allOf"), list) and "type" not in schema:
            return self._all(schema, depth)
        return self._typed(schema, depth)

    def _reference(self, reference: str, depth: int) -> Any:
        name = reference.rsplit("/", 1)[-1]
        if name == "ToolFile":
            return _FILE
        return self.value(self._defs.get(name), depth + 1) if depth < 4 * _MAX_DEPTH else None

    def _all(self, schema: dict[str, Any], depth: int) -> Any:
        parts = [self.value(part, depth + 1) for part in schema["allOf"]]
        if all(isinstance(part, dict) for part in parts):
            own = self.object(schema, depth, plain=False)
            return {key: item for part in [*parts, own] for key, item in part.items()}
        return parts[0]

    def _typed(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object" or (kind is None and "properties" in schema):
            return self.object(schema, depth, plain=False)
        if kind == "array" or (kind is None and "items" in schema):
            count = max(1, int(schema.get("minItems", 1)))
            return [self.value(schema.get("items", True), depth + 1) for _ in range(min(count, 3))]
        if kind in ("integer", "number"):
            return max(1, schema.get("minimum", 1)) if schema.get("maximum", 1) >= 1 else schema["maximum"]
        if kind == "boolean":
            return True
        if kind == "null":
            return None
        text = _TEXTS.get(str(schema.get("format")), "x")
        return text.ljust(int(schema.get("minLength", 0)), "x")[: int(schema.get("maxLength", 1000)) or None]

    def object(self, schema: dict[str, Any], depth: int, *, plain: bool) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        wanted = [name for name in properties if name in required or (plain and _is_plain(properties[name]))]
        if depth > _MAX_DEPTH:
            return {}
        return {name: self.value(properties[name], depth + 1) for name in wanted}


def _is_plain(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") in (
        "string",
        "integer",
        "number",
        "boolean",
        "array",
    )
