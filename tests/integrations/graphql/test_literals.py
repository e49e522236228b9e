from __future__ import annotations

import pytest
from graphql.language import parse_value

from integrations.graphql.literals import literal_problems
from tests.integrations.graphql.server import schema


def problems(reference: str, text: str) -> list[str]:
    return [reason for _, reason in literal_problems(schema(), reference, parse_value(text))]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("Int", "-2147483648"), ("Int", "null"), ("Float!", "1"), ("Float", "1e3"), ("String!", '"x"'),
        ("String", '"""block"""'), ("Boolean", "true"), ("ID", "5"), ("ID", '"5"'), ("Role", "ADMIN"),
        ("[Role!]", "ADMIN"), ("[Role!]!", "[ADMIN, MEMBER]"), ("[Role]", "[null]"), ("JSON", '{a: [1, "b", C]}'),
        ("DateTime", '"2026"'), ("PostFilter", '{and: {text: "x"}, role: OLD}'), ("Key", "{id: 1}"),
    ],
)  # fmt: skip
def test_values_that_fit(reference: str, text: str) -> None:
    assert problems(reference, text) == []


@pytest.mark.parametrize(
    ("reference", "text", "words"),
    [
        ("Int!", "null", "null does not fit Int!"),
        ("Int", "1.0", "has to be Int"),
        ("Int", "99999999999999", "has to be Int"),
        ("String", "1", "has to be String"),
        ("Role", '"ADMIN"', "without quotes"),
        ("[Role!]", "[ADMIN, null]", "null does not fit Role!"),
        ("PostFilter", "[1]", "has to be an object"),
        ("NewUser!", "{role: ADMIN}", "NewUser needs login"),
        ("Key", "{id: 1, login: \"x\"}", "exactly one"),
        ("Key", "{id: null}", "exactly one"),
        ("JSON", "{a: [$v]}", "variables such as `$v`"),
        ("JSON", "$v", "variables such as `$v`"),
    ],
)  # fmt: skip
def test_values_that_do_not(reference: str, text: str, words: str) -> None:
    assert words in problems(reference, text)[0]
