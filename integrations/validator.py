"""JSON Schema 2020-12 for schemas that come from upstreams: checking a value takes bounded time, whatever they hold.

- `pattern` and `patternProperties` use the linear-time engine of `expression`; what it does not support is not checked.
- Every keyword that is evaluated costs a step, and after `MAX_STEPS` the value is accepted: schemas can refer to
  themselves in several branches and would otherwise take forever.
- Formats are annotations, and no reference to another document is ever fetched.
- With a schema that cannot be applied every value is accepted: the upstream decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from jsonschema.exceptions import UnknownType
from referencing import Registry
from referencing.exceptions import Unresolvable

from integrations.expression import searches

MAX_STEPS: Final = 30_000
"""About half a second of the worst schema, and far more than any ordinary body needs."""

_MAX_UNIQUE: Final = 1_000
# Nesting of keywords; each level takes about four frames of the Python stack.
_MAX_NESTED_KEYWORDS: Final = 120
_MAX_DIGITS: Final = 400
_EXACT: Final = Context(prec=_MAX_DIGITS + 8)
_NO_OTHER_SCHEMAS: Registry[Any] = Registry()
Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class _TooManySteps(Exception):
    """Out of steps."""


class Steps(FormatChecker):
    """How many steps are left for one check. It is passed as the format checker, the only object that every part of a
    validator shares; `scopes` is for keywords that have to know what they stand in.
    """

    def __init__(self, root: Any, limit: int) -> None:
        super().__init__(())
        self.root = root
        self.scopes: list[Any] = []
        self._left = limit
        self._depth = 0

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooManySteps

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Enter a keyword inside another. The limit lies well below Python's recursion limit: reaching that one inside
        the registry's native code is a panic that no `except Exception` catches.
        """
        self.take()
        if self._depth >= _MAX_NESTED_KEYWORDS:
            raise _TooManySteps
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def knows_all_patterns(self) -> bool:
        """True when no `patternProperties` is in the schema: jsonschema would match its patterns by backtracking."""
        pending = [self.root]
        while pending:
            self.take()
            node = pending.pop()
            if isinstance(node, Mapping):
                if "patternProperties" in node:
                    return False
                pending += node.values()
            elif isinstance(node, list):
                pending += node
        return True


def schema_errors(
    schema: Any, value: Any, *, max_steps: int = MAX_STEPS, keywords: Any = None
) -> Iterator[ValidationError]:
    """What is wrong with the value, lazily; nothing when the schema cannot be applied.

    `keywords` is what `with_keywords` made; JSON Schema as it is written by default.
    """
    if schema is True or schema == {}:
        return
    checker = Steps(schema, max_steps)
    try:
        yield from (keywords or _STANDARD)(
            schema, registry=_NO_OTHER_SCHEMAS, format_checker=checker
        ).iter_errors(value)
    except (
        _TooManySteps, Unresolvable, UnknownType, RecursionError, TypeError, ValueError, KeyError, AttributeError,
        OverflowError,
    ):  # fmt: skip
        return


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and isinstance(pattern, str) and searches(pattern, instance) is False:
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict) or not isinstance(patterns, dict):
        return
    for pattern, inner in patterns.items():
        for name, item in instance.items():
            if searches(pattern, name) is True:
                yield from validator.descend(item, inner, path=name, schema_path=pattern)


def _additional(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """A name that a pattern matches, or that a pattern of unknown meaning may match, is not additional."""
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [
        name
        for name in instance
        if name not in known and all(searches(pattern, name) is False for pattern in patterns)
    ]
    if isinstance(allowed, dict):
        for name in extra:
            yield from validator.descend(instance[name], allowed, path=name)
    elif allowed is False and extra:
        shown = ", ".join(repr(str(name)[:80]) for name in extra[:8])
        verb = "was" if len(extra) == 1 else "were"
        yield ValidationError(f"Additional properties are not allowed ({shown} {verb} unexpected)")


def _unevaluated(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.format_checker.knows_all_patterns():
        yield from _STANDARD_KEYWORDS["unevaluatedProperties"](validator, allowed, instance, schema)


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Of the decimal numbers that JSON writes (19.99 is a multiple of 0.01), which binary floats are not."""
    if isinstance(instance, bool) or not isinstance(instance, int | float | Decimal):
        return
    number, step = Decimal(str(instance)), Decimal(str(divisor))
    if number.is_finite() and step.is_finite() and step > 0 and not _divides(step, number):
        yield ValidationError(f"{instance!r} is not a multiple of {divisor}")


def _divides(step: Decimal, number: Decimal) -> bool:
    """Exactly, by the whole numbers that both are at the finer exponent. Beyond its reach the upstream decides."""
    digits = min(int(step.as_tuple().exponent), int(number.as_tuple().exponent), 0)
    if max(step.adjusted(), number.adjusted()) - digits > _MAX_DIGITS:
        return True
    return int(number.scaleb(-digits, _EXACT)) % int(step.scaleb(-digits, _EXACT)) == 0


def _unique(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """jsonschema compares unsortable items pairwise: long lists are left to the upstream."""
    if isinstance(instance, list) and len(instance) <= _MAX_UNIQUE:
        yield from _STANDARD_KEYWORDS["uniqueItems"](validator, unique, instance, schema) or ()


def _counted(keyword: Keyword) -> Keyword:
    def judge(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        with validator.format_checker.deeper():
            yield from keyword(validator, value, instance, schema) or ()

    return judge


_STANDARD_KEYWORDS: Final[dict[str, Any]] = dict(Draft202012Validator.VALIDATORS)
_OUR_KEYWORDS: Final[dict[str, Keyword]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "unevaluatedProperties": _unevaluated,
    "uniqueItems": _unique,
    "multipleOf": _multiple_of,
    "format": lambda *_: None,
}


def with_keywords(changed: Mapping[str, Keyword]) -> Any:
    """A validator class whose `changed` keywords are judged in another way than JSON Schema does."""
    every = {**_STANDARD_KEYWORDS, **_OUR_KEYWORDS, **changed}
    return validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, validators={name: _counted(keyword) for name, keyword in every.items()}
    )


_STANDARD: Final = with_keywords({})
