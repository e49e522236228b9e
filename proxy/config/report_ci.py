"""Diagnostics for code hosts: GitHub workflow commands, SARIF 2.1.0 (OASIS), GitLab Code Quality.

The SARIF has what the rules of the SARIF Multitool for GitHub demand: GH1001 and GH1003 (a place with a line), GH1005
and GH1006 (paths relative to the repository, see `repository.py`), GH1007 and GH1015 (whole messages, fingerprints),
GH1018 (a tool with rules), GH2012 (rules with both descriptions and help).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, Final
from urllib.parse import quote

from proxy.config.diagnostic import CODES, Diagnostic, Related

# GitHub shows ten annotations of a step and drops the rest without a word.
GITHUB_SHOWN: Final = 9
SARIF_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_RANKS: Final = {"error": 0, "warning": 1, "note": 2}
# What GitHub calls them.
_LEVELS: Final = {"error": "error", "warning": "warning", "note": "notice"}
_GITLAB_SEVERITY: Final = {"error": "major", "warning": "minor", "note": "info"}


def github(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """Workflow commands, errors first: at most `GITHUB_SHOWN` and one that counts the others."""
    ranked = sorted(diagnostics, key=lambda found: _RANKS[found.severity])
    lines = [_command(diagnostic) for diagnostic in ranked[:GITHUB_SHOWN]]
    rest = ranked[GITHUB_SHOWN:]
    if rest:
        lines.append(f"::{_LEVELS[rest[0].severity]} title=executor::and {len(rest)} more")
    return lines


def _command(diagnostic: Diagnostic) -> str:
    properties = {
        "file": diagnostic.file,
        "line": diagnostic.line,
        "col": diagnostic.column,
        "endLine": diagnostic.end_line,
        "endColumn": diagnostic.end_column,
        "title": f"executor {diagnostic.code}",
    }
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_LEVELS[diagnostic.severity]} {listed}::{_data(_sentence(diagnostic))}"


def workflow_command(severity: str, file: str, line: int, title: str, message: str) -> str:
    """One annotation of a line, for findings that are no diagnostics."""
    listed = f"file={_property(file)},line={line},title={_property(title)}"
    return f"::{severity} {listed}::{_data(message)}"


def _sentence(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.message} \N{EM DASH} {diagnostic.help}" if diagnostic.help else diagnostic.message


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """One run. Columns count code points and the end column is exclusive, as in `Diagnostic` (SARIF 3.30)."""
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    prints = _fingerprints(diagnostics)
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(codes)},
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(found, codes, print_) for found, print_ in zip(diagnostics, prints, strict=True)
                ],
            }
        ],
    }


def _driver(codes: Sequence[str]) -> dict[str, Any]:
    version = metadata.version("executor-proxy")
    return {
        "name": "executor",
        "version": version,
        "semanticVersion": version,
        "informationUri": "urn:executor:documentation",
        "rules": [_rule(code) for code in codes],
    }


def _rule(code: str) -> dict[str, Any]:
    """`helpUri` must be absolute (SARIF 3.49.12); a URN names the code whatever host serves the documents."""
    level = "warning" if code.startswith("W") else "error"
    meaning = CODES.get(code, "a finding about the config")
    sentence = meaning[0].upper() + meaning[1:]
    effect = "The config is served all the same." if level == "warning" else "The config is refused."
    return {
        "id": code,
        "name": "".join(re.findall(r"[A-Za-z0-9]+", meaning.title())),
        "shortDescription": {"text": f"{sentence}."},
        "fullDescription": {"text": f"{sentence}. {effect}"},
        "help": {
            "text": f"{sentence}. {effect} Each finding says how to mend it; `executor help {code}` says more."
        },
        "helpUri": f"urn:executor:diagnostic:{code}",
        "defaultConfiguration": {"level": level},
    }


def _result(diagnostic: Diagnostic, codes: list[str], fingerprint: str) -> dict[str, Any]:
    region = {
        "startLine": diagnostic.line,
        "startColumn": diagnostic.column,
        "endLine": diagnostic.end_line,
        "endColumn": diagnostic.end_column,
    }
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": diagnostic.severity,
        "message": {"text": _sentence(diagnostic)},
        "locations": [_location(diagnostic.file, region)],
        "partialFingerprints": {"executorConfigPath/v1": fingerprint},
    }
    if diagnostic.related:
        result["relatedLocations"] = [
            _related(number, other) for number, other in enumerate(diagnostic.related)
        ]
    return result


def _related(number: int, other: Related) -> dict[str, Any]:
    region = {
        "startLine": other.line,
        "startColumn": other.column,
        "endLine": other.end_line,
        "endColumn": other.end_column,
    }
    return {"id": number, "message": {"text": other.message}, **_location(other.file, region)}


def _location(file: str, region: dict[str, int]) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": quote(file)}, "region": region}}


def gitlab(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """The Code Quality report: a list of issues, each with a fingerprint that survives moved lines."""
    return [
        {
            "description": _sentence(diagnostic),
            "check_name": diagnostic.code,
            "fingerprint": fingerprint,
            "severity": _GITLAB_SEVERITY[diagnostic.severity],
            "location": {
                "path": diagnostic.file,
                "lines": {"begin": diagnostic.line, "end": diagnostic.end_line},
            },
        }
        for diagnostic, fingerprint in zip(diagnostics, _fingerprints(diagnostics), strict=True)
    ]


def _fingerprints(diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    """Digests of code, config path and file, not of the line: a moved line is not a new alert.

    Equal ones are numbered in their order, because code hosts merge alerts with one fingerprint.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    for diagnostic in diagnostics:
        key = (diagnostic.code, diagnostic.path, diagnostic.file)
        text = "\0".join((*key, str(seen[key])))
        seen[key] += 1
        yield hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


__all__ = ["GITHUB_SHOWN", "github", "gitlab", "sarif"]
