"""What a reviewer should look at twice in the texts of a tool: orders to the model, and what nobody sees (T1).

Every text of a definition is read: names, descriptions at any depth of the schemas, enums, defaults, examples, the
output schema. A hit is no proof, and no hit is no proof of the contrary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from proxy.lock.unseen import is_unseen, unseen_in

_MAX_CHARACTERS: Final = 200_000
_GAP = r"[\s\W_]{1,8}"


def _words(*words: str) -> str:
    return _GAP.join(words)


_ORDERS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (
            _words(
                r"\b(?:ignore|disregard|forget|override)",
                r"(?:\w+[\s\W_]{1,8}){0,3}?(?:previous|prior|above|earlier|preceding|other|system)\b",
            ),
            "tells the model to ignore instructions",
        ),
        (
            rf"\b(?:do{_GAP}not|don.?t|never|must{_GAP}not|without|avoid){_GAP}"
            rf"(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|notify|notifying|alert|show|"
            rf"disclose|disclosing|asking|ask)(?:ing)?\b[^.]{{0,40}}\b(?:user|human|anyone|anybody|person|this)\b",
            "tells the model to hide something",
        ),
        (
            r"<\s*/?\s*(?:important|system|instructions?|secret|hidden|admin|assistant)\s*>",
            "markup for the model",
        ),
        (r"\[\s*/?\s*(?:inst|system|important)\s*\]|<\|[a-z_]{2,20}\|>", "markup for the model"),
        (
            r"~/\.|\$HOME/\.|\bid_(?:rsa|ed25519|ecdsa)\b|\.ssh\b|\.aws/|\.kube/config|\.env\b(?!\w)|/etc/(?:passwd|shadow)|"
            r"\bmcp\.json\b|\.netrc\b|\.npmrc\b|\.git-credentials\b",
            "credential path",
        ),
        (
            rf"\b(?:before|after|instead{_GAP}of|when){_GAP}(?:using|calling|you{_GAP}(?:use|call)|every|any)\b"
            rf"[^.]{{0,60}}\b(?:tool|tools|must|always|first)\b",
            "tells the model how to use other tools",
        ),
        (
            rf"\b(?:you|model|assistant|agent|ai){_GAP}(?:must|should|have{_GAP}to|need{_GAP}to){_GAP}"
            rf"(?:always|first|also|never|immediately|secretly|silently)\b",
            "gives the model orders",
        ),
        (
            rf"\b(?:send|post|upload|forward|exfiltrate|pass|include|copy)\b[^.]{{0,60}}"
            rf"\b(?:password|credential|secret|private{_GAP}key|api{_GAP}key|conversation|chat{_GAP}history|"
            rf"system{_GAP}prompt)s?\b",
            "asks for secrets or the conversation",
        ),
        (r"\bsystem[ _-]prompt\b", "speaks of the system prompt"),
    )
)
_FAR: Final = re.compile(r"[ \t]{40,}|\n{12,}")
_ENCODED: Final = re.compile(r"\b[A-Za-z0-9+/]{120,}={0,2}")


def suspicions(definition: Any) -> list[str]:
    """What is odd about a definition, each once: `credential path in inputSchema.properties.note.description`."""
    found: dict[str, str] = {}
    left = _MAX_CHARACTERS
    for place, text in _texts(definition, ""):
        left -= len(text)
        if left < 0:
            found.setdefault("longer than what is searched for orders", place)
            break
        for reason in _reasons(text):
            found.setdefault(reason, place)
    return [f"{reason} in {place}" if place else reason for reason, place in found.items()]


def _reasons(text: str) -> Iterator[str]:
    unseen = unseen_in(_without_emoji(text))
    if unseen:
        yield f"invisible {', '.join(unseen[:4])}{' ...' if len(unseen) > 4 else ''}"
    plain = unicodedata.normalize(
        "NFKC", "".join(char for char in text if not is_unseen(char) or char == "\n")
    )
    for pattern, reason in _ORDERS:
        if pattern.search(plain):
            yield reason
    if _FAR.search(text):
        yield "blanks that push text out of sight"
    if _ENCODED.search(text):
        yield "a long encoded text"
    if mixed := _mixed_word(text):
        yield f"letters of two alphabets in `{mixed}`"


def _without_emoji(text: str) -> str:
    """Without the joiners and selectors that pictures are made of."""
    out: list[str] = []
    for index, char in enumerate(text):
        pictured = char in "\ufe0f\u200d" and index > 0 and _is_picture(text, index - 1)
        if not pictured:
            out.append(char)
    return "".join(out)


def _is_picture(text: str, index: int) -> bool:
    before = text[index]
    if before in "\ufe0f\u200d" and index > 0:
        before = text[index - 1]
    return (
        unicodedata.category(before) in ("So", "Sk") or before in "0123456789#*\u2194\u2195\u00a9\u00ae\u203c"
    )


_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "CHEROKEE", "ARMENIAN")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")


def _mixed_word(text: str) -> str | None:
    """A word with letters that look alike in two alphabets, such as a Cyrillic `a` in `paypal`."""
    if text.isascii():
        return None
    for word in _WORD.findall(text):
        if word.isascii():
            continue
        scripts = {name for char in word if (name := _script(char))}
        if len(scripts) > 1:
            return str(word[:40])
    return None


def _script(char: str) -> str | None:
    name = unicodedata.name(char, "")
    return next((script for script in _SCRIPTS if name.startswith(script)), None)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            inside = f"{place}.{key}" if place else str(key)
            yield inside, str(key)
            yield from _texts(item, inside)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")
