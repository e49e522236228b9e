"""`executor diff OLD NEW`: what a change of the config lets through, holds back, brings and takes away."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

from proxy.app.checkout import NoRevision, checked_out
from proxy.app.comparison import Change, Side, Widening, compare
from proxy.app.locking import LockProblem
from proxy.app.offline import open_offline
from proxy.app.paths import cache_dir
from proxy.commands.common import EXIT_FOUND, EXIT_OK, CannotRun, cannot_run, print_json
from proxy.commands.terminal import in_color
from proxy.config import load_config
from proxy.config.report import Summary, render
from proxy.config.report_text import counted
from proxy.connections.opening import WrongSource
from proxy.lock.records import Records
from proxy.workspace import prefix_of

EXIT_CHANGES: Final = 2
# `proxy.cli` exits with it: 2 is an answer here.
EXIT_USAGE: Final = 1
MARKER: Final = "<!-- executor-diff -->"
_FOLD_BYTES: Final = 60_000
_GONE: Final = "-"
_TITLES: Final[Mapping[Widening, str]] = {
    "wider": "More is allowed",
    "narrower": "Less is allowed",
    "neutral": "Tools",
}
EXIT_CODES = (
    "Exit codes: 0 compared; 1 an error: a config is invalid, there is no such revision, or it could not run; 2 there "
    "are changes (with --detailed-exitcode), or such as --fail-on names."
)


class _Invalid(Exception):
    """A side is no valid config; what is wrong has been printed."""


@dataclass(frozen=True, slots=True)
class _Report:
    """`unknown`: connections that were not compared, and why."""

    old: str
    new: str
    changes: tuple[Change, ...]
    unknown: Mapping[str, str]

    def of(self, *kinds: str, direction: Widening | None = None) -> list[Change]:
        return [one for one in self.changes if one.kind in kinds and direction in (None, one.direction)]

    @property
    def conditions(self) -> list[Change]:
        """Settings of rules that say when they apply: they may let more through."""
        return self.of("setting", direction="wider")

    @property
    def definitions(self) -> list[tuple[Change, int]]:
        """Tools that say or take something else. Connections of one integration that do alike stand together: the
        first of them, and how many more there are."""
        alike: dict[tuple[object, ...], list[Change]] = {}
        for one in self.of("definition"):
            integration, _, rest = one.address.partition(".")
            tool = rest.split(".", 2)[2:]
            alike.setdefault((integration, *tool, one.before, one.after, one.changes), []).append(one)
        return [(found[0], len(found) - 1) for found in alike.values()]

    @property
    def others(self) -> list[Change]:
        return self.of("setting", direction="neutral")

    @property
    def summary(self) -> str:
        tools: Counter[str] = Counter()
        for direction in ("wider", "narrower"):
            found = self.of("policy", "tool", direction=direction)
            tools[direction] = len({one.address for one in found})
        parts = [
            f"{counted(tools['wider'], 'tool')} more allowed" if tools["wider"] else "",
            f"{counted(tools['narrower'], 'tool')} less allowed" if tools["narrower"] else "",
            counted(len(self.definitions), "changed definition") if self.definitions else "",
            counted(len(self.conditions), "changed condition") if self.conditions else "",
            counted(len(self.others), "other change") if self.others else "",
            counted(len(self.of("env")), "variable") if self.of("env") else "",
        ]
        return ", ".join(part for part in parts if part) or "no differences"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "diff",
        help="compare two configs: what becomes allowed, what does not, what else changes",
        description="Compares what each caller may do with each tool, then all settings and variables. Needs no "
        "network and no secrets: known are the tools of documents in local files and those in executor.lock; what is "
        "not known is listed. OLD and NEW are a file, a directory, or REV:PATH of git.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("old", metavar="OLD", help="such as origin/main:executor.yaml")
    parser.add_argument("new", metavar="NEW", help="such as executor.yaml")
    parser.add_argument("--format", choices=tuple(_FORMATS), default="text", help="default: text")
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", help="the same as --format json"
    )
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit 2 if there are changes")
    parser.add_argument(
        "--fail-on",
        choices=("widening", "tools", "any"),
        help="exit 2 if more is allowed, if tools or decisions about them change, or if anything does",
    )


def run(args: argparse.Namespace) -> int:
    try:
        report = anyio.run(_report, args.old, args.new)
    except _Invalid:
        return EXIT_FOUND
    except (CannotRun, NoRevision) as error:
        cannot_run(error)
        return EXIT_FOUND
    except LockProblem as problem:
        sys.stderr.write(
            render("text", [problem.diagnostic], Summary(1, 0, 0, 0, 0), color=in_color(sys.stderr))
        )
        return EXIT_FOUND
    except WrongSource as error:
        cannot_run(CannotRun(f"integrations.{error.integration}: {error}"))
        return EXIT_FOUND
    _FORMATS[args.format](report)
    return EXIT_CHANGES if _fails(args, report) else EXIT_OK


def _fails(args: argparse.Namespace, report: _Report) -> bool:
    found = {
        "widening": any(one.direction == "wider" for one in report.changes),
        "tools": bool(report.of("policy", "tool", "definition")),
        "any": bool(report.changes),
    }
    return (args.detailed_exitcode and found["any"]) or (args.fail_on is not None and found[args.fail_on])


async def _report(old: str, new: str) -> _Report:
    async with AsyncExitStack() as stack:
        records = Records(cache_dir(os.environ))
        before = await stack.enter_async_context(_side(old, records))
        after = await stack.enter_async_context(_side(new, records))
        changes = tuple(compare(before, after, records))
        unknown = {**before.unknown, **after.unknown}
        return _Report(before.loaded.sha256, after.loaded.sha256, changes, unknown)


@asynccontextmanager
async def _side(text: str, records: Records) -> AsyncIterator[Side]:
    with ExitStack() as stack:
        path = _path_of(text, stack)
        loaded = load_config([path], env=None, advice=False)
        if loaded.config is None:
            print(f"{text} is invalid:", file=sys.stderr)
            summary = Summary(len(loaded.files), 0, 0, 0, 0)
            sys.stderr.write(render("text", list(loaded.diagnostics), summary, color=in_color(sys.stderr)))
            raise _Invalid
        async with open_offline(loaded, os.environ, records=records) as view:
            yield Side(loaded, view, path if path.is_dir() else path.parent)


def _path_of(text: str, stack: ExitStack) -> Path:
    """A path as it is; `REV:PATH` checked out until the stack ends."""
    path = Path(text)
    if path.exists():
        return path
    revision, colon, inside = text.partition(":")
    if not colon or not revision:
        raise CannotRun(f"{text}: no such file or directory, and no REV:PATH of git")
    place = Path(inside or ".")
    if not (place if place.is_dir() else place.parent).is_dir():
        raise CannotRun(
            f"{text}: there is no directory {place.parent}; PATH is named from here, as without a revision"
        )
    return stack.enter_context(checked_out(revision, [place]))[0]


# ---- how it is shown ----------------------------------------------------------------------------------------------
def _who(change: Change, report: _Report) -> str:
    several = len({one.workspace for one in report.changes if one.workspace}) > 1
    callers = f"for {change.callers}" if change.callers not in ("", "anybody") else ""
    words = [callers, f"in {change.workspace}" if several else ""]
    return " ".join(word for word in words if word)


def _because(change: Change) -> str:
    place = f" ({change.file}:{change.line})" if change.file else ""
    return f"{change.rule}{place}" if change.rule else ""


def _sections(report: _Report) -> Iterator[tuple[str, list[Change]]]:
    for direction, title in _TITLES.items():
        found = report.of("policy", "tool", direction=direction)
        if found:
            yield title, found


def _text(report: _Report) -> None:
    print(f"config {report.old[:8]} -> {report.new[:8]}")
    for title, found in _sections(report):
        print(f"\n{title}")
        for one in found:
            who = _who(one, report)
            print(
                f"  {one.address}  {one.before or _GONE} -> {one.after or _GONE}{f'  {who}' if who else ''}"
            )
            print(f"      rule {_because(one)}")
    for line in _definition_lines(report):
        print(line)
    for title, settings in (
        ("Conditions, which may allow more", report.conditions),
        ("Other", report.others),
    ):
        if settings:
            print(f"\n{title}")
        for one in settings:
            late = "  (needs a restart)" if one.restart else ""
            print(f"  {one.address}  {one.before or _GONE} -> {one.after or _GONE}{late}")
    if variables := report.of("env"):
        print("\nEnvironment")
        for one in variables:
            print(f"  {'+' if one.after else '-'} {one.address}  {one.after or one.before}")
    if report.unknown:
        print("\nNot compared, because the tools are not known here (`executor lock` makes them known)")
        for prefix, why in sorted(report.unknown.items()):
            print(f"  {prefix}: {why}")
    print(f"\n{report.summary}")


def _definition_lines(report: _Report) -> Iterator[str]:
    if report.definitions:
        yield "\nTools that say or take something else"
    for one, more in report.definitions:
        yield f"  {one.address}{_and_more(more)}{_digests(one)}"
        yield from (f"      {line}" for line in one.changes)
        yield from (f"      ! {line}" for line in one.warnings)


def _digests(change: Change) -> str:
    """Of a tool; what its source says as a whole is a line of text anyway."""
    return (
        f"  {change.before[:8]} -> {change.after[:8]}" if prefix_of(change.address) != change.address else ""
    )


def _and_more(count: int) -> str:
    return f" (and {counted(count, 'more connection')})" if count else ""


def _definition_row(one: Change, more: int) -> str:
    """What to look at twice stands above the fold."""
    was, _, becomes = _digests(one).strip().partition(" -> ")
    cells = (f"`{_cell(one.address)}`{_and_more(more)}", was, becomes, _cell("; ".join(one.warnings)))
    return f"| &#9888; | {' | '.join(cells)} |"


def _definition_item(one: Change, more: int) -> str:
    return f"- `{_cell(one.address)}`{_and_more(more)}: {_cell('; '.join(one.changes))}"


def _markdown(report: _Report) -> None:
    head = f"{MARKER}\n### Executor: {report.summary}\n"
    table = [
        f"| {'&#9888;' if one.direction == 'wider' else ''} | `{_cell(one.address)}` | {_cell(one.before or _GONE)} | "
        f"{_cell(one.after or _GONE)} {_cell(_who(one, report))} | {_cell(_because(one))} |"
        for _, found in _sections(report)
        for one in found
    ]
    table += [
        f"| &#9888; | `{_cell(one.address)}` | {_cell(one.before or _GONE)} | {_cell(one.after or _GONE)} | condition |"
        for one in report.conditions
    ]
    table += [_definition_row(*one) for one in report.definitions if one[0].warnings]
    rest = [_definition_item(*one) for one in report.definitions]
    rest += [
        f"- `{_cell(one.address)}`: {_cell(one.before or _GONE)} &rarr; {_cell(one.after or _GONE)}"
        f"{' (needs a restart)' if one.restart else ''}"
        for one in (*report.others, *report.of("env"))
    ]
    rest += [
        f"- not compared: `{_cell(prefix)}`: {_cell(why)}" for prefix, why in sorted(report.unknown.items())
    ]
    shown, left = _fitting(table, _FOLD_BYTES - len(head))
    text = head
    if shown:
        text += "\n| | tool | was | becomes | because |\n|---|---|---|---|---|\n" + "\n".join(shown) + "\n"
    if left:
        text += f"\n{counted(left, 'more line')}: run `executor diff` to see all.\n"
    lines, more = _fitting(rest, _FOLD_BYTES - len(text.encode()))
    if lines:
        text += (
            f"\n<details><summary>{counted(len(rest), 'other line')}</summary>\n\n" + "\n".join(lines) + "\n"
        )
        text += f"- and {more} more\n" if more else ""
        text += "\n</details>\n"
    sys.stdout.write(text)


def _fitting(lines: Sequence[str], size: int) -> tuple[list[str], int]:
    """The lines that fit into so many bytes, and how many do not."""
    fit, used = [], 0
    for line in lines:
        used += len(line.encode()) + 1
        if used > size:
            break
        fit.append(line)
    return fit, len(lines) - len(fit)


def _cell(text: str) -> str:
    """Text of a config that says nothing to Markdown or HTML."""
    for char, inert in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("|", "&#124;"),
        ("`", "&#96;"),
        ("@", "&#64;"),
    ):
        text = text.replace(char, inert)
    return " ".join(text.split())


def _json(report: _Report) -> None:
    print_json(
        {
            "format_version": "1",
            "old": {"sha256": report.old},
            "new": {"sha256": report.new},
            "changes": [one.as_json() for one in report.changes],
            "not_compared": dict(sorted(report.unknown.items())),
            "summary": report.summary,
        }
    )


_FORMATS: Final[Mapping[str, Callable[[_Report], None]]] = {
    "text": _text,
    "markdown": _markdown,
    "json": _json,
}
