"""`executor help TOPIC`: a command, a code of a diagnostic, a key of the config, the environment, exit codes."""

from __future__ import annotations

import argparse
import difflib
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.commands.common import add_json_option, print_json
from proxy.commands.completion import actions_of

EXIT_CODES: Final = {
    "0": "fine",
    "1": "problems found: an error in a config, nothing of that name, a refusal",
    "2": "could not run: usage, no such file, or what this machine or a server refuses; trying again may help",
    "3": "`call`, `resume`: the call waits for approval",
    "4": "`call`: a rule blocks the call",
    "70": "`serve`, `mcp`: what serves has failed",
    "78": "the config is invalid, and nothing else; trying again does not help",
    "130": "Ctrl-C",
    "141": "whoever read the output has left",
}
ENVIRONMENT: Final = {
    "EXECUTOR_STATE_DIR": "where state, tokens and the cache are (default: executor below $XDG_STATE_HOME, else "
    "~/.local/state)",
    "EXECUTOR_SERVER": "URL of the server that commands ask (default: where the config's `server.listen` is)",
    "EXECUTOR_TOKEN": "key or token for that server (default on its machine: the minted one)",
    "EXECUTOR_MCP_DEBUG": "1: log capabilities of clients and every elicitation",
    "NO_COLOR": "not empty: no colours",
    "XDG_STATE_HOME": "base of the state directory",
    "XDG_CACHE_HOME": "base of the cache, where EXECUTOR_STATE_DIR is not set",
}
TOPICS: Final = {
    "COMMAND": "its help: `tools list`",
    "CODE": "of a diagnostic: `E402`",
    "KEY": "of the config: `server.listen`; as messages print them too: `integrations.github.spec`",
    "config": "the sections of executor.yaml",
    "codes": "every code",
    "environment": "the variables that count",
    "exit-codes": "what they tell a supervisor",
}
_TABLES: Final = {"topics": TOPICS, "exit-codes": EXIT_CODES, "environment": ENVIRONMENT}


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "help",
        help="explain a command, a code such as E402, a config key such as server.listen, or list the topics",
        description="TOPIC is a command (`tools list`), a code (`E402`), a config key (`server.listen`), `config`, "
        "`codes`, `environment`, `exit-codes`, or `topics`: what there is. Without one it lists the commands.",
        epilog="Exit codes: 0 explained, 1 no such topic.",
    )
    parser.add_argument("topic", nargs="*", metavar="TOPIC")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    everything: argparse.ArgumentParser = args.everything()
    found = _found(args.topic, everything)
    if found is not None:
        topic = " ".join(args.topic)
        if args.json:
            print_json({"topic": topic, "text": found.text, "entries": dict(found.entries)})
        else:
            print(found.printed())
        return 0
    topic = " ".join(args.topic)
    near = difflib.get_close_matches(topic, _names(everything), 1)
    hint = f"did you mean `{near[0]}`?" if near else "see `executor help topics`"
    print(f"executor: no topic `{topic}`; {hint}", file=sys.stderr)
    return 1


@dataclass(frozen=True, slots=True)
class Topic:
    """A text, and names with their meanings below it. A command's text is laid out already."""

    text: str = ""
    entries: Mapping[str, str] = field(default_factory=dict)
    laid_out: bool = False

    def printed(self) -> str:
        paragraphs = (
            [self.text] if self.laid_out else [_filled(one) for one in self.text.splitlines() if one.strip()]
        )
        return "\n".join([*paragraphs, *([_table(self.entries)] if self.entries else [])]).rstrip()


def _found(words: list[str], everything: argparse.ArgumentParser) -> Topic | None:
    """None when there is none of this name."""
    command = _command(words, everything)
    if command is not None:
        return Topic(command.format_help(), laid_out=True)
    if len(words) != 1:
        return None
    (word,) = words
    from proxy.config.diagnostic import CODES

    if word in _TABLES:
        return Topic(entries=_TABLES[word])
    if word == "codes":
        return Topic(entries=CODES)
    if word.upper() in CODES:
        return Topic(_code(word.upper(), CODES[word.upper()]))
    return _key([] if word == "config" else word.split("."))


def _names(everything: argparse.ArgumentParser) -> Iterator[str]:
    from proxy.config.diagnostic import CODES

    yield from actions_of(everything)
    yield from (*_TABLES, "codes", "config", *CODES)
    yield from _schema()["properties"]


def _command(words: list[str], parser: argparse.ArgumentParser) -> argparse.ArgumentParser | None:
    for word in words:
        found = actions_of(parser).get(word)
        if found is None:
            return None
        parser = found
    return parser


def _code(code: str, meaning: str) -> str:
    effect = (
        "A warning: the config is served all the same; `validate --strict` and `doctor --strict` fail for it."
        if code.startswith("W")
        else "An error: `serve` refuses the config (exit code 78), a reload keeps the one that serves."
    )
    return f"{code}: {meaning}\n{effect}\nWhere and how to mend it: `executor validate`."


# ---- keys of the config -----------------------------------------------------------------------------------------
def _key(path: list[str]) -> Topic | None:
    """What the schema says about a key, and the keys below it. Names that people choose may be left out, or stand
    where they stand in the config; the key itself is one of ours."""
    schema = _schema()
    node: Mapping[str, Any] = schema
    said = "The config: executor.yaml"
    for number, part in enumerate(path, 1):
        below = _below(schema, node)
        if part not in below:
            if number == len(path) or not _has_chosen_names(schema, node):
                return None
            continue
        node = below[part]
        said = str(node.get("description", ""))
    keys = {name: str(one.get("description", "")) for name, one in sorted(_below(schema, node).items())}
    head = f"{'.'.join(path)}: {said}" if path else said
    return Topic(head, keys)


def _has_chosen_names(schema: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether it is a map whose names are no keys of ours."""
    if "$ref" in node:
        return _has_chosen_names(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    shapes = (*node.get("oneOf", ()), *node.get("anyOf", ()), *node.get("allOf", ()))
    is_map = "properties" not in node and ("additionalProperties" in node or "patternProperties" in node)
    return is_map or any(_has_chosen_names(schema, one) for one in shapes)


def _below(schema: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The keys of a section, of all the shapes that it may have, and of its entries where it is a map or a list."""
    found: dict[str, Mapping[str, Any]] = {}
    if "$ref" in node:
        found |= _below(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    for one in (*node.get("oneOf", ()), *node.get("anyOf", ()), *node.get("allOf", ())):
        found |= _below(schema, one)
    found |= node.get("properties", {})
    if not found:
        entries = (
            *node.get("patternProperties", {}).values(),
            node.get("additionalProperties"),
            node.get("items"),
        )
        for one in entries:
            if isinstance(one, Mapping):
                found |= _below(schema, one)
    return found


def _schema() -> dict[str, Any]:
    import json

    from proxy.config.json_schema import schema_text

    schema: dict[str, Any] = json.loads(schema_text())
    return schema


def _width() -> int:
    return max(20, shutil.get_terminal_size().columns - 2)


def _filled(text: str) -> str:
    return textwrap.fill(text, _width(), break_on_hyphens=False)


def _table(rows: Mapping[str, str]) -> str:
    """Names in one column, meanings wrapped beside them."""
    indent = min(24, max(map(len, rows)) + 4)
    lines = []
    for name, meaning in rows.items():
        first = f"  {name}".ljust(indent)
        lines.append(
            textwrap.fill(
                meaning or "-",
                _width(),
                initial_indent=first if len(first) <= indent else f"{first}  ",
                subsequent_indent=" " * indent,
                break_on_hyphens=False,
            )
        )
    return "\n".join(lines)
