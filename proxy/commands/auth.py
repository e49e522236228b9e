"""`executor auth login|status|logout`: sign in to connections, through a browser on this machine or elsewhere.

The browser comes back to a loopback address of this machine (RFC 8252), where this command waits. What it brings is
redeemed by the server, for the account of the token that this command uses, and for no other. Where there is no
browser a code is entered on another device (RFC 8628), if the authorization server has that.
"""

from __future__ import annotations

import argparse
import sys
import time
import webbrowser
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from integrations.base import JsonObject
from integrations.oauth.authorization import CALLBACK_PARAMETERS, CALLBACK_PATH
from proxy.commands.common import EXIT_FOUND, EXIT_OK, CannotRun, add_json_option, print_json
from proxy.commands.remote import Refused, Remote, add_server_options, inert, run_remotely
from proxy.commands.terminal import print_table

EXIT_CODES = "Exit codes: 0 fine, 1 not signed in or refused, 2 could not run."
WAIT_SECONDS: Final = 300.0
_DONE: Final = (
    b"<!doctype html><title>Executor</title><p>You can close this page and go back to the terminal."
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "auth",
        help="sign in to connections, see who is signed in, and forget tokens",
        description="Asks a running server. What you sign in to is bound to the account of the token that this "
        "command sends: EXECUTOR_TOKEN, or on the server's machine the minted one.",
        epilog=EXIT_CODES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    login = actions.add_parser("login", help="sign in to a connection in a browser")
    status = actions.add_parser(
        "status", help="every connection that people sign in to, with your own status"
    )
    logout = actions.add_parser("logout", help="forget your token, here and at the authorization server")
    for one in (login, logout):
        one.add_argument("connection", metavar="CONNECTION", help="such as github.user.me")
    status.add_argument("connection", metavar="CONNECTION", nargs="?", help="only this one")
    where = login.add_mutually_exclusive_group()
    where.add_argument("--no-browser", action="store_true", help="print the URL and open nothing")
    where.add_argument(
        "--device",
        action="store_true",
        help="print a code to enter in a browser on any device, if the authorization server has that (default where "
        "this machine has no browser)",
    )
    login.add_argument(
        "--port", type=int, default=0, metavar="PORT", help="listen here for the browser (default: any)"
    )
    for one in (login, status, logout):
        add_server_options(one)
        add_json_option(one)
        one.epilog = EXIT_CODES


def run(args: argparse.Namespace) -> int:
    work = {"login": _login, "status": _status, "logout": _logout}[args.action]
    return run_remotely(args, work, role="agent")


def _status(args: argparse.Namespace, remote: Remote) -> int:
    items = remote.get("/api/sign-ins")["items"]
    if args.connection:
        items = [one for one in items if one["connection"] == args.connection]
        if not items:
            print(
                f"executor: no connection `{inert(args.connection)}` that people sign in to", file=sys.stderr
            )
            return EXIT_FOUND
    if args.json:
        print_json(items)
    elif not items:
        print("no connection that people sign in to")
    else:
        print_table([*map(_row, items)], ["CONNECTION", "STATUS", "SIGNS IN", ""])
    return EXIT_FOUND if args.connection and items[0]["status"] != "connected" else EXIT_OK


def _row(item: JsonObject) -> list[str]:
    who = "you" if item["owner"] == "user" else "an operator"
    return [*map(inert, (item["connection"], item["status"], who, item.get("reason", "")))]


def _logout(args: argparse.Namespace, remote: Remote) -> int:
    answer = remote.post(f"{_of(args.connection)}/sign-out", {})
    if args.json:
        print_json(answer)
    else:
        words = "signed out of" if answer["signedOut"] else "nobody was signed in to"
        print(f"{words} {inert(args.connection)}")
    return EXIT_OK


def _login(args: argparse.Namespace, remote: Remote) -> int:
    if args.device and args.port:
        raise CannotRun("--port is for a browser that comes back: leave it out with --device")
    if args.device or not (args.no_browser or args.port or _has_browser()):
        try:
            return _login_elsewhere(args, remote)
        except Refused as refused:
            if args.device or refused.code != "device_flow_not_supported":
                raise
    return _login_here(args, remote)


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _login_elsewhere(args: argparse.Namespace, remote: Remote) -> int:
    """A code that a person enters in a browser anywhere (RFC 8628)."""
    begun = remote.post(f"{_of(args.connection)}/sign-in/device", {})
    minutes = max(1, round((begun["expiresAtMs"] / 1000 - time.time()) / 60))
    complete = begun.get("verificationUriComplete")
    print(
        f"Open {inert(begun['verificationUri'])} in a browser on any device and enter the code\n"
        f"    {inert(begun['userCode'])}\nwithin {minutes} min. Give it to nobody: whoever enters it signs in for you."
        + (f"\nWith the code in it: {inert(complete)}" if complete else ""),
        file=sys.stderr,
        flush=True,
    )
    return _signed_in(args, _wait_elsewhere(args, remote, begun))


def _wait_elsewhere(args: argparse.Namespace, remote: Remote, begun: JsonObject) -> JsonObject:
    """The server's answer once the code was entered. Raises `CannotRun` when the time is over."""
    pause, said = begun["intervalMs"] / 1000, ""
    while time.time() + pause < begun["expiresAtMs"] / 1000:
        time.sleep(pause)
        answer = remote.post(f"{_of(args.connection)}/sign-in/device/ask", {"state": begun["state"]})
        if answer["status"] == "connected":
            return answer
        pause = answer["intervalMs"] / 1000
        if answer.get("reason", said) != said:
            said = answer["reason"]
            print(f"executor: {inert(said)}; trying again", file=sys.stderr, flush=True)
    raise CannotRun("nobody entered the code in time; nothing was signed in")


def _login_here(args: argparse.Namespace, remote: Remote) -> int:
    with CallbackListener(args.port or _port_of(args.connection, remote)) as listener:
        begun = remote.post(f"{_of(args.connection)}/sign-in", {"redirectUri": listener.redirect_uri})
        url = str(begun["authorizationUrl"])
        print(f"Open this in a browser:\n{inert(url)}", file=sys.stderr, flush=True)
        if not args.no_browser:
            _open(url)
        given = listener.wait(str(begun["state"]))
    return _signed_in(args, remote.post(f"{_of(args.connection)}/sign-in/complete", dict(given)))


def _signed_in(args: argparse.Namespace, answer: JsonObject) -> int:
    if args.json:
        print_json(answer)
    else:
        print(f"signed in to {inert(answer['connection'])}")
    return EXIT_OK


def _port_of(connection: str, remote: Remote) -> int:
    """The port that the authorization server insists on; 0 for any."""
    items = remote.get("/api/sign-ins")["items"]
    return next((one.get("redirectPort", 0) for one in items if one["connection"] == connection), 0)


def _open(url: str) -> None:
    if urlsplit(url).scheme in ("http", "https"):
        webbrowser.open(url)


def _of(connection: str) -> str:
    return f"/api/connections/{quote(connection, safe='')}"


class CallbackListener:
    """Waits for the browser on a loopback address. What does not bring the expected `state` is answered and ignored."""

    def __init__(self, port: int) -> None:
        self._given: Mapping[str, str] | None = None
        self._state = ""
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                taken = listener.take(self.path)
                self.send_response(200 if taken else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(_DONE if taken else b"")

            def log_message(self, format: str, *args: Any) -> None:
                """The address of a request holds the code: it is written nowhere."""

        try:
            self._server = HTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise CannotRun(f"cannot listen on 127.0.0.1:{port} for the browser: {error.strerror}") from None
        self._server.timeout = 1.0

    def __enter__(self) -> CallbackListener:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.server_close()

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{CALLBACK_PATH}"

    def take(self, target: str) -> bool:
        path, _, query = target.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=32))
        if path != CALLBACK_PATH or given.get("state") != self._state:
            return False
        self._given = {name: given[name] for name in CALLBACK_PARAMETERS if name in given}
        return True

    def wait(self, state: str) -> Mapping[str, str]:
        """What the browser brought. Raises `CannotRun` when it does not come."""
        self._state = state
        for _ in range(int(WAIT_SECONDS)):
            self._server.handle_request()
            if self._given is not None:
                return self._given
        raise CannotRun(f"the browser did not come back within {WAIT_SECONDS:.0f} s; nothing was signed in")
