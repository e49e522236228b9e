"""What the commands of a pipeline cost with 250 integrations, 5,000 tools and 200 rules: `python -m bench.gitops`.

Every command is a process of its own, as CI starts it; `cold` is the first run, before compiled documents are kept.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

INTEGRATIONS, OPERATIONS, RULES = 250, 20, 200


def document(number: int) -> dict[str, Any]:
    paths = {
        f"/things{n}/{{id}}": {
            "put" if n % 4 == 0 else "get": {
                "operationId": f"things.act{n}",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "ok"}},
            }
        }
        for n in range(OPERATIONS)
    }
    return {"openapi": "3.1.0", "info": {"title": f"API {number}", "version": "1"}, "paths": paths}


def address(rule: int) -> str:
    """The tool that a rule is about."""
    act = rule % OPERATIONS
    return f"api{rule}.org.main.things{act}.thingsAct{act}"


def write(folder: Path, blocked: str) -> None:
    specs = folder / "specs"
    specs.mkdir(exist_ok=True)
    config: dict[str, Any] = {
        "version": 1,
        "lock": {"file": "executor.lock"},
        "integrations": {},
        "connections": {},
    }
    for number in range(INTEGRATIONS):
        (specs / f"{number}.json").write_text(json.dumps(document(number)))
        spec = {"file": f"specs/{number}.json"}
        config["integrations"][f"api{number}"] = {
            "kind": "openapi", "spec": spec, "base_url": f"https://api{number}.example.com",
        }  # fmt: skip
        config["connections"][f"api{number}.org.main"] = {}
    config["policies"] = [
        {
            "id": f"rule-{n}",
            "pattern": address(n),
            "action": blocked if n == 0 else "require_approval",
        }
        for n in range(RULES)
    ]
    (folder / "executor.yaml").write_text(json.dumps(config, indent=1))
    tests = [
        {"name": f"test {n}", "tool": address(n), "arguments": {"id": "1"},
         "expect": {"action": "require_approval"}}
        for n in range(1, 101)
    ]  # fmt: skip
    (folder / "policies.test.yaml").write_text(json.dumps({"tests": tests}))


def run(folder: Path, *words: str) -> tuple[float, float, int]:
    """Seconds of wall and of CPU, and the exit code."""
    env = {**os.environ, "EXECUTOR_STATE_DIR": str(folder / "state")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "proxy", *words], env=env, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 2 if "--detailed-exitcode" in words else 0):
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.returncode


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        old, new = Path(scratch) / "old", Path(scratch) / "new"
        for folder, blocked in ((old, "require_approval"), (new, "block")):
            folder.mkdir()
            write(folder, blocked)
        config = ("--config", str(new / "executor.yaml"))
        commands = {
            "lock --yes (cold)": ("lock", "--yes", *config),
            "lock --check": ("lock", "--check", *config),
            "validate": ("validate", "--no-env", *config),
            "test, 100 tests": ("test", *config),
            "diff (cold side)": ("diff", "--detailed-exitcode", str(old), str(new)),
            "diff": ("diff", "--detailed-exitcode", str(old), str(new)),
        }
        print(f"{INTEGRATIONS} integrations, {INTEGRATIONS * OPERATIONS:,} tools, {RULES} rules")
        run(old, "lock", "--yes", "--config", str(old / "executor.yaml"))
        for name, words in commands.items():
            wall, cpu, code = run(Path(scratch), *words)
            print(f"  {name:<22} {wall:6.2f} s  {cpu:6.2f} s of CPU  exit {code}", flush=True)


if __name__ == "__main__":
    main()
