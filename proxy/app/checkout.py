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
        _unpack(archive, Path(folder))
        found = [Path(folder) / path.relative_to(root) for path in inside]
        for path, copy in zip(inside, found, strict=True):
            if not copy.exists():
                raise NoRevision(f"{path.relative_to(root)} is not there at {revision}")
        yield found


def _unpack(archive: bytes, folder: Path) -> None:
    """Nothing outside of `folder` is written or pointed at. Raises `NoRevision`."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        try:
            # Python 3.11.0 to 3.11.3 have no filters (PEP 706).
            if hasattr(tarfile, "data_filter"):
                packed.extractall(folder, filter="data")
            else:
                packed.extractall(folder, [_inside(member, folder) for member in packed])  # noqa: S202
        except tarfile.TarError as error:
            raise NoRevision(f"the revision cannot be unpacked: {error}") from error


def _inside(member: tarfile.TarInfo, folder: Path) -> tarfile.TarInfo:
    """What git packs are files, directories and symbolic links; the name of none has `..` in it."""
    place = folder / member.name
    target = place.parent / member.linkname if member.issym() else place
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(folder)):
        raise tarfile.TarError(f"{member.name} points out of the repository")
    return member


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
