"""From changed files to a running generation: all of it or nothing, and never without a word."""

from proxy.reload.decisions import Effects, Loaded, Rejected, ReloadOutcome, Trigger, restart_required
from proxy.reload.reloader import Reloader, ReloadStopped, follow

__all__ = [
    "Effects",
    "Loaded",
    "Rejected",
    "ReloadOutcome",
    "ReloadStopped",
    "Reloader",
    "Trigger",
    "follow",
    "restart_required",
]
