"""Decisions (placeholder for the first commit's type only)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, in the words rules use: `key:ID`, `user:NAME`, `group:NAME`, `anonymous`."""

    key: str | None = None
    user: str | None = None
    groups: frozenset[str] = frozenset()
    anonymous: bool = False
