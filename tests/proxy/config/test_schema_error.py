"""Where an error of the schema stands in the file."""

from __future__ import annotations

import pytest
from pydantic_core import ErrorDetails

from proxy.config.parse import parse
from proxy.config.schema_error import SchemaError, locate
from proxy.config.source import read_text

TEXT = b"""\
version: 1
server: {listen: 1.10}
policies:
  - {pattern: a.*, action: block}
"""


def located(*loc: str | int) -> SchemaError:
    source, _ = read_text("executor.yaml", TEXT)
    parsed = parse(source)
    assert parsed.root is not None
    detail: ErrorDetails = {"type": "string_type", "loc": loc, "msg": "", "input": None}
    return locate(detail, parsed.data, parsed.root)


@pytest.mark.parametrize(
    ("loc", "path", "name"),
    [
        (("server", "listen"), ("server", "listen"), "listen"),
        (("policies", 0, "rule", "pattern"), ("policies", 0, "pattern"), "pattern"),
        (("policies", 0, "RuleConfig"), ("policies", 0), "policies"),
        (("policies", 7), ("policies",), "policies"),
        (("server", "listen", "[key]"), ("server", "listen"), "listen"),
        ((), (), "config"),
    ],
)
def test_tags_are_skipped_and_keys_are_found(
    loc: tuple[str | int, ...], path: tuple[str | int, ...], name: str
) -> None:
    error = located(*loc)
    assert (error.path, error.name, error.at_key) == (path, name, "[key]" in loc)


def test_values_are_called_as_they_are_written() -> None:
    error = located("server", "listen")
    assert (error.raw, error.value, error.context) == ("1.10", 1.1, {})
