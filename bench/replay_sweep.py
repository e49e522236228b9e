"""The long run of the replay property: `python -m bench.replay_sweep --cases 100000`.

Prints what was done, and ends with status 1 and the program when a case fails.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from tests.proxy.executions.sweep import sweep

PORTION = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began, done, pauses, calls = time.perf_counter(), 0, 0, 0
    while done < options.cases:
        figures = asyncio.run(sweep(min(PORTION, options.cases - done), options.seed + done + 1_000_000))
        done, pauses, calls = done + figures.cases, pauses + figures.pauses, calls + figures.calls
        for problem in figures.problems:
            sys.stdout.write(f"{problem}\n")
            return 1
        seconds = time.perf_counter() - began
        sys.stdout.write(f"{done} programs, {pauses} pauses, {calls} calls sent, {seconds:.0f} s\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
