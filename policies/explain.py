"""A decision as people and machines read it: the text of `executor explain`, and the same as JSON."""

from __future__ import annotations

from typing import Any, Final

from policies.decision import Considered, Decision
from policies.rules import ToolFacts

_ACTION_WIDTH: Final = len("require_approval")
_RULE_WIDTH: Final = len("workspaces.ws_support.policies[0]")
_SOURCE_WIDTH: Final = len("executor.yaml:1234")


def explain_text(tool: ToolFacts, decision: Decision) -> str:
    """`address: action`, then a line for every rule that matched the address; no newline at the end."""
    return "\n".join([f"{tool.address}: {decision.action}", *explain_rows(decision)])


def explain_rows(decision: Decision) -> list[str]:
    """The lines below the heading. Columns: what it said (or `skipped`), rule, `file:line`, why."""
    widths = (
        _ACTION_WIDTH,
        max([_RULE_WIDTH, *(len(row.rule_id) for row in decision.considered)]),
        max([_SOURCE_WIDTH, *(len(row.source) for row in decision.considered)]),
    )
    lines: list[str] = []
    for row in decision.considered:
        lines.append(_line(row, widths))
        if row.outcome == "decided" and _overrules(decision):
            lines.append(" " * (_ACTION_WIDTH + 4) + "↑ the stricter layer wins")
    return lines


def _line(row: Considered, widths: tuple[int, int, int]) -> str:
    said = "skipped" if row.outcome == "skipped" else row.action
    cells = (f"{text:<{width}}" for text, width in zip((said, row.rule_id, row.source), widths, strict=True))
    return f"  {'  '.join(cells)}  {_one_line(row.note)}".rstrip()


def _one_line(text: str) -> str:
    """A reason may be a YAML block with line breaks; a table row may not."""
    return " ".join(text.split())


def _overrules(decision: Decision) -> bool:
    return any(row.outcome == "applied" and row.action != decision.action for row in decision.considered)


def explain_json(tool: ToolFacts, decision: Decision) -> dict[str, Any]:
    """As JSON. `rule` is null when a default decided; `considered` keeps the order of judging."""
    file, line = split_source(decision.rule_source)
    return {
        "tool": tool.address,
        "action": decision.action,
        "rule": None if decision.default else decision.rule_id,
        "default": decision.default,
        "file": file,
        "line": line,
        "reason": decision.reason,
        "approver": decision.approver if decision.action == "require_approval" else None,
        "conditional": decision.conditional,
        "considered": [_row_json(row) for row in decision.considered],
    }


def _row_json(row: Considered) -> dict[str, Any]:
    file, line = split_source(row.source)
    return {
        "rule": row.rule_id,
        "action": row.action,
        "outcome": row.outcome,
        "file": file,
        "line": line,
        "note": row.note,
    }


def split_source(source: str) -> tuple[str | None, int | None]:
    """`executor.yaml:113` as file and line; (None, None) for an unknown place."""
    file, colon, line = source.rpartition(":")
    if colon and line.isascii() and line.isdigit():
        return file, int(line)
    return source or None, None
