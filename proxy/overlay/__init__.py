"""MCP servers that were registered at run time: what a registration may say, where it is kept, how it becomes config.

The files of the config win: what they name cannot be registered, and a registration that they name later is shadowed.
"""

from proxy.overlay.commands import allowed_command
from proxy.overlay.entries import OverlayStore, RegisteredServer
from proxy.overlay.registration import (
    InvalidRegistration,
    RegistrationProblem,
    ServerRegistration,
    read_registration,
)
from proxy.overlay.snapshot import OverlaySnapshot, RegisteredConfig, configured, read_snapshot
from proxy.overlay.yaml_text import committed_yaml

__all__ = [
    "InvalidRegistration",
    "OverlaySnapshot",
    "OverlayStore",
    "RegisteredConfig",
    "RegisteredServer",
    "RegistrationProblem",
    "ServerRegistration",
    "allowed_command",
    "committed_yaml",
    "configured",
    "read_registration",
    "read_snapshot",
]
