"""What listens: modes, what lies at a path already, and sockets that another process opened."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from integrations.fields import Listen
from proxy.serving.http.sockets import ActivatedSockets, address_of, again, bind_unix, check_free, opening


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_socket_has_its_mode_and_goes_with_its_listener(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with opening(Listen.unix(str(path)), 0o660)() as sock:
        assert mode(path) == 0o660
        with socket.socket(socket.AF_UNIX) as early, pytest.raises(ConnectionRefusedError):
            early.connect(str(path))
        sock.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()


def test_a_socket_that_another_took_over_stays(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with opening(Listen.unix(str(path)), 0o600)():
        path.unlink()
        path.write_text("another's")
    assert path.exists()


def test_what_lies_at_the_path(tmp_path: Path) -> None:
    """Only a socket without a listener goes."""
    path = tmp_path / "s"
    listen = Listen.unix(str(path))
    bind_unix(str(path), 0o600).close()
    check_free(listen)
    assert path.exists(), "looking removes nothing"
    with bind_unix(str(path), 0o600) as sock:
        sock.listen()
        with pytest.raises(OSError, match="another process listens there"):
            check_free(listen)
        with pytest.raises(OSError, match="another process listens there"):
            bind_unix(str(path), 0o600)
    path.unlink()
    path.write_text("precious")
    with pytest.raises(OSError, match="what is there is no socket"):
        bind_unix(str(path), 0o600)
    assert path.read_text() == "precious"
    with pytest.raises(OSError, match="is no directory"):
        check_free(Listen.unix(str(tmp_path / "nowhere" / "s")))


def test_a_link_to_a_file_is_no_socket(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "s").symlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="no socket"):
        bind_unix(str(tmp_path / "s"), 0o600)


@pytest.mark.parametrize(
    "env",
    [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "7", "LISTEN_FDS": "x"}, {"LISTEN_FDS": "1"}],
)
def test_sockets_of_another_process_are_left_to_it(env: dict[str, str]) -> None:
    assert ActivatedSockets.take(env, 7) == ActivatedSockets()
    assert env == {}


def test_an_opened_socket_is_served_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        for _ in range(2):
            with again(sock)() as own, socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                own.accept()[0].close()
        assert address_of(sock) == Listen.unix(str(path))
    assert path.exists()
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        assert address_of(tcp) == Listen("127.0.0.1", tcp.getsockname()[1])
