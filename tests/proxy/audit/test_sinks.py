"""Files: made private, continued, rotated, shared by nobody, whole after a failure."""

from __future__ import annotations

import io
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.audit import AuditError, FileSink, StreamSink, verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def write(path: Path, count: int = 1) -> None:
    sink = FileSink(path)
    chain = sink.chain()
    for number in range(count):
        sink.write(chain.line(0, "call", {"n": number}) + b"\n")
    sink.close()


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_only_we_can_read_it(path: Path) -> None:
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_chain_goes_on_over_starts(path: Path) -> None:
    write(path, 3)
    write(path, 2)
    verdict = verify(lines(path))
    assert (verdict.lines, verdict.fault) == (5, None)


def test_half_a_line_of_a_crash_is_ended_and_covered(path: Path) -> None:
    write(path, 3)
    path.write_bytes(path.read_bytes()[:-30])
    write(path, 2)
    verdict = verify(lines(path))
    assert (verdict.lines, verdict.torn, verdict.fault) == (5, 1, None)


def test_a_line_that_lacks_only_its_newline_counts(path: Path) -> None:
    write(path, 2)
    path.write_bytes(path.read_bytes()[:-1])
    write(path, 1)
    verdict = verify(lines(path))
    assert (verdict.lines, verdict.torn, verdict.fault) == (3, 0, None)


def test_a_line_with_half_a_surrogate_pair_is_one(path: Path) -> None:
    sink = FileSink(path)
    sink.write(sink.chain().line(0, "call", {"tool": "a\ud83d"}) + b"\n")
    sink.close()
    write(path)
    assert verify(lines(path)).lines == 2


def test_long_lines_are_found_again(path: Path) -> None:
    sink = FileSink(path)
    chain = sink.chain()
    for number in range(3):
        sink.write(chain.line(0, "call", {"n": number, "pad": "x" * 100_000}) + b"\n")
    sink.close()
    write(path)
    assert verify(lines(path)).fault is None


def test_a_renamed_file_is_followed_by_a_new_one_that_goes_on(path: Path) -> None:
    sink = FileSink(path)
    chain = sink.chain()
    sink.write(chain.line(0, "call", {}) + b"\n")
    old = path.rename(path.with_suffix(".1"))
    sink.write(chain.line(0, "call", {}) + b"\n")
    sink.close()
    assert verify([*lines(old), *lines(path)]).fault is None
    assert (verify(lines(path)).begins, verify(lines(path)).fault) == (1, None)


def test_two_servers_do_not_share_a_file(path: Path) -> None:
    first = FileSink(path)
    with pytest.raises(AuditError, match=r"another process.*own"):
        FileSink(path)
    first.close()


def test_what_is_no_audit_file_is_left_alone(path: Path) -> None:
    path.write_text("Dear diary\n")
    with pytest.raises(AuditError, match="move it away"):
        FileSink(path)
    assert path.read_text() == "Dear diary\n"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="must exist"):
        FileSink(tmp_path / "none" / "audit.jsonl")


def test_a_full_disk_leaves_whole_lines(path: Path) -> None:
    """A process that may not make files larger stands for a disk that is full."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from proxy.audit import FileSink\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "sink = FileSink(Path(sys.argv[1]))\n"
        "chain = sink.chain()\n"
        "for number in range(100):\n"
        "    try:\n"
        "        sink.write(chain.line(0, 'call', {'n': number}) + b'\\n')\n"
        "    except OSError:\n"
        "        print('full')\n"
        "        break\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "full\n"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000
    verdict = verify(lines(path))
    assert verdict.fault is None
    assert verdict.lines > 3


def test_a_stream_begins_a_chain() -> None:
    stream = io.BytesIO()
    sink = StreamSink(stream)
    chain = sink.chain()
    sink.write(chain.line(0, "call", {}) + b"\n")
    sink.close()
    assert verify(stream.getvalue().splitlines()).fault is None
