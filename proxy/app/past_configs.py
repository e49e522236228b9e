"""Configs that were in force once, found by the sha256 that an audit line names: the files here, and what git keeps."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from proxy.app.checkout import NoRevision, checked_out
from proxy.config import Config, LoadedConfig, load_config
from proxy.config.packs import rules_of

MOST_REVISIONS: Final = 50


@dataclass(frozen=True, slots=True)
class PastConfig:
    """`where` it is found: `the files here`, or a commit and its date. `rules`: each by the id that decisions have."""

    where: str
    rules: Mapping[str, Mapping[str, Any]]

    def rule_text(self, rule_id: str) -> str | None:
        """The rule as it stood there, on one line; None for what is no rule of the files."""
        rule = self.rules.get(rule_id)
        return None if rule is None else json.dumps(rule, ensure_ascii=False)


@dataclass(slots=True)
class PastConfigs:
    """Looks through git only for a sha256 that the files here do not have, and reads each revision once."""

    paths: Sequence[Path]
    loaded: LoadedConfig
    looked_at: int = 0
    _found: dict[str, PastConfig] = field(default_factory=dict)
    _left: Iterator[tuple[str, str]] | None = None

    def find(self, sha256: str) -> PastConfig | None:
        """The config of this sha256, or None where nothing here knows it any more. Blocks."""
        if not self._found:
            self._keep(self.loaded, "the files here")
        while sha256 not in self._found and (revision := self._next()) is not None:
            self._read(*revision)
        return self._found.get(sha256)

    @property
    def looked(self) -> str:
        """Where `find` has looked in vain."""
        if not self.looked_at:
            return "it is not that of the files here, and git (if there is a repository) has no other revision of them"
        last = "the last " if self.looked_at == MOST_REVISIONS else "all "
        return f"it is not that of the files here, nor of {last}{self.looked_at} revisions of git that touched them"

    def _next(self) -> tuple[str, str] | None:
        if self._left is None:
            self._left = iter(_revisions(self.paths))
        return next(self._left, None)

    def _read(self, commit: str, date: str) -> None:
        self.looked_at += 1
        try:
            with checked_out(commit, self.paths) as copies:
                self._keep(load_config(copies, env=None, advice=False), f"git {commit[:10]} of {date}")
        except NoRevision:
            # The files were not there yet, or not there any more.
            return

    def _keep(self, loaded: LoadedConfig, where: str) -> None:
        if loaded.config is not None:
            self._found.setdefault(loaded.sha256, PastConfig(where, _rules(loaded.config)))


def _rules(config: Config) -> dict[str, Mapping[str, Any]]:
    layers = [("policies", config.policies)]
    layers += [(f"workspaces.{name}.policies", one.policies) for name, one in config.workspaces.items()]
    return {
        rule.id or f"{path}[{index}]": rule.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for path, entries in layers
        for index, rule in rules_of(entries)
    }


def _revisions(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """Commit and date of the last revisions that touched the directories of the config, newest first; none without
    git."""
    places = [str(path if path.is_dir() else path.parent) for path in paths]
    command = ["git", "-C", places[0], "log", "--format=%H %cs", f"-n{MOST_REVISIONS}", "--"]
    try:
        ran = subprocess.run(  # noqa: S603
            [*command, *(str(Path(place).absolute()) for place in places)], capture_output=True, check=False
        )
    except FileNotFoundError:
        return []
    lines = ran.stdout.decode(errors="replace").splitlines() if ran.returncode == 0 else []
    return [(commit, date) for commit, _, date in (line.partition(" ") for line in lines)]
