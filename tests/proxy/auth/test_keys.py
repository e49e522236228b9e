import pytest

from proxy.auth import Expired, Keyring, hash_key
from proxy.auth.keys import LONGEST_CREDENTIAL
from tests.proxy.auth.samples import CI, NOW, OLD, OPS, RECORDS

KEYRING = Keyring(RECORDS, clock=lambda: NOW)


def test_a_key_is_found_by_what_it_hashes_to() -> None:
    assert KEYRING.match(CI) is RECORDS[0]
    assert KEYRING.match(OPS) is RECORDS[1]
    assert len(KEYRING) == 3


def test_a_key_stops_at_its_first_late_instant() -> None:
    assert KEYRING.match(OLD) == Expired(RECORDS[2])


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "x",
        CI[:-1],
        f"{CI}x",
        f" {CI}",
        CI.upper(),
        RECORDS[0].sha256,
        f"sha256:{RECORDS[0].sha256}",
        "\ud800",
        "é",
        "a" * (LONGEST_CREDENTIAL + 1),
    ],
)
def test_everything_else_is_unknown(presented: str) -> None:
    assert KEYRING.match(presented) is None


def test_hashes_are_what_the_config_holds() -> None:
    assert hash_key("test") == "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def test_the_record_holds_no_key() -> None:
    assert CI not in repr(RECORDS)
