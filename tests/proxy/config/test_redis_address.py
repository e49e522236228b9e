"""What `state.url` may say, in each form; and that no error shows any part of it."""

from __future__ import annotations

import pytest

from integrations.base import Secret
from proxy.config.model import StateConfig
from proxy.config.redis_address import RedisAddress, RedisForm, read_address, redis_form

SINGLE, CLUSTER, SENTINEL = RedisForm(), RedisForm(cluster=True), RedisForm(sentinel="main")
SECURE = RedisForm(ca="/ca.pem")


@pytest.mark.parametrize(
    ("url", "form", "address"),
    [
        ("redis://h", SINGLE, RedisAddress(False, (("h", 6379),), None, None, 0)),
        ("rediss://u:p%40@h:1/2", SINGLE, RedisAddress(True, (("h", 1),), "u", "p@", 2)),
        ("redis://:p@[::1]:7/0?x=y", SINGLE, RedisAddress(False, (("::1", 7),), None, "p", 0)),
        ("unix:///run/r.sock?db=1", SINGLE, RedisAddress(False, (), None, None, 0)),
        (
            "redis://u:p@a:1,b:2,c",
            CLUSTER,
            RedisAddress(False, (("a", 1), ("b", 2), ("c", 6379)), "u", "p", 0),
        ),
        ("redis://a,b:2/3", SENTINEL, RedisAddress(False, (("a", 26379), ("b", 2)), None, None, 3)),
        ("rediss://h", SECURE, RedisAddress(True, (("h", 6379),), None, None, 0)),
    ],
)
def test_each_form(url: str, form: RedisForm, address: RedisAddress) -> None:
    assert read_address(url, form) == address


@pytest.mark.parametrize(
    ("url", "form", "words"),
    [
        ("http://s3cret", SINGLE, "is not a Redis URL"),
        ("redis:s3cret", SINGLE, "is not a Redis URL"),
        ("redis://:s3cret@h:port", SINGLE, "is no HOST:PORT"),
        ("redis://:s3cret@h:0", SINGLE, "is no HOST:PORT"),
        ("redis://:s3cret@[::1", SINGLE, "is no HOST:PORT"),
        ("redis://:s3cret@[::1]x", SINGLE, "is no HOST:PORT"),
        ("redis://:s3cret@", SINGLE, "is no HOST:PORT"),
        ("redis://:s3cret@h/x", SINGLE, "database that is no number"),
        (
            "redis://:s3cret@a,b",
            SINGLE,
            "names several servers: set `state.cluster: true`, or `state.sentinel`",
        ),
        ("redis://:s3cret@a/1", CLUSTER, "database other than 0"),
        ("unix:///s3cret", CLUSTER, "is a unix socket"),
        ("unix:///s3cret", SENTINEL, "is a unix socket"),
        ("redis://:s3cret@a", SECURE, "has to begin with rediss://"),
    ],
)
def test_what_does_not_fit_its_form(url: str, form: RedisForm, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        read_address(url, form)
    assert "s3cret" not in str(caught.value)


def test_the_form_of_a_config() -> None:
    config = StateConfig.model_validate(
        {
            "backend": "redis",
            "sentinel": {"service": "main", "username": "w", "password": {"env": "P"}},
            "tls": {"ca": {"file": "/ca"}, "cert": {"file": "/c"}, "key": {"file": "/k"}},
            "timeout": "9s",
        }
    )
    password = Secret("p")
    assert redis_form(config, password) == RedisForm(
        False, "main", "w", password, ca="/ca", cert="/c", key="/k", timeout=9.0
    )


@pytest.mark.parametrize(
    ("form", "limit"), [(SINGLE, 3.0), (CLUSTER, 15.0), (SENTINEL, 15.0), (RedisForm(timeout=1), 1)]
)
def test_a_failover_is_waited_for_where_one_is_to_be_expected(form: RedisForm, limit: float) -> None:
    assert form.limit_seconds == limit
