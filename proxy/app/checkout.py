"""Files as they were at a revision of git, in a folder of their own for as long as a block runs."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class NoRevision(Exception):
    """There is no such revision, or nothing of that name in it; the text is for people."""


@contextmanager
def checked_out(revision: str, paths: Sequence[Path]) -> Iterator[list[Path]]:
    """The same paths in a copy of the repository as it was. Raises `NoRevision`."""
    root = _root(paths[0])
    inside = [Path(os.path.realpath(path)) for path in paths]
    for path in inside:
        if not path.is_relative_to(root):
            raise NoRevision(f"{path} is not in the repository {root}")
    archive = _git(root, "archive", "--format=tar", _commit(root, revision))
    with tempfile.TemporaryDirectory(prefix="executor-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(folder, filter="data")
        found = [Path(folder) / path.relative_to(root) for path in inside]
        for path, copy in zip(inside, found, strict=True):
            if not copy.exists():
                raise NoRevision(f"{path.relative_to(root)} is not there at {revision}")
        yield found


def _root(path: Path) -> Path:
    place = path if path.is_dir() else path.parent
    return Path(_git(place, "rev-parse", "--show-toplevel").decode().strip())


def _commit(root: Path, revision: str) -> str:
    """The commit, so that a revision cannot be an option of git."""
    if revision.startswith("-"):
        raise NoRevision(f"`{revision}` is no revision")
    return _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()


def _git(place: Path, *words: str) -> bytes:
    try:
        ran = subprocess.run(["git", "-C", str(place), *words], capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        raise NoRevision("git is not installed") from None
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise NoRevision(said or f"git has no `{words[-1].removesuffix('^{commit}')}`")
    return ran.stdout
