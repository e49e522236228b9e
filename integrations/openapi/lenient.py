"""What a request is checked for when `validate` is lenient: what would surely fail, not what is unusual.

Where JSON Schema is stricter than what documents mean by it:

- `oneOf`: one that fits is enough, and with a `discriminator` the one that it names.
- `additionalProperties: false` beside or inside `allOf` closes the whole, as `unevaluatedProperties` does. Generators
  write it for inheritance, and read exactly it would forbid everything.
- `required` asks for no property that another part of the same whole makes read-only, and for none that the whole
  declares nowhere beside others that it does declare: such names are left from an older version, or misspelt.
- Null may stand for a property that may be left out, declared or additional.
- A `pattern` in its delimiters (`/^a+$/i`, `~^a+$~`) or with every backslash doubled is the one inside.
- A member of an `enum` that was written as text or as a number stands for both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from jsonschema import ValidationError

from integrations.expression import searches
from integrations.openapi.dialect import HIDDEN
from integrations.openapi.pointer import BRANCHES, mapping
from integrations.openapi.serialize import scalar_text
from integrations.validator import Steps, with_keywords
from integrations.value_errors import unknown_keys

_CONDITIONAL: Final = ("if", "then", "else")
# Beside a reference these say nothing about a value.
_BARE: Final = frozenset({"$ref", "$defs", "description", "title"})
# Those of PHP but the slash may also be meant: only an anchor beside one says that they are not.
_DELIMITED: Final = re.compile(
    r"/(?P<a>.*)/(?P<b>[a-zA-Z]*)|([#~%@!|])(?P<c>\^.*|.*\$)\3(?P<d>[a-zA-Z]*)", re.DOTALL
)
Errors = Iterator[ValidationError]


@dataclass(frozen=True, slots=True)
class _Scope:
    """A schema whose parts judge the same object, while `keyword` of it is judged; `around` is what it stands in."""

    instance: Any
    schema: Any
    keyword: str
    around: _Scope | None

    def chain(self) -> list[_Scope]:
        """The scopes of the same object, from the outermost."""
        return [*(self.around.chain() if self.around is not None else ()), self]


class _Whole:
    """What all parts of a schema that judge the same object know: properties, patterns, and what is read-only."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._seen: set[int] = set()
        self._patterns: set[str] = set()
        self._names: set[str] = set()
        self._is_open = False
        self.hidden: set[str] = set()

    def add(self, schema: Any, without: str = "") -> None:
        """Everything that the schema reaches without entering a property; `without` is a keyword that is left out."""
        if not isinstance(schema, Mapping) or id(schema) in self._seen:
            return
        with self._steps.deeper():
            self._seen.add(id(schema))
            self._names.update(mapping(schema.get("properties")))
            self._patterns.update(mapping(schema.get("patternProperties")))
            self.hidden.update(schema.get(HIDDEN, ()))
            for part in _parts(self._steps.root, schema, without):
                self.add(part)
        discriminator = mapping(schema.get("discriminator"))
        self._is_open |= bool(discriminator) and not discriminator.get("mapping")

    def omits(self, name: str) -> bool:
        """Whether it declares properties, and this one nowhere."""
        return bool(self._names) and not self.allows(name)

    def allows(self, name: str) -> bool:
        if self._is_open or name in self._names or name in self.hidden:
            return True
        return any(searches(pattern, name) is not False for pattern in self._patterns)


def _parts(root: Any, schema: Mapping[str, Any], without: str) -> Iterator[Any]:
    """The schemas that judge the same value as this one does, and those that its discriminator names."""
    if isinstance(schema.get("$ref"), str):
        yield _target(root, schema["$ref"])
    for key in BRANCHES:
        if key != without and isinstance(schema.get(key), list):
            yield from schema[key]
    for key in _CONDITIONAL:
        yield schema.get(key)
    yield from mapping(schema.get("dependentSchemas")).values()
    if not without:
        for reference in mapping(mapping(schema.get("discriminator")).get("mapping")).values():
            yield _target(root, reference)


def _target(root: Any, reference: str) -> Any:
    """What `#/$defs/<name>` names, the only form of reference in a converted schema."""
    definitions = root.get("$defs", {}) if isinstance(root, Mapping) else {}
    try:
        return definitions[reference.removeprefix("#/$defs/")]
    except KeyError:
        return None


def _scope_of(validator: Any, instance: Any) -> _Scope | None:
    """What the instance is being judged as a part of."""
    scopes = validator.format_checker.scopes
    return scopes[-1] if scopes and scopes[-1].instance is instance else None


def _whole_of(validator: Any, instance: Any, schema: Any) -> _Whole:
    """What the schema reaches itself, and what it stands in."""
    whole = _Whole(validator.format_checker)
    scope = _scope_of(validator, instance)
    for one in scope.chain() if scope is not None else ():
        whole.add(one.schema, one.keyword)
    whole.add(schema)
    return whole


@contextmanager
def _inside(validator: Any, instance: Any, schema: Any, keyword: str = "") -> Iterator[None]:
    """The parts of the schema are judged as parts of one whole."""
    scopes = validator.format_checker.scopes
    scopes.append(_Scope(instance, schema, keyword, _scope_of(validator, instance)))
    try:
        yield
    finally:
        scopes.pop()


def _reference(validator: Any, reference: Any, instance: Any, schema: Any) -> Errors:
    if schema.keys() <= _BARE:
        yield from validator._validate_reference(ref=reference, instance=instance)
        return
    with _inside(validator, instance, schema):
        yield from validator._validate_reference(ref=reference, instance=instance)


def _all_of(validator: Any, parts: Any, instance: Any, schema: Any) -> Errors:
    with _inside(validator, instance, schema):
        for index, part in enumerate(parts):
            yield from validator.descend(instance, part, schema_path=index)


def _any_of(validator: Any, parts: Any, instance: Any, schema: Any) -> Errors:
    return _choice("anyOf", validator, parts, instance, schema)


def _one_of(validator: Any, parts: Any, instance: Any, schema: Any) -> Errors:
    return _choice("oneOf", validator, parts, instance, schema)


def _choice(keyword: str, validator: Any, parts: Any, instance: Any, schema: Any) -> Errors:
    """A part often names the schema of the choice again, as its parent: that is no second choice."""
    scope = _scope_of(validator, instance)
    entered = scope.chain() if scope is not None else []
    if any(one.schema is schema and one.keyword == keyword for one in entered):
        return
    chosen = _named(schema, instance)
    with _inside(validator, instance, schema, keyword):
        if chosen is not None:
            yield from validator.descend(instance, {"$ref": chosen}, schema_path="discriminator")
        else:
            yield from _one_fits(validator, parts, instance)


def _one_fits(validator: Any, parts: Any, instance: Any) -> Errors:
    found: list[ValidationError] = []
    for index, part in enumerate(parts):
        errors = list(validator.descend(instance, part, schema_path=index))
        if not errors:
            return
        found += errors
    yield ValidationError(f"{instance!r} is not valid under any of the given schemas", context=found)


def _named(schema: Any, instance: Any) -> str | None:
    """The reference that the discriminator's value names; None when there is none."""
    discriminator = mapping(schema.get("discriminator"))
    value = mapping(instance).get(str(discriminator.get("propertyName")))
    chosen = mapping(discriminator.get("mapping")).get(value) if isinstance(value, str) else None
    return chosen if isinstance(chosen, str) else None


def _closed(validator: Any, allowed: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    known = _whole_of(validator, instance, schema)
    extra = [name for name in instance if not known.allows(name)]
    if isinstance(allowed, dict):
        for name in extra:
            if instance[name] is not None or name in schema.get("required", ()):
                yield from validator.descend(instance[name], allowed, path=name)
    elif allowed is False and extra:
        yield ValidationError(unknown_keys(list(map(str, extra))))


def _properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    required = schema.get("required", ())
    for name, part in properties.items():
        if name in instance and (instance[name] is not None or name in required):
            yield from validator.descend(instance[name], part, path=name, schema_path=name)


def _required(validator: Any, names: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    missing = [name for name in names if name not in instance]
    if not missing:
        return
    whole = _whole_of(validator, instance, schema)
    knows_others = isinstance(schema.get("additionalProperties"), Mapping)
    for name in missing:
        if name not in whole.hidden and (knows_others or not whole.omits(name)):
            yield ValidationError(f"{name!r} is a required property")


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, str) or not isinstance(pattern, str):
        return
    if all(searches(one, instance) is False for one in _readings(pattern)):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


def _readings(pattern: str) -> list[str]:
    """What the pattern may mean, as it is written first."""
    out = [pattern]
    if delimited := _DELIMITED.fullmatch(pattern):
        text, given = delimited["a"] or delimited["c"] or "", delimited["b"] or delimited["d"] or ""
        flags = "".join(flag for flag in "imsx" if flag in given)
        inner = text.replace("\\/", "/")
        out.append(f"(?{flags}){inner}" if flags else inner)
    if "\\\\" in pattern:
        out.append(pattern.replace("\\\\", "\\"))
    return out


def _enum(validator: Any, members: Any, instance: Any, schema: Any) -> Errors:
    if instance is None:
        fits = any(member is None for member in members)
    else:
        fits = scalar_text(instance) in (scalar_text(member) for member in members if member is not None)
    if not fits:
        yield ValidationError(f"{instance!r} is not one of {members!r}")


LENIENT: Final = with_keywords({
    "$ref": _reference,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "additionalProperties": _closed,
    "unevaluatedProperties": _closed,
    "properties": _properties,
    "required": _required,
    "pattern": _pattern,
    "enum": _enum,
})  # fmt: skip
