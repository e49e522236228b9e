"""What a YAML syntax error means, in the words of the person who wrote the file.

libyaml's messages drop the offending character and often mark where the parser gave up, not the mistake.
So the file is scanned again by the pure-Python parser, and its message is read through the table at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import yaml

from proxy.config.source import Flaw, SourceFile

_MOST_OPEN: Final = 200


@dataclass(frozen=True, slots=True)
class _SyntaxFault:
    """A parser's complaint: what it was doing (`context`), what went wrong, and both 0-based places."""

    source: SourceFile
    context: str
    problem: str
    began: tuple[int, int]
    at: tuple[int, int]

    def character(self) -> str:
        line = self.source.line(self.at[0] + 1)
        return line[self.at[1]] if self.at[1] < len(line) else ""

    def began_with(self) -> str:
        line = self.source.line(self.began[0] + 1)
        return line[self.began[1]] if self.began[1] < len(line) else ""


def explain(source: SourceFile, error: yaml.YAMLError) -> Flaw:
    """The flaw behind a parser error."""
    fault = _read(source, _ask_python(source) or error)
    for pattern, reader in _READERS:
        if re.search(pattern, f"{fault.context}: {fault.problem}"):
            return reader(fault)
    return _unknown(fault)


def _ask_python(source: SourceFile) -> yaml.YAMLError | None:
    # Its time grows with the cube of what is open at once.
    if _most_open(source.text) > _MOST_OPEN:
        return None
    try:
        for _ in yaml.parse(source.text, yaml.SafeLoader):
            pass
    except yaml.YAMLError as error:
        return error
    except (ValueError, RecursionError):
        return None
    return None


def _most_open(text: str) -> int:
    """Brackets and braces open at once, at most. Those in quotes count too."""
    steps = accumulate(1 if one in "[{" else -1 for one in re.findall(r"[][{}]", text))
    return max(steps, default=0)


def _read(source: SourceFile, error: yaml.YAMLError) -> _SyntaxFault:
    at, began = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    at = at or began
    place = (at.line, at.column) if at else (0, 0)
    start = (began.line, began.column) if began else place
    context, problem = getattr(error, "context", None), getattr(error, "problem", None)
    return _SyntaxFault(source, context or "", problem or str(error), start, place)


def _flaw(
    fault: _SyntaxFault, message: str, help: str | None, at: tuple[int, int], code: str = "E101"
) -> Flaw:
    return Flaw(code, message, help, *at)


def _unclosed_quote(fault: _SyntaxFault) -> Flaw:
    return _flaw(fault, "this quote is never closed", f"add a closing {fault.began_with()}", fault.began)


def _alias(fault: _SyntaxFault) -> Flaw:
    word = re.match(r"\S*", fault.source.line(fault.began[0] + 1)[fault.began[1] :])
    text = word[0].rstrip(",]}") if word else "*"
    sign, what = (text[:1] or "*"), "an alias" if text[:1] != "&" else "an anchor"
    return _flaw(fault, f"`{sign}` starts {what} here", f'quote it: "{text}"', fault.began)


def _bad_start(fault: _SyntaxFault) -> Flaw:
    character = fault.character()
    if character == "\t":
        return _tab(fault)
    rest = fault.source.line(fault.at[0] + 1)[fault.at[1] :].rstrip()
    message = f"a value cannot start with `{character}`"
    return _flaw(fault, message, f'quote it: "{rest}"' if rest else "quote it", fault.at)


def _tab(fault: _SyntaxFault) -> Flaw:
    column = fault.source.line(fault.at[0] + 1).find("\t")
    at = (fault.at[0], column if column >= 0 else fault.at[1])
    return _flaw(fault, "a tab cannot be used for indentation", "use spaces", at, "E102")


def _nested_value(fault: _SyntaxFault) -> Flaw:
    line = fault.source.line(fault.at[0] + 1)
    if line[: len(line) - len(line.lstrip())].count("\t"):
        return _tab(fault)
    value = re.match(r"\s*(?:- )?[^:]*:\s+(.*:\s.*|.*:)$", line)
    if value:
        return _flaw(fault, "a second `:` is not allowed here", f'quote the value: "{value[1]}"', fault.at)
    return _flaw(fault, "a `:` is not allowed here", "check the indentation of this line", fault.at)


def _no_colon(fault: _SyntaxFault) -> Flaw:
    line = fault.source.line(fault.began[0] + 1)
    glued = re.match(r"\s*(?:- )?([\w.-]+):(\S.*)$", line)
    if glued:
        return _flaw(fault, "a space is missing after `:`", f"write {glued[1]}: {glued[2]}", fault.began)
    return _flaw(
        fault, "this line is no `key: value` pair", "a `:` is missing, or the indentation", fault.began
    )


def _unclosed_bracket(fault: _SyntaxFault) -> Flaw:
    opened = fault.began_with()
    before = fault.source.line(fault.at[0] + 1)[: fault.at[1]]
    if before.endswith("$"):
        help = "there are no templates here: write {env: NAME} for a secret, or quote the text"
        return _flaw(fault, "`${` cannot stand here without quotes", help, (fault.at[0], fault.at[1] - 1))
    if fault.began[0] == fault.at[0] and fault.character():
        closing = "}" if opened == "{" else "]"
        message = f"expected `,` or `{closing}` before `{fault.character()}`"
        return _flaw(
            fault, message, "separate entries by `,`; quote text that contains , [ ] { or }", fault.at
        )
    return _flaw(fault, f"this `{opened}` is never closed", None, fault.began)


def _no_value(fault: _SyntaxFault) -> Flaw:
    character = fault.character()
    place = f"`{character}`" if character else "the end"
    return _flaw(fault, f"a value is expected before {place}", None, fault.at)


def _indentation(fault: _SyntaxFault) -> Flaw:
    line = fault.source.line(fault.at[0] + 1)
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return _tab(fault)
    if fault.at[1] > len(line) - len(line.lstrip()):
        help = 'quote the whole value; inside double quotes write \\" for a quote'
        return _flaw(fault, "this is not expected here", help, fault.at)
    help = f"the block around it starts at column {fault.began[1] + 1}"
    return _flaw(fault, "the indentation does not fit", help, fault.at)


def _escape(fault: _SyntaxFault) -> Flaw:
    line, column = fault.at
    backslash = fault.source.line(line + 1).rfind("\\", 0, column + 1)
    at = (line, backslash if backslash >= 0 else column)
    help = "inside double quotes \\ starts an escape: use single quotes, or write \\\\"
    return _flaw(fault, "unknown escape in a double-quoted string", help, at)


def _tag_handle(fault: _SyntaxFault) -> Flaw:
    return _flaw(fault, "YAML tags are not supported", "remove the tag", fault.began, "E106")


def _block_header(fault: _SyntaxFault) -> Flaw:
    return _flaw(fault, "the text of a block starts on the line after `|` or `>`", None, fault.at)


def _directive(fault: _SyntaxFault) -> Flaw:
    return _flaw(fault, "a line that starts with `%` is a YAML directive", "remove it, or quote it", fault.at)


def _document(fault: _SyntaxFault) -> Flaw:
    return _flaw(fault, "this is not expected after the end of the document", None, fault.at)


def _unknown(fault: _SyntaxFault) -> Flaw:
    message = fault.problem.replace("<block end>", "the end of the block").replace("<", "").replace(">", "")
    return _flaw(fault, message or "this is not YAML", None, fault.at)


_READERS: tuple[tuple[str, Callable[[_SyntaxFault], Flaw]], ...] = (
    (r"quoted scalar.*(end of stream|document separator)", _unclosed_quote),
    (r"quoted scalar.*escape", _escape),
    (r"scanning an (alias|anchor)", _alias),
    (r"found character .* cannot start any token", _bad_start),
    (r"mapping values are not allowed", _nested_value),
    (r"could not find expected ':'", _no_colon),
    (r"expected the node content", _no_value),
    (r"flow (sequence|mapping)", _unclosed_bracket),
    (r"block (mapping|collection).*expected <block end>", _indentation),
    (r"expected <document start>", _document),
    (r"tag", _tag_handle),
    (r"block scalar", _block_header),
    (r"directive|YAML document", _directive),
)
