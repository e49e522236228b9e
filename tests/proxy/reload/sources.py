"""A config source in memory: its text is the config, and `bad` in it is an error in line 1."""

import asyncio
import hashlib
import queue
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from proxy.config.diagnostic import Diagnostic
from proxy.reload import Effects

LIMIT_SECONDS = 60


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Text:
    """What was read. Comments (after `#`) are no part of the effective config."""

    text: str

    @property
    def config(self) -> Any:
        if "bad" in self.text:
            return None
        listen, _, _rest = self.text.partition("#")
        return SimpleNamespace(
            integrations={"a": 1},
            connections={},
            policies=(),
            server=SimpleNamespace(listen=listen if listen.startswith("listen") else ""),
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        if self.config is not None:
            return ()
        first = Diagnostic(
            "E201", "error", "unknown key `tokn`", "did you mean `token`?", file="a.yaml", line=42, column=7
        )
        return (
            first,
            Diagnostic("E402", "error", "environment variable `GITHUB_TOKEN` is not set", file="a.yaml"),
        )

    @property
    def files(self) -> tuple[str, ...]:
        return ("a.yaml",)

    @property
    def sha256(self) -> str:
        return digest(self.text.partition("#")[0])

    @property
    def raw_digest(self) -> str:
        return digest(self.text)


@dataclass
class Source:
    """Text that can be changed, builds that can be held, and what was swapped in."""

    text: str = "one"
    reads: int = 0
    read: "queue.Queue[str]" = field(default_factory=queue.Queue)
    live: list[tuple[int, str]] = field(default_factory=list)
    started: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    cancelled: list[str] = field(default_factory=list)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    failure: Exception | None = None

    def load(self) -> Text:
        self.reads += 1
        self.read.put(self.text)
        return Text(self.text)

    def hold(self, text: str) -> asyncio.Event:
        """Builds of this text wait for the event."""
        return self.gates.setdefault(text, asyncio.Event())

    async def build(self, loaded: Text, generation: int) -> tuple[int, str]:
        self.started.put_nowait(loaded.text)
        if self.failure is not None:
            raise self.failure
        try:
            if loaded.text in self.gates:
                await self.gates[loaded.text].wait()
        except asyncio.CancelledError:
            self.cancelled.append(loaded.text)
            raise
        return generation, loaded.text

    def swap(self, generation: tuple[int, str]) -> Effects | None:
        self.live.append(generation)
        return Effects(added=2, removed=1, changed=1)
