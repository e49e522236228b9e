"""A running server as commands see it: where it is, with which token, and what it answers over REST."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, urlsplit

from integrations.base import JsonObject, Secret
from integrations.schema_types.text import visible
from proxy.app.paths import state_dir
from proxy.auth import LocalTokenError, read_token
from proxy.auth.local import APPROVER_FILE_NAME, FILE_NAME
from proxy.commands.common import EXIT_FOUND, CannotRun, add_config_option, cannot_run, config_paths
from proxy.commands.trust import Trust, add_trust_options
from proxy.config import load_config
from proxy.serving.http.origins import is_loopback

if TYPE_CHECKING:
    import httpx2

Role = Literal["agent", "approver"]
DEFAULT_URL: Final = "http://127.0.0.1:8080"
# Longer than the server lets anybody wait.
TIMEOUT_SECONDS: Final = 300.0
_FILES: Final[Mapping[Role, str]] = {"agent": FILE_NAME, "approver": APPROVER_FILE_NAME}


class Refused(Exception):
    """The server answered with an error. `code` is for programs, the text for people. Exit code 1."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def add_server_options(parser: argparse.ArgumentParser, server: str | None = None) -> None:
    """`--server`, `--token`, `--workspace`, those of TLS, and the config that says where the server listens.

    `server` replaces the help of `--server` in commands that ask a server only when it is named.
    """
    default = "a running server (default: $EXECUTOR_SERVER, else where the config's `server.listen` is)"
    parser.add_argument("--server", metavar="URL", help=server or default)
    parser.add_argument(
        "--token",
        metavar="TOKEN",
        help="key or token; better in $EXECUTOR_TOKEN, out of process lists (default on this machine: the minted one)",
    )
    parser.add_argument("--workspace", metavar="ID", help="which workspace, when there are several")
    add_trust_options(parser)
    add_config_option(parser)


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """A server and the credential to send there. `source` says where the token came from."""

    url: str
    token: Secret
    source: str
    workspace: str | None
    trust: Trust = field(default_factory=Trust)


def find_server(args: argparse.Namespace, env: Mapping[str, str], role: Role = "approver") -> ServerAccess:
    """Raises `CannotRun`."""
    url, trust = _url(args, env)
    token, source = _token(args, env, url, role)
    return ServerAccess(url, token, source, args.workspace, trust)


def _url(args: argparse.Namespace, env: Mapping[str, str]) -> tuple[str, Trust]:
    given: str | None = args.server or env.get("EXECUTOR_SERVER")
    if given is None:
        return _configured(args, env)
    if given.startswith("unix:/"):
        return given, Trust.of(args)
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise CannotRun(f"--server {given}: expected a URL such as {DEFAULT_URL}, or unix:/PATH")
    return given.rstrip("/"), Trust.of(args)


def _configured(args: argparse.Namespace, env: Mapping[str, str]) -> tuple[str, Trust]:
    """Where the server of this config listens on this machine."""
    try:
        paths = config_paths(args.config)
    except CannotRun:
        if args.config:
            raise
        return DEFAULT_URL, Trust.of(args)
    config = load_config(paths, env=env, secrets=False).config
    if config is None:
        raise CannotRun("the config is invalid (see `executor validate`); name the server with --server URL")
    listen = config.server.listen
    if listen.path is not None:
        return str(listen), Trust.of(args)
    if listen.port == 0:
        raise CannotRun(
            "`server.listen` takes a free port; name the one that `executor serve` printed with --server URL"
        )
    host = listen.host if listen.is_loopback else "127.0.0.1"
    tls = config.server.tls
    scheme = "http" if tls is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{listen.port}"
    return url, Trust.of(args, tls.cert.file if tls is not None else None)


def _token(args: argparse.Namespace, env: Mapping[str, str], url: str, role: Role) -> tuple[Secret, str]:
    """The one given, else the one minted on this machine, which is sent to this machine only."""
    if args.token:
        return Secret(args.token), "--token"
    if env.get("EXECUTOR_TOKEN"):
        return Secret(env["EXECUTOR_TOKEN"]), "EXECUTOR_TOKEN"
    if not _is_near(url):
        raise CannotRun(f"no token for {url}: set EXECUTOR_TOKEN to a key that it knows")
    path = state_dir(env) / _FILES[role]
    try:
        token = read_token(path)
    except LocalTokenError as error:
        raise CannotRun(str(error)) from None
    if token is None:
        raise CannotRun(
            f"no token: {path} does not exist. Set EXECUTOR_TOKEN to a key"
            f"{' whose group has the approver role' if role == 'approver' else ''}, or use the EXECUTOR_STATE_DIR of "
            "the server"
        )
    return token, str(path)


def _is_near(url: str) -> bool:
    """Whether nobody but this machine sees what is sent there."""
    return url.startswith("unix:") or is_loopback(urlsplit(url).hostname or "")


class Remote:
    """One server. Open it with `with`; methods raise `Refused`, and `CannotRun` when it cannot be asked at all."""

    def __init__(self, access: ServerAccess) -> None:
        # Late: commands that only print their help need no HTTP client.
        import httpx2

        self._access = access
        self._errors = httpx2.HTTPError
        socket = access.url.removeprefix("unix:") if access.url.startswith("unix:") else None
        self._http = httpx2.Client(
            base_url="http://localhost" if socket else access.url,
            transport=httpx2.HTTPTransport(uds=socket) if socket else None,
            headers={"authorization": f"Bearer {access.token.reveal()}"},
            timeout=TIMEOUT_SECONDS,
            verify=access.trust.context() if access.url.startswith("https:") else True,
            # A proxy named in the environment must not see the tokens of this machine.
            trust_env=not _is_near(access.url),
        )

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        return self._access.url

    def get(self, path: str, **query: str | int) -> JsonObject:
        return self._ask("GET", path, query, None)

    def text(self, path: str) -> str:
        """An answer that is no JSON. Raises `Refused`."""
        answer = self._plain(path)
        if answer.status_code >= 400:
            raise Refused(answer.status_code, str(answer.status_code), f"{path}: HTTP {answer.status_code}")
        return str(answer.text)

    def headers(self, path: str) -> Mapping[str, str]:
        """The headers of an answer, whatever its status."""
        return dict(self._plain(path).headers)

    def json(self, path: str) -> JsonObject:
        """A JSON object, whatever the status of the answer."""
        try:
            value = self._plain(path).json()
        except ValueError:
            value = None
        return value if isinstance(value, dict) else {}

    def without_token(self, text: str) -> str:
        """The text without the token that this sends."""
        return text.replace(self._access.token.reveal(), "[redacted]")

    def _plain(self, path: str) -> httpx2.Response:
        try:
            return self._http.get(path)
        except self._errors as error:
            raise CannotRun(self._unreachable(error)) from None

    def post(self, path: str, body: JsonObject, headers: Mapping[str, str] | None = None) -> JsonObject:
        return self._ask("POST", path, {}, body, headers)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: JsonObject | None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonObject:
        workspace = {"workspaceId": self._access.workspace} if self._access.workspace else {}
        try:
            answer = self._http.request(
                method, path, params={**query, **workspace}, json=body, headers=dict(headers or {})
            )
        except self._errors as error:
            raise CannotRun(self._unreachable(error)) from None
        try:
            value = answer.json()
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise CannotRun(
                f"{self.url} is no Executor server: it answered {answer.status_code} without JSON"
            )
        if answer.status_code >= 400:
            raise self._refused(answer.status_code, value)
        return value

    def _unreachable(self, error: Exception) -> str:
        why = str(error) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in why:
            return (
                f"{self.url} is not trusted ({why}). Name the authority of its certificate with --cacert FILE"
            )
        if "CERTIFICATE_REQUIRED" in why:
            return (
                f"{self.url} asks for a certificate: name one of its `server.tls.client_ca` with --cert FILE"
            )
        if self.url.startswith("http:") and "disconnected" in why:
            return f"{self.url} closed the connection ({why}). If it speaks TLS, write https://"
        return (
            f"no answer from {self.url} ({why}). Is `executor serve` running there? "
            "Name another server with --server URL"
        )

    def _refused(self, status: int, value: JsonObject) -> Exception:
        error = value.get("error")
        found = error if isinstance(error, dict) else {}
        message = inert(str(found.get("message", f"the server answered {status}")))
        if status == 401:
            return CannotRun(f"{self.url} does not accept the token of {self._access.source}: {message}")
        return Refused(status, str(found.get("code", status)), message)


@contextmanager
def open_remote(args: argparse.Namespace, role: Role = "approver") -> Iterator[Remote]:
    """The server that the options name. Raises `CannotRun`."""
    with Remote(find_server(args, os.environ, role)) as remote:
        yield remote


def run_remotely(
    args: argparse.Namespace,
    work: Callable[[argparse.Namespace, Remote], int],
    role: Role = "approver",
) -> int:
    """The exit code of work that asks a server: what the server refuses is 1, what cannot be asked is 2."""
    try:
        with open_remote(args, role) as remote:
            return work(args, remote)
    except Refused as refused:
        print(f"executor: {refused}", file=sys.stderr)
        return EXIT_FOUND
    except (CannotRun, OSError) as error:
        return cannot_run(error)


def execution_path(execution_id: str) -> str:
    """Ids go into a path: whatever was typed stays one segment of it."""
    return f"/api/executions/{quote(execution_id, safe='')}"


def inert(text: object) -> str:
    """Text without characters that control a terminal; its own line breaks stay."""
    return "\n".join(visible(line) for line in str(text).split("\n"))
