import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.telemetry import Logger, Millis, configure_logging, correlated, correlation_id, new_correlation_id
from proxy.telemetry.logs import ExecutorHandler, JsonFormatter, TextFormatter, escaped

TREES = ("", "executor", "mcp", "httpx2", "httpcore2")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in TREES}
    yield
    logging.captureWarnings(False)
    root = logging.getLogger()
    for handler in [known for known in root.handlers if isinstance(known, ExecutorHandler)]:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def to(stream: io.StringIO, **options: Any) -> io.StringIO:
    configure_logging(stream=stream, **options)
    return stream


def test_an_applied_config_reads_as_documented() -> None:
    out = to(io.StringIO(), fmt="text")
    Logger("config").info(
        "config applied",
        generation=2,
        sha256="8d03be71",
        trigger="watch",
        tools="+2-1~1",
        wider=3,
        narrower=1,
        restart_required=(),
        **{"in": Millis(212)},
    )
    assert out.getvalue() == (
        "INFO  config applied  generation=2 sha256=8d03be71 trigger=watch tools=+2-1~1 wider=3 narrower=1"
        " restart_required=- in=212ms\n"
    )


def test_a_rejected_config_reads_as_documented() -> None:
    out = to(io.StringIO(), fmt="text")
    Logger("config").error(
        "config rejected",
        generation=2,
        stays=True,
        trigger="watch",
        errors=1,
        detail="executor.yaml:42:7 E201 unknown key `tokn` (did you mean `token`?)",
    )
    assert out.getvalue() == (
        "ERROR config rejected generation=2 stays trigger=watch errors=1"
        " executor.yaml:42:7 E201 unknown key `tokn` (did you mean `token`?)\n"
    )


def test_json_has_numbers_and_its_own_keys_win() -> None:
    out = to(io.StringIO())
    Logger("config").info("applied", errors=0, level="forged", names=frozenset({"a"}), **{"in": Millis(5)})
    line = json.loads(out.getvalue())
    assert line["level"] == "info"
    assert line["logger"] == "executor.config"
    assert line["event"] == "applied"
    assert (line["errors"], line["in"], line["names"]) == (0, 5, ["a"])
    assert line["time"].endswith("+00:00")


def test_the_format_follows_the_stream() -> None:
    terminal, pipe = to(Terminal()), None
    Logger("x").info("hello")
    assert terminal.getvalue() == "INFO  hello\n"
    pipe = to(io.StringIO())
    Logger("x").info("hello")
    assert json.loads(pipe.getvalue())["event"] == "hello"
    assert terminal.getvalue() == "INFO  hello\n"


def test_values_in_text() -> None:
    out = to(io.StringIO(), fmt="text", level="debug")
    Logger("x").debug("e", a=None, b=False, c=1.5, d="two words", e=["p", "q"], f="", g='a"b\\', h="k=v")
    assert out.getvalue() == (
        'DEBUG e               a=- b=false c=1.5 d="two words" e=p,q f="" g="a\\"b\\\\" h="k=v"\n'
    )


def test_levels_are_ours_and_libraries_start_at_warning() -> None:
    out = to(io.StringIO(), fmt="text", level="error")
    Logger("x").warning("not written")
    Logger("x").error("written")
    logging.getLogger("mcp.server").info("not written")
    logging.getLogger("some.library").warning("%s from a library", "words")
    assert out.getvalue() == "ERROR written\nWARNING words from a library\n"


def test_protocol_debug_opens_the_sdk() -> None:
    out = to(io.StringIO(), fmt="text", protocol_debug=True)
    logging.getLogger("mcp.server").debug("frame")
    assert out.getvalue() == "DEBUG frame\n"


def test_an_exception_keeps_its_traceback_inside_its_own_lines() -> None:
    error = ValueError("line one\nERROR forged\x1b[2J")
    text, structured = to(io.StringIO(), fmt="text"), None
    Logger("x").exception("failed", error, id="1f2e3d4c")
    first, *others = text.getvalue().splitlines()
    assert first == "ERROR failed          id=1f2e3d4c"
    assert all(line.startswith("    ") for line in others)
    assert "\x1b" not in text.getvalue()
    structured = to(io.StringIO(), fmt="json")
    Logger("x").exception("failed", error)
    assert "ValueError: line one" in json.loads(structured.getvalue())["traceback"]


def test_pythons_warnings_are_logged() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        out = to(io.StringIO(), fmt="json")
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert "old thing" in json.loads(out.getvalue())["event"]


async def test_the_correlation_id_follows_the_request_into_its_tasks() -> None:
    out = to(io.StringIO(), fmt="text")

    async def serve(identifier: str) -> str:
        with correlated(identifier):
            async with asyncio.TaskGroup() as group:
                inner = group.create_task(asyncio.to_thread(correlation_id))
            Logger("x").info("done")
            return inner.result()

    assert list(await asyncio.gather(serve("aaaa"), serve("bbbb"))) == ["aaaa", "bbbb"]
    assert sorted(out.getvalue().splitlines()) == [
        "INFO  done            correlation_id=aaaa",
        "INFO  done            correlation_id=bbbb",
    ]
    assert correlation_id() == ""


def test_correlation_ids_are_eight_digits_and_differ() -> None:
    first, second = new_correlation_id(), new_correlation_id()
    assert first != second
    assert len(bytes.fromhex(first)) == 4


def test_colour_marks_only_what_is_wrong() -> None:
    record = logging.LogRecord("executor.x", logging.ERROR, "", 0, "broken", None, None)
    assert TextFormatter(color=True).format(record) == "\x1b[31mERROR\x1b[0m broken"
    record.levelno, record.levelname = logging.INFO, "INFO"
    assert TextFormatter(color=True).format(record) == "INFO  broken"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_text_can_make_a_second_line_or_reach_the_terminal(event: str, value: str, prose: str) -> None:
    record = logging.LogRecord("executor.x", logging.INFO, "", 0, "%s", (event,), None)
    record.event_fields = {"value": value, "detail": prose}
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(record)
        assert len(line.splitlines()) <= 1
        assert all(char.isprintable() or char.isspace() for char in line)
        assert "\x1b" not in line
        assert "\x9b" not in line


def test_unprintable_characters_are_spelled_out() -> None:
    assert escaped("a\nb\x1b[0m\u2028\u202ec é 名") == "a\\nb\\x1b[0m\\u2028\\u202ec é 名"


def test_the_http_client_is_heard_from_warnings_on() -> None:
    """Its requests at `info` are whole URLs, and headers at `debug`: session ids and keys."""
    logging.getLogger("httpx2").setLevel(logging.DEBUG)
    out = to(io.StringIO(), level="debug")
    for name in ("httpx2", "httpcore2.connection"):
        logging.getLogger(name).info("HTTP Request: POST https://mcp.example/?session_id=abc")
        logging.getLogger(name).warning("odd")
    assert "session_id" not in out.getvalue()
    assert out.getvalue().count("odd") == 2
