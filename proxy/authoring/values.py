"""Texts of other programs' configs as values of ours: references stay references, secrets become them.

Other programs expand `${NAME}`, `${env:NAME}`, `${var:NAME}`, `${input:ID}`, `{env:NAME}` and `{file:PATH}` inside of
texts. Here a value is a reference as a whole, or it is literal.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from integrations.fields import looks_like_a_secret, names_a_secret
from proxy.authoring.draft import Draft, YamlEntry, variable_name

_TEMPLATE: Final = re.compile(
    r"\$\{(?:(?P<kind>env|input|var|vault):)?(?P<name>[A-Za-z_][\w.-]*)(?::?-(?P<default>[^}]*))?\}"
    r"|\{(?P<other>env|file):(?P<text>[^}]+)\}"
    r"|\$(?P<bare>[A-Z_][A-Z0-9_]+)"
)
# Wider than what the config refuses: whoever wrote these files did not have our rule in mind.
_SECRET_NAME: Final = re.compile(
    r"(?:^|[_-])(?:key|pat|pwd|pass|dsn|auth|credentials?|bearer)$", re.IGNORECASE
)
_USER_INFORMATION: Final = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_AUTH_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][\w-]{1,20}) +(?P<rest>\S.*)")
_SECRET_FLAG: Final = re.compile(r"--?[\w-]*(?:token|secret|password|api-?key)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose texts these are: `name` of the server, and its place in the file."""

    name: str
    place: str


def is_secret(name: str, value: str) -> bool:
    """In doubt it is one: a reference too many costs a variable, a secret in a repository costs the secret."""
    if not value or value.lower() in ("true", "false") or value.isdigit():
        return False
    named = names_a_secret(name) or _SECRET_NAME.search(name) is not None
    return named or looks_like_a_secret(value) or _USER_INFORMATION.search(value) is not None


def taken(draft: Draft, origin: Origin, name: str, value: str) -> str | YamlEntry | None:
    """A variable's or a header's value. None when it cannot be said here, which is then a line in `left`."""
    whole = _TEMPLATE.fullmatch(value)
    if whole:
        return _reference(draft, origin, name, whole)
    if _TEMPLATE.search(value):
        draft.left.append(
            f"{origin.place}: `{name}` has a variable inside of a text; put the whole text into one variable and "
            f"write {{env: {variable_name(name)}}}"
        )
        return None
    if is_secret(name, value):
        return draft.variable(name, value, f"{origin.place}: {name}", origin.name)
    return value


def _reference(draft: Draft, origin: Origin, name: str, found: re.Match[str]) -> YamlEntry:
    if found["other"] == "file":
        return {"file": found["text"].strip()}
    wanted = found["bare"] or found["text"] or found["name"]
    if found["default"]:
        draft.left.append(f"{origin.place}: the default of `{name}`; a reference has none: set {wanted}")
    return draft.existing(variable_of(found, wanted), f"{origin.place}: {name}")


def variable_of(found: re.Match[str], wanted: str) -> str:
    """Ids of inputs are no names of variables; names of variables stay as they are."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", wanted.strip())
    return variable_name(wanted) if found["kind"] == "input" or plain is None else wanted.strip()


def credential(draft: Draft, origin: Origin, header: str, value: str) -> YamlEntry | None:
    """The `auth` of a header `Authorization`; None when it cannot be said here."""
    scheme = _AUTH_SCHEME.fullmatch(value)
    prefix, secret = (scheme["scheme"], scheme["rest"]) if scheme else ("", value)
    found = _TEMPLATE.fullmatch(secret)
    if found is None and _TEMPLATE.search(secret):
        draft.left.append(
            f"{origin.place}: `{header}` has a variable inside of a text; write the `auth` by hand"
        )
        return None
    if found is not None:
        reference = _reference(draft, origin, header, found)
    else:
        reference = draft.variable(f"{origin.name}_TOKEN", secret, f"{origin.place}: {header}", origin.name)
    if prefix.lower() == "bearer":
        return {"kind": "bearer", "token": reference}
    shown = {"prefix": f"{prefix} "} if prefix else {}
    return {"kind": "header", "name": header, **shown, "value": reference}


def bare_url(draft: Draft, origin: Origin, url: str) -> tuple[str, list[YamlEntry]] | None:
    """The URL without what is secret in it, and that as parts of an `auth`. None for one that holds a template."""
    parts = urlsplit(url)
    auth: list[YamlEntry] = []
    if parts.username is not None and parts.password is not None:
        password = draft.variable(
            f"{origin.name}_PASSWORD", parts.password, f"{origin.place}: url", origin.name
        )
        auth.append({"kind": "basic", "username": parts.username, "password": password})
    kept = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if is_secret(name, value) or _TEMPLATE.fullmatch(value):
            secret = taken(draft, origin, f"{origin.name}_{name}", value)
            reference = (
                secret
                if isinstance(secret, dict)
                else draft.variable(name, value, f"{origin.place}: url", origin.name)
            )
            auth.append({"kind": "query", "name": name, "value": reference})
        else:
            kept.append((name, value))
    host = parts.netloc.rpartition("@")[2]
    shown = urlunsplit((parts.scheme, host, parts.path, urlencode(kept), parts.fragment))
    return None if _TEMPLATE.search(shown) else (shown, auth)


def command_line(draft: Draft, origin: Origin, words: list[str], environment: YamlEntry) -> list[str]:
    """The command. Where an argument is a secret, or holds a variable, a shell puts it together from `environment`."""
    changed = [_word(draft, origin, words, index, environment) for index in range(len(words))]
    if all(new is None for new in changed):
        return words
    draft.notes.append(
        f"{origin.place}: the command runs through `sh`, which fills in variables of `environment`; every process of "
        "the machine can read arguments, so give secrets by `environment` where the server takes them there"
    )
    text = " ".join(shlex.quote(old) if new is None else new for old, new in zip(words, changed, strict=True))
    return ["sh", "-c", f"exec {text}"]


def _word(draft: Draft, origin: Origin, words: list[str], index: int, environment: YamlEntry) -> str | None:
    """An argument in shell syntax; None for one that stays as it is."""
    word, before = words[index], words[index - 1] if index else ""
    if _TEMPLATE.search(word):
        return _expanded(draft, origin, word, environment)
    flag, equals, value = word.partition("=")
    if equals and _SECRET_FLAG.fullmatch(flag) and value:
        return f'{shlex.quote(flag)}="${_secret(draft, origin, flag, value, environment)}"'
    if (_SECRET_FLAG.fullmatch(before) and not word.startswith("-")) or looks_like_a_secret(word):
        return f'"${_secret(draft, origin, before or "argument", word, environment)}"'
    return (
        f'"${_secret(draft, origin, "url", word, environment)}"' if _USER_INFORMATION.search(word) else None
    )


def _secret(draft: Draft, origin: Origin, name: str, value: str, environment: YamlEntry) -> str:
    wanted = f"{origin.name}_{name.strip('-') or 'secret'}"
    reference = draft.variable(wanted, value, f"{origin.place}: an argument of the command", origin.name)
    environment[reference["env"]] = reference
    return str(reference["env"])


def _expanded(draft: Draft, origin: Origin, word: str, environment: YamlEntry) -> str:
    """`--root=${HOME}/x` as `--root="$HOME"/x`."""
    shown, at = "", 0
    for found in _TEMPLATE.finditer(word):
        literal = word[at : found.start()]
        shown += shlex.quote(literal) if literal else ""
        shown += _filled_in(draft, origin, found, environment)
        at = found.end()
    return shown + (shlex.quote(word[at:]) if word[at:] else "")


# What editors put in by themselves: the folder of the file is where a command runs here, and HOME is always set.
_FOLDERS: Final = {"workspaceFolder": ".", "workspaceRoot": ".", "cwd": "."}


def _filled_in(draft: Draft, origin: Origin, found: re.Match[str], environment: YamlEntry) -> str:
    name = found["name"] or found["bare"] or found["text"]
    if found["kind"] is None and name in _FOLDERS:
        return "."
    if found["kind"] is None and name in ("userHome", "HOME"):
        return '"$HOME"'
    reference = _reference(draft, origin, "an argument of the command", found)
    if "file" in reference:
        return f'"$(cat {shlex.quote(reference["file"])})"'
    environment.setdefault(reference["env"], reference)
    return f'"${reference["env"]}"'
