import pytest

from proxy.config.model import Per
from proxy.limits import LimitRule, LimitSubject, RateWindow
from proxy.principal import Principal

KEY = LimitSubject.of(Principal("ws", "key:bot", "key"), ip="10.0.0.1", session="mcp_1")
USER = LimitSubject.of(Principal("ws", "user:eva", "user"), ip="10.0.0.1")
NOBODY = LimitSubject.of(Principal("ws", "anonymous", "anonymous"), ip="10.0.0.1")
STDIO = LimitSubject.of(Principal("ws", "local", "local"))


@pytest.mark.parametrize(
    ("burst", "rate", "window"),
    [
        (None, RateWindow(30, 60), RateWindow(30, 60)),
        (10, RateWindow(30, 60), RateWindow(10, 20)),
        (60, RateWindow(30, 60), RateWindow(60, 120)),
        (1, RateWindow(5000, 3600), RateWindow(1, 1)),
        (7, RateWindow(30, 60), RateWindow(7, 14)),
        (1, RateWindow(7, 60), RateWindow(1, 9)),  # 8.57 s, rounded up
    ],
)
def test_a_burst_is_a_shorter_or_longer_window(
    burst: int | None, rate: RateWindow, window: RateWindow
) -> None:
    assert LimitRule("x", "user", "requests", rate, burst=burst).window() == window


@pytest.mark.parametrize(
    ("per", "key", "user", "nobody", "stdio"),
    [
        ("server", "all", "all", "all", "all"),
        ("workspace", "ws", "ws", "ws", "ws"),
        ("user", "key:bot", "user:eva", "ip:10.0.0.1", "user:local"),
        ("key", "bot", None, None, None),
        ("session", "ws|key:bot|mcp_1", "ws|user:eva|", "ws|ip:10.0.0.1|", "ws|user:local|"),
        ("ip", "10.0.0.1", "10.0.0.1", "10.0.0.1", None),
        ("tool", None, None, None, None),
        ("connection", None, None, None, None),
        ("integration", None, None, None, None),
    ],
)
def test_whom_a_limit_counts(
    per: Per, key: str | None, user: str | None, nobody: str | None, stdio: str | None
) -> None:
    assert [subject.counted(per) for subject in (KEY, USER, NOBODY, STDIO)] == [key, user, nobody, stdio]


def test_without_any_name_or_address_everybody_is_one() -> None:
    assert LimitSubject("ws").counted("user") == "anonymous"
    assert LimitSubject("ws").counted("session") == "ws|anonymous|"


def test_a_call_names_what_it_calls() -> None:
    call = USER.calling("github.org.main.repos.get")
    assert call.counted("integration") == "github"
    assert call.counted("connection") == "github.org.main"
    assert call.counted("tool") == "github.org.main.repos.get"
    assert call.counted("user") == "user:eva"
