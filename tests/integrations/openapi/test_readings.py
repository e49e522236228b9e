"""field/17: what models spell otherwise in a JSON body."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.readings import fitting_reading
from integrations.validator import schema_errors

ORDER = {
    "type": "object",
    "properties": {
        "qty": {"type": "integer"},
        "price": {"type": ["null", "number"]},
        "gift": {"type": "boolean"},
        "name": {"type": "string"},
        "ids": {"type": "array", "items": {"type": "integer"}},
        "to": {"type": "object", "properties": {"zip": {"type": "string"}}},
        "either": {"anyOf": [{"type": "integer"}, {"type": "object"}]},
        "both": {"type": ["integer", "string"]},
    },
}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"qty": "5"}, {"qty": 5}),
        ({"qty": 5.0}, {"qty": 5.0}),
        ({"price": "1.50"}, {"price": 1.5}),
        ({"gift": "true", "qty": "7"}, {"gift": True, "qty": 7}),
        ({"name": 5}, {"name": "5"}),
        ({"ids": "[1,2]"}, {"ids": [1, 2]}),
        ({"ids": ["1", 2]}, {"ids": [1, 2]}),
        ({"ids": '["1"]'}, {"ids": [1]}),
        ({"to": '{"zip": 8001}'}, {"to": {"zip": "8001"}}),
        ('{"qty": "5"}', {"qty": 5}),
        ({"either": "5"}, {"either": 5}),
        ({"both": "5"}, {"both": "5"}),
        # What means nothing else stays, and the rest is read all the same.
        ({"qty": "5 pieces", "gift": "true"}, {"qty": "5 pieces", "gift": True}),
        ({"qty": ""}, {"qty": ""}),
        ({"gift": 1}, {"gift": 1}),
        ({"price": "0.10000000000000000001"}, {"price": "0.10000000000000000001"}),
    ],
)
def test_a_wrong_type_is_read_as_what_it_means(given: Any, read: Any) -> None:
    found = fitting_reading(lambda value: list(schema_errors(ORDER, value)), given)
    assert found == read
    assert repr(found) == repr(read)


def test_the_given_value_is_not_changed() -> None:
    given = {"to": {"zip": 1}, "qty": "5"}
    fitting_reading(lambda value: list(schema_errors(ORDER, value)), given)
    assert given == {"to": {"zip": 1}, "qty": "5"}
