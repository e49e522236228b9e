"""What the audit trail says about one execution, and whether the trail is whole as far as it was read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from integrations.base import JsonObject
from proxy.audit import AuditFilter, find, verify
from proxy.audit.chain import ChainVerdict

TAIL_BYTES: Final = 8 * 1024 * 1024
"""How much of the end of the file is read: a page must not take as long as the trail."""

LINES: Final = 500
_FILE_ONLY: Final = "The audit trail is not written to a file (`audit.sink`), so it cannot be read here."


@dataclass(frozen=True, slots=True)
class AuditExtract:
    """`records` are the lines of one execution, oldest first, `left_out` counts those beyond `LINES`. `verdict` is
    about everything that was read; `whole_file` false: only the end of the file. `problem`: why there is nothing."""

    file: str = ""
    records: tuple[JsonObject, ...] = ()
    left_out: int = 0
    verdict: ChainVerdict | None = None
    whole_file: bool = True
    problem: str = ""

    @property
    def chain(self) -> str:
        """The state of the chain in a sentence."""
        if self.verdict is None:
            return ""
        read = (
            f"{self.verdict.lines:,} lines" if self.whole_file else f"the last {self.verdict.lines:,} lines"
        )
        if self.verdict.fault is not None:
            return f"The chain is broken: line {self.verdict.fault_line:,} of {read}: {self.verdict.fault}."
        return f"The chain is whole over {read}."


async def audit_extract(file: Path | None, execution_id: str, tail_bytes: int = TAIL_BYTES) -> AuditExtract:
    """Read in a thread. `file` None: the trail goes elsewhere, or nowhere."""
    if file is None:
        return AuditExtract(problem=_FILE_ONLY)
    return await asyncio.to_thread(_extract, file, execution_id, tail_bytes)


def _extract(file: Path, execution_id: str, tail_bytes: int) -> AuditExtract:
    try:
        lines, whole = _tail(file, tail_bytes)
    except OSError as error:
        return AuditExtract(str(file), problem=f"The audit trail cannot be read: {error.strerror}.")
    found = [line.record for line in find(lines, AuditFilter(execution=execution_id))]
    return AuditExtract(
        str(file), tuple(found[:LINES]), max(0, len(found) - LINES), verify(lines), whole_file=whole
    )


def _tail(file: Path, most: int) -> tuple[list[bytes], bool]:
    """The whole lines at the end of the file, and whether that is all of them. A line that is being written now is not
    there yet."""
    with file.open("rb") as source:
        size = source.seek(0, 2)
        start = source.seek(max(0, size - most))
        raw = source.read(size - start)
    lines = raw.split(b"\n")
    return (lines[:-1] if start == 0 else lines[1:-1]), start == 0
