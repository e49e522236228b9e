"""Lines that cannot be changed unseen: each carries the SHA-256 of the line before it (T42).

A line is one JSON object in ASCII, so that no newline, terminal control or bidi character is ever in it. It begins
with `seq` (one more than before), `time` (RFC 3339, UTC), `prev` (64 hex digits, the digest of the bytes of the line
before without its newline) and `event`. The first line of all has `GENESIS` there.

What a chain cannot show is that its end was cut off: keep the last digest somewhere else (`executor audit verify`
prints it) or ship lines away as they are written. And who can write the whole file can make a whole new chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

GENESIS: Final = "0" * 64


class Chain:
    """Makes lines, one after the other. `prev` and `seq` continue a chain that is there already."""

    def __init__(self, prev: str = GENESIS, seq: int = 0) -> None:
        self.prev = prev
        self.seq = seq

    def line(self, seconds: float, event: str, fields: Mapping[str, Any]) -> bytes:
        """The next line without its newline. `seconds` since 1970."""
        time = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
        head = {"seq": self.seq, "time": time, "prev": self.prev, "event": event}
        line = json.dumps({**head, **fields}, separators=(",", ":"), default=str).encode("ascii")
        self.prev = digest_of(line)
        self.seq += 1
        return line


def digest_of(line: bytes) -> str:
    """SHA-256 of a line in hex."""
    return hashlib.sha256(line).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """`fault` names the first line (from 1) that does not follow from the one before; None: all `lines` do.

    `begins` is the sequence number of the first line, `last` the digest of the last one. `torn` counts lines that were
    cut short by a crash and are covered by the chain all the same. `unfinished`: the fault is only that the last line
    is being written, or was when the server was stopped.
    """

    lines: int
    begins: int
    last: str
    torn: int = 0
    fault: str | None = None
    fault_line: int = 0
    unfinished: bool = False


def verify(lines: Iterable[bytes]) -> ChainVerdict:
    """Whether these lines are one chain, from the first to the last. Lines come without their newlines."""
    count = torn = begins = 0
    line = b""
    prev: str | None = None
    seq: int | None = None
    for count, line in enumerate(lines, 1):
        record = _parsed(line)
        if record is None:
            # Nobody but a crash leaves half a line, and the next line names its digest.
            torn += 1
        else:
            why = _why_not(record, prev, seq)
            if why is not None:
                return ChainVerdict(count, begins, prev or GENESIS, torn, why, count)
            begins = record["seq"] if seq is None else begins
            seq = record["seq"]
        prev = digest_of(line)
    if torn and _parsed(line) is None:
        why = "it is not a whole line: the server is writing it now, or was stopped there"
        return ChainVerdict(count, begins, prev or GENESIS, torn, why, count, unfinished=True)
    return ChainVerdict(count, begins, prev or GENESIS, torn)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    shaped = (
        isinstance(record, dict) and type(record.get("seq")) is int and isinstance(record.get("prev"), str)
    )
    return record if shaped else None


def _why_not(record: Mapping[str, Any], prev: str | None, seq: int | None) -> str | None:
    if prev is None:
        return None if record["seq"] or record["prev"] == GENESIS else "the first line does not begin a chain"
    if record["prev"] != prev:
        return "the line before it was changed, removed or put in"
    if seq is not None and record["seq"] != seq + 1:
        return f"its number is {record['seq']}, not {seq + 1}"
    return None
