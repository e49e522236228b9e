"""Conditions on a call's arguments: the `when` of a rule.

Rules:
- Judged on the canonical arguments: what travels as text has the one form that its schema gives it, so `"5"`, `5` and
  `5.0` are the same argument. Conditions themselves coerce nothing: `"500"` is not 500, True is not 1, and two
  spellings of one character differ. 500 equals 500.0: JSON has one number type.
- A missing argument fails every test but `exists: false`. An argument that is null is there, and nothing else.
- What a test cannot see is unjudgeable: a rule that approves does not hold, and a rule that asks or blocks cannot be
  judged, which blocks. That is a path that leads into text, a file or bytes (XML, JSON in a string), into a list
  without an index, or past a name that differs only in case, in blanks around it or in `[]` behind it; a file at the
  end of a path; `at_most` and `at_least` of anything but a number; `matches` of anything but text; and `equals`, `in`
  and `not_in` of another type that an upstream may read as the same value (`"42"` and 42, `"true"` or 1 and true, an
  object or list where a single value is compared).
- A path is names joined by dots; a number indexes an array. A key that contains a dot is found too
  (`filter.name` finds both `{"filter": {"name": 1}}` and `{"filter.name": 1}`); arguments in which a path can
  be read in more than one way raise, because a caller could show the rule one value and the upstream another.
- `matches` tests the whole value with the linear-time engine of pydantic-core (the syntax of the Rust crate
  `regex`: no look-around, no back-references), because the values come from whoever is being judged.
- What cannot be evaluated raises; whoever decides turns that into a block.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeGuard

from pydantic_core import SchemaError, SchemaValidator, core_schema

MAX_MATCH_CHARACTERS: Final = 65_536
"""Longer values are not matched against a regular expression: the rule then fails closed."""

MAX_PATH_PARTS: Final = 16
# What libraries of forms and queries read as true and false.
_TRUE: Final = frozenset({"true", "t", "yes", "y", "on"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", ""})
MAX_NUMBER_CHARACTERS: Final = 400
"""Longer texts may be read as any number."""


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


@dataclass(frozen=True, slots=True)
class Unjudgeable:
    """A test that cannot see what it would judge; `reason` names the path and repeats no value."""

    reason: str


class ArgumentTest:
    """A condition at its path, ready to use."""

    __slots__ = ("_condition", "_parts", "_whole", "path")

    def __init__(self, path: str, condition: Condition) -> None:
        self.path = path
        self._parts = split_path(path)
        self._condition = condition
        self._whole = None if condition.matches is NOT_GIVEN else WholeMatch(str(condition.matches))

    def judge(self, arguments: Mapping[str, Any]) -> bool | Unjudgeable:
        """Whether the condition holds. Raises `ConditionError` when these arguments cannot be evaluated at all."""
        value = find(arguments, self._parts)
        hidden = self._hidden(arguments)
        if hidden is not None:
            return Unjudgeable(f"`{self.path}` {hidden}")
        if value is NOT_GIVEN:
            return self._condition.exists is False
        if isinstance(value, float) and not math.isfinite(value):
            raise ConditionError(f"`{self.path}` is not a JSON number")
        if self._condition.exists is False:
            return False
        return self._all(value)

    def _hidden(self, arguments: Mapping[str, Any]) -> str | None:
        """Why the path shows nothing that could be judged. A body can be given as bytes."""
        if self._parts[0] == "body" and "body" not in arguments and "bodyBase64" in arguments:
            return "leads into text or bytes"
        ends = tuple(_passed(arguments, self._parts))
        if any(map(_is_opaque, ends)):
            return "leads into text or bytes"
        if any(isinstance(end, (list, tuple)) for end in ends):
            return "leads into a list, whose items it does not name"
        if any(_differs_in_spelling(*step) for step in _steps(arguments, self._parts)):
            return "is also given in another spelling, which some servers read as the same name"
        return None

    def _all(self, value: Any) -> bool | Unjudgeable:
        """Every test of the condition; one that fails decides, whatever else cannot be judged."""
        results = tuple(self._tests(value))
        if False in results:
            return False
        unseen = next((result for result in results if isinstance(result, str)), None)
        return True if unseen is None else Unjudgeable(f"`{self.path}` {unseen}")

    def _tests(self, value: Any) -> Iterator[bool | str]:
        """True, False, or what is in the way."""
        wanted = self._condition
        if wanted.equals is not NOT_GIVEN:
            yield _among((wanted.equals,), value)
        if wanted.in_ is not NOT_GIVEN:
            yield _among(wanted.in_, value)
        if wanted.not_in is not NOT_GIVEN:
            found = _among(wanted.not_in, value)
            yield found if isinstance(found, str) else not found
        if self._whole is not None:
            yield self._whole.holds(value) if isinstance(value, str) else _not_a("text", value)
        for bound, holds in ((wanted.at_most, _at_most), (wanted.at_least, _at_least)):
            if bound is not NOT_GIVEN:
                yield holds(value, bound) if is_number(value) else _not_a("a number", value)


def _at_most(value: float, bound: float) -> bool:
    return value <= bound


def _at_least(value: float, bound: float) -> bool:
    return value >= bound


def _not_a(wanted: str, value: Any) -> bool | str:
    """Null is no value to compare; anything else may be read as one by the upstream."""
    return False if value is None else f"is {_kind(value)}, and the condition compares {wanted}"


def _among(wanted: Iterable[Any], value: Any) -> bool | str:
    """Is the value one of these?"""
    results = [compare(item, value) for item in wanted]
    if True in results:
        return True
    return f"is {_kind(value)}, and the condition names another type" if None in results else False


def _kind(value: Any) -> str:
    if is_file(value):
        return "a file"
    if isinstance(value, bool):
        return "true or false"
    if is_number(value):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, (list, tuple)) else "an object"


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
        if index is None:
            yield value
        elif index < len(value):
            yield from _passed(value[index], parts[1:])
    elif parts:
        yield value


def _steps(value: Any, parts: tuple[str, ...]) -> Iterator[tuple[Mapping[Any, Any], str]]:
    """Every object that the readings of a path go through, with the name that is looked for in it."""
    if isinstance(value, Mapping) and parts:
        for length in range(1, len(parts) + 1):
            key = ".".join(parts[:length])
            yield value, key
            if key in value:
                yield from _steps(value[key], parts[length:])
    elif isinstance(value, (list, tuple)) and parts:
        index = _index(parts[0])
        if index is not None and index < len(value):
            yield from _steps(value[index], parts[1:])


def _differs_in_spelling(value: Mapping[Any, Any], name: str) -> bool:
    """Does the object hold the name in another case, with blanks around, or as a list (`name[]`)? Some libraries take
    the two for one.
    """
    folded = _folded(name)
    return any(key != name and isinstance(key, str) and _folded(key) == folded for key in value)


def _folded(name: str) -> str:
    return name.strip().removesuffix("[]").strip().casefold()


def _is_opaque(value: Any) -> bool:
    return isinstance(value, str) or is_file(value)


def is_file(value: Any) -> bool:
    """A file among arguments: its content cannot be judged."""
    return isinstance(value, Mapping) and value.get("_tag") == "ToolFile"


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


def compare(wanted: Any, value: Any) -> bool | None:
    """JSON equality; None where an upstream may read the value as the wanted one although their types differ."""
    if is_file(value):
        return None
    if isinstance(wanted, Mapping) and isinstance(value, Mapping):
        if wanted.keys() != value.keys():
            return False
        return _every(compare(item, value[key]) for key, item in wanted.items())
    if isinstance(wanted, (list, tuple)) and isinstance(value, (list, tuple)):
        return len(wanted) == len(value) and _every(map(compare, wanted, value))
    if wanted is None or value is None or same(wanted, value):
        return same(wanted, value)
    if any(isinstance(side, (Mapping, list, tuple)) for side in (wanted, value)):
        return None
    return None if _reads_as(wanted, value) or _reads_as(value, wanted) else False


def _every(results: Iterable[bool | None]) -> bool | None:
    known = tuple(results)
    return False if False in known else None if None in known else True


def _reads_as(text: Any, value: Any) -> bool:
    """Could an upstream read this text or number as that number or boolean?"""
    if isinstance(value, bool) and is_number(text):
        return text == value
    if not isinstance(text, str) or isinstance(value, str):
        return False
    plain = text.strip().casefold()
    if isinstance(value, bool):
        return plain in (_TRUE if value else _FALSE) or _reads_as(plain, int(value))
    if len(plain) > MAX_NUMBER_CHARACTERS:
        return True
    for read in (float, _integer):
        with suppress(ValueError, OverflowError):
            if read(plain) == value:
                return True
    return False


def _integer(text: str) -> int:
    """Also `0x2a`, which JavaScript reads as a number, and `007`."""
    return int(text, 16 if text.lstrip("+-").startswith("0x") else 10)
