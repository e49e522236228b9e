from datetime import UTC, datetime

import pytest

from proxy.auth import KeyRecord, hash_key, key_records
from proxy.config import Config, load_config
from proxy.config.secrets import Resolver, SecretMissing

TEXT = f"""\
version: 1
workspaces: {{ws_a: {{name: A}}, ws_b: {{name: B}}}}
auth:
  api_keys:
    keys:
      by_hash: {{hash: "sha256:{hash_key("one")}", workspace: ws_a, groups: [ci], expires: 2999-06-30}}
      by_value: {{value: {{env: SECOND_KEY}}, workspace: ws_b}}
"""


def config(text: str) -> Config:
    loaded = load_config(["-"], env=None, stdin=text.encode())
    assert loaded.config is not None, loaded.diagnostics
    return loaded.config


def test_keys_by_hash_and_by_reference() -> None:
    resolver = Resolver({"SECOND_KEY": "two"})
    assert key_records(config(TEXT), resolver.resolve, lambda path: f"at {path}") == (
        KeyRecord(
            "by_hash",
            hash_key("one"),
            "ws_a",
            frozenset({"ci"}),
            datetime(2999, 7, 1, tzinfo=UTC),
            "at auth.api_keys.keys.by_hash",
        ),
        KeyRecord("by_value", hash_key("two"), "ws_b", source="at auth.api_keys.keys.by_value"),
    )


def test_a_missing_secret_is_said() -> None:
    with pytest.raises(SecretMissing, match="SECOND_KEY is not set"):
        key_records(config(TEXT), Resolver({}).resolve, str)


@pytest.mark.parametrize("text", ["version: 1\n", "version: 1\nauth: {anonymous: true}\n"])
def test_no_keys(text: str) -> None:
    assert key_records(config(text), Resolver({}).resolve, str) == ()
