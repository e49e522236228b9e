"""Source lines as they may be shown: whatever could be a secret is replaced.

This works on text, line by line, because most of what it must hide stands in files that do not parse.
It errs on the side of hiding: after a key that looks like a secret's, everything up to the end of the line is
replaced unless it is a reference (`{env: ...}`, `{file: ...}`), a switch, null or the digest of a key.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

from integrations.fields import mask_secrets
from proxy.config.source import SourceFile

MASK = "********"

_KEY = (
    r"[\w.-]*(?:token|secret|password|passwd|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|encryption[_-]?key"
    r"|credentials?|authorization|cookie|bearer|[_-]pat)|value|hash|pwd"
)
# The separator may have lost its space (`token:hunter2`); that text is no mapping, but it is a secret.
_SECRET_VALUE = re.compile(
    rf"(?P<key>(?<![\w.-])[\"']?(?:{_KEY})[\"']?\s*:\s*)(?P<value>(?!\s)(?!\{{\s*[\"']?(?:env|file)[\"']?\s*:)"
    r"(?!(?:true|false|null|~|\{\})\s*(?:[,}#\]]|$))\S.*)$",
    re.IGNORECASE,
)
# The digest of a key is no secret, and the place of a mistake in it should be seen.
_DIGEST = re.compile(r"([\"']?)sha256:[0-9a-f]{64}\1(?=\s*(?:[,}#]|$))")
_AUTH_WORD = re.compile(r"\b(Bearer|Basic|Token)(\s+)(?![a-z]{1,12}\b)[\w.~+/=-]{8,}")
_BLOCK_KEY = re.compile(
    rf"^(?P<indent>\s*)(?:- )?[\"']?(?:{_KEY})[\"']?\s*:\s*[|>\"'][^\"']*$", re.IGNORECASE
)
_PEM_BEGIN = re.compile(r"-----BEGIN ")
_PEM_END = re.compile(r"-----END ")


def mask_line(line: str) -> str:
    """One line without what could be a secret."""
    start = 0
    while found := _SECRET_VALUE.search(line, start):
        begin = found.start("value")
        digest = _DIGEST.match(line, begin)
        if digest is None:
            line = line[:begin] + MASK
            break
        start = digest.end()
    return mask_text(line)


def mask_text(text: str) -> str:
    """A message of our own, without the secrets that it may quote from the file."""
    return _AUTH_WORD.sub(rf"\1\2{MASK}", mask_secrets(text))


def masked_line(source: SourceFile, number: int, hidden: list[tuple[int, int]]) -> str:
    """Line `number` (1-based) of a source. `hidden` are the (line, column) where known secrets begin."""
    line = source.line(number)
    if _inside_secret_block(source, number):
        return " " * (len(line) - len(line.lstrip())) + MASK
    for hidden_line, column in hidden:
        if hidden_line == number and 0 < column <= len(line):
            line = line[: column - 1] + MASK
    return mask_line(line)


def _inside_secret_block(source: SourceFile, number: int) -> bool:
    """Below `token: |`, inside a quoted text that began under a secret key, or in a PEM block."""
    first = max(1, number - 399)
    begins = _secret_begins(source)
    if bisect_left(begins, first) == bisect_left(begins, number):
        return False
    line = source.line(number)
    indent = len(line) - len(line.lstrip())
    for above in range(number - 1, first - 1, -1):
        text = source.line(above)
        if _PEM_END.search(text):
            break
        if _PEM_BEGIN.search(text):
            return True
        if not text.strip():
            continue
        begun = _BLOCK_KEY.match(text)
        if begun and len(begun["indent"]) < indent:
            return True
        if not line.strip() or len(text) - len(text.lstrip()) < indent:
            indent = min(indent, len(text) - len(text.lstrip()))
        if indent == 0:
            break
    return False


@lru_cache(maxsize=4)
def _secret_begins(source: SourceFile) -> tuple[int, ...]:
    """The numbers of the lines where a block with a secret may begin; most files have none."""
    return tuple(
        number
        for number, text in enumerate(source.lines, 1)
        if _PEM_BEGIN.search(text) or _BLOCK_KEY.match(text)
    )
