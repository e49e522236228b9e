"""What a start was asked for: command line and environment, nothing from the config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StartOptions:
    """`listen` overrides `server.listen`; `watch` off leaves SIGHUP and `POST /-/reload`. `env` is the process's.

    `protocol_on_stdout`: stdout belongs to JSON-RPC, so audit lines that the config wants there go to stderr.
    """

    paths: tuple[Path, ...]
    env: Mapping[str, str]
    listen: str | None = None
    watch: bool = True
    workspace: str | None = None
    protocol_on_stdout: bool = False


class InvalidConfig(Exception):
    """The config cannot be served; the diagnostics were printed. Exit code 78."""


class CannotServe(OSError):
    """The config is right, but something it names is not usable now; a later start may succeed. Exit code 2."""
