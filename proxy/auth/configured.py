"""The keys that a config declares, ready for a `Keyring`."""

from __future__ import annotations

from collections.abc import Callable

from integrations.base import Secret
from integrations.fields import SecretRef
from proxy.auth.keys import KeyRecord, hash_key
from proxy.config import Config


def key_records(
    config: Config, resolve: Callable[[SecretRef], Secret], where: Callable[[str], str]
) -> tuple[KeyRecord, ...]:
    """One record a key. `where` gives `file:line` of a config path.

    Keys given by `value` are resolved now; whatever `resolve` raises is passed on.
    """
    if config.auth is None or config.auth.api_keys is None:
        return ()
    records: list[KeyRecord] = []
    for name, key in config.auth.api_keys.keys.items():
        digest = key.hash.removeprefix("sha256:") if key.hash is not None else ""
        if key.value is not None:
            digest = hash_key(resolve(key.value).reveal())
        place = where(f"auth.api_keys.keys.{name}")
        records.append(KeyRecord(name, digest, key.workspace, frozenset(key.groups), key.expires, place))
    return tuple(records)
