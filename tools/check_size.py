"""Lists files over 400 lines and fails for files over 500.

A file is one concept that somebody would search for. Up to 400 lines nobody is asked to cut one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

WATCHED = ("proxy", "policies", "integrations", "tests", "tools", "bench")
SOFT_LINES = 400
HARD_LINES = 500


def long_files(root: Path) -> Iterator[tuple[int, Path]]:
    """Lines and path of every Python file over the soft limit, longest first."""
    sizes = [
        (count_lines(file), file.relative_to(root))
        for part in WATCHED
        for file in (root / part).rglob("*.py")
    ]
    return iter(sorted((entry for entry in sizes if entry[0] > SOFT_LINES), reverse=True))


def count_lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def main(root: Path) -> int:
    failed = False
    for lines, file in long_files(root):
        too_long = lines > HARD_LINES
        failed |= too_long
        verdict = f"too long, split it (limit {HARD_LINES})" if too_long else f"over {SOFT_LINES}"
        print(f"{file}: {lines} lines, {verdict}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
