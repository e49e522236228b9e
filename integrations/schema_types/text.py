"""Text that comes from upstream, made harmless: inside comments, string literals, names and plain lines.

The rule of this module (threat T5): nothing that passes through it can end the comment, literal or line that
it is put into, and nothing in it is invisible. Control, bidirectional, zero-width, tag and private
characters, lone surrogates and the letters that render as nothing are written as `\\u{...}`.
"""

from __future__ import annotations

import re
import unicodedata

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_LONGEST_PLAIN_NAME = 40
_ORDINARY = re.compile(r"[\x20-\x7e]*\Z")
_SPACES = re.compile(r"\s+")

# Categories: control, format (bidi, zero-width, tags), surrogate, private, unassigned, line and paragraph separator.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters, marks and spaces that render as nothing although their category is an ordinary one (Unicode
# Default_Ignorable_Code_Point, DerivedCoreProperties.txt, and the blank Braille pattern).
_BLANK = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
    | set(range(0x180B, 0x1810))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0100, 0xE01F0))
)


def visible(text: str) -> str:
    """`text` with every invisible character written out; ASCII text comes back as it is, but for control
    characters.
    """
    if _ORDINARY.match(text):
        return text
    return "".join(f"\\u{{{ord(c):X}}}" if is_hidden(c) else c for c in text)


def is_hidden(character: str) -> bool:
    """Whether nobody sees it, or it changes how the text around it reads. Line ends and tabs are hidden too."""
    return ord(character) in _BLANK or unicodedata.category(character) in _HIDDEN_CATEGORIES


def one_line(text: str, limit: int) -> str:
    """Plain prose on one line, visible, at most `limit` characters with an ellipsis in place of what was cut."""
    # Only a bounded start is looked at: a megabyte of prose must not cost a megabyte of work.
    flat = visible(_SPACES.sub(" ", text[: 4 * limit + 64]).strip())
    if len(flat) <= limit and len(text) <= 4 * limit + 64:
        return flat
    return flat[: max(limit - 3, 0)].rstrip() + "..."


def comment_text(text: str, limit: int) -> str:
    """Prose for inside `/* */`: one line that cannot end the comment, nor a Markdown code fence around it."""
    return one_line(text, limit).replace("`", "'").replace("*/", "*\\/").replace("/*", "/\\*")


def string_literal(text: str) -> str:
    """A TypeScript string literal with exactly this value (ECMA-262, StringLiteral)."""
    return '"' + "".join(map(_escaped, text)).replace("*/", "*\\/") + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if (
        character == "`"
        or character == "\x7f"
        or (character > "\x7e" and is_hidden(character))
        or character < " "
    ):
        return f"\\u{{{ord(character):X}}}"
    return character


def is_plain_name(name: str) -> bool:
    """Whether a member name is an ASCII identifier of at most 40 characters."""
    return len(name) <= _LONGEST_PLAIN_NAME and _IDENTIFIER.match(name) is not None


def property_name(name: str) -> str:
    """A member name: as it is if it is an ASCII identifier, else quoted."""
    return name if _IDENTIFIER.match(name) else string_literal(name)
