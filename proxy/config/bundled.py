"""The YAML files that ship with the packages: presets of integrations, packs of rules.

They are read with the parser of the config, so a value means the same in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from proxy.config.parse import parse
from proxy.config.source import read_text


@dataclass(frozen=True, slots=True)
class BundledFiles:
    """One folder of a package. A file's name without `.yaml` is what a config calls it."""

    package: str
    folder: str

    def names(self) -> tuple[str, ...]:
        found = (file.name for file in self._folder().iterdir())
        return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))

    def read(self, name: str) -> dict[str, Any]:
        """The content of one file. Raises `ValueError` for a file with flaws, which a test rules out."""
        file = self._folder() / f"{name}.yaml"
        parsed = parse(read_text(f"{self.package}/{self.folder}/{name}.yaml", file.read_bytes())[0])
        if not isinstance(parsed.data, dict) or parsed.flaws or parsed.duplicates:
            raise ValueError(f"{parsed.source.path}: {parsed.flaws or parsed.duplicates or 'not a mapping'}")
        return parsed.data

    def _folder(self) -> Traversable:
        return resources.files(self.package) / self.folder


PRESETS = BundledFiles("integrations", "presets")
PACKS = BundledFiles("policies", "packs")
