"""`executor serve`: the MCP endpoint over HTTP."""

from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.app.options import StartOptions
from proxy.commands.common import (
    DEFAULT_NAMES,
    EXIT_CONFIG,
    EXIT_OK,
    EXIT_TASK_FAILED,
    CannotRun,
    add_config_option,
    cannot_run,
    load_valid,
    start_with_last_good,
)
from proxy.commands.common import config_paths as find_paths
from proxy.commands.own_command import own_command
from proxy.commands.streams import drop_output
from proxy.config import Diagnostic
from proxy.descriptors import can_start_threads, raise_limit
from proxy.memory import return_freed_memory
from proxy.tasks import EssentialTaskFailed, TaskSupervisor

if TYPE_CHECKING:
    from integrations.fields import Listen
    from proxy.app.application import Application
    from proxy.app.latest_end import LatestEnd
    from proxy.app.serve import Bound
    from proxy.config.model import Metrics
    from proxy.serving.http.sockets import ActivatedSockets

_FEW_DESCRIPTORS = 64
_FEW_THREADS = 8
_ADDRESSES = {
    errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE: take a higher one with --listen HOST:PORT",
    errno.EADDRNOTAVAIL: "no interface of this machine has it: --listen 127.0.0.1:8080, or 0.0.0.0:8080 for all",
}
DESCRIPTION = """\
Validates the config with this process's environment, starts the sandbox, opens the upstreams and serves MCP at
/mcp. Edits of the config files are applied within a second; SIGHUP and POST /-/reload do the same at once. An invalid
edit changes nothing and says why. SIGTERM lets running executions finish, a second one stops at once."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "serve",
        help="serve the MCP endpoint over HTTP",
        description=DESCRIPTION,
        epilog="Exit codes: 0 stopped, 2 could not run, 70 what serves has failed or hung while it stopped, "
        "78 invalid config.",
    )
    add_config_option(parser)
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=_address,
        help="instead of server.listen; port 0 takes a free one; or unix:/PATH. A socket of systemd comes first",
    )
    parser.add_argument(
        "--no-watch",
        action="store_true",
        help="do not watch the files; reload only by SIGHUP or POST /-/reload",
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="also run the quickstart's demo API and point the config at it; without any config, serve the quickstart",
    )


def _address(text: str) -> str:
    """The address as it was given, checked while argparse can still say which option is wrong."""
    from integrations.fields import parse_listen

    try:
        return str(parse_listen(text))
    except ValueError as error:
        if text.startswith("unix:"):
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
        example = f"127.0.0.1:{text}" if text.isdigit() else "127.0.0.1:8080"
        raise argparse.ArgumentTypeError(f"{text!r}: expected HOST:PORT, such as {example}") from None


def run(args: argparse.Namespace) -> int:
    try:
        paths = _demo_paths() if args.demo and not args.config else find_paths(args.config)
        from proxy.app.latest_end import LatestEnd

        return run_loop(serve(args, paths, TaskSupervisor(), LatestEnd()))
    except (CannotRun, OSError) as error:
        return cannot_run(error, _remedy(error, args.demo))


def _demo_paths() -> list[Path]:
    """The config in the working directory, else the quickstart's own. Raises `CannotRun`."""
    from proxy.commands.demo_server import quickstart

    here = [Path(name) for name in DEFAULT_NAMES if Path(name).is_file()]
    return here[:1] or [quickstart()]


def _other_port(demo: bool) -> str:
    """What works where the command was typed: `make run` passes no options on."""
    return "use another one: --listen 127.0.0.1:0" + (
        " (with make: EXECUTOR_LISTEN=127.0.0.1:0 make run)" if demo else ""
    )


def _remedy(error: Exception, demo: bool) -> str | None:
    """What to do about an address that cannot be had. Other errors say it themselves."""
    text = str(error.strerror) if isinstance(error, OSError) else ""
    if not text.startswith("cannot listen") or "unix:" in text:
        return None
    assert isinstance(error, OSError)
    if error.errno == errno.EADDRINUSE:
        return _other_port(demo)
    return _ADDRESSES.get(error.errno or 0, "name an address of this machine: --listen HOST:PORT")


def check_addresses(listen: Listen, metrics: Metrics, activated: ActivatedSockets) -> None:
    """Whether both listeners can be had, before sources are opened: a taken port should cost nobody a minute. Raises
    `OSError`, `CannotRun`."""
    from proxy.serving.http.sockets import check_free

    if activated.http is None:
        check_free(listen)
    if metrics.enabled and metrics.listen is not None and activated.metrics is None:
        try:
            check_free(metrics.listen)
        except OSError as error:
            raise CannotRun(
                f"telemetry.metrics.listen: {error.strerror}; name another address there"
            ) from error


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where it can be imported, with all the descriptors that the system allows.

    Until the reload handler is set, SIGHUP must not end the process. No garbage is looked for until `Garbage` takes
    over, for the server's parts are still to be imported.
    """
    gc.disable()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if (most := raise_limit()) < _FEW_DESCRIPTORS:
        main.close()
        raise CannotRun(
            f"this process may open {most} files, and needs {_FEW_DESCRIPTORS}: raise it (ulimit -n 4096)"
        )
    if not can_start_threads(_FEW_THREADS):
        main.close()
        raise CannotRun(
            f"this process may not start {_FEW_THREADS} threads: raise the limit (ulimit -u, pids_limit)"
        )
    return_freed_memory()
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


async def serve(
    args: argparse.Namespace, paths: list[Path], tasks: TaskSupervisor, latest: LatestEnd | None = None
) -> int:
    """The exit code, once it has stopped. `latest` ends the process if stopping hangs."""
    from proxy.serving.http.sockets import ActivatedSockets

    activated = ActivatedSockets.take(os.environ, os.getpid())
    environment = dict(os.environ)
    async with demo_beside(args.demo, environment, tasks):
        loaded = load_valid(paths, environment, hint=_demo_hint)
        last_good = None
        if loaded is None:
            loaded, last_good = start_with_last_good(paths, environment)
            if loaded is None:
                return EXIT_CONFIG
        # The server's own parts are imported late: they cost more than a second.
        from integrations.fields import parse_listen
        from proxy.app.application import open_application
        from proxy.app.garbage import Garbage
        from proxy.app.options import InvalidConfig
        from proxy.app.serve import StopSignals, run_http

        assert loaded.config is not None
        listen = parse_listen(args.listen) if args.listen else loaded.config.server.listen
        check_addresses(listen, loaded.config.telemetry.metrics, activated)
        options = StartOptions(
            tuple(paths), environment, listen=args.listen, watch=not args.no_watch, last_good=last_good
        )
        try:
            async with Garbage(tasks) as garbage, open_application(options, tasks) as application:
                garbage.follow(application.live, application.executions.activity)

                def ready(bound: Bound) -> None:
                    _announce(args, application, bound, environment, paths)

                await run_http(application, ready, StopSignals(), latest, activated)
        except InvalidConfig as error:
            print(error, file=sys.stderr)
            return EXIT_CONFIG
        except EssentialTaskFailed as error:
            print(f"error: {error}", file=sys.stderr)
            return EXIT_TASK_FAILED
        return EXIT_OK


def _announce(
    args: argparse.Namespace,
    application: Application,
    bound: Bound,
    environment: Mapping[str, str],
    paths: Sequence[Path],
) -> None:
    """Say where it serves. Whom that does not reach, it serves all the same."""
    from proxy.app.welcome import listening, welcome
    from proxy.telemetry import Logger

    # Audit lines that go to stdout have it for themselves.
    out = sys.stderr if application.config.audit.sink == "stdout" else sys.stdout
    try:
        if bound.is_socket or not (args.demo or out.isatty()):
            print(listening(application, bound.url), file=out, flush=True)
            return
        print(welcome(application, bound.url, own_command()), file=out, flush=True)
        if args.demo:
            print(_demo_lines(environment, paths), file=out, flush=True)
    except OSError as error:
        drop_output(out)
        Logger("serve").warning("not_announced", url=bound.url, error=str(error))


def _demo_lines(environment: Mapping[str, str], paths: Sequence[Path]) -> str:
    """One line to paste. The token opens nothing but a toy API on this machine, until this process ends."""
    from proxy.commands.demo_server import demo_environment

    variables = " ".join(f"{name}={environment[name]}" for name in demo_environment("", ""))
    config = " ".join(f"--config {shlex.quote(os.path.abspath(path))}" for path in paths)
    return (
        "Use the demo API from another terminal (then also `explain` and `call`):\n"
        f"  export {variables}; {own_command()} tools ls {config}\n"
    )


def _demo_hint(found: Diagnostic) -> Diagnostic:
    """The help for a missing variable that the demo sets is to add --demo."""
    from proxy.commands.demo_server import demo_environment

    if found.code == "E402" and any(f" {name} " in found.message for name in demo_environment("", "")):
        return replace(found, help="add --demo, which runs the demo API and sets it; or set it yourself")
    return found


@asynccontextmanager
async def demo_beside(
    wanted: bool, environment: dict[str, str], tasks: TaskSupervisor
) -> AsyncIterator[None]:
    """The demo API on a free loopback port, and the variables that the quickstart's config refers to."""
    if not wanted:
        yield
        return
    from proxy.commands.demo_server import bind_demo, demo_environment, demo_token, run_demo

    listener, token = bind_demo("127.0.0.1", 0), demo_token()
    port: int = listener.getsockname()[1]
    environment |= demo_environment(f"http://127.0.0.1:{port}", token)
    ready, shutdown = asyncio.Event(), asyncio.Event()
    listeners = [listener]

    async def listen() -> None:
        # Started again, it binds the same port anew: the config has its address.
        listener = listeners.pop() if listeners else bind_demo("127.0.0.1", port)
        await run_demo("127.0.0.1", port, ready, shutdown, token=token, listener=listener)

    demo = tasks.keep("demo", listen)
    await ready.wait()
    try:
        yield
    finally:
        shutdown.set()
        await asyncio.wait([demo])
