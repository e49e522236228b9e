"""Paths as code hosts know them: relative to the repository, wherever the command was started.

The root is GITHUB_WORKSPACE, CI_PROJECT_DIR (GitLab), or the directory with `.git` above the file, whichever is the
first that holds the file. Links are followed for directories only: a file is named as the repository names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from proxy.config.diagnostic import Diagnostic
from proxy.config.source import STDIN

ROOT_VARIABLES = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def relative_to_repository(diagnostic: Diagnostic, env: Mapping[str, str]) -> Diagnostic:
    """The diagnostic with the places of code hosts. A file outside every repository keeps its path."""
    related = tuple(replace(other, file=repository_path(other.file, env)) for other in diagnostic.related)
    return replace(diagnostic, file=repository_path(diagnostic.file, env), related=related)


def repository_path(file: str, env: Mapping[str, str]) -> str:
    """The file as its repository names it."""
    if file in ("", STDIN):
        return file
    path = Path(os.path.realpath(Path(file).parent), Path(file).name)
    for root in _roots(path, env):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    # GitHub refuses `file:` URIs and what looks like one, an absolute path.
    return os.path.relpath(path) if os.path.isabs(file) else file


def _roots(path: Path, env: Mapping[str, str]) -> Iterator[Path]:
    named = (env.get(variable, "") for variable in ROOT_VARIABLES)
    yield from (Path(os.path.realpath(root)) for root in named if root)
    # A worktree has a file of this name, a clone a directory.
    yield from (folder for folder in path.parents if (folder / ".git").exists())
