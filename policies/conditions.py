"""Conditions on a call's arguments: the `when` of a rule.

Rules:
- Judged on the canonical arguments exactly as they will be sent. Nothing is coerced or normalised: `"500"` is
  not 500, True is not 1, and two spellings of one character differ. 500 equals 500.0: JSON has one number
  type.
- A missing argument fails every test but `exists: false`. An argument that is null is there. A value is
  hidden, neither there nor missing, when its path leads into text, a file or bytes (XML, JSON in a string):
  it fails every test of a rule that approves, and a rule that asks or blocks cannot be judged.
- A path is names joined by dots; a number indexes an array. A key that contains a dot is found too
  (`filter.name` finds both `{"filter": {"name": 1}}` and `{"filter.name": 1}`); arguments in which a path can
  be read in more than one way raise, because a caller could show the rule one value and the upstream another.
- `matches` tests the whole value with the linear-time engine of pydantic-core (the syntax of the Rust crate
  `regex`: no look-around, no back-references), because the values come from whoever is being judged.
- What cannot be judged raises; whoever decides turns that into a block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeGuard

from pydantic_core import SchemaError, SchemaValidator, core_schema

MAX_MATCH_CHARACTERS: Final = 65_536
"""Longer values are not matched against a regular expression: the rule then fails closed."""

MAX_PATH_PARTS: Final = 16


class NotGiven(Enum):
    """The difference between `equals: null` and no `equals` at all."""

    NOT_GIVEN = "not given"


NOT_GIVEN: Final = NotGiven.NOT_GIVEN


class ConditionError(ValueError):
    """A condition that cannot be used, or arguments that it cannot judge."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one argument; everything that is given must hold.

    `equals`, and the items of `in_` and `not_in`, are any JSON value. `matches` is a regular expression for
    the whole of a string. `at_most` and `at_least` hold for numbers only.
    """

    equals: Any = NOT_GIVEN
    in_: tuple[Any, ...] | NotGiven = NOT_GIVEN
    not_in: tuple[Any, ...] | NotGiven = NOT_GIVEN
    matches: str | NotGiven = NOT_GIVEN
    at_most: int | float | NotGiven = NOT_GIVEN
    at_least: int | float | NotGiven = NOT_GIVEN
    exists: bool | NotGiven = NOT_GIVEN


class WholeMatch:
    """A compiled regular expression for whole values. Raises `ConditionError` when it is not one."""

    __slots__ = ("_validator",)

    def __init__(self, expression: str) -> None:
        # Alone first: an unbalanced expression could otherwise close the group that anchors it.
        _compiled(expression)
        self._validator = _compiled(rf"\A(?:{expression})\z")

    def holds(self, value: str) -> bool:
        """Raises `ConditionError` for a value that is too long or not valid Unicode."""
        if len(value) > MAX_MATCH_CHARACTERS:
            raise ConditionError(f"value of {len(value)} characters is too long to match")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise ConditionError("value is not valid Unicode")
        return self._validator.isinstance_python(value)


def _compiled(expression: str) -> SchemaValidator:
    try:
        return SchemaValidator(
            core_schema.str_schema(pattern=expression, strict=True, regex_engine="rust-regex")
        )
    except SchemaError as error:
        raise ConditionError(_regex_fault(str(error))) from None


def _regex_fault(text: str) -> str:
    """The engine's own last words, without the lines that draw the expression."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"not a regular expression: {lines[-1].removeprefix('error: ')}"


class ArgumentTest:
    """A condition at its path, ready to use."""

    __slots__ = ("_condition", "_parts", "_whole", "path")

    def __init__(self, path: str, condition: Condition) -> None:
        self.path = path
        self._parts = split_path(path)
        self._condition = condition
        self._whole = None if condition.matches is NOT_GIVEN else WholeMatch(str(condition.matches))

    def holds(self, arguments: Mapping[str, Any]) -> bool:
        """Raises `ConditionError` when these arguments cannot be judged."""
        value = find(arguments, self._parts)
        if value is NOT_GIVEN:
            return self._condition.exists is False and not self.is_hidden(arguments)
        if isinstance(value, float) and not math.isfinite(value):
            raise ConditionError(f"`{self.path}` is not a JSON number")
        return self._condition.exists is not False and self._in_sets(value) and self._in_bounds(value)

    def is_hidden(self, arguments: Mapping[str, Any]) -> bool:
        """Whether the path ends in something with an inside of its own. A body can be given as bytes."""
        if self._parts[0] == "body" and "body" not in arguments and "bodyBase64" in arguments:
            return True
        return any(map(_is_opaque, _passed(arguments, self._parts)))

    def _in_sets(self, value: Any) -> bool:
        wanted = self._condition
        if wanted.equals is not NOT_GIVEN and not same(wanted.equals, value):
            return False
        if wanted.in_ is not NOT_GIVEN and not any(same(item, value) for item in wanted.in_):
            return False
        return wanted.not_in is NOT_GIVEN or not any(same(item, value) for item in wanted.not_in)

    def _in_bounds(self, value: Any) -> bool:
        wanted = self._condition
        if self._whole is not None and not (isinstance(value, str) and self._whole.holds(value)):
            return False
        if wanted.at_most is not NOT_GIVEN and not (is_number(value) and value <= wanted.at_most):
            return False
        return wanted.at_least is NOT_GIVEN or (is_number(value) and value >= wanted.at_least)


def split_path(path: str) -> tuple[str, ...]:
    """The parts of a path into the arguments. Raises `ConditionError`."""
    parts = tuple(path.split("."))
    if "" in parts or len(parts) > MAX_PATH_PARTS:
        raise ConditionError(f"`{path}` is not a path into the arguments")
    return parts


def find(arguments: Any, parts: tuple[str, ...]) -> Any:
    """The value at a path, or NOT_GIVEN. Raises `ConditionError` when it can be read in several ways."""
    found = list(_readings(arguments, parts))
    if len(found) > 1:
        raise ConditionError(f"`{'.'.join(parts)}` can be read in {len(found)} ways")
    return found[0] if found else NOT_GIVEN


def _readings(value: Any, parts: tuple[str, ...]) -> Iterator[Any]:
    if not parts:
        yield value
    elif isinstance(value, Mapping):
        for length in range(1, len(parts) + 1):
            key = ".".join(parts[:length])
            if key in value:
                yield from _readings(value[key], parts[length:])
    elif isinstance(value, (list, tuple)):
        index = _index(parts[0])
        if index is not None and index < len(value):
            yield from _readings(value[index], parts[1:])


def _passed(value: Any, parts: tuple[str, ...]) -> Iterator[Any]:
    """The values at which the readings of a path come to an end before its last part."""
    if isinstance(value, Mapping) and parts:
        below = [length for length in range(1, len(parts) + 1) if ".".join(parts[:length]) in value]
        for length in below:
            yield from _passed(value[".".join(parts[:length])], parts[length:])
        if not below:
            yield value
    elif isinstance(value, (list, tuple)) and parts:
        index = _index(parts[0])
        if index is not None and index < len(value):
            yield from _passed(value[index], parts[1:])
    elif parts:
        yield value


def _is_opaque(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Mapping) and value.get("_tag") == "ToolFile")


def _index(part: str) -> int | None:
    """An array index in the form of RFC 6901: ASCII digits, no leading zero."""
    if not (part.isascii() and part.isdigit()) or len(part) > 9 or (part[0] == "0" and part != "0"):
        return None
    return int(part)


def is_number(value: Any) -> TypeGuard[int | float]:
    """A JSON number; Python's booleans are integers, JSON's are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(left: Any, right: Any) -> bool:
    """JSON equality: types must agree, numbers compare by value, objects ignore the order of their keys."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)
