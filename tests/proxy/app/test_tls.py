"""What the listener shows, where it says it is, and what is told of failed handshakes."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from proxy.app.tls import ServedTls, read_identity
from proxy.config.model import ServerTls
from proxy.telemetry import MetricsRegistry
from tests.integrations.tls import Authority, Issued


def section(issued: Issued, **more: Path) -> ServerTls:
    files = {"cert": issued.cert, "key": issued.key, **more}
    return ServerTls.model_validate({name: {"file": str(path)} for name, path in files.items()})


def served(*hosts: str, folder: Path) -> ServedTls:
    tls = ServedTls(MetricsRegistry())
    tls.adopt(read_identity(section(Authority(folder).issue("name", *hosts))))
    return tls


@pytest.mark.parametrize(
    ("hosts", "near", "url"),
    [
        (["localhost"], True, "https://localhost:1"),
        (["127.0.0.1", "localhost"], True, "https://127.0.0.1:1"),
        (["tools.example.com"], True, "https://127.0.0.1:1"),
        (["tools.example.com"], False, "https://tools.example.com:1"),
        (["*.example.com"], False, "https://127.0.0.1:1"),
        (["::1"], True, "https://[::1]:1"),
    ],
)
def test_it_is_reached_by_a_name_of_the_certificate(
    hosts: list[str], near: bool, url: str, tmp_path: Path
) -> None:
    assert served(*hosts, folder=tmp_path).url("127.0.0.1", 1, near=near) == url
    assert ServedTls(MetricsRegistry()).url("127.0.0.1", 1, near=near) == "http://127.0.0.1:1"


def test_status_and_metrics_name_the_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    metrics = MetricsRegistry()
    tls = ServedTls(metrics)
    assert (tls.status(), tls.context()) == ({}, None)
    identity = read_identity(section(authority.issue("localhost"), client_ca=authority.bundle))
    assert identity is not None
    tls.adopt(identity)
    shown = tls.status()["tls"]
    assert shown["certificate"].endswith("localhost.pem")
    assert shown["client_certificates"] is True
    name = "executor_tls_certificate_expiry_timestamp_seconds{"
    assert name in metrics.render()[0].decode()
    tls.adopt(None)
    assert name not in metrics.render()[0].decode()
    assert tls.context() is None


def test_failed_handshakes_are_counted_each_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics = MetricsRegistry()
    tls = ServedTls(metrics)
    for _ in range(3):
        tls.failed("192.0.2.1", ssl.SSLError(1, "[SSL: HTTP_REQUEST] http request"))
    assert "executor_tls_handshake_failures_total 3.0" in metrics.render()[0].decode()
    assert len([one for one in caplog.records if "tls_handshake_failed" in one.getMessage()]) == 1


def test_files_that_went_bad_since_they_were_judged_are_an_error(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("localhost")
    issued.key.write_text("nonsense")
    with pytest.raises(OSError, match="PEM"):
        read_identity(section(issued))
    issued.key.unlink()
    with pytest.raises(FileNotFoundError):
        read_identity(section(issued))
    assert read_identity(None) is None
