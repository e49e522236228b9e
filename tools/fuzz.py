"""Feeds damaged input to everything that reads bytes from outside (`fuzz_targets`). `make fuzz` runs it for a minute.

A case is a seed or a case of the corpus with a few changes: of its bytes, or of its structure where it is JSON. A
finding is an exception that is no refusal, a case that takes too long, or one that takes too much memory; it is made
smaller and written into the corpus (`tests/data/fuzz/<target>/`), which `tests/tools/test_fuzz.py` replays.

    python -m tools.fuzz [--seconds 60 | --cases N] [--seed N] [--only TARGET ...]
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from tools.fuzz_targets import FUZZ_TARGETS, FuzzTarget

CORPUS: Final = Path(__file__).resolve().parent.parent / "tests" / "data" / "fuzz"
_MOST_BYTES: Final = 16_384
_MOST_GROWTH_KB: Final = 256 * 1024
_TOKENS: Final = (
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"-0",
    b"9" * 400,
    b"0.1",
    b"18446744073709551616",
    b"NaN",
    b'""',
    b"[]",
    b"{}",
    b"\\ud800",
    b"\\u0000",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\0",
    b"\r",
    b"\n",
    b"\n\n",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"<<: *r",
    b"!!python/object:x ",
    b"|",
    b">",
    b"? ",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"'",
    b"#",
    b"%",
    b"$ref",
    b"#/",
    b"..",
    b"/",
    b"://",
    b"__proto__",
    b"constructor",
    b"data:",
    b"event:",
    b"id:",
    b"allOf",
    b"oneOf",
    b"type",
    b"extend ",
    b"...",
    b"@",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"9" * 5000,
    b"a" * 300,
)
_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**53,
    2**64 - 1,
    -(2**63),
    1e308,
    "",
    "a",
    "\0",
    "😀",
    "x" * 300,
    [],
    {},
    [[]],
    {"a": {}},
    [None],
    "#/",
    "#/paths/~1items~1{id}",
    "object",
    "2020-01-01",
    {"$ref": "#"},
    {"$ref": "#/components/schemas/Item"},
)


class Hang(BaseException):
    """A case took longer than its target allows."""


@dataclass(frozen=True, slots=True)
class Finding:
    target: str
    kind: str
    where: str
    data: bytes

    def __str__(self) -> str:
        return f"{self.target}: {self.kind} at {self.where} ({len(self.data)} bytes: {self.data[:120]!r})"


@dataclass(slots=True)
class Tally:
    cases: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict)


# ---- one case -------------------------------------------------------------------------------------------------------


def examine(target: FuzzTarget, data: bytes) -> tuple[bool, Finding | None]:
    """Whether the input was refused, and what is wrong with how it was read."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = False
    try:
        with _limited(target.max_ms):
            target.run(data)
    except target.refusals:
        refused = True
    except (Exception, Hang) as error:
        return False, Finding(target.name, type(error).__name__, _where(error), data)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > _MOST_GROWTH_KB:
        return refused, Finding(target.name, "Memory", f"{grown // 1024} MiB more", data)
    return refused, None


@contextmanager
def _limited(milliseconds: int) -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise Hang

    # Time of the processor: other work of the machine does not count.
    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, milliseconds / 1000)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _where(error: BaseException) -> str:
    """The innermost line that is ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if any(f"/{part}/" in one.filename for part in ("proxy", "integrations"))]
    last = (ours or list(frames))[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def smaller(target: FuzzTarget, found: Finding, tries: int = 400) -> Finding:
    """The same finding from less input, as far as cutting pieces out gets."""
    size, best = max(1, len(found.data) // 2), found
    tries = 20 if found.kind == "Hang" else tries
    while size and tries:
        for start in range(0, len(best.data), size):
            tries -= 1
            again = examine(target, best.data[:start] + best.data[start + size :])[1]
            if again is not None and (again.kind, again.where) == (best.kind, best.where):
                best = again
                break
            if not tries:
                return best
        else:
            size //= 2
    return best


# ---- making cases ---------------------------------------------------------------------------------------------------


def changed(dice: random.Random, known: Sequence[bytes]) -> bytes:
    """One of the known inputs with one to six changes."""
    data = dice.choice(known)
    framed = len(data) > 4 and int.from_bytes(data[:4], "big") == len(data) - 4
    if framed:
        data = data[4:]
    if dice.random() < 0.6:
        data = _changed_json(dice, data) or data
    for _ in range(dice.choice((0, 1, 1, 2, 3, 6))):
        data = _changed_bytes(dice, data, known)
    data = data[:_MOST_BYTES]
    return len(data).to_bytes(4, "big") + data if framed and dice.random() < 0.9 else data


def _changed_bytes(dice: random.Random, data: bytes, known: Sequence[bytes]) -> bytes:
    at = dice.randrange(len(data) + 1)
    end = min(len(data), at + dice.choice((1, 2, 4, 16, 64)))
    match dice.randrange(8):
        case 0:
            return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:at] + data[at:end] * dice.choice((2, 3, 50)) + data[end:]
        case 3:
            other = dice.choice(known)
            return data[:at] + other[dice.randrange(len(other) + 1) :]
        case 4:
            return (
                data[:at]
                + dice.choice((b"[", b"{", b'{"a":', b"- ", b"(", b"{a")) * dice.choice((3, 200, 3000))
                + data[at:]
            )
        case 5:
            return data[:at]
        case _:
            return data[:at] + dice.choice(_TOKENS) + data[end if dice.random() < 0.5 else at :]


def _changed_json(dice: random.Random, data: bytes) -> bytes | None:
    try:
        root = [orjson.loads(data)]
    except ValueError:
        return None
    for _ in range(dice.choice((1, 1, 2, 4))):
        places: list[tuple[Any, Any]] = []
        pending: list[Any] = [root]
        while pending:
            node = pending.pop()
            keys = list(node) if isinstance(node, dict) else range(len(node))
            places += [(node, key) for key in keys]
            pending += [node[key] for key in keys if isinstance(node[key], dict | list)]
        if not root:
            return None
        if places:
            _change_node(dice, *dice.choice(places), dice.choice(places))
    try:
        return orjson.dumps(root[0]) if root else None
    except (TypeError, ValueError, RecursionError):
        return None


def _change_node(dice: random.Random, node: Any, key: Any, other: tuple[Any, Any]) -> None:
    match dice.randrange(5):
        case 0:
            del node[key]
        case 1:
            node[key] = (
                orjson.loads(orjson.dumps(other[0][other[1]])) if other[1] in _keys(other[0]) else None
            )
        case 2 if isinstance(node, dict):
            node[dice.choice(("$ref", "type", "a", "", "allOf", "items", "\0", "id", "t", "r", "kind"))] = (
                node[key]
            )
        case 3:
            node[key] = [node[key]]
        case _:
            node[key] = orjson.loads(orjson.dumps(dice.choice(_VALUES)))


def _keys(node: Any) -> Any:
    return node if isinstance(node, dict) else range(len(node))


# ---- a run ----------------------------------------------------------------------------------------------------------


def corpus_of(target: FuzzTarget) -> list[bytes]:
    """What was found before."""
    return [file.read_bytes() for file in sorted((CORPUS / target.name).glob("*"))]


def fuzz(
    targets: Sequence[FuzzTarget],
    dice: random.Random,
    *,
    seconds: float | None = None,
    cases: int | None = None,
) -> Tally:
    """Until the time is over or the cases are made."""
    tally, until = Tally(), None if seconds is None else time.monotonic() + seconds
    known = {target.name: [*target.seeds, *corpus_of(target)] for target in targets}
    weights = [target.weight for target in targets]
    while (until is None or time.monotonic() < until) and (cases is None or tally.cases.total() < cases):
        for target in dice.choices(targets, weights, k=100):
            refused, found = examine(target, changed(dice, known[target.name]))
            tally.cases[target.name] += 1
            tally.refused[target.name] += refused
            key = (found.target, found.kind, found.where) if found is not None else None
            if found is not None and key is not None and key not in tally.findings:
                tally.findings[key] = smaller(target, found)
                print("FOUND", tally.findings[key], flush=True)
    return tally


def keep(found: Finding) -> Path:
    folder = CORPUS / found.target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(found.data).hexdigest()[:12]
    path.write_bytes(found.data)
    return path


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--cases", type=int, default=None)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", nargs="*", default=[], choices=[one.name for one in FUZZ_TARGETS])
    args = parser.parse_args(argv)
    seed = random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
    targets = [one for one in FUZZ_TARGETS if not args.only or one.name in args.only]
    seconds = 60.0 if args.seconds is None and args.cases is None else args.seconds
    began = time.monotonic()
    tally = fuzz(targets, random.Random(seed), seconds=seconds, cases=args.cases)
    for target in targets:
        print(
            f"{target.name:<12} {tally.cases[target.name]:>9} cases, {tally.refused[target.name]:>9} refused"
        )
    for found in tally.findings.values():
        print(f"{found}\n  kept as {keep(found)}")
    print(
        f"{tally.cases.total()} cases in {time.monotonic() - began:.0f} s with seed {seed}: "
        f"{len(tally.findings)} findings"
    )
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
