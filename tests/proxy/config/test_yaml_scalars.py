import pytest

from proxy.config.yaml_scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("nUll", "nUll"),
        ("true", True), ("FALSE", False), ("tRUE", "tRUE"),
        ("yes", "yes"), ("on", "on"), ("Off", "Off"), ("y", "y"),
        ("12", 12), ("-7", -7), ("+7", 7), ("010", 10), ("0o17", 15), ("0x1F", 31), ("0b1", "0b1"),
        ("1_000", "1_000"), ("12:30:45", "12:30:45"), ("2027-06-30", "2027-06-30"),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("1.", 1.0), ("1.2.3", "1.2.3"), ("-", "-"), ("+", "+"),
        (".inf", ".inf"), (".nan", ".nan"), ("1e999", "1e999"),
        ("9" * 18, int("9" * 18)), ("9" * 19, "9" * 19), ("9" * 5000, "9" * 5000),
        ("127.0.0.1:8080", "127.0.0.1:8080"), ("<<", "<<"), ("=", "="),
    ],
)  # fmt: skip
def test_the_core_schema(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)
