"""What operators see: logs and metrics. Information only leaves through here; nothing reads it back."""

from proxy.telemetry.logs import (
    Log,
    Millis,
    configure_logging,
    correlated,
    correlation_id,
    new_correlation_id,
)
from proxy.telemetry.metrics import METRICS, Metric, Metrics

__all__ = [
    "METRICS",
    "Log",
    "Metric",
    "Metrics",
    "Millis",
    "configure_logging",
    "correlated",
    "correlation_id",
    "new_correlation_id",
]
