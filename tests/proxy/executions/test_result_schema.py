"""The declared output schema is itself valid and knows every status."""

from __future__ import annotations

import jsonschema

from proxy.executions.result import EXIT_CODES
from proxy.executions.result_schema import OUTPUT_SCHEMA, STATUSES


def test_the_schema_is_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(OUTPUT_SCHEMA)


def test_every_exit_code_belongs_to_a_declared_status() -> None:
    assert set(EXIT_CODES) <= set(STATUSES)
