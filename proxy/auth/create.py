"""New keys: the text that is shown once, and the lines for the config that hold only its hash."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import date
from typing import Final

from proxy.auth.keys import hash_key

KEY_PREFIX: Final = "exk_"
"""Lets secret scanners, and people who find one, recognise a key of Executor."""

KEY_BYTES: Final = 32
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NOT_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def create_key(
    name: str, workspace: str, groups: Sequence[str] = (), expires: date | None = None
) -> tuple[str, str]:
    """The key (256 random bits, base64url), and the YAML lines to commit, without the key."""
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    lines = [
        "auth:",
        "  api_keys:",
        "    keys:",
        f"      {_scalar(name)}:",
        f"        hash: sha256:{hash_key(key)}",
        f"        workspace: {_scalar(workspace)}",
    ]
    if groups:
        lines.append(f"        groups: [{', '.join(map(_scalar, groups))}]")
    if expires is not None:
        lines.append(f"        expires: {expires.isoformat()}")
    return key, "\n".join(lines) + "\n"


def _scalar(text: str) -> str:
    """Plain where every YAML reader takes it for a string, else quoted (YAML 1.2.2, section 5.7)."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    return char if " " <= char <= "~" and char not in '"\\' else f"\\U{ord(char):08X}"
