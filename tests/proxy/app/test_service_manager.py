"""A socket like systemd's, and the real program that tells it when it serves and when it stops."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.app.service_manager import tell_service_manager
from tests.e2e import configs
from tests.e2e.running import serving


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.settimeout(60)
        yield receiver


@pytest.mark.parametrize("abstract", [False, True])
def test_both_kinds_of_addresses_are_told(tmp_path: Path, abstract: bool) -> None:
    name = f"executor-{tmp_path.name}-{abstract}"
    bound, told = (f"\0{name}", f"@{name}") if abstract else (str(tmp_path / "s"), str(tmp_path / "s"))
    with manager(bound) as receiver:
        tell_service_manager({"NOTIFY_SOCKET": told}, "READY=1", "STATUS=well")
        assert receiver.recv(100) == b"READY=1\nSTATUS=well"


@pytest.mark.parametrize("address", [None, "", "vsock:2:1"])
def test_nobody_is_told_where_nobody_listens(address: str | None, caplog: pytest.LogCaptureFixture) -> None:
    tell_service_manager({"NOTIFY_SOCKET": address} if address is not None else {}, "READY=1")
    assert caplog.records == []


def test_a_manager_that_cannot_be_told_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "executor"):
        tell_service_manager({"NOTIFY_SOCKET": str(tmp_path / "gone")}, "READY=1")
    assert "not told" in caplog.text


def test_serve_says_when_it_serves_and_when_it_stops(tmp_path: Path) -> None:
    config = configs.write(tmp_path / "executor.yaml", {"version": 1})
    with manager(str(tmp_path / "s")) as receiver:
        with serving(config, tmp_path / "state", env={"NOTIFY_SOCKET": str(tmp_path / "s")}) as proxy:
            assert receiver.recv(200).decode() == f"READY=1\nSTATUS=serving {proxy.url}"
        assert receiver.recv(200) == b"STOPPING=1\nSTATUS=draining"
