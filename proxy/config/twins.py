"""Several errors about one mistake: only the most helpful one is kept."""

from __future__ import annotations

import re

from proxy.config.nodes import Path
from proxy.config.places import Finding


def without_twins(findings: list[Finding]) -> list[Finding]:
    """Drop "missing" where an unknown key of the same mapping is that key, misspelt."""
    meant = {
        (*finding.path[:-1], found[1])
        for finding in findings
        if finding.code == "E201" and (found := re.search(r"did you mean `([\w]+)`", finding.help or ""))
    }
    kept = [finding for finding in findings if not (finding.code == "E202" and finding.path in meant)]
    return _one_per_place(kept)


def _one_per_place(findings: list[Finding]) -> list[Finding]:
    """The branches of a union each complain about the same value: the first one speaks."""
    seen: set[tuple[Path, str]] = set()
    kept = []
    for finding in findings:
        place = (finding.path, finding.at)
        if place not in seen or finding.code == "E202":
            kept.append(finding)
        seen.add(place)
    return kept
