"""Sockets that listen: TCP, a unix socket, or one that systemd opened for us (sd_listen_fds(3)).

Rules:
- A unix socket has its mode before anybody can connect: it is set between binding and listening.
- What lies at its path already goes only if it is a socket that nobody answers at. A file, or another server's socket,
  stays, and the start fails.
- At the end the path is removed if it is still ours.
- An opened socket is not ours to close or to remove: systemd keeps it for the next start.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from integrations.fields import Listen

FIRST_FD: Final = 3
METRICS_NAME: Final = "metrics"
_CONNECT_SECONDS: Final = 1.0
Opening = Callable[[], AbstractContextManager[socket.socket]]


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket, not yet listening; port 0 takes a free one. Raises `OSError` with the address in its text."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host.strip("[]"), port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return sock


def opening(listen: Listen, mode: int) -> Opening:
    """How the socket of this address is had, each time that its listener starts. `mode` is that of a unix socket."""

    @contextmanager
    def opened() -> Iterator[socket.socket]:
        if listen.path is None:
            with bind(listen.host, listen.port) as sock:
                yield sock
            return
        with bind_unix(listen.path, mode) as sock:
            own = os.stat(listen.path)
            try:
                yield sock
            finally:
                with suppress(OSError):
                    if os.path.samestat(own, os.lstat(listen.path)):
                        os.unlink(listen.path)

    return opened


def check_free(listen: Listen) -> None:
    """Raises `OSError` if the address cannot be had now."""
    if listen.path is not None:
        _clear_path(listen.path, remove=False)
    elif listen.port:
        bind(listen.host, listen.port).close()


def bind_unix(path: str, mode: int) -> socket.socket:
    """A unix socket with this mode, not yet listening. Raises `OSError` with the path in its text."""
    _clear_path(path, remove=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, mode)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on unix:{path}: {error.strerror or error}") from error
    return sock


def _clear_path(path: str, *, remove: bool) -> None:
    """See that nothing, or a socket without a listener, is there; the latter goes if `remove`."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            raise OSError(errno.ENOENT, f"cannot listen on unix:{path}: {folder} is no directory") from None
        return
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on unix:{path}: {error.strerror}") from error
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(
            errno.EEXIST,
            f"cannot listen on unix:{path}: what is there is no socket; remove it or take another path",
        )
    if _answers(path):
        raise OSError(errno.EADDRINUSE, f"cannot listen on unix:{path}: another process listens there")
    if remove:
        os.unlink(path)


def _answers(path: str) -> bool:
    """Whether somebody listens. When that cannot be told, somebody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_CONNECT_SECONDS)
        try:
            sock.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True


@dataclass(frozen=True, slots=True)
class ActivatedSockets:
    """What systemd opened for us; None where it did not."""

    http: socket.socket | None = None
    metrics: socket.socket | None = None

    @classmethod
    def take(cls, env: MutableMapping[str, str], pid: int) -> ActivatedSockets:
        """Those of LISTEN_FDS, if they are meant for this process. The variables go: no child is to take them for its
        own. Raises `OSError` for what nobody could listen on, and for more sockets than there are listeners."""
        meant, count = env.pop("LISTEN_PID", ""), env.pop("LISTEN_FDS", "")
        names = env.pop("LISTEN_FDNAMES", "").split(":")
        if meant != str(pid) or not count.isdecimal():
            return cls()
        found: dict[str, socket.socket] = {}
        for at in range(int(count)):
            name = names[at] if at < len(names) else ""
            part = METRICS_NAME if name == METRICS_NAME else "http"
            if part in found:
                raise OSError(
                    errno.EINVAL,
                    f"systemd passed {count} sockets ({', '.join(filter(None, names)) or 'without names'}): at most "
                    f"one for HTTP, and one with FileDescriptorName={METRICS_NAME}, have a use",
                )
            found[part] = _activated(FIRST_FD + at)
        return cls(found.get("http"), found.get(METRICS_NAME))


def _activated(number: int) -> socket.socket:
    """Raises `OSError` unless it is a stream socket that listens."""
    try:
        os.set_inheritable(number, False)
        sock = socket.socket(fileno=number)
        listens = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError as error:
        raise OSError(error.errno, f"descriptor {number} of LISTEN_FDS: {error.strerror}") from error
    if sock.type != socket.SOCK_STREAM or not listens:
        sock.detach()
        raise OSError(
            errno.EINVAL,
            f"descriptor {number} of LISTEN_FDS is no listening stream socket: write ListenStream=",
        )
    return sock


def again(sock: socket.socket) -> Opening:
    """A socket that is open already: each start of its listener gets a descriptor of its own."""

    @contextmanager
    def opened() -> Iterator[socket.socket]:
        with sock.dup() as own:
            yield own

    return opened


def address_of(sock: socket.socket) -> Listen:
    """Where an opened socket is."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return Listen.unix(name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
    return Listen(name[0], name[1])
