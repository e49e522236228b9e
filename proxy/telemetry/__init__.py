"""What operators see: logs and metrics. Information only leaves through here; nothing reads it back."""

from proxy.telemetry.logs import (
    Logger,
    Millis,
    configure_logging,
    correlated,
    correlation_id,
    new_correlation_id,
)
from proxy.telemetry.metrics import METRICS, Metric, MetricsRegistry

__all__ = [
    "METRICS",
    "Logger",
    "Metric",
    "MetricsRegistry",
    "Millis",
    "configure_logging",
    "correlated",
    "correlation_id",
    "new_correlation_id",
]
