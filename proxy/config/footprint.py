"""What a set of config paths looks like from outside: its files, their digest, and where changes will show.

All functions read the file system and never raise for what they find there: a missing or unreadable file is
part of the picture (its digest differs from that of any content), not an error. They block, within the limits of
`integrations.files`; call them in a thread.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from integrations.files import DOCUMENT, READER

# The kernel gives up after as many links (path_resolution(7)).
MAX_LINKS: Final = 40
MOUNTS: Final = Path("/proc/self/mountinfo")

Identity = tuple[int, int]
# Documents are watched like the config.
LARGEST: Final = DOCUMENT
# Files of other programs that live beside a config by their well-known names.
_OTHERS: Final = frozenset({"kustomization.yaml", "kustomization.yml"})


def config_files(path: Path) -> list[Path]:
    """The files of one `--config` argument: a file itself, or a directory's `*.yaml` and `*.yml` by name.

    Not recursive. Names that start with `.` are skipped (`..data`, editor swap files), so are `*.test.yaml`, and
    the `kustomization.yaml` that makes a ConfigMap of its neighbours.
    """
    return _files([path])


def is_config_name(name: str) -> bool:
    """Whether a file of this name in a config directory is config."""
    if name.startswith(".") or name.endswith((".test.yaml", ".test.yml")) or name in _OTHERS:
        return False
    return name.endswith((".yaml", ".yml"))


def content_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over names and contents of all config files below `paths`, hexadecimal."""
    total = hashlib.sha256()
    files = _files(paths)
    for file, found in zip(files, READER.digests(files, LARGEST), strict=True):
        state = b"unreadable %d" % (found.errno or 0) if isinstance(found, OSError) else found.encode()
        total.update(os.fsencode(file) + b"\0" + state)
    return total.hexdigest()


def watched_places(paths: Iterable[Path]) -> Mapping[Path, Identity]:
    """Where events must be awaited to see every kind of change, with device and inode of each place.

    That is the directory of the files (renames), the parent of every symbolic link on the way (ConfigMap and
    git-sync swaps), and each regular file itself (bind mounts of one file send nothing to the directory).
    A missing path is represented by its nearest existing ancestor, where it will appear.
    """
    asked = list(paths)
    places: dict[Path, Identity] = {}
    # What does not answer is not watched: setting up a watch would hang as well.
    for found in (*READER.looks(asked, _directory_places), *READER.looks(_files(asked), _file_places)):
        if not isinstance(found, OSError):
            places |= found
    return places


def _directory_places(path: Path) -> dict[Path, Identity]:
    return _identities([*_link_parents(path), *([path] if path.is_dir() else [])])


def _file_places(file: Path) -> dict[Path, Identity]:
    return _identities(
        [*_link_parents(file), file if file.exists() else _nearest_existing(file), file.parent]
    )


def _identities(places: Iterable[Path]) -> dict[Path, Identity]:
    found = {place: _identity(place) for place in places}
    return {place: identity for place, identity in found.items() if identity is not None}


def _nearest_existing(path: Path) -> Path:
    return next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))


def _identity(place: Path) -> Identity | None:
    try:
        found = place.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _link_parents(path: Path) -> Iterator[Path]:
    """The directory of every symbolic link that is followed when `path` is opened."""
    todo = list(reversed(path.absolute().parts[1:]))
    here = Path("/")
    links = 0
    while todo and links <= MAX_LINKS:
        part = todo.pop()
        if part == "..":
            here = here.parent
            continue
        target = _link_target(here / part)
        if target is None:
            here /= part
            continue
        yield here
        links += 1
        todo += [name for name in reversed(target.parts) if name != "/"]
        here = Path("/") if target.is_absolute() else here


def _link_target(path: Path) -> Path | None:
    try:
        return Path(os.readlink(path))
    except OSError:
        return None


def single_file_mounts(paths: Iterable[Path], mountinfo: str) -> list[Path]:
    """Config files that are mount points themselves (`docker -v file:file`, Kubernetes subPath).

    An edit that replaces such a file on the host is never seen inside. `mountinfo` is the text of
    /proc/self/mountinfo (proc_pid_mountinfo(5)).
    """
    points = {_unescaped(line.split(" ")[4]) for line in mountinfo.splitlines() if line.count(" ") > 4}
    files = _files(paths)
    found = READER.looks(files, lambda file: os.path.realpath(file) in points and file.is_file())
    return [file for file, is_point in zip(files, found, strict=True) if is_point is True]


def read_mounts(path: Path = MOUNTS) -> str:
    """The mount table, or nothing where there is none (macOS)."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _unescaped(field: str) -> str:
    """Spaces and the like are octal escapes in the mount table (`\\040`)."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def replaced_behind_us(paths: Iterable[Path]) -> list[Path]:
    """Regular files without a name left: a bind mount that still shows what the host has replaced."""
    files = _files(paths)
    return [file for file, count in zip(files, READER.looks(files, _link_count), strict=True) if count == 0]


def _link_count(file: Path) -> int | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_nlink if stat.S_ISREG(found.st_mode) else None


def _files(paths: Iterable[Path]) -> list[Path]:
    """All of them in one reading: a config may name hundreds of documents."""
    asked = list(paths)
    files: list[Path] = []
    for path, found in zip(asked, READER.looks(asked, _names), strict=True):
        if found is None or isinstance(found, OSError):
            files.append(path)
        else:
            files += [path / name for name in sorted(found) if is_config_name(name)]
    return files


def _names(path: Path) -> list[str] | None:
    """What a directory holds; None: it is none."""
    return os.listdir(path) if path.is_dir() else None
