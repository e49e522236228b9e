from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.path_pieces import PathPiece, is_ambiguous
from tests.integrations.openapi.documents import operation, problems_of


def path(template: str, **more: Any) -> dict[str, Any]:
    names = [one.split("}")[0] for one in template.split("{")[1:]]
    listed = [{"name": name, "in": "path", "required": True, "schema": {}, **more} for name in names]
    return operation(template, parameters=listed)


@pytest.mark.parametrize(
    ("template", "values", "more", "accepted"),
    [
        ("/x/{a}-{b}", ("1", "2"), {}, True),
        ("/x/{a}-{b}", ("1-2", "3"), {}, False),
        ("/x/{a}-{b}", ("1", "2-3"), {}, False),
        ("/x/{a}-{b}", ("", "2"), {}, False),
        ("/x/{a}...{b}", ("v1.0", "v2.0"), {}, True),
        ("/x/{a}...{b}", ("v1", ".v2"), {}, False),
        ("/x/{a}{b}", ("1", "2"), {}, True),
        ("/x/{a}{b}", ("1", "23"), {}, False),
        ("/x/{a},{b}", ("1,2", "3"), {}, True),
        ("/x/{a}.json", ("1.json",), {}, True),
        ("/x/{a}{b}", ("1", "2"), {"style": "label"}, True),
        ("/x/{a}{b}", ("1.2", "3"), {"style": "label"}, False),
        ("/x/{a}{b}", ("1", "2"), {"style": "matrix"}, True),
        ("/x/{a}{b}", ("1;b=2", "3"), {"style": "matrix"}, True),
    ],
)
def test_values_that_cannot_be_told_apart_are_refused(
    template: str, values: tuple[str, ...], more: dict[str, Any], accepted: bool
) -> None:
    arguments = dict(zip("ab", values, strict=False))
    assert (problems_of(path(template, **more), arguments) == {}) is accepted


def test_long_segments_are_read_quickly() -> None:
    pieces = [PathPiece("a" * 5_000, ""), PathPiece("a"), PathPiece("a" * 5_000, "")]
    assert is_ambiguous(pieces)
