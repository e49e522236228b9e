"""Real documents load whole: every operation is bound, described and called (without sending).

`make sweep` does this for all 2,700 documents; here it is done for the named ones and a fixed sample of the others.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from integrations.openapi.compile import compile_document
from integrations.openapi.doc import Doc
from integrations.openapi.toolset import make_toolset
from tools.sweep_specs import documents_in, sample_of, sweep_document

pytestmark = [pytest.mark.specs, pytest.mark.timeout(240)]
SPECS = Path(__file__).resolve().parents[3] / ".specs"
DIRECTORY = SPECS / "directory"
# The giants (Microsoft Graph with 22,000 operations) are left to `make sweep`.
ORDINARY = [path for path in documents_in(DIRECTORY) if path.stat().st_size < 3_000_000]
SAMPLE = sample_of(ORDINARY, 60)

# Name -> version, operations, and how many of a hundred of them a value can be made for.
NAMED = {
    "api.github.com.json": ("3.0", 1223, 95),
    "kubernetes.json": ("2.0", 1014, 99),
    "netlify.json": ("2.0", 181, 99),
    "openai.yaml": ("3.1", 271, 90),
    "anthropic.yaml": ("3.1", 100, 85),
    "cohere.yaml": ("3.1", 20, 85),
}


@pytest.mark.parametrize("name", NAMED)
def test_documents_that_everybody_uses(name: str) -> None:
    version, operations, share = NAMED[name]
    report = sweep_document(SPECS / name)
    assert (report.failures, report.warnings) == ([], [])
    assert report.version == version
    assert report.operations >= operations
    assert report.built * 100 >= report.operations * share


@pytest.mark.parametrize("path", SAMPLE, ids=[path.name for path in SAMPLE])
def test_a_sample_of_the_directory(path: Path) -> None:
    report = sweep_document(path)
    assert (report.failures, report.warnings) == ([], [])
    assert report.operations > 0


def test_every_swagger_document_of_autorest() -> None:
    reports = [sweep_document(path) for path in documents_in(SPECS / "autorest")]
    assert {report.version for report in reports} == {"2.0"}
    assert [(report.name, report.failures) for report in reports if report.failures] == []
    assert sum(report.operations for report in reports) == 1_051


@pytest.mark.parametrize("path", SAMPLE[:10], ids=[path.name for path in SAMPLE[:10]])
def test_schemas_are_json_schema_2020_12(path: Path) -> None:
    toolset = make_toolset(Doc(compile_document(path.read_bytes(), path.name)), "", None, "", (), ())
    for tool in toolset.tools[:20]:
        schemas = toolset.schemas(tool.name)
        for schema in (schemas.input, schemas.output or {}):
            Draft202012Validator.check_schema(schema, format_checker=FormatChecker(()))


def test_the_sample_is_the_same_every_time() -> None:
    assert SAMPLE == sample_of(list(reversed(ORDINARY)), 60)
    assert len(SAMPLE) == 60
