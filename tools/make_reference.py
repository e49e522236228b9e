"""Writes docs/reference.md from the code, so that what exists is documented. `--check` only compares.

Run by `make docs`; `tests/tools/test_make_reference.py` fails when the page is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from proxy.calls import SYSTEM_TOOLS
from proxy.cli import COMMANDS
from proxy.config.diagnostic import CODES
from proxy.serving.rest.executions import DetachedTasks
from proxy.serving.rest.routes import routes
from proxy.tasks import ESSENTIAL, TASKS
from proxy.telemetry import METRICS, Metric
from tools.check_prose import wrapped

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference.md"
SCHEMA = ROOT / "schema" / "executor.schema.json"

ROUTES = (
    ("POST GET DELETE", "/mcp, /v1/mcp, /<workspaceId>/mcp", "MCP over streamable HTTP, both protocol eras"),
    ("POST GET DELETE", "/mcp/anonymous, /v1/mcp/anonymous", "the same; needs `?workspaceId=`"),
    ("GET", "/healthz, /api/health, /-/healthy", "200 while the process lives"),
    ("GET", "/readyz, /-/ready", "200 while a config is active; `?config=latest` also wants the newest one"),
    ("GET", "/metrics", "Prometheus metrics"),
    (
        "GET",
        "/-/status",
        "config, last reload with its diagnostics, connections, rules that match no tool, sandbox",
    ),
    ("GET", "/-/config", "the effective config: references, never secrets or hashes of keys"),
    ("POST", "/-/reload", "200 applied or unchanged, 422 with diagnostics, 500"),
)


def page() -> str:
    """The whole page, as Markdown."""
    schema = json.loads(SCHEMA.read_text())
    parts = [
        "# Reference",
        "Made from the code by `make docs`; do not edit.",
        "## Commands",
        table(("command", "what it does"), ((f"`executor {one.name}`", one.help) for one in COMMANDS)),
        "## HTTP routes",
        table(("method", "path", "what it answers"), ROUTES),
        "`/metrics` and `/-/...` need a key with the admin role (without `auth`: the minted token). Only a loopback "
        "listener of a config without `auth` and `server.public_url` leaves them open to who reaches it directly. A "
        "listener of `telemetry.metrics.listen` serves health and `/metrics`, and nothing else.",
        "## REST API",
        "Each route needs a key or token; parameters, bodies and answers are in `/api/openapi.json`, which is open.",
        table(
            ("method", "path", "what it does"),
            ((r.method, r.path, r.summary) for r in routes(DetachedTasks())),
        ),
        "## System tools in agent code",
        table(("call", "arguments and defaults"), map(_system_tool, SYSTEM_TOOLS.items())),
        "## Config keys",
        "\n\n".join(_sections(schema)),
        "## Diagnostic codes",
        table(("code", "meaning"), CODES.items()),
        "## Background tasks",
        "The label `task` of `executor_task_failures_total`. Those marked **ends** end the process when they fail.",
        table(
            ("task", "what it does"),
            ((n, f"{w} **ends**" if n in ESSENTIAL else w) for n, w in TASKS.items()),
        ),
        "## Metrics",
        table(("metric", "kind", "labels", "meaning"), map(_metric, METRICS)),
    ]
    return wrapped("\n\n".join(parts) + "\n")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; cells are kept on one line."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *[list(row) for row in rows]]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _metric(metric: Metric) -> tuple[str, str, str, str]:
    return metric.name, metric.kind, ", ".join(metric.labels), metric.help


def _system_tool(entry: tuple[str, Any]) -> tuple[str, str]:
    name, parameters = entry
    shown = [f"{p.name}" if p.required else f"{p.name}={json.dumps(p.default)}" for p in parameters]
    return f"`tools.{name}`", f"`{{{', '.join(shown)}}}`"


def _sections(schema: dict[str, Any]) -> Iterable[str]:
    yield "### top level\n\n" + _keys(schema, schema)
    for name, model in schema["$defs"].items():
        if "properties" in model:
            yield f"### {name}\n\n{model.get('description', '')}\n\n{_keys(model, schema)}"


def _keys(model: dict[str, Any], schema: dict[str, Any]) -> str:
    required = set(model.get("required", ()))
    rows = (
        (
            f"`{key}`",
            _type(value),
            "required" if key in required else _default(value),
            value.get("description", ""),
        )
        for key, value in model["properties"].items()
    )
    return table(("key", "type", "default", "meaning"), rows)


def _default(value: dict[str, Any]) -> str:
    return (
        f"`{json.dumps(value['default'])}`" if "default" in value and value["default"] not in ({}, []) else ""
    )


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    for word in ("anyOf", "oneOf"):
        if word in value:
            return " or ".join(dict.fromkeys(_type(one) for one in value[word]))
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}))}"
    if value.get("type") == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"map of {_type(value['additionalProperties'])}"
    examples = value.get("examples")
    shown = f" such as `{examples[0]}`" if examples else ""
    return f"{value.get('type', 'any value')}{shown}"


def main(argv: list[str]) -> int:
    text = page()
    if "--check" in argv:
        if PAGE.read_text() == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is stale: run `make docs`", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
