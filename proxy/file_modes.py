"""One rule for every file that holds a secret of this machine: nobody but its owner and the process's groups opens it.

A pod's `fsGroup` opens everything in a volume to a group that the process itself is in: those are not others.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection


class OpenToOthers(PermissionError):
    """A file that other users of this machine can open. `strerror` is the whole sentence, with the remedy."""


def open_to_others(mode: int, group: int, own_groups: Collection[int]) -> bool:
    """Whether the mode lets somebody in who is neither the owner nor in `own_groups`."""
    return bool(mode & (0o007 if group in own_groups else 0o077))


def is_open_to_others(status: os.stat_result) -> bool:
    """The same for this process and a file of which `status` tells."""
    return open_to_others(status.st_mode, status.st_gid, (os.getegid(), *os.getgroups()))


def replaceable_by_others(folder: str | os.PathLike[str]) -> str | None:
    """What is wrong with a directory in which other users of this machine can replace what is kept there, with the
    remedy; None where nothing is, or it is not there yet. Under the sticky bit (`/tmp`) everybody replaces only what is
    his own, and one of root's that a process of another user finds open was made so for it: an emptyDir of a pod.
    """
    try:
        status = os.stat(folder)
    except OSError:
        return None
    if status.st_uid not in (os.geteuid(), 0):
        return f"{folder} belongs to another user, who can replace what is kept there: use another directory"
    others = status.st_mode & (0o002 if _in_own_group(status) else 0o022)
    if not others or status.st_mode & stat.S_ISVTX or status.st_uid != os.geteuid():
        return None
    mode = stat.S_IMODE(status.st_mode)
    return f"other users can replace what is kept in {folder} (mode {mode:04o}): chmod 700 it"


def _in_own_group(status: os.stat_result) -> bool:
    return status.st_gid in (os.getegid(), *os.getgroups())


def refuse_open_to_others(path: object, status: os.stat_result, remedy: str) -> None:
    """Raises `OpenToOthers`. `remedy` ends the sentence: what to do with the file."""
    if is_open_to_others(status):
        mode = stat.S_IMODE(status.st_mode)
        raise OpenToOthers(errno.EACCES, f"{path} is open to other users (mode {mode:04o}): {remedy}")
