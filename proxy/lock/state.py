"""The lock as one generation sees it: what of each connection's tools is not as it was reviewed, and what that means.

Rules:
- The file alone says what was reviewed. Nothing that happens to a config, a process or an upstream makes a changed
  tool good again but the reviewed definition itself, or another review.
- `enforce` holds back what changed or is new; the rest of the source goes on. `warn` holds back nothing.
- What an upstream says of a tool never loosens a decision: the worse of the reviewed and the present risk counts, and
  a tool that was not reviewed does not count as one that only reads (T3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from integrations.base import Risk, ToolDefinition, Toolset, UnknownTool
from policies import Considered, Decision
from proxy.lock.compare import Drift, SourceDrift
from proxy.lock.definition import RISKS, ToolRecord, record_of
from proxy.lock.file import LockFile

RULE: Final = "lock"
_UNTOUCHED: Final = SourceDrift({})


@dataclass(frozen=True)
class LockState:
    """`drifts` is by connection, for those whose tools are known."""

    path: Path
    mode: Literal["enforce", "warn"]
    file: LockFile
    drifts: Mapping[str, SourceDrift] = field(default_factory=dict)

    @property
    def enforced(self) -> bool:
        return self.mode == "enforce"

    @cached_property
    def revision(self) -> str:
        """Changes when what is held back or trusted may have."""
        seen = hashlib.sha256(self.mode.encode())
        for prefix, drift in sorted(self.drifts.items()):
            for name, one in drift.tools.items():
                seen.update(f"\0{prefix}.{name}\0{one.kind}".encode("utf-8", "replace"))
        return seen.hexdigest()[:16]

    def drift(self, prefix: str, name: str) -> Drift | None:
        """Of one tool; None while it is as it was reviewed."""
        return self.drifts.get(prefix, _UNTOUCHED).tools.get(name)

    def withheld(self, prefix: str, name: str) -> Drift | None:
        """What keeps the tool from being used."""
        return self.drift(prefix, name) if self.enforced else None

    def gone(self, prefix: str, name: str) -> ToolRecord | None:
        """What was reviewed of a tool that its upstream does not offer any more."""
        drift = self.drift(prefix, name)
        return drift.was if drift is not None and drift.kind == "gone" else None

    def trusted(self, prefix: str, tool: ToolDefinition) -> tuple[Risk, bool]:
        """The risk that policies are told, and whether the tool runs code."""
        source = self.file.of(prefix)
        known = source.tools.get(tool.name) if source is not None else None
        if known is None:
            return (_worse(tool.risk, "write"), tool.runs_code)
        return _worse(known.risk, tool.risk), known.runs_code or tool.runs_code

    def title(self, prefix: str, title: str) -> str:
        """What a source calls itself, as it was reviewed: it is in the description that every agent reads."""
        source = self.file.of(prefix)
        return source.title if self.enforced and source is not None else title

    def drift_from(self, prefix: str, toolset: Toolset, name: str) -> Drift | None:
        """What keeps a tool of `toolset` from being used, for one that came after this state was made."""
        if not self.enforced or prefix not in self.drifts:
            return None
        source = self.file.of(prefix)
        known = source.tools.get(name) if source is not None else None
        tool = next((one for one in toolset.tools if one.name == name), None)
        if tool is None:
            return Drift("gone", (), known)
        if known is None:
            return Drift("new")
        try:
            now = record_of(toolset, tool)
        except UnknownTool:
            return Drift("gone", (), known)
        return None if now.sha256 == known.sha256 else Drift("changed", known.differing(now), known, now)

    def decision(self, prefix: str, name: str, drift: Drift) -> Decision:
        """The block that stands for whatever policies say of a tool that is held back."""
        reason = reason_of(drift)
        source = f"{self.path.name}:{self.file.line_of(prefix, name)}"
        row = Considered(RULE, source, "block", "decided", reason)
        disclose = drift.kind != "new"
        return Decision("block", RULE, source, reason, disclose=disclose, considered=(row,))

    def all_drifts(self) -> Iterator[tuple[str, str, Drift]]:
        """Connection, tool and drift, in order."""
        for prefix, source in sorted(self.drifts.items()):
            for name, drift in source.tools.items():
                yield prefix, name, drift


def reason_of(drift: Drift) -> str:
    """Why a tool is held back, and what to do."""
    if drift.kind == "new":
        return "nobody has reviewed this tool yet: run `executor lock`"
    if drift.kind == "gone":
        return "its upstream does not offer it any more"
    parts = f" ({', '.join(drift.parts)})" if drift.parts else ""
    return f"its definition has changed{parts} since it was reviewed: run `executor lock`"


def _worse(one: Risk, other: Risk) -> Risk:
    return one if RISKS.index(one) >= RISKS.index(other) else other
