"""`executor init`: a first config file, or one more integration with its connection in a file that is there."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from proxy.authoring.draft import Draft
from proxy.authoring.foreign import UnknownFormat
from proxy.authoring.insert import CannotInsert
from proxy.authoring.sources import CannotAdd, add_graphql, add_mcp, add_openapi, add_preset
from proxy.authoring.starter import sections_of
from proxy.authoring.writing import Invalid, compose, create, replace
from proxy.authoring.yaml_text import entry_lines
from proxy.commands.common import (
    DEFAULT_NAMES,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_json_option,
    cannot_run,
)
from proxy.commands.drafts import print_draft, read_file, write_schema
from proxy.config import load_config
from proxy.config.report import one_line

_OPTIONS = {
    "preset": "--preset",
    "openapi": "--openapi",
    "graphql": "--graphql",
    "mcp": "--mcp",
    "source": "--from",
}


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "init",
        help="write a first executor.yaml, or add an integration to it",
        description="Without options: a small executor.yaml that validates and serves, with a comment for each next "
        "step. With one of them: that integration and its connection are added to the file, whose every byte stays; "
        "without a file it is created with them. Secrets become names of variables.",
        epilog="Exit codes: 0 written, 1 not written because the result would be invalid, 2 could not run.",
    )
    parser.add_argument("--preset", metavar="NAME", help="a ready-made integration, such as github")
    parser.add_argument("--openapi", metavar="FILE|URL", help="an API by its OpenAPI document")
    parser.add_argument("--graphql", metavar="URL", help="a GraphQL endpoint")
    parser.add_argument(
        "--mcp", metavar="CMD|URL", help="an MCP server: the command that starts it, or its URL"
    )
    parser.add_argument(
        "--from", dest="source", metavar="FILE", help="every server of another program's config (as `import`)"
    )
    parser.add_argument("--name", default="", metavar="NAME", help="what agents call it: tools.NAME...")
    parser.add_argument(
        "--base-url", default="", metavar="URL", help="where the API is, if its document does not say"
    )
    parser.add_argument("--no-auth", action="store_true", help="the connection needs no credential")
    parser.add_argument(
        "--config", metavar="PATH", default=None, help="the file, or its folder (default: here)"
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    try:
        file = _file(args.config)
        draft = _draft(args, file)
        return _written(args, file, draft)
    except (CannotRun, CannotAdd, UnknownFormat) as error:
        return cannot_run(error)
    except Invalid as error:
        for found in error.diagnostics:
            print(one_line(found))
        print("nothing was written: the result would be invalid")
        return EXIT_FOUND
    except OSError as error:
        return cannot_run(CannotRun(f"{error.filename}: {(error.strerror or 'cannot be written').lower()}"))


def _file(given: str | None) -> Path:
    path = Path(given) if given is not None else Path()
    if path.is_dir():
        return next(
            (path / name for name in DEFAULT_NAMES if (path / name).is_file()), path / DEFAULT_NAMES[0]
        )
    if not path.parent.is_dir():
        raise CannotRun(f"{path.parent}: no such directory")
    return path


def _draft(args: argparse.Namespace, file: Path) -> Draft:
    given = [
        one for one in ("preset", "openapi", "graphql", "mcp", "source") if getattr(args, one) is not None
    ]
    if len(given) > 1:
        raise CannotRun(f"one at a time: {', '.join(_OPTIONS[one] for one in given)}")
    draft = Draft()
    if args.preset is not None:
        add_preset(draft, args.preset, args.name, args.base_url, not args.no_auth)
    elif args.openapi is not None:
        add_openapi(draft, args.openapi, args.name, args.base_url, not args.no_auth, file.parent)
    elif args.graphql is not None:
        add_graphql(draft, args.graphql, args.name, not args.no_auth)
    elif args.mcp is not None:
        add_mcp(draft, args.mcp, args.name)
    elif args.source is not None:
        return read_file(args.source)
    elif file.exists():
        raise CannotRun(
            f"{file} is there already; add to it with --preset, --openapi, --graphql, --mcp or --from"
        )
    return draft


def _written(args: argparse.Namespace, file: Path, draft: Draft) -> int:
    old = file.read_bytes().decode("utf-8-sig") if file.exists() else None
    _without_doubles(args, file, draft)
    wanted = bool(draft.integrations)
    try:
        text = compose(draft, file, old)
    except CannotInsert as error:
        raise CannotRun(f"{file}: {error}; add these lines yourself:\n{_lines(draft)}") from None
    schema = None
    if wanted and not draft.integrations:
        print_draft(draft, None, None, as_json=args.json)
        return EXIT_FOUND
    if old is None:
        create(file, text)
        schema = write_schema(file.parent)
    else:
        replace(file, text)
    print_draft(draft, str(file), schema, as_json=args.json)
    return EXIT_OK


def _without_doubles(args: argparse.Namespace, file: Path, draft: Draft) -> None:
    """What the config has under the same name stays as it is; a folder is one config of all its files."""
    whole = Path(args.config) if args.config is not None and Path(args.config).is_dir() else file
    if not whole.exists():
        return
    view = load_config([whole], env=None, advice=False).view
    present = set(view.names("integrations")) if view is not None else set()
    for name in present & set(draft.integrations):
        if args.source is None:
            raise CannotRun(
                f"{whole} has an integration `{name}` already; choose another name with --name NAME"
            )
        draft.without(name, f"{whole} has an integration of this name already")


def _lines(draft: Draft) -> str:
    return "\n".join(
        line
        for section, entries in sections_of(draft).items()
        for line in (
            f"{section}:",
            *(one for name, entry in entries.items() for one in entry_lines(name, entry, 2)),
        )
    )
