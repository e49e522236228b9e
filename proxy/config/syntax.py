"""What a YAML syntax error means, in the words of the person who wrote the file.

libyaml's messages drop the offending character and often mark where the parser gave up, not the mistake.
So the file is scanned again by the pure-Python parser, and its message is read through the table at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from proxy.config.source import Flaw, SourceFile


@dataclass(frozen=True, slots=True)
class _Trouble:
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
    trouble = _read(source, _ask_python(source) or error)
    for pattern, reader in _READERS:
        if re.search(pattern, f"{trouble.context}: {trouble.problem}"):
            return reader(trouble)
    return _unknown(trouble)


def _ask_python(source: SourceFile) -> yaml.YAMLError | None:
    try:
        for _ in yaml.parse(source.text, yaml.SafeLoader):
            pass
    except yaml.YAMLError as error:
        return error
    except (ValueError, RecursionError):
        return None
    return None


def _read(source: SourceFile, error: yaml.YAMLError) -> _Trouble:
    at, began = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    at = at or began
    place = (at.line, at.column) if at else (0, 0)
    start = (began.line, began.column) if began else place
    context, problem = getattr(error, "context", None), getattr(error, "problem", None)
    return _Trouble(source, context or "", problem or str(error), start, place)


def _flaw(trouble: _Trouble, message: str, help: str | None, at: tuple[int, int], code: str = "E101") -> Flaw:
    return Flaw(code, message, help, *at)


def _unclosed_quote(trouble: _Trouble) -> Flaw:
    return _flaw(
        trouble, "this quote is never closed", f"add a closing {trouble.began_with()}", trouble.began
    )


def _alias(trouble: _Trouble) -> Flaw:
    word = re.match(r"\S*", trouble.source.line(trouble.began[0] + 1)[trouble.began[1] :])
    text = word[0].rstrip(",]}") if word else "*"
    sign, what = (text[:1] or "*"), "an alias" if text[:1] != "&" else "an anchor"
    return _flaw(trouble, f"`{sign}` starts {what} here", f'quote it: "{text}"', trouble.began)


def _bad_start(trouble: _Trouble) -> Flaw:
    character = trouble.character()
    if character == "\t":
        return _tab(trouble)
    rest = trouble.source.line(trouble.at[0] + 1)[trouble.at[1] :].rstrip()
    message = f"a value cannot start with `{character}`"
    return _flaw(trouble, message, f'quote it: "{rest}"' if rest else "quote it", trouble.at)


def _tab(trouble: _Trouble) -> Flaw:
    column = trouble.source.line(trouble.at[0] + 1).find("\t")
    at = (trouble.at[0], column if column >= 0 else trouble.at[1])
    return _flaw(trouble, "a tab cannot be used for indentation", "use spaces", at, "E102")


def _nested_value(trouble: _Trouble) -> Flaw:
    line = trouble.source.line(trouble.at[0] + 1)
    if line[: len(line) - len(line.lstrip())].count("\t"):
        return _tab(trouble)
    value = re.match(r"\s*(?:- )?[^:]*:\s+(.*:\s.*|.*:)$", line)
    if value:
        return _flaw(
            trouble, "a second `:` is not allowed here", f'quote the value: "{value[1]}"', trouble.at
        )
    return _flaw(trouble, "a `:` is not allowed here", "check the indentation of this line", trouble.at)


def _no_colon(trouble: _Trouble) -> Flaw:
    line = trouble.source.line(trouble.began[0] + 1)
    glued = re.match(r"\s*(?:- )?([\w.-]+):(\S.*)$", line)
    if glued:
        return _flaw(trouble, "a space is missing after `:`", f"write {glued[1]}: {glued[2]}", trouble.began)
    return _flaw(
        trouble, "this line is no `key: value` pair", "a `:` is missing, or the indentation", trouble.began
    )


def _unclosed_bracket(trouble: _Trouble) -> Flaw:
    opened = trouble.began_with()
    before = trouble.source.line(trouble.at[0] + 1)[: trouble.at[1]]
    if before.endswith("$"):
        help = "there are no templates here: write {env: NAME} for a secret, or quote the text"
        return _flaw(
            trouble, "`${` cannot stand here without quotes", help, (trouble.at[0], trouble.at[1] - 1)
        )
    if trouble.began[0] == trouble.at[0] and trouble.character():
        closing = "}" if opened == "{" else "]"
        message = f"expected `,` or `{closing}` before `{trouble.character()}`"
        return _flaw(
            trouble, message, "separate entries by `,`; quote text that contains , [ ] { or }", trouble.at
        )
    return _flaw(trouble, f"this `{opened}` is never closed", None, trouble.began)


def _no_value(trouble: _Trouble) -> Flaw:
    character = trouble.character()
    return _flaw(trouble, f"a value is expected before `{character}`", None, trouble.at)


def _indentation(trouble: _Trouble) -> Flaw:
    line = trouble.source.line(trouble.at[0] + 1)
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return _tab(trouble)
    if trouble.at[1] > len(line) - len(line.lstrip()):
        help = 'quote the whole value; inside double quotes write \\" for a quote'
        return _flaw(trouble, "this is not expected here", help, trouble.at)
    help = f"the block around it starts at column {trouble.began[1] + 1}"
    return _flaw(trouble, "the indentation does not fit", help, trouble.at)


def _escape(trouble: _Trouble) -> Flaw:
    line, column = trouble.at
    backslash = trouble.source.line(line + 1).rfind("\\", 0, column + 1)
    at = (line, backslash if backslash >= 0 else column)
    help = "inside double quotes \\ starts an escape: use single quotes, or write \\\\"
    return _flaw(trouble, "unknown escape in a double-quoted string", help, at)


def _tag_handle(trouble: _Trouble) -> Flaw:
    return _flaw(trouble, "YAML tags are not supported", "remove the tag", trouble.began, "E106")


def _block_header(trouble: _Trouble) -> Flaw:
    return _flaw(trouble, "the text of a block starts on the line after `|` or `>`", None, trouble.at)


def _directive(trouble: _Trouble) -> Flaw:
    return _flaw(
        trouble, "a line that starts with `%` is a YAML directive", "remove it, or quote it", trouble.at
    )


def _document(trouble: _Trouble) -> Flaw:
    return _flaw(trouble, "this is not expected after the end of the document", None, trouble.at)


def _unknown(trouble: _Trouble) -> Flaw:
    message = trouble.problem.replace("<block end>", "the end of the block").replace("<", "").replace(">", "")
    return _flaw(trouble, message or "this is not YAML", None, trouble.at)


_READERS: tuple[tuple[str, Callable[[_Trouble], Flaw]], ...] = (
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
