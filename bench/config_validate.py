"""How long a config of 5,000 lines takes: `python bench/config_validate.py`. CPU seconds besides start-up.

Budget: at most 0.5 s of CPU; `executor validate` of the example at most 0.6 s in all.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = 5000
ROOT = Path(__file__).resolve().parent.parent


def config_text(entries: int) -> str:
    """`entries` integrations, connections and policies: 20 lines each, nothing repeated but the form."""
    lines = ["version: 1", "integrations:"]
    for i in range(entries):
        lines += [f"  api_{i}:", "    kind: openapi", f"    description: API number {i}"]
        lines += [f"    spec: {{url: https://api{i}.example.com/openapi.json, refresh: 24h}}", "    headers:"]
        lines += [f"      X-Tenant: tenant-{i}", f"      X-Key: {{env: KEY_{i}}}", "    include: [repos.*]"]
        lines += ["    timeout: 30s"]
    lines.append("connections:")
    for i in range(entries):
        lines += [f"  api_{i}.org.main:", f"    description: account {i}", "    auth:", "      kind: bearer"]
        lines += [f"      token: {{env: TOKEN_{i}}}"]
    lines.append("policies:")
    for i in range(entries):
        lines += [
            f"  - id: rule-{i}",
            f"    pattern: api_{i}.org.main.things.create*",
            "    action: require_approval",
        ]
        lines += ["    when:", "      owner: {equals: acme}", f"      amount: {{at_most: {i}}}"]
    return "\n".join(lines) + "\n"


def measure(text: str) -> tuple[float, int]:
    """CPU seconds of one load in this process, and the number of diagnostics."""
    from proxy.config import load_config

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "executor.yaml"
        path.write_text(text)
        load_config([ROOT / "executor.yaml.example"], env=None)
        began = time.process_time()
        loaded = load_config([path], env=None)
        return time.process_time() - began, len(loaded.diagnostics)


def command_seconds() -> float:
    """Wall seconds of `executor validate` on the example, the best of five."""
    command = [sys.executable, "-m", "proxy", "validate", "--no-env", "--format", "concise"]
    best = 9.9
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(
            [*command, str(ROOT / "executor.yaml.example")], cwd=ROOT, check=False, capture_output=True
        )
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    text = config_text(LINES // 20)
    seconds, findings = measure(text)
    broken = text.replace("kind: bearer", "kind: baerer")
    broken_seconds, errors = measure(broken)
    print(
        f"{len(text.splitlines())} lines, {len(text) // 1024} KiB: {seconds:.3f} s CPU, {findings} findings"
    )
    print(f"the same with {errors} errors: {broken_seconds:.3f} s CPU")
    print(f"executor validate executor.yaml.example: {command_seconds():.3f} s wall (best of 5)")


if __name__ == "__main__":
    main()
