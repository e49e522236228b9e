"""Open upstreams, shared by reference count, and their status."""

from proxy.connections.connection import OpenConnection
from proxy.connections.opening import Connections, Opened
from proxy.connections.sources import LoadedSource

__all__ = ["Connections", "LoadedSource", "OpenConnection", "Opened"]
