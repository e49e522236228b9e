from typing import Any

import pytest

from integrations.schema_types.literal import literal_type


@pytest.mark.parametrize(
    ("values", "limit", "expected"),
    [
        (["a", "b", "a"], 9, '"a" | "b"'),
        ([1, -2.5, True, None], 9, "1 | -2.5 | true | null"),
        (["a", "b", "c"], 2, 'string /* 3 values: "a" | "b" | ... */'),
        (["a", 1, None], 0, "string | number | null"),
        ([], 9, "never"),
        ([{"an": "object"}], 9, "unknown"),
        ([float("inf")], 9, "number"),
        ([10**30], 9, "number"),
        (["x" * 500], 9, "string"),
        (["*/", "`"], 1, 'string /* 2 values: "*\\/" | ... */'),
    ],
)
def test_values_become_literals(values: list[Any], limit: int, expected: str) -> None:
    assert literal_type(values, limit) == expected
