from typing import Any

from proxy.config.words import kind_of, shown


def test_words_for_values() -> None:
    assert [shown(value) for value in (None, True, 5, "x")] == ["null", "true", "5", "x"]
    values: list[tuple[Any, str]] = [
        (True, "boolean"),
        (1.5, "number"),
        ("x", "string"),
        ([], "list"),
        ({}, "mapping"),
    ]
    assert [kind_of(value) for value, _ in values] == [f"a {name}" for _, name in values]
