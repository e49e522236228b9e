"""Open upstreams, shared by reference count, and their status."""

from proxy.connections.connection import OpenConnection
from proxy.connections.health import HealthReport, probe_all, targets_of
from proxy.connections.opening import Connections, Opened
from proxy.connections.sources import LoadedSource

__all__ = [
    "Connections",
    "HealthReport",
    "LoadedSource",
    "OpenConnection",
    "Opened",
    "probe_all",
    "targets_of",
]
