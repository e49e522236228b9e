"""Writes deploy/helm/executor/values.schema.json: the chart's own values, and below `config` the product's schema.

`make schema` runs it. The product's schema is embedded whole under its `$id`, by which its references find their way.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proxy.config.json_schema import schema_text

PLACE = Path(__file__).resolve().parent.parent / "deploy/helm/executor/values.schema.json"
_DNS = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


def values_schema() -> dict[str, Any]:
    """The schema of values.yaml (JSON Schema 2020-12). Maps that Kubernetes checks itself are left open."""
    config = json.loads(schema_text())
    config.pop("$schema", None)
    text, number, switch = {"type": "string"}, {"type": "integer", "minimum": 1}, {"type": "boolean"}
    texts = {"type": "object", "additionalProperties": text}
    name = {"type": "string", "pattern": _DNS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_closed(
            replicas=number,
            image=_closed(
                repository=text, tag=text, pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]}
            ),
            imagePullSecrets={"type": "array"},
            config=config,
            files={
                "type": "object",
                "propertyNames": {"pattern": "^[-._a-zA-Z0-9]+$", "not": {"const": "executor.yaml"}},
                "additionalProperties": text,
            },
            secret=_closed(
                name=name,
                env={
                    "type": "object",
                    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                    "additionalProperties": {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$"},
                },
            ),
            env={"type": "array", "items": {"type": "object", "required": ["name"]}},
            persistence=_closed(enabled=switch, size=text, storageClass=text),
            service=_closed(
                type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, port=number, annotations=texts
            ),
            ingress=_closed(enabled=switch, className=text, host=text, annotations=texts, tlsSecret=text),
            resources={"type": "object"},
            autoscaling=_closed(enabled=switch, minReplicas=number, maxReplicas=number, cpuPercent=number),
            podDisruptionBudget=_closed(enabled=switch),
            networkPolicy=_closed(enabled=switch, metricsNamespace=name),
            serviceMonitor=_closed(enabled=switch, interval=text, labels=texts),
            podAnnotations=texts,
            nodeSelector=texts,
            tolerations={"type": "array"},
            affinity={"type": "object"},
            **{"global": {"type": "object"}},
        ),
    }


def _closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def schema_file() -> str:
    """What the file has to hold."""
    return json.dumps(values_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PLACE.write_text(schema_file(), encoding="utf-8")
