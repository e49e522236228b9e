"""Heavy work on a source document is done in a child process: its memory is freed when it ends, and a hostile document
can crash only the child.

There is one exchange: the parent writes a JSON object on one line and then the content; the child writes its answer to
standard output and exits with 0, or the reason in one sentence and exits with 1.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from integrations.base import JsonObject, SourceError
from integrations.json_text import read_json, write_json

CHILD_SECONDS = 120.0
CHILD_MEMORY = 3 * 1024**3
ChildWork = Callable[[JsonObject, bytes], bytes]


async def run_child(
    module: str, request: JsonObject, content: bytes, name: str, descriptors: tuple[int, ...] = ()
) -> bytes:
    """What `python -m module` answers; it gets `descriptors` too. Raises `SourceError` naming `name`, and OSError when
    there can be no child."""
    import asyncio  # Here, because the child's side imports this module too and has no use for it.

    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=_environment(), pass_fds=descriptors,
    )  # fmt: skip
    try:
        async with asyncio.timeout(CHILD_SECONDS):
            said, complaint = await child.communicate(write_json({**request, "name": name}) + b"\n" + content)
    except TimeoutError:
        raise SourceError(f"{name}: compiling took more than {CHILD_SECONDS:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode == 1 and said:
        raise SourceError(said.decode("utf-8", "replace"))
    if child.returncode:
        last = complaint.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
        raise SourceError(f"{name}: the compiler ended with {child.returncode}: {last[:300]}")
    return said


def _environment() -> dict[str, str]:
    """The child inherits no environment variable of the proxy; it is told where this package is."""
    return {
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": os.defpath,
    }


def serve_child(work: ChildWork) -> int:
    """The child's side: limits, then `work(request, content)`. The exit code is the return value."""
    request: JsonObject = read_json(sys.stdin.buffer.readline())
    name = request["name"]
    resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY, CHILD_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(CHILD_SECONDS), int(CHILD_SECONDS)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(1_500)
    try:
        answer = work(request, sys.stdin.buffer.read())
    except SourceError as error:
        return _refuse(str(error))
    except RecursionError:
        return _refuse(f"{name}: nested too deeply")
    except MemoryError:
        return _refuse(f"{name}: needs more than {CHILD_MEMORY >> 20} MiB to compile")
    sys.stdout.buffer.write(answer)
    return 0


def _refuse(reason: str) -> int:
    sys.stdout.write(reason)
    return 1
