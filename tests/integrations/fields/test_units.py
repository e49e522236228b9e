import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from integrations.fields import (
    Bytes,
    MillisecondsOrDuration,
    RateValue,
    format_duration,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
)


def help_of(error: PydanticCustomError) -> str | None:
    return (error.context or {}).get("help")


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("1.5h", 5400), ("1h30m", 5400), ("7d", 604800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("value", "help"),
    [
        (30, "did you mean `30s`?"), ("30", "did you mean `30s`?"), ("30 seconds", "did you mean `30s`?"),
        ("5min", "did you mean `5m`?"), ("5 m", "did you mean `5m`?"), ("2 days", "did you mean `2d`?"),
        ("2w", "write a number with a unit"), (True, "write a number with a unit"), ([], "write a number"),
        ("-5s", "write a number with a unit"), ("٣s", "write a number with a unit"), ("0s", "write for example 30s"),
    ],
)  # fmt: skip
def test_other_durations(value: object, help: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_duration(value)
    assert str(help_of(caught.value)).startswith(help)


def test_durations_end_somewhere() -> None:
    with pytest.raises(PydanticCustomError):
        parse_duration("999999999999d")


@given(st.integers(1, 10**9))
def test_durations_are_written_as_they_are_read(milliseconds: int) -> None:
    text = format_duration(milliseconds / 1000)
    assert parse_duration(text) == pytest.approx(milliseconds / 1000, rel=1e-6)


def test_only_mcp_timeouts_take_milliseconds() -> None:
    adapter = TypeAdapter(MillisecondsOrDuration)
    assert adapter.validate_python(10000) == 10.0
    assert adapter.validate_python("10s") == 10.0
    for value in (0, -1, True, 1.5):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


@pytest.mark.parametrize(
    ("text", "size"), [("1B", 1), ("64KiB", 65536), ("1KB", 1000), ("128MiB", 2**27), ("1GiB", 2**30)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("value", "help"),
    [
        (64, "did you mean `64B`?"), ("64M", "did you mean `64MiB`?"), ("64 mib", "did you mean `64MiB`?"),
        ("64", "write a number with a unit"), (True, "write a number with a unit"), ("0B", None), ("9999999GiB", None),
    ],
)  # fmt: skip
def test_other_sizes(value: object, help: str | None) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_size(value)
    found = help_of(caught.value)
    assert found is None if help is None else str(found).startswith(help)


@given(st.integers(1, 2**40))
def test_sizes_are_written_as_they_are_read(size: int) -> None:
    assert parse_size(format_size(size)) == size


def test_keys_with_bytes_in_their_name_take_numbers() -> None:
    adapter = TypeAdapter(Bytes)
    assert adapter.validate_python(2048) == adapter.validate_python("2KiB") == 2048
    with pytest.raises(ValidationError):
        adapter.validate_python(0)


def test_rates() -> None:
    rate = parse_rate("100/minute")
    assert rate == RateValue(100, "minute")
    assert (rate.period_seconds, str(rate)) == (60, "100/minute")
    assert parse_rate(rate) is rate


@pytest.mark.parametrize(
    ("value", "help"),
    [
        (100, "did you mean `100/minute`?"), ("100/min", "did you mean `100/minute`?"),
        ("100 per hour", "did you mean `100/hour`?"), ("100/m", "did you mean `100/minute`?"),
        ("5/fortnight", "write COUNT/PERIOD"), ("0/minute", "to block tools"),
    ],
)  # fmt: skip
def test_other_rates(value: object, help: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_rate(value)
    assert str(help_of(caught.value)).startswith(help)
