"""What pydantic found wrong, as findings: one clean error at one place, in the words of the file.

Each error type is one entry of `_READERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from proxy.config.locations import Finding
from proxy.config.nodes import Path, SourceNode, find, show_path
from proxy.config.suggestions import allowed_keys, elsewhere, literal_values, nearest
from proxy.config.words import kind_of, shown
from proxy.config.yaml_scalars import LEGACY_FALSE, LEGACY_TRUE


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One pydantic error, found again in the file: the path it is about, and the value and node there."""

    detail: ErrorDetails
    path: Path
    value: Any
    data: Any
    node: SourceNode | None
    at_key: bool

    @property
    def context(self) -> Mapping[str, Any]:
        return self.detail.get("ctx") or {}

    @property
    def name(self) -> str:
        """The nearest key: list items are called by their list."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), "config")

    @property
    def raw(self) -> str:
        """The text in the file: `1.10` must not become `1.1` in a suggestion."""
        return self.node.text if self.node is not None and self.node.text else shown(self.value)


def read_errors(errors: Sequence[ErrorDetails], data: dict[str, Any], root: SourceNode) -> list[Finding]:
    """One finding for each mistake. A misspelt key is not also missing."""
    findings: list[Finding] = []
    for detail in errors:
        error = locate(detail, data, root)
        finding = _READERS.get(detail["type"], _other)(error)
        if finding is not None and finding not in findings:
            findings.append(finding)
    return one_per_mistake(findings)


def locate(detail: ErrorDetails, data: Any, root: SourceNode) -> SchemaError:
    """Find the value that an error is about.

    `loc` holds union tags and class names besides keys: it is followed through the data, and steps that are
    not in the data are skipped.
    """
    loc = detail["loc"]
    at_key = bool(loc) and loc[-1] == "[key]"
    path: list[str | int] = []
    value = data
    for step in loc[:-1] if at_key else loc:
        if (isinstance(value, dict) and step in value) or _indexes(value, step):
            value = value[step]
            path.append(step)
    found = find(root, path)
    return SchemaError(
        detail, tuple(path), value, data, found.node if found.depth == len(path) else None, at_key
    )


def _indexes(value: Any, step: str | int) -> bool:
    return isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)


def _place(path: Path) -> str:
    return f" in {show_path(path)}" if path else ""


def one_per_mistake(findings: list[Finding]) -> list[Finding]:
    """Of several errors about one mistake only the most helpful one is kept.

    "Missing" is dropped where an unknown key of the same mapping is that key, misspelt.
    """
    meant = {
        (*finding.path[:-1], found[1])
        for finding in findings
        if finding.code == "E201" and (found := re.search(r"did you mean `([\w]+)`", finding.help or ""))
    }
    kept = [finding for finding in findings if not (finding.code == "E202" and finding.path in meant)]
    return _one_per_place(kept)


def _one_per_place(findings: list[Finding]) -> list[Finding]:
    """The branches of a union each complain about the same value: only the first complaint is kept."""
    seen: set[tuple[Path, str]] = set()
    kept = []
    for finding in findings:
        place = (finding.path, finding.at)
        if place not in seen or finding.code == "E202":
            kept.append(finding)
        seen.add(place)
    return kept


# --- readers, one for each type of pydantic error


def _configured(error: SchemaError) -> Finding:
    """Errors of our own validators carry code, words and help."""
    code, message, help = error.context["code"], error.context["message"], error.context["help"]
    at = error.context.get("at")
    path = (*error.path, at) if at else error.path
    if code in ("E402", "E403"):
        return Finding(code, (*path, "env"), message, help)
    if code == "E209":
        return Finding(code, path, message + _place(path), help, "key")
    if code == "E202":
        return Finding(code, path, message + _place(path), help, "key")
    if code == "E210":
        return _no_value(error)
    return Finding(code, path, f"`{at or error.name}`: {message}", help, "key" if error.at_key else "value")


def _no_value(error: SchemaError) -> Finding:
    return Finding(
        "E210", error.path, f"`{error.name}` has no value", "give it a value or remove the key", "key"
    )


def _missing(error: SchemaError) -> Finding:
    key = str(error.detail["loc"][-1])
    return Finding(
        "E202", (*error.path, key), f"missing required key `{key}`{_place(error.path)}", None, "key"
    )


def _tag_missing(error: SchemaError) -> Finding:
    key = str(error.context["discriminator"]).strip("'")
    known = literal_values(error.path, key)
    help = f"one of: {', '.join(known)}" if known else None
    unknown = [name for name in error.value if name not in allowed_keys(error.path, error.data)]
    close = next((name for name in unknown if nearest(name, [key]) == key), None)
    if close is not None:
        return Finding(
            "E201", (*error.path, close), _unknown_words(close, error.path), f"did you mean `{key}`?", "key"
        )
    return Finding(
        "E202", (*error.path, key), f"missing required key `{key}`{_place(error.path)}", help, "key"
    )


def _tag_invalid(error: SchemaError) -> Finding:
    key = str(error.context["discriminator"]).strip("'")
    value = error.value[key]
    path = (*error.path, key)
    node = error.node.child(key) if error.node is not None else None
    inner = SchemaError(error.detail, path, value, error.data, node, False)
    return _not_one_of(inner, _expected(str(error.context["expected_tags"])))


def _expected(words: str) -> list[str]:
    """`'a', 'b' or 'c'` to its parts."""
    return re.findall(r"'([^']*)'", words) or [word.strip() for word in re.split(r",| or ", words)]


def _literal(error: SchemaError) -> Finding:
    return _not_one_of(error, _expected(str(error.context["expected"])))


def _not_one_of(error: SchemaError, allowed: list[str]) -> Finding:
    if str(error.detail["loc"][-1]) in ("=live", "=word"):
        allowed = [*allowed, "{file: PATH}"]
    expected = f"expected one of: {', '.join(allowed)}" if len(allowed) > 1 else f"expected {allowed[0]}"
    if error.value is None:
        return _no_value(error)
    if error.path == ("version",):
        return _version(error)
    if isinstance(error.value, dict) and isinstance(error.value.get("env"), str):
        words = f"the value of {error.value['env']} is not a valid {error.name}"
        return Finding("E204", error.path, words, expected)
    if isinstance(error.value, dict | list):
        return Finding(
            "E203", error.path, f"`{error.name}` must be a string, not {kind_of(error.value)}", expected
        )
    likely = nearest(error.raw, allowed)
    if isinstance(error.value, bool):
        likely = next(
            (word for word in allowed if word in (LEGACY_TRUE if error.value else LEGACY_FALSE)), None
        )
    help = f"did you mean `{likely}`? {expected}" if likely else expected
    return Finding("E204", error.path, f"`{error.raw}` is not a valid {error.name}", help)


def _version(error: SchemaError) -> Finding:
    if isinstance(error.value, str):
        help = "write version: 1" + (" without quotes" if error.value.strip() == "1" else "")
        return Finding("E203", error.path, "`version` must be a number, not a string", help)
    if isinstance(error.value, dict | list | bool | float):
        words = f"`version` must be a whole number, not {kind_of(error.value)}"
        return Finding("E203", error.path, words, "write version: 1")

    words = f"`{error.raw}` is not a valid version: this executor understands version 1"
    return Finding("E204", error.path, words, "write version: 1, or use a newer executor")


def _unknown_words(key: str, path: Path) -> str:
    return f"unknown key `{key}`{_place(path)}"


def _unknown(error: SchemaError) -> Finding:
    parent, key = error.path[:-1], str(error.path[-1])
    allowed = allowed_keys(parent, error.data)
    likely = nearest(key, allowed)
    if likely:
        help: str | None = f"did you mean `{likely}`?"
    elif not parent and (home := elsewhere(key)):
        help = f"did you mean `{home}`?"
    elif len(allowed) <= 12:
        help = f"allowed here: {', '.join(allowed)}"
    else:
        help = None
    return Finding("E201", error.path, _unknown_words(key, parent), help, "key")


def _boolean(error: SchemaError) -> Finding:
    if error.value is None:
        return _no_value(error)
    also_mapping = error.detail["loc"][-1] == "=switch"
    plain = error.node is not None and error.node.plain
    if isinstance(error.value, str) and plain and error.value in LEGACY_TRUE | LEGACY_FALSE:
        words = f"`{error.value}` is a string in YAML 1.2, not a boolean"
        return Finding(
            "E207", error.path, words, f"write {'true' if error.value in LEGACY_TRUE else 'false'}"
        )
    expected = "a mapping or true or false" if also_mapping else "true or false"
    help = _unquote(error, ("true", "false"))
    return Finding("E203", error.path, f"`{error.name}` must be {expected}, not {kind_of(error.value)}", help)


def _unquote(error: SchemaError, words: Sequence[str]) -> str | None:
    text = error.value.strip().lower() if isinstance(error.value, str) else ""
    return f"remove the quotes: {text}" if text in words else None


def _text(error: SchemaError) -> Finding:
    if error.value is None:
        return _no_value(error)
    words = f"`{error.name}` must be a string, not {kind_of(error.value)}"
    scalar = isinstance(error.value, bool | int | float)
    return Finding("E203", error.path, words, f'quote it: "{error.raw}"' if scalar else None)


def _number(error: SchemaError) -> Finding:
    if error.value is None:
        return _no_value(error)
    whole = error.detail["type"].startswith("int")
    fraction = whole and isinstance(error.value, float)
    expected = "a whole number" if fraction else "a number"
    numeric = isinstance(error.value, str) and re.fullmatch(r"[-+]?\d+", error.value)
    help = f"remove the quotes: {error.value}" if numeric else None
    shape = "a fraction" if fraction else kind_of(error.value)
    return Finding("E203", error.path, f"`{error.name}` must be {expected}, not {shape}", help)


def _list(error: SchemaError) -> Finding:
    if error.value is None:
        return _no_value(error)
    words = f"`{error.name}` must be a list, not {kind_of(error.value)}"
    help = None
    if isinstance(error.value, dict) and error.value:
        help = _glued(next(iter(error.value)), r"-(\S.*)", "`-`", r"- \1")
    if isinstance(error.value, str):
        parts = error.value.split() if error.name == "command" else [error.raw]
        help = f"did you mean [{', '.join(parts)}]?"
    elif isinstance(error.value, bool | int | float):
        help = f"did you mean [{error.raw}]?"
    return Finding("E203", error.path, words, help)


def _mapping(error: SchemaError) -> Finding:
    if error.value is None:
        return _no_value(error)
    name = f"{error.name}[{error.path[-1]}]" if error.path and isinstance(error.path[-1], int) else error.name
    words = f"`{name}` must be a mapping, not {kind_of(error.value)}"
    return Finding("E203", error.path, words, _glued(error.value, r"([\w.-]+):(\S.*)", "`:`", r"\1: \2"))


def _glued(value: Any, pattern: str, sign: str, written: str) -> str | None:
    """`key:value` is one string, and `-item: x` is a key: the space that makes it YAML is missing."""
    found = re.fullmatch(pattern, value) if isinstance(value, str) else None
    return f"a space is missing after {sign}: write {found.expand(written)}" if found else None


def _range(error: SchemaError) -> Finding:
    words = error.detail["msg"].replace("Input should be", "must be")
    return Finding("E205", error.path, f"`{error.name}`: {words}")


def _empty(error: SchemaError) -> Finding | None:
    if isinstance(error.value, list) and error.value:
        # Items with errors of their own do not count as items.
        return None
    at: Any = "key" if error.at_key else "value"
    return Finding("E206", error.path, f"`{error.name}`: must not be empty", None, at)


def _other(error: SchemaError) -> Finding:
    words = error.detail["msg"].replace("Input should", "should")
    return Finding("E206", error.path, f"`{error.name}`: {words}", None, "key" if error.at_key else "value")


_READERS: dict[str, Callable[[SchemaError], Finding | None]] = {
    "config": _configured,
    "missing": _missing,
    "union_tag_not_found": _tag_missing,
    "union_tag_invalid": _tag_invalid,
    "literal_error": _literal,
    "extra_forbidden": _unknown,
    "bool_type": _boolean,
    "string_type": _text,
    "int_type": _number,
    "int_from_float": _number,
    "float_type": _number,
    "tuple_type": _list,
    "dict_type": _mapping,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "greater_than_equal": _range,
    "greater_than": _range,
    "less_than_equal": _range,
    "less_than": _range,
    "string_too_short": _empty,
    "too_short": _empty,
}
