"""What a service manager is told: systemd's notification protocol (sd_notify(3)), for units of `Type=notify`."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from proxy.telemetry import Logger

_log = Logger("serve")


def tell_service_manager(env: Mapping[str, str], *lines: str) -> None:
    """Send `READY=1` and the like to the socket that NOTIFY_SOCKET names; nothing where nobody listens.

    A manager that cannot be told is logged: it will end the service for being late, and the log is where people look.
    """
    address = env.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            # "@" stands for the zero byte of an abstract address.
            sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            sender.sendall("\n".join(lines).encode())
    except OSError as error:
        _log.warning("service manager not told", address=address, told=lines[0], error=str(error))
