"""Secrets that must be there, and be secrets: variables set, files readable (E402 to E405, E407 to E409)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from proxy.config.locations import Finding
from proxy.config.model import StateConfig
from proxy.config.nodes import Path
from proxy.config.redis_address import read_address, redis_form
from proxy.config.secrets import (
    MIN_ENCRYPTION_KEY_CHARACTERS,
    UNKNOWN,
    clean_secret,
    encryption_keys,
    is_wordlike,
    read_secret_file,
    repeats_scheme,
)
from proxy.config.semantics.view import ConfigView
from proxy.config.signing_keys import (
    MAKE_PAIR,
    MAKE_PUBLIC,
    MAKE_SECRET,
    private_key_problem,
    public_key_problem,
    secret_problem,
)
from proxy.config.suggestions import nearest_name

_NO_SECRETS = (("username",), ("client_id",))  # names, which may be words
_WORD = "it can be guessed, and it is replaced wherever it occurs in results: use one that a generator made"
REDIS_FORMS = "redis://HOST:PORT/0, or rediss:// for TLS; docs/operations.md shows each form"
_SIGNING: Path = ("auth", "api_keys", "signing")
_SIGNING_KEYS: Mapping[str, tuple[Callable[[str], str | None], str]] = {
    "secret": (secret_problem, MAKE_SECRET),
    "private_key": (private_key_problem, MAKE_PAIR),
    "public_key": (public_key_problem, MAKE_PUBLIC),
    "previous_public_key": (public_key_problem, MAKE_PUBLIC),
}


def check_environment(view: ConfigView) -> Iterator[Finding]:
    """Without an environment nothing is judged; with one, every reference to a secret in the config is."""
    if view.environment is None:
        return
    for path, ref in view.secrets():
        if ref.env is not None:
            yield from _variable(view, path, ref.env, view.environment)
        elif ref.file is not None:
            yield from _file(view, path, ref.file)


def _variable(view: ConfigView, path: Path, name: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    at = (*path, "env")
    by_file = environment.get(f"{name}_FILE")
    value = environment.get(name)
    if value and by_file:
        message = f"{name} and {name}_FILE are both set"
        yield Finding("E405", at, message, "unset one of them")
    elif by_file and by_file != UNKNOWN:
        text, why = read_secret_file(view.directory(path) / by_file)
        yield from _odd(at, f"the secret of {name}_FILE", path, text, view.config.state)
        if why:
            yield Finding(
                "E404", at, f"{name}_FILE points to `{by_file}`, {why}", "unset it, or create the file"
            )
    elif value == "":
        yield Finding(
            "E403", at, f"environment variable {name} is empty", f"set {name}, or {name}_FILE to a path"
        )
    elif value and value != UNKNOWN:
        text, why = clean_secret(value)
        if why:
            yield Finding("E407", at, f"environment variable {name} {why}")
        yield from _odd(at, f"environment variable {name}", path, text, view.config.state)
    elif value is None and not by_file:
        yield Finding("E402", at, f"environment variable {name} is not set", _help(name, environment))


def _help(name: str, environment: Mapping[str, str]) -> str:
    likely = nearest_name(name.lower(), [known for known in environment if known.isupper()])
    if likely and environment.get(likely) and abs(len(likely) - len(name)) <= 3:
        return f"did you mean `{likely}`? otherwise set {name}, or {name}_FILE to a path"
    return f"set {name}, or {name}_FILE to a path, or use {{file: PATH}}"


def _odd(at: Path, what: str, path: Path, text: str, state: StateConfig) -> Iterator[Finding]:
    """What cannot serve for this key; else, what anybody guesses."""
    wrong = list(_unfit(at, what, path, text, state))
    yield from wrong
    if not wrong and is_wordlike(text) and path[-1:] not in _NO_SECRETS:
        yield Finding("W617", at, f"{what} holds an ordinary word", _WORD)


def _unfit(at: Path, what: str, path: Path, text: str, state: StateConfig) -> Iterator[Finding]:
    """A bearer token that is a whole header; an encryption key that can be guessed; no address, no signing key."""
    if path[-1:] == ("token",) and (why := repeats_scheme(text)):
        yield Finding("E407", at, f"{what} {why}")
    if path == ("state", "url") and text:
        try:
            read_address(text, redis_form(state))
        except ValueError as error:
            # Nothing of the text is shown: it may hold a password.
            yield Finding("E206", at, f"{what} {error}", REDIS_FORMS)
    if path == ("state", "encryption_key"):
        short = min((len(key) for key in encryption_keys(text)), default=MIN_ENCRYPTION_KEY_CHARACTERS)
        if short < MIN_ENCRYPTION_KEY_CHARACTERS:
            message = f"{what} holds a key of {short} characters; at least {MIN_ENCRYPTION_KEY_CHARACTERS} are needed"
            yield Finding("E408", at, message, "make one with `openssl rand -base64 32`")
    if path[:-1] == _SIGNING and text:
        judge, help = _SIGNING_KEYS[str(path[-1])]
        if (wrong := judge(text)) is not None:
            yield Finding("E409", at, f"{what} {wrong}", help)


def _file(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    text, why = read_secret_file(view.directory(path) / name)
    yield from _odd((*path, "file"), f"secret file `{name}`", path, text, view.config.state)
    if why:
        words = why.removeprefix("which ")
        # What is wrong with the text is the same code, wherever the secret stands.
        code, help = ("E407", None) if "byte order mark" in words else ("E404", _file_help(words))
        yield Finding(code, (*path, "file"), f"secret file `{name}` {words}", help)


def _file_help(words: str) -> str:
    """What to do about a file of which this half sentence is true."""
    remedies = {
        "does not exist": "create it",
        "is empty": "write the secret into it",
        "is not UTF-8": "save it as UTF-8 text",
        "cannot be read": "let the user that runs executor read it",
    }
    return f"{remedies.get(words, 'name a regular file that holds the secret')}, or use {{env: NAME}}"
