"""The config files that the tests serve: one integration `shop`, which is `tests.e2e.upstream`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.upstream import Upstream, document

JsonObject = dict[str, Any]
TOKEN = "shop-token-8f3a/+?&=Zq"  # with characters that every encoding spells differently
ENV = {"SHOP_TOKEN": TOKEN}
WIPE = {"id": "no-wipe", "pattern": "shop.*.*.admin.*", "action": "block", "reason": "Wiping is done by hand"}


def shop(upstream: Upstream, spec: JsonObject | None = None, **changes: Any) -> JsonObject:
    """An integration that needs no file beside the config."""
    return {
        "kind": "openapi",
        "description": "A small shop",
        "spec": {"inline": spec or document()},
        "base_url": upstream.url,
        **changes,
    }


def base(upstream: Upstream, *rules: JsonObject, **sections: Any) -> JsonObject:
    """A valid config: reads run, everything else asks, `admin.*` is blocked. Sections replace or add."""
    config = {
        "version": 1,
        "integrations": {"shop": shop(upstream)},
        "connections": {"shop.org.main": {"auth": {"kind": "bearer", "token": {"env": "SHOP_TOKEN"}}}},
        "policies": [WIPE, *rules],
        "rate_limits": {"per-workspace": {"per": "workspace", "limit": "100000/minute"}},
        "state": {"backend": "memory"},
        "server": {"reload": {"settle": "100ms", "poll_interval": "1s", "drain_timeout": "20s"}},
    }
    return {name: value for name, value in {**config, **sections}.items() if value is not None}


def text(config: JsonObject) -> str:
    """JSON is YAML, and says the same in fewer ways."""
    return json.dumps(config, indent=1)


def write(path: Path, config: JsonObject) -> Path:
    path.write_text(text(config))
    return path
