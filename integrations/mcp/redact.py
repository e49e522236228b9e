"""Text from a server or its stderr, made safe for a status line or a log: no secrets, no control characters, short."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
# Shorter values ("1", "true", a port) occur everywhere, and hiding them would hide the text around them.
_MIN_SECRET = 6
_REPLACEMENT = "[redacted]"


class Redactor:
    """Replaces known values and their usual encodings (base64, percent) by `[redacted]`."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values if len(value) >= _MIN_SECRET for form in _forms(value)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def clean(self, text: str, limit: int = 400) -> str:
        """One bounded line."""
        if self._pattern is not None:
            text = self._pattern.sub(_REPLACEMENT, text)
        text = _CONTROL.sub(" ", text).strip()
        return text if len(text) <= limit else text[: limit - 4] + " ..."


def _forms(value: str) -> Iterable[str]:
    raw = value.encode("utf-8", "surrogateescape")
    yield value
    yield quote(value, safe="", errors="surrogateescape")
    yield base64.b64encode(raw).decode("ascii")
    # The second word of `Bearer x` or `Basic x` is the secret proper.
    if " " in value and len(word := value.rpartition(" ")[2]) >= _MIN_SECRET:
        yield word
