"""Random sequences over three replicas on one Redis, some of which are killed: `python -m bench.replicas`.

Prints what was done, and ends with status 1 when something was lost or doubled, or a result is another one than that
of the uninterrupted run. The same seed makes the same programs; who is hit by a kill is up to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.replicas.fleet import fleet
from tests.replicas.sequences import Sequences

PORTION = 25


async def measure(sequences: Sequences, count: int, kills: int) -> None:
    began = time.perf_counter()
    for first in range(0, count, PORTION):
        await sequences.run(range(first, min(first + PORTION, count)), kills=kills)
        say(f"{sequences.figures.line()}; {time.perf_counter() - began:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5, help=f"of {PORTION} sequences")
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, fleet(Path(folder)) as three:
        sequences = Sequences(three, options.seed)
        asyncio.run(measure(sequences, options.sequences, options.kills))
        problems = [*sequences.figures.problems, *(f"doubled: {call}" for call in three.api.doubled())]
    for problem in problems:
        say(problem)
    say(f"{len(problems)} problems: lost, doubled, or of another result")
    return 1 if problems else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
