"""Durations, sizes and rates: numbers with their unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from integrations.fields.base import JsonSchema, problem, string_schema

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,6})?(?:ms|s|m|h|d))+")
_LONGEST_SECONDS = 10 * 366 * 86400.0
_UNIT_WORDS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "S": "s",
    "min": "m", "mins": "m", "minute": "m", "minutes": "m", "M": "m",
    "hour": "h", "hours": "h", "hr": "h", "H": "h", "day": "d", "days": "d", "D": "d",
    "msec": "ms", "millis": "ms",
}  # fmt: skip


def _duration_help(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return "write a number with a unit: 500ms, 30s, 5m, 12h, 7d"
    if isinstance(value, int | float) or value.strip().isdigit():
        return f"did you mean `{str(value).strip()}s`? units are ms, s, m, h, d"
    worded = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*", value)
    if worded and worded[2] in _UNIT_WORDS:
        return f"did you mean `{worded[1]}{_UNIT_WORDS[worded[2]]}`?"
    if worded and worded[2] in _DURATION_UNITS:
        return f"did you mean `{worded[1]}{worded[2]}`?"
    return "write a number with a unit: 500ms, 30s, 5m, 12h, 7d"


def parse_duration(value: object) -> float:
    """`30s`, `500ms`, `1h30m` to seconds."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise problem("E206", "expected a duration with a unit", _duration_help(value))
    seconds = sum(float(n) * _DURATION_UNITS[unit] for n, unit in _DURATION_PART.findall(value))
    if seconds <= 0:
        raise problem("E206", "duration must be greater than zero", "write for example 30s")
    if seconds > _LONGEST_SECONDS:
        raise problem("E206", "duration is longer than ten years")
    return seconds


def _milliseconds_or_duration(value: object) -> float:
    if isinstance(value, int) and not isinstance(value, bool):
        if value <= 0:
            raise problem("E206", "duration must be greater than zero", "write for example 30s")
        return min(value / 1000, _LONGEST_SECONDS)
    return parse_duration(value)


def format_duration(seconds: float) -> str:
    """The shortest exact spelling in one unit."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _DURATION_UNITS[unit] and seconds % _DURATION_UNITS[unit] == 0:
            return f"{int(seconds // _DURATION_UNITS[unit])}{unit}"
    return f"{seconds * 1000:.3f}".rstrip("0").rstrip(".") + "ms"


_DURATION_SCHEMA: JsonSchema = {
    "type": "string",
    "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$",
    "examples": ["500ms", "30s", "5m", "24h"],
}
Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(format_duration), WithJsonSchema(_DURATION_SCHEMA)
]
# Only MCP timeouts also take whole milliseconds, as the MCP configuration files of other products do.
MillisecondsOrDuration = Annotated[
    float,
    BeforeValidator(_milliseconds_or_duration),
    PlainSerializer(format_duration),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, _DURATION_SCHEMA], "examples": [10000, "10s"]}
    ),
]

_MODE = re.compile("0[0-7]{3}")


def _file_mode(value: object) -> str:
    if isinstance(value, str) and _MODE.fullmatch(value):
        return value
    digits = str(value) if isinstance(value, int) and not isinstance(value, bool) else "660"
    hint = f"{digits:0>4}" if re.fullmatch("[0-7]{3,4}", digits) else "0660"
    raise problem("E206", "expected a file mode in quotes", f'write "{hint}", four octal digits')


FileMode = Annotated[
    str,
    BeforeValidator(_file_mode),
    WithJsonSchema({"type": "string", "pattern": "^0[0-7]{3}$", "examples": ["0660"]}),
]

_SIZE_UNITS = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"([0-9]{1,15})(B|KB|MB|GB|KiB|MiB|GiB)")


def _size_help(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"did you mean `{value}B`? units are B, KiB, MiB, GiB (KB, MB, GB)"
    worded = (
        re.fullmatch(r"\s*([0-9]+)\s*([KMG])i?b?\s*", value, re.IGNORECASE)
        if isinstance(value, str)
        else None
    )
    if worded:
        return f"did you mean `{worded[1]}{worded[2].upper()}iB`?"
    return "write a number with a unit: 512B, 64KiB, 128MiB, 1GiB"


def parse_size(value: object) -> int:
    """`64MiB` to bytes."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise problem("E206", "expected a size with a unit", _size_help(value))
    size = int(found[1]) * _SIZE_UNITS[found[2]]
    if size <= 0:
        raise problem("E206", "size must be greater than zero")
    if size > 1024**4:
        raise problem("E206", "size is larger than 1024GiB")
    return size


def _bytes_or_size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if value <= 0:
            raise problem("E206", "size must be greater than zero")
        return min(value, 1024**4)
    return parse_size(value)


def format_size(size: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if size >= _SIZE_UNITS[unit] and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


_SIZE_SCHEMA: JsonSchema = {
    "type": "string",
    "pattern": "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)$",
    "examples": ["64KiB", "128MiB"],
}
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size), WithJsonSchema(_SIZE_SCHEMA)]
# Keys that end in `_bytes` say their unit, so they also take a bare number.
Bytes = Annotated[
    int,
    BeforeValidator(_bytes_or_size),
    PlainSerializer(format_size),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _SIZE_SCHEMA], "examples": [2048, "16KiB"]}),
]

_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"([0-9]{1,12})/(second|minute|hour|day)")
_PERIOD_WORDS = {
    "s": "second", "sec": "second", "seconds": "second", "m": "minute", "min": "minute", "minutes": "minute",
    "h": "hour", "hr": "hour", "hours": "hour", "d": "day", "days": "day",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RateValue:
    """`count` events per `period`; `period_seconds` is the period's length."""

    count: int
    period: str

    @property
    def period_seconds(self) -> int:
        return _PERIODS[self.period]

    def __str__(self) -> str:
        return f"{self.count}/{self.period}"


def _rate_help(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"did you mean `{value}/minute`?"
    worded = (
        re.fullmatch(r"\s*([0-9]+)\s*(?:/|per)\s*([A-Za-z]+)\s*", value) if isinstance(value, str) else None
    )
    if worded:
        period = worded[2].lower()
        period = _PERIOD_WORDS.get(period, period)
        if period in _PERIODS:
            return f"did you mean `{worded[1]}/{period}`?"
    return "write COUNT/PERIOD with second, minute, hour or day: 100/minute"


def parse_rate(value: object) -> RateValue:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, RateValue):
        return value
    if not found:
        raise problem("E206", "expected a rate", _rate_help(value))
    if int(found[1]) == 0:
        raise problem(
            "E206", "rate must be greater than zero", "to block tools use a policy with action: block"
        )
    return RateValue(int(found[1]), found[2])


RateField = Annotated[
    RateValue,
    PlainValidator(parse_rate),
    PlainSerializer(str),
    string_schema("^[0-9]+/(second|minute|hour|day)$", "100/minute", "5000/hour"),
]
