"""Keys and requests that the tests of auth share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from proxy.auth import AuthRequest, KeyRecord, hash_key

NOW = datetime(2027, 6, 30, 12, tzinfo=UTC)
CI, OPS, OLD = "exk_ci-key-0123456789", "exk_ops-key-0123456789", "exk_old-key-0123456789"
RECORDS = (
    KeyRecord(
        "ci_bot", hash_key(CI), "ws_a", frozenset({"ci"}), datetime(2027, 7, 1, tzinfo=UTC), "e.yaml:22"
    ),
    KeyRecord("ops", hash_key(OPS), "ws_b"),
    KeyRecord("old", hash_key(OLD), "ws_a", expires=datetime(2027, 6, 30, 12, tzinfo=UTC)),
)


def request(
    *headers: tuple[str, str],
    path: str | None = None,
    anonymous_path: bool = False,
    **query: Sequence[str],
) -> AuthRequest:
    return AuthRequest(headers, query, path, anonymous_path)


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"
