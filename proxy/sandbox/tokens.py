"""A tokenizer for JavaScript and TypeScript, good enough to look at code, never to judge it.

Nothing here decides what code means: the engine parses for real. Tokens serve to recognise the few shapes of
recovery.py and to align a transform's output with its input (relayout.py). Linear in the length of the text.
"""

from __future__ import annotations

import re

# kind, text, start offset
Token = tuple[str, str, int]

_SIMPLE = re.compile(
    r"(?P<space>[\s\ufeff]+)"
    r"|(?P<comment>//[^\n\r\u2028\u2029]*|/\*(?:[^*]|\*(?!/))*(?:\*/)?)"
    r"|(?P<string>\"(?:[^\"\\\n]|\\[\s\S])*\"?|'(?:[^'\\\n]|\\[\s\S])*'?)"
    r"|(?P<number>0[xXoObB][0-9a-fA-F_]+n?|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?n?)"
    r"|(?P<name>#?(?:[$\w\u200c\u200d]|\\u(?:[0-9a-fA-F]{4}|\{[0-9a-fA-F]+\}))+)"
    r"|(?P<punct>>>>=|\.\.\.|===|!==|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?="
    r"|=>|==|!=|<=|>=|&&|\|\||\?\?|\?\.(?!\d)|\+\+|--|\+=|-=|\*=|%=|&=|\|=|\^=|<<|>>|\*\*"
    r"|[\[\](){};,<>+\-*%&|^!~?:=.@#])"
)
_REGEX = re.compile(r"/(?![*/])(?:[^\\/\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{|\Z)")
_BEFORE_REGEX = frozenset(
    "return typeof case in of delete void throw new instanceof do else await yield extends".split()
)
_PAREN_STATEMENTS = frozenset(("if", "while", "for", "with"))
_OPENERS = {"(": ")", "[": "]", "{": "}"}


class Tokens:
    """The significant tokens of one text, with `match[i]` the index of the bracket that closes or opens token i."""

    __slots__ = ("_braces", "_no_regex_before", "_open", "_text", "items", "match")

    def __init__(self, text: str) -> None:
        self._text = text
        self.items: list[Token] = []
        self.match: dict[int, int] = {}
        self._open: list[int] = []
        self._no_regex_before = 0
        self._braces: list[bool] = []  # for each open `{` or `${`: is it a template's?
        self._scan()

    def _scan(self) -> None:
        text, at, end = self._text, 0, len(self._text)
        while at < end:
            found = _SIMPLE.match(text, at)
            if found is not None and not (found.lastgroup == "punct" and found.group() in "{}"):
                kind = found.lastgroup or ""
                if kind not in ("space", "comment"):
                    self._add(kind, found.group(), at)
                at = found.end()
            else:
                at = self._special(text[at], at)

    def _special(self, char: str, at: int) -> int:
        if char == "{":
            self._braces.append(False)
        elif char == "}" and self._braces and self._braces.pop():
            return self._template(at)
        elif char == "`":
            return self._template(at)
        elif char == "/":
            return self._slash(at)
        self._add("punct", char, at)
        return at + 1

    def _template(self, at: int) -> int:
        found = _TEMPLATE.match(self._text, at + 1)
        end = found.end() if found else len(self._text)
        piece = self._text[at:end]
        if piece.endswith("${"):
            self._braces.append(True)
        self._add("template", piece, at)
        return end

    def _slash(self, at: int) -> int:
        may_start = at >= self._no_regex_before and self._regex_may_start()
        found = _REGEX.match(self._text, at) if may_start else None
        if may_start and found is None:
            # A regular expression ends on its line: one look to the line's end is enough, or reading is quadratic.
            self._no_regex_before = self._text.find("\n", at) % (len(self._text) + 1)
        if found is not None:
            self._add("regex", found.group(), at)
            return found.end()
        width = 2 if self._text.startswith("/=", at) else 1
        self._add("punct", self._text[at : at + width], at)
        return at + width

    def _regex_may_start(self) -> bool:
        if not self.items:
            return True
        kind, text, start = self.items[-1]
        if kind == "name":
            return text in _BEFORE_REGEX and not self._is(-2, ".")
        if kind != "punct":
            return kind == "template" and text.endswith("${")
        if text == ")":
            opener = self.match.get(len(self.items) - 1, 0)
            return opener > 0 and self.items[opener - 1][1] in _PAREN_STATEMENTS
        if text == "}":
            return "\n" in self._text[start : start + 200].split("/", 1)[0]
        return text not in ("]", "++", "--")

    def _is(self, index: int, text: str) -> bool:
        return len(self.items) >= -index and self.items[index][1] == text

    def _add(self, kind: str, text: str, at: int) -> None:
        index = len(self.items)
        self.items.append((kind, text, at))
        if kind != "punct":
            return
        if text in _OPENERS:
            self._open.append(index)
        elif text in (")", "]", "}") and self._open and _OPENERS[self.items[self._open[-1]][1]] == text:
            opener = self._open.pop()
            self.match[opener], self.match[index] = index, opener
