import json
from dataclasses import replace

import pytest

from proxy.config.diagnostic import Diagnostic, Related
from proxy.config.report import FORMATS, Summary, render

SUMMARY = Summary(files=1, integrations=5, connections=7, policies=5, elapsed_ms=48)
TYPO = Diagnostic(
    code="E201",
    severity="error",
    message="unknown key `sepc` in integrations.api",
    help="did you mean `spec`?",
    path="integrations.api.sepc",
    file="m01.yaml",
    line=5,
    column=24,
    end_line=5,
    end_column=28,
    excerpt="  api: {kind: openapi, sepc: {url: https://a.example.com/o.json}}",
)
LISTEN = Diagnostic(
    code="E206",
    severity="error",
    message="`listen`: expected HOST:PORT",
    help='did you mean "127.0.0.1:8080"?',
    path="server.listen",
    file="m01.yaml",
    line=3,
    column=18,
    end_line=3,
    end_column=22,
    excerpt="server: {listen: 8080}",
)
SHADOWED = Diagnostic(
    code="W601",
    severity="warning",
    message="rule can never apply",
    path="policies[3]",
    file="a.yaml",
    line=12,
    column=3,
    end_line=12,
    end_column=10,
    related=(Related("the rule above it", "a.yaml", 9, 3, 9, 11),),
)


def test_text_shows_the_line_a_caret_and_the_remedy() -> None:
    assert render("text", [LISTEN, TYPO], SUMMARY, color=False) == (
        "error[E206]: `listen`: expected HOST:PORT\n"
        " --> m01.yaml:3:18\n"
        "  |\n"
        "3 | server: {listen: 8080}\n"
        "  |                  ^^^^\n"
        '  = help: did you mean "127.0.0.1:8080"?\n'
        "\n"
        "error[E201]: unknown key `sepc` in integrations.api\n"
        " --> m01.yaml:5:24\n"
        "  |\n"
        "5 |   api: {kind: openapi, sepc: {url: https://a.example.com/o.json}}\n"
        "  |                        ^^^^\n"
        "  = help: did you mean `spec`?\n"
        "\n"
        "2 errors, 0 warnings in 1 file (48 ms)\n"
    )


def test_text_of_a_valid_config_is_one_line_with_its_size() -> None:
    assert render("text", [], SUMMARY, color=False) == (
        "ok: 1 file, 5 integrations, 7 connections, 5 policies (48 ms)\n"
    )
    tiny = Summary(files=2, integrations=1, connections=1, policies=1, elapsed_ms=8)
    assert render("concise", [], tiny, color=True) == (
        "ok: 2 files, 1 integration, 1 connection, 1 policy (8 ms)\n"
    )


def test_related_places_and_wide_margins() -> None:
    assert render("text", [SHADOWED], SUMMARY, color=False).startswith(
        "warning[W601]: rule can never apply\n  --> a.yaml:12:3\n   = note: a.yaml:9:3: the rule above it\n"
    )


def test_colour_is_only_added_when_asked() -> None:
    assert "\x1b[" not in render("text", [TYPO], SUMMARY, color=False)
    assert "\x1b[1;31merror[E201]\x1b[0m" in render("text", [TYPO], SUMMARY, color=True)


def test_concise_is_one_line_each() -> None:
    first, second, _ = render("concise", [TYPO, SHADOWED], SUMMARY, color=False).splitlines()
    assert first == "m01.yaml:5:24 E201 unknown key `sepc` in integrations.api (did you mean `spec`?)"
    assert second == "a.yaml:12:3 W601 rule can never apply"


def test_json_has_exactly_the_documented_fields() -> None:
    report = json.loads(render("json", [TYPO, SHADOWED], SUMMARY, color=False))
    assert {key: report[key] for key in ("format_version", "valid", "errors", "warnings")} == {
        "format_version": "1",
        "valid": False,
        "errors": 1,
        "warnings": 1,
    }
    assert report["diagnostics"][1] == {
        "code": "W601",
        "severity": "warning",
        "message": "rule can never apply",
        "help": None,
        "path": "policies[3]",
        "file": "a.yaml",
        "line": 12,
        "column": 3,
        "end_line": 12,
        "end_column": 10,
        "related": [
            {
                "message": "the rule above it",
                "file": "a.yaml",
                "line": 9,
                "column": 3,
                "end_line": 9,
                "end_column": 11,
            }
        ],
    }
    assert report["summary"]["integrations"] == 5


def test_warnings_alone_leave_the_config_valid() -> None:
    assert json.loads(render("json", [SHADOWED], SUMMARY, color=False))["valid"] is True


def test_github_commands_are_the_documented_ones() -> None:
    line, _ = render("github", [TYPO], SUMMARY, color=False).splitlines()
    assert line == (
        "::error file=m01.yaml,line=5,col=24,endLine=5,endColumn=28,title=executor E201"
        "::unknown key `sepc` in integrations.api \N{EM DASH} did you mean `spec`?"
    )


def test_github_cannot_be_given_a_second_command() -> None:
    hostile = replace(TYPO, file="a,b:c.yaml", message="100%\n::error::forged", help=None)
    report = render("github", [hostile], SUMMARY, color=False)
    assert "file=a%2Cb%3Ac.yaml," in report
    assert "::100%25%0A::error::forged" in report
    assert not any(line.startswith("::error::") for line in report.splitlines())


def test_github_shows_nine_and_counts_the_others_with_errors_first() -> None:
    many = [SHADOWED, *(replace(TYPO, line=number) for number in range(1, 12))]
    lines = render("github", many, SUMMARY, color=False).splitlines()
    assert len(lines) == 11
    assert all(line.startswith("::error file=") for line in lines[:9])
    assert lines[9].endswith("::and 3 more")


def test_sarif_is_complete_and_its_fingerprint_survives_a_moved_line() -> None:
    report = json.loads(render("sarif", [TYPO, SHADOWED], SUMMARY, color=False))
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["E201", "W601"]
    assert all(rule["helpUri"] for rule in run["tool"]["driver"]["rules"])
    first, second = run["results"]
    assert first["level"] == "error"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "m01.yaml"},
        "region": {"startLine": 5, "startColumn": 24, "endLine": 5, "endColumn": 28},
    }
    assert second["relatedLocations"][0]["physicalLocation"]["region"] == {
        "startLine": 9,
        "startColumn": 3,
        "endLine": 9,
        "endColumn": 11,
    }
    moved = json.loads(render("sarif", [replace(TYPO, line=99, end_line=99)], SUMMARY, color=False))
    assert moved["runs"][0]["results"][0]["partialFingerprints"] == first["partialFingerprints"]


def test_equal_findings_have_different_fingerprints() -> None:
    issues = json.loads(render("gitlab", [TYPO, replace(TYPO, line=9)], SUMMARY, color=False))
    assert len({issue["fingerprint"] for issue in issues}) == 2


def test_gitlab_issue() -> None:
    (issue,) = json.loads(render("gitlab", [SHADOWED], SUMMARY, color=False))
    assert issue["severity"] == "minor"
    assert issue["check_name"] == "W601"
    assert issue["location"] == {"path": "a.yaml", "lines": {"begin": 12, "end": 12}}


@pytest.mark.parametrize("fmt", sorted(FORMATS))
def test_every_format_ends_in_a_line_break(fmt: str) -> None:
    assert render(fmt, [TYPO, LISTEN, SHADOWED], SUMMARY, color=False).endswith("\n")


def test_an_unknown_format_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        render("xml", [], SUMMARY, color=False)
