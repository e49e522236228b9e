"""What `POST /api/v1/workspaces/{id}/mcp` takes: one MCP server with its name, `local` or `remote`, in camelCase.

InvalidRegistration    what is wrong, each problem with its JSON Pointer (RFC 6901) into the body

Shapes are checked here; what the config language says about the values (URLs, header names, OAuth) is checked by the
loader of the config itself, so a registration is as right or wrong as the same lines in a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from integrations.base import JsonObject
from proxy.config.words import kind_of

LONGEST_NAME: Final = 64
_LONGEST_TEXT: Final = 8192
_MOST_ITEMS: Final = 256
_LARGEST_TIMEOUT: Final = 2**31 - 1
_OUTSIDE: Final = re.compile(r"[-.]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
USUAL_TIMEOUT_MS: Final = 5000


@dataclass(frozen=True, slots=True)
class RegistrationProblem:
    """`pointer` leads to the value in the body; `code` is one of the config's (E2xx and so on)."""

    pointer: str
    code: str
    message: str
    help: str | None = None

    def as_json(self) -> JsonObject:
        shown = {"pointer": self.pointer, "code": self.code, "message": self.message, "help": self.help}
        return {name: value for name, value in shown.items() if value is not None}


class InvalidRegistration(ValueError):
    """At least one problem."""

    def __init__(self, problems: Iterable[RegistrationProblem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        hint = f"; {first.help}" if first.help else ""
        super().__init__(f"{first.pointer or '/'}: {first.message}{hint}{more}")


@dataclass(frozen=True, slots=True)
class ServerRegistration:
    """`name` as it was given; `integration` is what it is called in addresses of tools. `config` has the given keys."""

    name: str
    integration: str
    config: JsonObject

    @property
    def prefix(self) -> str:
        """Its one connection."""
        return f"{self.integration}.org.main"

    @property
    def is_local(self) -> bool:
        return bool(self.config["type"] == "local")

    @property
    def enabled(self) -> bool:
        """As registered; later `connect` and `disconnect` decide."""
        return bool(self.config.get("enabled", True))

    def same_as(self, other: ServerRegistration) -> bool:
        """Whether both say the same, defaults filled in."""
        mine: JsonObject = _filled(self.config)
        theirs: JsonObject = _filled(other.config)
        return (self.integration, mine) == (other.integration, theirs)


def inside_name(name: str) -> str:
    """What a server is called in addresses of tools: `internal-docs` is `internal_docs` there."""
    return _OUTSIDE.sub("_", name)


def read_registration(body: JsonObject) -> ServerRegistration:
    """Raises `InvalidRegistration` with everything that is wrong with the shape."""
    problems: list[RegistrationProblem] = []
    _check_keys(body, "", {"name": _name, "config": _config}, ("name", "config"), problems)
    if problems:
        raise InvalidRegistration(problems)
    return ServerRegistration(body["name"], inside_name(body["name"]), body["config"])


def pointer_of(integration: str, path: str) -> str:
    """Where a place of the config (`integrations.github.headers.X-Api-Key`) stands in the body."""
    inside = f"integrations.{integration}"
    if not path.startswith(f"{inside}."):
        return "/name" if path == inside else "/config"
    first, _, rest = path.removeprefix(f"{inside}.").partition(".")
    first = re.sub(r"\[(\d+)\]", r"/\1", first)
    if first == "oauth" and rest:
        rest = _CAMEL.get(rest, rest)
    return f"/config/{first}" + (f"/{_escaped(rest)}" if rest else "")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


_CAMEL: Final = {"client_id": "clientId", "client_secret": "clientSecret"}
Checker = Callable[[Any, str, list[RegistrationProblem]], None]


def _check_keys(
    value: JsonObject,
    at: str,
    known: Mapping[str, Checker],
    required: tuple[str, ...],
    problems: list[RegistrationProblem],
) -> None:
    missing = [name for name in required if name not in value]
    problems += [RegistrationProblem(at, "E202", f"missing required key `{name}`") for name in missing]
    for name, given in value.items():
        place = f"{at}/{_escaped(name)}"
        if name in known:
            known[name](given, place, problems)
        else:
            near = get_close_matches(name, known, n=1)
            help = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known)}"
            problems.append(RegistrationProblem(place, "E201", f"unknown key `{name[:64]}`", help))


def _wrong(at: str, expected: str, value: object) -> RegistrationProblem:
    return RegistrationProblem(at, "E203", f"must be {expected}, not {kind_of(value)}")


def _name(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    if not isinstance(value, str):
        problems.append(_wrong(at, "a string", value))
    elif not 0 < len(value) <= LONGEST_NAME:
        problems.append(RegistrationProblem(at, "E206", f"must have 1 to {LONGEST_NAME} characters"))


def _text(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    if not isinstance(value, str):
        problems.append(_wrong(at, "a string", value))
    elif len(value) > _LONGEST_TEXT:
        problems.append(RegistrationProblem(at, "E206", f"must have at most {_LONGEST_TEXT} characters"))
    elif not _is_unicode(value):
        problems.append(RegistrationProblem(at, "E206", "holds half of a surrogate pair"))
    elif _CONTROL.search(value):
        problems.append(RegistrationProblem(at, "E206", "holds a line break or another control character"))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _filled_text(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    _text(value, at, problems)
    if value == "":
        problems.append(RegistrationProblem(at, "E206", "must not be empty"))


def _switch(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    if not isinstance(value, bool):
        problems.append(_wrong(at, "true or false", value))


def _timeout(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        shown = f"{value:g}" if isinstance(value, float) else kind_of(value)
        problems.append(
            RegistrationProblem(at, "E203", f"must be a whole number of milliseconds, not {shown}")
        )
    elif not 0 < value <= _LARGEST_TIMEOUT:
        problems.append(RegistrationProblem(at, "E205", "must be greater than 0, in milliseconds"))


def _command(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    if not isinstance(value, list):
        problems.append(_wrong(at, "an array: the program and its arguments", value))
    elif not 0 < len(value) <= _MOST_ITEMS:
        problems.append(RegistrationProblem(at, "E206", f"must have 1 to {_MOST_ITEMS} items"))
    else:
        for index, word in enumerate(value):
            (_filled_text if index == 0 else _text)(word, f"{at}/{index}", problems)


def _texts(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    if not isinstance(value, dict):
        problems.append(_wrong(at, "an object of strings", value))
    elif len(value) > _MOST_ITEMS:
        problems.append(RegistrationProblem(at, "E206", f"must have at most {_MOST_ITEMS} members"))
    else:
        for name, text in value.items():
            _text(text, f"{at}/{_escaped(name)}", problems)


def _oauth(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    if isinstance(value, bool):
        return
    if not isinstance(value, dict):
        problems.append(_wrong(at, "an object, or false", value))
        return
    keys: Mapping[str, Checker] = {
        name: _filled_text for name in ("clientId", "clientSecret", "scope", "issuer")
    }
    _check_keys(value, at, keys, (), problems)


def _type(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    """Checked before the rest: it says which keys there are."""


_SHARED: Final[Mapping[str, Checker]] = {"type": _type, "enabled": _switch, "timeout": _timeout}
_LOCAL: Final[Mapping[str, Checker]] = {**_SHARED, "command": _command, "environment": _texts}
_REMOTE: Final[Mapping[str, Checker]] = {**_SHARED, "url": _filled_text, "headers": _texts, "oauth": _oauth}


def _config(value: Any, at: str, problems: list[RegistrationProblem]) -> None:
    if not isinstance(value, dict):
        problems.append(_wrong(at, "an object", value))
        return
    kind = value.get("type")
    if "type" not in value:
        problems.append(RegistrationProblem(at, "E202", "missing required key `type`", "local or remote"))
    elif kind == "local":
        _check_keys(value, at, _LOCAL, ("command",), problems)
    elif kind == "remote":
        _check_keys(value, at, _REMOTE, ("url",), problems)
    else:
        problems.append(RegistrationProblem(f"{at}/type", "E204", "must be `local` or `remote`"))


def _filled(config: JsonObject) -> JsonObject:
    """With its defaults, so that what is left out equals what is spelled out."""
    usual: JsonObject = {"enabled": True, "timeout": USUAL_TIMEOUT_MS}
    usual |= {"environment": {}} if config["type"] == "local" else {"headers": {}, "oauth": True}
    filled = usual | config
    if filled.get("oauth") == {}:
        filled["oauth"] = True
    return filled
